// SPDX-License-Identifier: LGPL-2.1-or-later
/* More grants of a page, memory of the program, and what the device tells. */

#undef NDEBUG
#include <assert.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fake-arena.h"
#include "fake-device.h"
#include "fake-steps.h"

#define PAGE GNTSHR_PAGE_SIZE
#define FILES 16

static struct {
	bool is;
	uint32_t domid, pages;
} restricted[FILES];

/* Which page got the n-th reference of those that came later. */
static unsigned int renewed[FAKE_PAGES], renewals;

const struct fake_page *fake_page(uint32_t ref)
{
	if (ref >= FAKE_FIRST_RENEWED) {
		assert(ref < FAKE_FIRST_RENEWED + renewals);
		return &fake_pages[renewed[ref - FAKE_FIRST_RENEWED]];
	}
	assert(ref >= FAKE_FIRST_REF && ref < FAKE_FIRST_REF + fake_next_page);
	return &fake_pages[ref - FAKE_FIRST_REF];
}

static uint32_t count_pages(int fd)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < fake_next_page; i++)
		n += fake_pages[i].fd == fd && fake_pages[i].listed;
	return n;
}

int fake_restricted(int fd, uint32_t domid, uint32_t count)
{
	if (!restricted[fd - FAKE_FD].is)
		return 0;
	if (domid != restricted[fd - FAKE_FD].domid)
		return EACCES;
	return count + count_pages(fd) > restricted[fd - FAKE_FD].pages ? EDQUOT
									: 0;
}

/* What could not be ended is the test's doing. */
void fake_assert_alone(const struct fake_page *page)
{
	if (!fake.added || fake.failed == FAKE_DEALLOC)
		return;
	for (unsigned int i = 0; i < fake_next_page; i++)
		assert(!fake_pages[i].listed || fake_pages[i].of != page);
}

/* Fails if these are not @count pages that are listed. */
static int find_all(int fd, uint64_t index, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!fake_find(fd, index + (uint64_t)i * PAGE))
			return EINVAL;
	return count && index % PAGE == 0 ? 0 : EINVAL;
}

static bool has(const struct fake_page *page, uint32_t domid)
{
	if (page->granted && page->domid == domid)
		return true;
	for (unsigned int i = 0; fake.added && i < fake_next_page; i++) {
		const struct fake_page *other = &fake_pages[i];

		/* The library knows of these. */
		assert(!other->listed || other->of != page ||
		       other->domid != domid);
	}
	return false;
}

/* What the driver leaves in the caller's memory when it fails late. */
static int refuse(uint64_t refs, uint32_t count)
{
	memset((void *)(uintptr_t)refs, FAKE_ANY_BYTE,
	       count * sizeof(uint32_t));
	return -1;
}

static int add_peer(int fd, struct ioctl_gntalloc_add_peer *op)
{
	uint32_t *refs = (uint32_t *)(uintptr_t)op->refs, i;
	int error = find_all(fd, op->index, op->count);

	for (i = 0; i < op->count && !error; i++) {
		uint64_t index = op->index + (uint64_t)i * PAGE;

		assert(!fake_find(fd, index)->added);
		error = has(fake_find(fd, index), op->domid) ? EEXIST : 0;
	}
	if (!error)
		error = fake_restricted(fd, op->domid, op->count);
	op->peer_index = error ? UINT64_MAX : (uint64_t)fake_next_page * PAGE;
	errno = error;
	if (error)
		return refuse(op->refs, op->count);
	fake.domid = op->domid;
	fake.flags = op->flags;
	for (i = 0; i < op->count; i++) {
		struct fake_page *of =
			fake_find(fd, op->index + (uint64_t)i * PAGE);
		struct fake_page *page = fake_new_grant(fd, of->bytes);

		page->of = of;
		page->added = page->unmappable = true;
		fake.added++;
		refs[i] = page->ref;
	}
	return 0;
}

static int share_memory(int fd, struct ioctl_gntalloc_share_memory *op)
{
	uint32_t *refs = (uint32_t *)(uintptr_t)op->refs, i;
	unsigned char *addr = (unsigned char *)(uintptr_t)op->addr, byte;
	int error = fake_restricted(fd, op->domid, op->count);

	assert(op->count && op->addr % PAGE == 0);
	for (i = 0; i < op->count && !error; i++)
		if (mincore(addr + (size_t)i * PAGE, PAGE, &byte) ||
		    fake_in_arena(addr + (size_t)i * PAGE))
			error = EFAULT;
	if (!error && op->count > FAKE_PAGES - fake_next_page)
		error = ENOSPC;
	op->index = error ? UINT64_MAX : (uint64_t)fake_next_page * PAGE;
	errno = error;
	if (error)
		return refuse(op->refs, op->count);
	fake.domid = op->domid;
	fake.flags = op->flags;
	for (i = 0; i < op->count; i++) {
		struct fake_page *page =
			fake_new_grant(fd, addr + (size_t)i * PAGE);

		page->unmappable = true;
		refs[i] = page->ref;
	}
	return 0;
}

