// SPDX-License-Identifier: LGPL-2.1-or-later
/* The arenas of our driver, by the rules of xen-gntalloc.h and kmod/. */

#undef NDEBUG
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "fake-arena.h"
#include "fake-device.h"

#define PAGE GNTSHR_PAGE_SIZE
#define PIECES 512
#define FILES 16
#define PLACES (1u << 23)

/* An arena, or what is left of one; free if it has no places. */
static struct piece {
	unsigned char *addr;
	uint64_t first;
	unsigned int count;
	int fd;
} pieces[PIECES];

/* The page that a place has or had, plus 1. */
static unsigned int *places[FILES];
/* The first place that the file had. */
static uint64_t first_place[FILES];
static uint32_t dice;

/* Whether a page goes for no reason that the library could know. */
static bool vanishes(void)
{
	dice = dice * 1664525 + 1013904223;
	return fake.decays && dice >> 28 == 0;
}

static unsigned int *place(int fd, uint64_t index)
{
	uint64_t n =
		(index - GNTALLOC_ARENA) / PAGE - first_place[fd - FAKE_FD];

	assert(index >= GNTALLOC_ARENA && index % PAGE == 0 && n < PLACES);
	return &places[fd - FAKE_FD][n];
}

/* The page in a place, or NULL if that is empty. */
static struct fake_page *page_in(int fd, uint64_t index)
{
	unsigned int n = *place(fd, index);

	return n && (fake_pages[n - 1].spare || !fake_pages[n - 1].released)
		       ? &fake_pages[n - 1]
		       : NULL;
}

static void nowhere(void *addr, size_t size)
{
	assert(mmap(addr, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) == addr);
}

static void add(struct piece piece)
{
	int i = 0;

	while (pieces[i].count) {
		i++;
		assert(i < PIECES);
	}
	pieces[i] = piece;
	fake.arenas++;
}

