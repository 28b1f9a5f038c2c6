// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The calls that need our driver: more peers and fewer, memory of the program,
 * renewal, status and bounds. On the stock one the model says ENOTSUP.
 */

#include <string.h>

#include "fuzz.h"

#define UNTOUCHED 0xEFEFEFEF

static const uint32_t domids[] = { 0, 1, 0x7FEF, 0x7FF0, (uint32_t)-1 };

/* Seldom one that there cannot be. */
static uint32_t any_domid(void)
{
	return domids[below(16) ? below(DOMIDS) : DOMIDS + below(2)];
}

/* Pages of a share, most often, as arguments of a call. */
static struct {
	struct model_handle *handle;
	struct model_share *share;
	char *addr;
	uint32_t domid, count, first, refs[MAX_COUNT], *out;
	unsigned int flags;
} call;

/* Whatever anybody could take for pages of a share. */
static void choose_any_pages(void)
{
	call.handle = any_handle();
	call.addr = any_address();
	call.share = model_find(call.handle, call.addr);
	call.count = below(MAX_COUNT + 1);
	if (call.share)
		call.first = (uint32_t)(call.addr - call.share->addr) /
			     GNTSHR_PAGE_SIZE;
}

/* Or pages that are. */
static void choose_pages(void)
{
	call.share = &model.shares[byte() % model.number_of_shares];
	call.handle = call.share->owner;
	call.first = below(call.share->count);
	call.count = 1 + below(call.share->count - call.first);
	call.addr = call.share->addr + (size_t)call.first * GNTSHR_PAGE_SIZE;
}

static void choose_call(void)
{
	if (model.number_of_shares && below(8))
		choose_pages();
	else
		choose_any_pages();
	call.domid = any_domid();
	call.flags = below(32) == 31 ? 4 : byte() & 1;
	call.out = below(32) == 31 ? NULL : call.refs;
	memset(call.refs, 0xEF, sizeof(call.refs));
}

/* Most often a domain that has the first of these pages. */
static void choose_known_domid(void)
{
	const struct model_grant *grant;

	if (!call.share)
		return;
	grant = &call.share->pages[call.first].grants[below(1 + DOMIDS)];
	if (grant->is)
		call.domid = grant->domid;
}

static void assert_refs(int error)
{
	for (uint32_t i = error ? 0 : call.count; i < MAX_COUNT; i++)
		expect(call.refs[i] == UNTOUCHED);
}

/* All pages in one share, listed. */
static bool are_pages(void)
{
	return call.share && !call.share->unlisted && call.count &&
	       (uintptr_t)call.addr % GNTSHR_PAGE_SIZE == 0 &&
	       call.count <= call.share->count - call.first;
}

static struct model_page *page_of_call(uint32_t i)
{
	return &call.share->pages[call.first + i];
}

/* How many of the pages the domain was added to, or has as the first one. */
static uint32_t count_added(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < call.count; i++)
		n += !!model_added(page_of_call(i), call.domid);
	return n;
}

static uint32_t count_first(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < call.count; i++) {
		const struct model_grant *first = page_of_call(i)->grants;

		n += first->is && first->domid == call.domid;
	}
	return n;
}

/* What arguments come to before anything is asked for, or 0. */
static int grant_error(void)
{
	if (call.handle->forked)
		return EPERM;
	return call.domid > 0x7FEF || !call.count || !call.out || call.flags > 1
		       ? EINVAL
		       : 0;
}

/* A step that failed comes before what the driver, or the library, refuses. */
static int or_failed(int error)
{
	return fake.failed ? fake.fail_errno : error;
}

static int add_error(void)
{
	if (!are_pages())
		return EINVAL;
	if (count_added())
		return EEXIST;
	if (!fake.has_arenas)
		return ENOTSUP;
	if (count_first())
		return EEXIST;
	return model_restricted(call.handle, call.domid, call.count);
}

