// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pages of the fake device, by the rules that both drivers keep to. */

#undef NDEBUG
#include <assert.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "fake-arena.h"
#include "fake-device.h"
#include "fake-steps.h"

struct fake_page fake_pages[FAKE_PAGES];
unsigned int fake_next_page;
/* A page for each of them in a row, and how the peer sees them. */
int fake_memory_fd = -1;
static unsigned char *memory;

void fake_notify(struct fake_page *page)
{
	if (page->action & UNMAP_NOTIFY_CLEAR_BYTE) {
		page->bytes[page->offset] = 0;
		fake.cleared++;
	}
	if (page->action & UNMAP_NOTIFY_SEND_EVENT)
		fake.events++;
}

void fake_settle(struct fake_page *page)
{
	if (page->released || page->listed || page->addr ||
	    page->fd == FAKE_PARENT)
		return;
	fake_notify(page);
	page->granted = false;
	page->released = true;
	fake.released++;
}

void fake_delist(struct fake_page *page)
{
	page->listed = false;
	fake.listed--;
	fake.added -= page->added;
	fake_settle(page);
}

struct fake_page *fake_new_grant(int fd, unsigned char *bytes)
{
	struct fake_page *page = &fake_pages[fake_next_page];

	*page = (struct fake_page){ .bytes = bytes,
				    .ref = FAKE_FIRST_REF + fake_next_page,
				    .domid = fake.domid,
				    .flags = fake.flags,
				    .fd = fd,
				    .granted = true,
				    .listed = true };
	fake_next_page++;
	fake.listed++;
	return page;
}

struct fake_page *fake_new_page(int fd, unsigned char *bytes)
{
	if (bytes)
		memset(bytes, 0, GNTSHR_PAGE_SIZE);
	else
		bytes = memory + (size_t)fake_next_page * GNTSHR_PAGE_SIZE;
	return fake_new_grant(fd, bytes);
}

struct fake_page *fake_find(int fd, uint64_t index)
{
	uint64_t n = index / GNTSHR_PAGE_SIZE;

	/* No page can have such a one. */
	if (index >= 2 * GNTALLOC_ARENA)
		return NULL;
	if (index >= GNTALLOC_ARENA)
		return fake_arena_listed(fd, index);
	if (n >= fake_next_page || !fake_pages[n].listed ||
	    fake_pages[n].fd != fd || fake_pages[n].in_arena)
		return NULL;
	return &fake_pages[n];
}

/* What the driver leaves in the caller's memory when it fails late. */
static int alloc_fails(struct ioctl_gntalloc_alloc_gref *op)
{
	op->index = UINT64_MAX;
	memset(op->gref_ids, FAKE_ANY_BYTE, op->count * sizeof(*op->gref_ids));
	return -1;
}

static int device_alloc(int fd, struct ioctl_gntalloc_alloc_gref *op)
{
	uint32_t i;

	/* Or valgrind takes what the driver writes for uninitialised. */
	assert(!op->index);
	for (i = 0; i < op->count; i++)
		assert(!op->gref_ids[i] || op->gref_ids[i] == FAKE_ANY_REF);
	fake.domid = op->domid;
	fake.flags = op->flags;
	fake.count = op->count;
	errno = fake_restricted(fd, op->domid, op->count);
	if (!errno && op->count > FAKE_PAGES - fake_next_page)
		errno = ENOSPC;
	if (errno)
		return -1;
	op->index = (uint64_t)fake_next_page * GNTSHR_PAGE_SIZE;
	for (i = 0; i < op->count; i++) {
		op->gref_ids[i] = FAKE_FIRST_REF + fake_next_page;
		fake_new_page(fd, NULL);
	}
	return 0;
}

static int device_dealloc(int fd, const struct ioctl_gntalloc_dealloc_gref *op)
{
	uint32_t i;

	for (i = 0; i < op->count; i++)
		if (!fake_find(fd, op->index + (uint64_t)i * GNTSHR_PAGE_SIZE))
			break;
	if (!op->count || i < op->count || op->index % GNTSHR_PAGE_SIZE) {
		errno = EINVAL;
		return -1;
	}
	for (i = 0; i < op->count; i++) {
		struct fake_page *page = fake_find(
			fd, op->index + (uint64_t)i * GNTSHR_PAGE_SIZE);

		fake_assert_alone(page);
		fake_delist(page);
	}
	return 0;
}