static int renew(int fd, const struct ioctl_gntalloc_renew *op)
{
	uint32_t *refs = (uint32_t *)(uintptr_t)op->refs, i;
	int error = find_all(fd, op->index, op->count);

	if (!error)
		error = fake_restricted(fd, op->domid, op->count);
	errno = error;
	if (error)
		return refuse(op->refs, op->count);
	for (i = 0; i < op->count; i++) {
		struct fake_page *page =
			fake_find(fd, op->index + (uint64_t)i * PAGE);

		assert(!page->added && renewals < FAKE_PAGES);
		renewed[renewals] = (unsigned int)(page - fake_pages);
		page->ref = refs[i] = FAKE_FIRST_RENEWED + renewals++;
		page->domid = op->domid;
		page->flags = op->flags;
		page->granted = true;
	}
	return 0;
}

static int revoke(int fd, const struct ioctl_gntalloc_revoke *op)
{
	assert(!op->pad);
	errno = find_all(fd, op->index, op->count);
	for (uint32_t i = 0; i < op->count && !errno; i++) {
		struct fake_page *page =
			fake_find(fd, op->index + (uint64_t)i * PAGE);

		if (!page->granted || page->domid != op->domid)
			errno = EINVAL;
	}
	if (errno)
		return -1;
	for (uint32_t i = 0; i < op->count; i++) {
		struct fake_page *page =
			fake_find(fd, op->index + (uint64_t)i * PAGE);

		assert(!page->added);
		fake_notify(page);
		page->action = 0;
		page->granted = false;
	}
	return 0;
}

static uint32_t count_spare(int fd)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < fake_next_page; i++)
		n += fake_pages[i].fd == fd &&
		     (fake_pages[i].spare || fake_pages[i].kept);
	return n;
}

static bool comes_back(void)
{
	if (fake.lingering && fake.now_ms >= fake.back_at_ms) {
		fake.lingering = 0;
		fake.is_back = true;
		fake.quiet = fake.no_news;
	}
	return fake.is_back && !fake.quiet;
}

static int status(int fd, struct ioctl_gntalloc_status *op)
{
	assert(!op->pad && !(op->flags & ~GNTALLOC_STATUS_QUIET));
	comes_back();
	*op = (struct ioctl_gntalloc_status){
		.returned = fake.is_back,
		.listed = count_pages(fd),
		.spare = count_spare(fd),
		.lingering = fake.lingering,
		.restores = fake.restores,
		.flags = op->flags,
	};
	if (op->flags & GNTALLOC_STATUS_QUIET)
		fake.quiet = true;
	return 0;
}

static int restrict_file(int fd, const struct ioctl_gntalloc_restrict *op)
{
	assert(!op->pad);
	errno = 0;
	if (!op->pages || op->domid > 0x7FEF)
		errno = EINVAL;
	else if (restricted[fd - FAKE_FD].is)
		errno = EACCES;
	if (errno)
		return -1;
	restricted[fd - FAKE_FD].is = true;
	restricted[fd - FAKE_FD].domid = op->domid;
	restricted[fd - FAKE_FD].pages = op->pages;
	return 0;
}

int fake_borrow_ioctl(int fd, unsigned long request, void *arg)
{
	const struct ioctl_gntalloc_share_memory *memory = arg;
	const struct ioctl_gntalloc_add_peer *peer = arg;
	const struct ioctl_gntalloc_renew *again = arg;

	/* As the stock driver. */
	if (!fake.has_arenas) {
		errno = ENOTTY;
		return -1;
	}
	switch (request) {
	case IOCTL_GNTALLOC_ADD_PEER:
		return fake_fails(FAKE_ADD_PEER)
			       ? refuse(peer->refs, peer->count)
			       : add_peer(fd, arg);
	case IOCTL_GNTALLOC_SHARE_MEMORY:
		return fake_fails(FAKE_SHARE_MEMORY)
			       ? refuse(memory->refs, memory->count)
			       : share_memory(fd, arg);
	case IOCTL_GNTALLOC_RENEW:
		return fake_fails(FAKE_RENEW)
			       ? refuse(again->refs, again->count)
			       : renew(fd, arg);
	case IOCTL_GNTALLOC_REVOKE:
		return fake_fails(FAKE_REVOKE) ? -1 : revoke(fd, arg);
	case IOCTL_GNTALLOC_STATUS:
		return fake_fails(FAKE_STATUS) ? -1 : status(fd, arg);
	case IOCTL_GNTALLOC_RESTRICT:
		return fake_fails(FAKE_RESTRICT) ? -1 : restrict_file(fd, arg);
	default:
		assert(!"an ioctl that the driver knows");
		return -1;
	}
}

/* Time goes by, up to what is waited for. */
int gntshr_sys_poll(int fd, short events, int timeout_ms)
{
	assert(fd >= FAKE_FD && events == POLLIN && timeout_ms > 0);
	fake.polls++;
	if (fake_fails(FAKE_POLL))
		return -1;
	if (comes_back())
		return 1;
	if (fake.lingering && !fake.no_news &&
	    fake.back_at_ms <= fake.now_ms + timeout_ms) {
		fake.now_ms = fake.back_at_ms;
		comes_back();
		return 1;
	}
	fake.now_ms += timeout_ms;
	return 0;
}

int64_t gntshr_sys_now_ms(void)
{
	fake_spoil_errno();
	return fake.now_ms;
}

void fake_borrow_close(int fd)
{
	restricted[fd - FAKE_FD].is = false;
}

void fake_borrow_setup(void)
{
	memset(restricted, 0, sizeof(restricted));
	renewals = 0;
}