void add_peer(void)
{
	int rc, error;

	choose_call();
	if (!call.handle->h)
		return;
	before_call();
	rc = gntshr_add_peer(call.handle->h, call.addr, call.count, call.domid,
			     call.out, call.flags);
	error = grant_error();
	if (error)
		expect(fake.steps == steps);
	else
		error = or_failed(add_error());
	expect(rc == (error ? -1 : 0));
	assert_refs(error);
	for (uint32_t i = 0; !error && i < call.count; i++)
		model_add_grant(page_of_call(i), call.domid, call.refs[i]);
	after_call(call.handle, error);
}

static int renew_error(void)
{
	if (!are_pages())
		return EINVAL;
	if (count_added())
		return EEXIST;
	if (!fake.has_arenas)
		return ENOTSUP;
	return model_restricted(call.handle, call.domid, call.count);
}

void renew(void)
{
	int rc, error;

	choose_call();
	if (!call.handle->h)
		return;
	before_call();
	rc = gntshr_renew(call.handle->h, call.addr, call.count, call.domid,
			  call.out, call.flags);
	error = grant_error();
	if (error)
		expect(fake.steps == steps);
	else
		error = or_failed(renew_error());
	expect(rc == (error ? -1 : 0));
	assert_refs(error);
	for (uint32_t i = 0; !error && i < call.count; i++) {
		struct model_grant *first = page_of_call(i)->grants;

		first->is = true;
		first->domid = call.domid;
		first->ref = call.refs[i];
	}
	after_call(call.handle, error);
}

static int remove_error(bool added)
{
	if (added)
		return count_added() < call.count ? EINVAL : 0;
	if (!fake.has_arenas)
		return ENOTSUP;
	return count_first() < call.count ? EINVAL : 0;
}

void remove_peer(void)
{
	bool added;
	int rc, error;

	choose_call();
	choose_known_domid();
	if (!call.handle->h)
		return;
	before_call();
	rc = gntshr_remove_peer(call.handle->h, call.addr, call.count,
				call.domid);
	if (call.handle->forked)
		error = EPERM;
	else
		error = call.domid > 0x7FEF || !are_pages() ? EINVAL : 0;
	added = are_pages() && count_added();
	if (error)
		expect(fake.steps == steps);
	else
		error = or_failed(remove_error(added));
	expect(rc == (error ? -1 : 0));
	for (uint32_t i = 0; !error && i < call.count; i++) {
		struct model_page *page = page_of_call(i);

		model_end_grant(call.share, page,
				added ? model_added(page, call.domid)
				      : &page->grants[0]);
	}
	/* By several calls it may have got some of them. */
	if (error && call.share)
		model_end_removed(call.share);
	after_call(call.handle, error);
}

void set_peer_notify(void)
{
	static const unsigned int actions[] = { 0, 1, 2, 3, 4, 1u << 31 };
	unsigned int action = actions[below(6)];
	uint32_t port = FAKE_PORT + !below(4);
	struct model_grant *grant = NULL;
	int rc, error = 0;

	choose_call();
	choose_known_domid();
	if (!call.handle->h)
		return;
	/* Any byte will do. */
	if (call.share && (uintptr_t)call.addr % GNTSHR_PAGE_SIZE == 0)
		call.addr += byte() * 16;
	if (call.share)
		grant = model_added(page_of_call(0), call.domid);
	before_call();
	rc = gntshr_set_peer_notify(call.handle->h, call.addr, call.domid,
				    action, port);
	if (call.handle->forked)
		error = EPERM;
	else if (call.domid > 0x7FEF || action > 3 || !grant)
		error = EINVAL;
	if (error)
		expect(fake.steps == steps);
	else if (fake.failed)
		error = fake.fail_errno == ENOENT ? EINVAL : fake.fail_errno;
	else if (action & 2 && port != FAKE_PORT)
		error = EINVAL;
	else
		model_set_notify(grant, action,
				 (uintptr_t)call.addr % GNTSHR_PAGE_SIZE);
	expect(rc == (error ? -1 : 0));
	after_call(call.handle, error);
}

static bool overlaps(const char *addr, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (model_find(call.handle, addr + i * GNTSHR_PAGE_SIZE))
			return true;
	return false;
}