void *fake_arena_make(void *hint, int fd, size_t size, uint64_t index)
{
	uint64_t first = (index - GNTALLOC_ARENA) / PAGE;
	unsigned char *addr =
		mmap(fake.arena_place ? fake.arena_place : hint, size,
		     PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			     (fake.arena_place ? MAP_FIXED_NOREPLACE : 0),
		     -1, 0);

	assert(addr != MAP_FAILED);
	fake.arena_place = NULL;
	assert(size && size % PAGE == 0);
	if (!places[fd - FAKE_FD]) {
		first_place[fd - FAKE_FD] = first;
		places[fd - FAKE_FD] = mmap(
			NULL, PLACES * sizeof(**places), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
	assert(places[fd - FAKE_FD] != MAP_FAILED);
	/* The library gives each its own. */
	for (size_t i = size; i; i -= PAGE)
		assert(!*place(fd, index + i - PAGE));
	add((struct piece){ .addr = addr,
			    .first = first,
			    .count = (unsigned int)(size / PAGE),
			    .fd = fd });
	return addr;
}

bool fake_in_arena(const void *addr)
{
	for (int i = 0; i < PIECES; i++)
		if ((uintptr_t)addr - (uintptr_t)pieces[i].addr <
		    (size_t)pieces[i].count * PAGE)
			return true;
	return false;
}

static bool is_mapping_of(int fd, unsigned char *addr, uint64_t index,
			  size_t size)
{
	uint64_t first = (index - GNTALLOC_ARENA) / PAGE;

	for (int i = 0; i < PIECES; i++) {
		const struct piece *piece = &pieces[i];
		size_t before = (size_t)(addr - piece->addr);
		size_t length = (size_t)piece->count * PAGE;

		if (addr >= piece->addr && before < length)
			return piece->fd == fd && size <= length - before &&
			       first == piece->first + before / PAGE;
	}
	return false;
}

/* A spare page leaves its place. */
static void drop_spare(struct fake_page *page)
{
	page->spare = false;
	page->addr = NULL;
	fake.spare--;
}

void fake_take_spare(void)
{
	for (unsigned int i = 0; i < fake_next_page; i++) {
		if (!fake_pages[i].spare)
			continue;
		nowhere(fake_pages[i].addr, PAGE);
		drop_spare(&fake_pages[i]);
		return;
	}
	assert(!"a spare page");
}

static void decay(int fd)
{
	for (unsigned int i = 0; i < fake_next_page; i++) {
		struct fake_page *page = &fake_pages[i];

		if (page->spare && page->fd == fd && vanishes()) {
			nowhere(page->addr, PAGE);
			drop_spare(page);
		}
	}
}

static int cannot_share(int fd, const struct ioctl_gntalloc_share *op)
{
	bool fill = false;

	for (uint32_t i = 0; i < op->count; i++) {
		struct fake_page *page =
			page_in(fd, op->index + (uint64_t)i * PAGE);

		if (page && !page->spare)
			return EBUSY;
		fill = fill || !page || page->copied;
	}
	if (fill && !is_mapping_of(fd, (unsigned char *)(uintptr_t)op->addr,
				   op->index, (size_t)op->count * PAGE))
		return EINVAL;
	return op->count > FAKE_PAGES - fake_next_page ? ENOSPC : 0;
}

static struct fake_page *fill_place(int fd, uint64_t index, unsigned char *addr)
{
	struct fake_page *old = page_in(fd, index), *page;
	unsigned char *bytes = NULL;

	if (old) {
		if (!old->copied)
			bytes = old->bytes;
		drop_spare(old);
	}
	page = fake_new_page(fd, bytes);
	fake.reused += !!bytes;
	/* The driver does not see where a spare page is mapped. */
	if (!bytes)
		assert(mmap(addr, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fake_memory_fd,
			    (page - fake_pages) * (off_t)PAGE) == addr);
	page->addr = addr;
	page->in_arena = true;
	fake.mapped++;
	*place(fd, index) = (unsigned int)(page - fake_pages) + 1;
	return page;
}

int fake_arena_share(int fd, const struct ioctl_gntalloc_share *op)
{
	uint32_t *refs = (uint32_t *)(uintptr_t)op->refs, i;
	unsigned char *addr = (unsigned char *)(uintptr_t)op->addr;
	struct fake_page *page;

	assert(op->count && !(op->addr % PAGE));
	/* Or valgrind takes what the driver writes for uninitialised. */
	for (i = 0; i < op->count; i++)
		assert(!refs[i] || refs[i] == FAKE_ANY_REF);
	decay(fd);
	fake.domid = op->domid;
	fake.flags = op->flags & ~(uint32_t)GNTALLOC_FLAG_UNLISTED;
	fake.count = op->count;
	errno = fake_restricted(fd, op->domid, op->count);
	if (!errno)
		errno = cannot_share(fd, op);
	if (errno) {
		memset(refs, FAKE_ANY_BYTE, op->count * sizeof(*refs));
		return -1;
	}
	for (i = 0; i < op->count; i++) {
		refs[i] = FAKE_FIRST_REF + fake_next_page;
		page = fill_place(fd, op->index + (uint64_t)i * PAGE,
				  addr + (size_t)i * PAGE);
		if (op->flags & GNTALLOC_FLAG_UNLISTED)
			fake_delist(page);
	}
	errno = FAKE_ANY_ERRNO;
	return 0;
}

/* A page that a share got before it failed. */
static void leave_spare(int fd, uint64_t index, unsigned char *addr)
{
	struct fake_page *page = fill_place(fd, index, addr);

	page->listed = page->granted = false;
	page->released = page->spare = true;
	fake.listed--;
	fake.mapped--;
	fake.released++;
	fake.spare++;
}

void fake_arena_share_fails(int fd, const struct ioctl_gntalloc_share *op)
{
	unsigned char *addr = (unsigned char *)(uintptr_t)op->addr;
	int error = errno;

	memset((void *)(uintptr_t)op->refs, FAKE_ANY_BYTE,
	       op->count * sizeof(uint32_t));
	decay(fd);
	/* It may have got some of the pages. */
	if ((error == ENOMEM || error == EINTR) && !cannot_share(fd, op))
		for (uint32_t i = 0; i < op->count / 2; i++)
			if (!page_in(fd, op->index + (uint64_t)i * PAGE))
				leave_spare(fd, op->index + (uint64_t)i * PAGE,
					    addr + (size_t)i * PAGE);
	errno = error;
}

struct fake_page *fake_arena_listed(int fd, uint64_t index)
{
	struct fake_page *page = page_in(fd, index - index % PAGE);

	return page && page->listed && page->fd == fd ? page : NULL;
}

static int cannot_unshare(int fd, const struct ioctl_gntalloc_unshare *op)
{
	if (op->addr && !is_mapping_of(fd, (unsigned char *)(uintptr_t)op->addr,
				       op->index, (size_t)op->count * PAGE))
		return EINVAL;
	for (uint32_t i = 0; i < op->count; i++) {
		const struct fake_page *page =
			page_in(fd, op->index + (uint64_t)i * PAGE);

		if (!page || page->spare || (!page->listed && !op->addr))
			return EINVAL;
		if (page->copied && op->addr)
			return EBUSY;
	}
	return 0;
}

int fake_arena_unshare(int fd, const struct ioctl_gntalloc_unshare *op)
{
	uint32_t i;

	assert(op->count && !op->pad);
	errno = cannot_unshare(fd, op);
	if (errno)
		return -1;
	for (i = 0; i < op->count; i++) {
		struct fake_page *page =
			page_in(fd, op->index + (uint64_t)i * PAGE);
		unsigned char *addr = page->addr;

		fake_assert_alone(page);
		page->addr = NULL;
		fake.mapped -= !!addr;
		if (page->listed)
			fake_delist(page);
		else
			fake_settle(page);
		if (!addr)
			continue;
		if (page->copied || vanishes()) {
			nowhere(addr, PAGE);
			continue;
		}
		page->addr = addr;
		page->spare = true;
		fake.spare++;
	}
	decay(fd);
	errno = FAKE_ANY_ERRNO;
	return 0;
}

void fake_arenas_copied(void)
{
	for (unsigned int i = 0; i < fake_next_page; i++)
		fake_pages[i].copied = fake_pages[i].addr;
}

void fake_children_end(void)
{
	for (unsigned int i = 0; i < fake_next_page; i++)
		fake_pages[i].kept = false;
}

unsigned int fake_arena_list(struct gntshr_mapping *mappings)
{
	unsigned int n = 0;

	for (int i = 0; i < PIECES; i++)
		if (pieces[i].count)
			mappings[n++] = (struct gntshr_mapping){
				.addr = (char *)pieces[i].addr,
				.size = (size_t)pieces[i].count * PAGE,
				.offset =
					GNTALLOC_ARENA + pieces[i].first * PAGE,
			};
	return n;
}

static void cut_pages(const unsigned char *addr, size_t size)
{
	for (unsigned int i = 0; i < fake_next_page; i++) {
		struct fake_page *page = &fake_pages[i];

		if (!page->in_arena || page->addr < addr ||
		    page->addr >= addr + size)
			continue;
		if (page->spare) {
			page->kept = page->copied;
			drop_spare(page);
			continue;
		}
		page->addr = NULL;
		fake.mapped--;
		fake_settle(page);
	}
}

static size_t cut_piece(struct piece *piece, unsigned char *addr, size_t size)
{
	struct piece behind = *piece;
	unsigned char *end, *from, *to;

	if (!piece->count)
		return 0;
	end = piece->addr + (size_t)piece->count * PAGE;
	from = addr > piece->addr ? addr : piece->addr;
	to = addr + size < end ? addr + size : end;
	if (from >= to)
		return 0;
	behind.addr = to;
	behind.count = (unsigned int)((end - to) / PAGE);
	behind.first += piece->count - behind.count;
	piece->count = (unsigned int)((from - piece->addr) / PAGE);
	fake.arenas -= !piece->count;
	if (behind.count)
		add(behind);
	return (size_t)(to - from);
}

size_t fake_arena_cut(unsigned char *addr, size_t size)
{
	size_t cut = 0;

	for (int i = 0; i < PIECES; i++)
		cut += cut_piece(&pieces[i], addr, size);
	if (cut)
		cut_pages(addr, size);
	return cut;
}

void fake_arenas_close(int fd)
{
	for (unsigned int i = 0; i < fake_next_page; i++)
		fake_pages[i].kept =
			fake_pages[i].kept && fake_pages[i].fd != fd;
	if (places[fd - FAKE_FD])
		assert(!munmap(places[fd - FAKE_FD],
			       PLACES * sizeof(**places)));
	places[fd - FAKE_FD] = NULL;
}

/* What a test that failed has left behind goes. */
void fake_arenas_setup(void)
{
	for (int i = 0; i < PIECES; i++) {
		if (pieces[i].count)
			munmap(pieces[i].addr, (size_t)pieces[i].count * PAGE);
		pieces[i].count = 0;
	}
	for (int i = 0; i < FILES; i++)
		fake_arenas_close(FAKE_FD + i);
	dice = 1;
}