static int device_notify(int fd, const struct ioctl_gntalloc_unmap_notify *op)
{
	struct fake_page *page = fake_find(fd, op->index);

	if (!page) {
		errno = ENOENT;
		return -1;
	}
	if (op->action & UNMAP_NOTIFY_SEND_EVENT &&
	    op->event_channel_port != FAKE_PORT) {
		errno = EINVAL;
		return -1;
	}
	page->action = op->action;
	page->offset = op->index % GNTSHR_PAGE_SIZE;
	return 0;
}

int fake_ioctl(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case IOCTL_GNTALLOC_ALLOC_GREF:
		return fake_fails(FAKE_ALLOC) ? alloc_fails(arg)
					      : device_alloc(fd, arg);
	case IOCTL_GNTALLOC_DEALLOC_GREF:
		return fake_fails(FAKE_DEALLOC) ? -1 : device_dealloc(fd, arg);
	case IOCTL_GNTALLOC_SET_UNMAP_NOTIFY:
		return fake_fails(FAKE_NOTIFY) ? -1 : device_notify(fd, arg);
	case IOCTL_GNTALLOC_SHARE:
		if (!fake_fails(FAKE_SHARE))
			return fake_arena_share(fd, arg);
		fake_arena_share_fails(fd, arg);
		return -1;
	case IOCTL_GNTALLOC_UNSHARE:
		return fake_fails(FAKE_UNSHARE) ? -1
						: fake_arena_unshare(fd, arg);
	default:
		return fake_borrow_ioctl(fd, request, arg);
	}
}

void *fake_map(void *hint, int fd, size_t size, uint64_t offset)
{
	struct fake_page *page = fake_find(fd, offset);
	const struct fake_page *mapping = page;
	unsigned char *addr;

	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE)
		assert(fake_find(fd, offset + i) &&
		       !fake_find(fd, offset + i)->unmappable);
	addr = mmap(fake.place ? fake.place : hint, size,
		    PROT_READ | PROT_WRITE,
		    MAP_SHARED | (fake.place ? MAP_FIXED_NOREPLACE : 0),
		    fake_memory_fd, (off_t)offset);
	assert(addr != MAP_FAILED);
	fake.place = NULL;
	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE, page++) {
		page->addr = addr + i;
		page->mapping = mapping;
		fake.mapped++;
	}
	return addr;
}

void fake_unmap(unsigned char *addr, size_t size)
{
	struct fake_page *page = fake_pages + fake_next_page;

	while (page > fake_pages && page[-1].addr != addr)
		page--;
	assert(!munmap(addr, size));
	if (page-- == fake_pages) {
		/* Whatever was there, the kernel does not mind. */
		assert(fake.meddled);
		return;
	}
	for (size_t i = 0; i < size; i += GNTSHR_PAGE_SIZE, page++) {
		assert(page->addr == addr + i);
		page->addr = NULL;
		fake.mapped--;
		fake_settle(page);
	}
}

static void make_memory(void)
{
	size_t size = (size_t)FAKE_PAGES * GNTSHR_PAGE_SIZE;

	fake_memory_fd = memfd_create("fake", MFD_CLOEXEC);
	assert(fake_memory_fd != -1 && !ftruncate(fake_memory_fd, (off_t)size));
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fake_memory_fd, 0);
	assert(memory != MAP_FAILED);
}

void fake_device_setup(void)
{
	if (!memory)
		make_memory();
	/* It is zeroed, and what a test that failed has left behind goes. */
	assert(!madvise(memory, (size_t)fake_next_page * GNTSHR_PAGE_SIZE + 1,
			MADV_REMOVE));
	for (unsigned int i = 0; i < fake_next_page; i++)
		if (fake_pages[i].addr)
			munmap(fake_pages[i].addr, GNTSHR_PAGE_SIZE);
	fake_next_page = 0;
	fake_borrow_setup();
}