static int memory_error(bool overlapping)
{
	if (overlapping)
		return EEXIST;
	if (!fake.has_arenas)
		return ENOTSUP;
	return model_restricted(call.handle, call.domid, call.count);
}

void share_memory(void)
{
	unsigned int at = below(MEMORY_PAGES);
	bool overlapping;
	int rc, error;

	choose_call();
	call.handle = any_handle();
	if (!call.handle->h || model.number_of_shares == MAX_SHARES)
		return;
	if (call.count > MEMORY_PAGES - at)
		call.count = MEMORY_PAGES - at;
	call.addr = model_memory + at * GNTSHR_PAGE_SIZE + !below(16);
	overlapping = overlaps(call.addr, call.count);
	before_call();
	rc = gntshr_share_memory(call.handle->h, call.domid, call.addr,
				 call.count, call.out, call.flags);
	error = grant_error();
	if (!error && (uintptr_t)call.addr % GNTSHR_PAGE_SIZE)
		error = EINVAL;
	if (error)
		expect(fake.steps == steps);
	else
		error = or_failed(memory_error(overlapping));
	expect(rc == (error ? -1 : 0));
	assert_refs(error);
	if (!error)
		model_add_memory(call.handle, call.addr, call.count, call.domid,
				 call.refs);
	after_call(call.handle, error);
}

/* Status, or whether anything lingers, which it never does here. */
void ask(void)
{
	struct model_handle *handle = any_handle();
	struct gntshr_status status = { .shared = UNTOUCHED };
	bool waits = byte() & 1;
	int rc, error;

	if (!handle->h)
		return;
	before_call();
	rc = waits ? gntshr_wait_released(handle->h, (int)below(3) - 1)
		   : gntshr_status(handle->h, &status);
	error = handle->forked ? EPERM : fake.has_arenas ? 0 : ENOTSUP;
	if (error)
		expect(fake.steps == steps);
	error = or_failed(error);
	expect(rc == (error ? -1 : 0));
	expect(status.shared ==
	       (waits || error ? UNTOUCHED : model_count(handle)));
	after_call(handle, error);
}

void restrict_handle(void)
{
	struct model_handle *handle = any_handle();
	uint32_t domid = any_domid(), pages = below(40);
	int rc, error;

	if (!handle->h)
		return;
	before_call();
	rc = gntshr_restrict(handle->h, domid, pages);
	if (handle->forked)
		error = EPERM;
	else if (domid > 0x7FEF || !pages)
		error = EINVAL;
	else
		error = or_failed(!fake.has_arenas     ? ENOTSUP
				  : handle->restricted ? EACCES
						       : 0);
	expect(rc == (error ? -1 : 0));
	if (!error) {
		handle->restricted = true;
		handle->only_domid = domid;
		handle->max_pages = pages;
	}
	after_call(handle, error);
}

/* What a step that failed made of a right descriptor. */
static int descriptor_error(void)
{
	switch (fake.failed) {
	case FAKE_NONE:
		return 0;
	case FAKE_NOTIFY:
		/* Just what it has to say. */
		return fake.fail_errno == ENOENT ? 0 : ENOTTY;
	case FAKE_DEALLOC:
		return ENOTTY;
	default:
		return fake.fail_errno;
	}
}

void open_descriptor(void)
{
	struct model_handle *handle = any_handle(), *other = any_handle();
	unsigned int how = below(8);
	int fd = -1, error;

	if (handle->h)
		return;
	handle->logs = how & 1;
	fake.page_size = 4096;
	if (how == 6)
		fd = FAKE_GNTDEV_FD;
	else if (how == 7 && other->h)
		fd = gntshr_fd(other->h);
	else
		other = NULL, fd = fake_open();
	before_call();
	handle->h = gntshr_fdopen(handle->logs ? fake_logger() : NULL, fd, 0);
	if (how == 6)
		error = or_failed(ENOTTY);
	else
		error = other ? or_failed(EEXIST) : descriptor_error();
	expect(!handle->h == !!error);
	expect(!error || errno == error);
	fake.fail_at = 0;
	if (error && !other && how != 6)
		gntshr_sys_close(fd);
	errno = error;
	model.open += !error;
	after_call(handle, error);
}
