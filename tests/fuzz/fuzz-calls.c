// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A libFuzzer target: bytes become calls, on up to three handles, with right
 * and wrong arguments, with a step that fails, before and after fork, in parent
 * and child, with holes that the program made, on a driver with arenas or
 * without. For each call the model says what it returns, what errno it leaves
 * and what is there afterwards.
 */

#include <string.h>

#include "fuzz.h"

#define NONE ((uint32_t)-1)

static const unsigned char *input, *input_end;

unsigned int byte(void)
{
	return input < input_end ? *input++ : 0;
}

unsigned int below(unsigned int n)
{
	return byte() % n;
}

static const int errors[] = { EXFULL, ENOENT, EINTR, ENOSPC, EBUSY };

/* What the call to come has been told to do. */
static struct {
	unsigned int step;
	int error;
} armed;

unsigned int steps;
static unsigned int mapped;

void before_call(void)
{
	fake.failed = FAKE_NONE;
	fake.fail_errno = armed.error;
	fake.fail_at = armed.step ? fake.steps + armed.step : 0;
	armed.step = 0;
	fake_messages = 0;
	steps = fake.steps;
	mapped = fake.mapped;
	errno = BEFORE;
}

void after_call(const struct model_handle *handle, int error)
{
	expect(!error || errno == error);
	fake.fail_at = 0;
	expect(fake_messages == (error && handle->logs));
	model_check();
}

struct model_handle *any_handle(void)
{
	return &model.handles[below(MAX_HANDLES)];
}

void *any_address(void)
{
	static char *past;
	struct model_share *share = NULL;
	unsigned int how = below(8), at = byte();

	if (model.number_of_shares)
		share = &model.shares[at % model.number_of_shares];
	if (!share)
		return past;
	switch (how) {
	default:
		past = share->addr;
		return share->addr;
	case 3:
		return share->addr + byte() * 61u % (share->count * 4096u);
	case 4:
		return share->addr + share->count * 4096u;
	case 5:
		return (void *)((uintptr_t)share->addr - 1);
	case 6:
		return past;
	case 7:
		return at & 1 ? NULL : (void *)-1;
	}
}

static void open_handle(void)
{
	struct model_handle *handle = any_handle();
	unsigned int how = below(8), bit = 1u << below(32);
	unsigned int flags = how == 6 || (how == 5 && bit == 1) ? bit : 0;
	int error;

	if (handle->h)
		return;
	handle->logs = how & 1;
	fake.page_size = how == 7 ? 65536 : 4096;
	before_call();
	handle->h = gntshr_open(handle->logs ? fake_logger() : NULL, flags);
	if (flags > 1 || how == 7)
		error = flags > 1 ? EINVAL : ENOTSUP;
	else
		error = fake.failed ? fake.fail_errno : 0;
	expect(!handle->h == !!error);
	if (flags > 1 || how == 7)
		expect(fake.steps == steps);
	model.open += !error;
	after_call(handle, error);
}

static void close_handle(struct model_handle *handle)
{
	int error;

	if (!handle->h)
		return;
	/* In a child there is nothing that may fail. */
	if (handle->forked)
		armed.step = 0;
	before_call();
	error = gntshr_close(handle->h) ? errno : 0;
	expect(error == (fake.failed ? fake.fail_errno : 0));
	if (fake.failed == FAKE_MAPPINGS)
		model.holes_stay = true;
	expect(error || errno == BEFORE);
	fake.fail_at = 0;
	model_close(handle);
	model_check();
}

/*
 * Right arguments: what a share must come to, after the failed step, where
 * @addr is what it came to. Without an arena it gets a mapping; whether the
 * memory was for one only the library knows.
 */
static int share_error(struct model_handle *handle, int restricted,
		       bool no_room, bool port_refused, const void *addr)
{
	int refused = restricted     ? restricted
		      : no_room	     ? ENOSPC
		      : port_refused ? EINVAL
				     : 0;

	switch (fake.failed) {
	case FAKE_NONE:
	case FAKE_ARENA:
		return refused;
	case FAKE_SHARE:
		/* That sends it to another place. */
		return fake.fail_errno == EBUSY ? refused : fake.fail_errno;
	case FAKE_MEMORY:
		if (addr || errno == refused)
			return refused;
		return ENOMEM;
	case FAKE_UNSHARE:
		handle->kept++;
		model.mapped++;
		/* fall through */
	case FAKE_DEALLOC:
		/* To be taken back, and that failed. */
		expect(port_refused);
		handle->leaked++;
		model.listed++;
		return EINVAL;
	case FAKE_MUNMAP:
		expect(port_refused);
		model.mapped++;
		return EINVAL;
	case FAKE_OPEN:
	case FAKE_CLOSE:
		expect(!"open or close");
	default:
		return fake.fail_errno;
	}
}

static void make_share(bool with_notify)
{
	static const uint32_t domids[] = { 0, 1, 0x7FEF, 0x7FF0, NONE };
	static const uint32_t counts[] = { 1, 2, 3, 5, 0, FAKE_PAGES + 1 };
	static const uint32_t offsets[] = { NONE, 0, 77, 4095, 4096 };
	static const uint32_t ports[] = { NONE, FAKE_PORT, FAKE_PORT + 1 };
	struct model_handle *handle = any_handle();
	unsigned int flags = below(32) == 31 ? 2 : byte() & 1;
	uint32_t domid = domids[below(16) < 12 ? 0 : below(5)];
	uint32_t count = with_notify ? 1 : counts[below(6)];
	uint32_t offset = with_notify ? offsets[below(5)] : NONE;
	uint32_t port = with_notify ? ports[below(3)] : NONE;
	uint32_t refs[MAX_COUNT], *out = below(32) == 31 ? NULL : refs;
	unsigned int action = (offset != NONE) | (port != NONE) << 1;
	char *addr;
	int error;

	if (!handle->h || model.number_of_shares == MAX_SHARES)
		return;
	memset(refs, 0xEF, sizeof(refs));
	before_call();
	if (with_notify)
		addr = gntshr_share_page_notify(handle->h, domid, out, flags,
						offset, port);
	else
		addr = gntshr_share_pages(handle->h, domid, count, out, flags);

	if (handle->forked)
		error = EPERM;
	else if (domid > 0x7FEF || !count || !out || flags > 1 ||
		 offset == 4096)
		error = EINVAL;
	else
		error = -1;
	if (error != -1)
		expect(fake.steps == steps);
	else
		error = share_error(handle,
				    model_restricted(handle, domid, count),
				    count > MAX_COUNT, port == FAKE_PORT + 1,
				    addr);
	expect(!addr == !!error);
	if (!error) {
		expect(fake.domid == domid);
		expect(fake.flags == flags);
		model_add(handle, addr, count, domid, refs, action,
			  offset == NONE ? 0 : offset);
	}
	for (uint32_t i = error ? 0 : count; i < MAX_COUNT; i++)
		expect(refs[i] == 0xEFEFEFEF);
	/* Pages that were there and went, unnoticed. */
	if (error)
		model_released();
	after_call(handle, error);
}

static void set_notify(void)
{
	static const unsigned int actions[] = { 0, 1, 2, 3, 4, 1u << 31 };
	struct model_handle *handle = any_handle();
	char *addr = any_address();
	unsigned int action = actions[below(6)];
	uint32_t port = FAKE_PORT + !below(4);
	struct model_share *share = model_find(handle, addr);
	int rc, error = 0;

	if (!handle->h)
		return;
	before_call();
	rc = gntshr_set_unmap_notify(handle->h, addr, action, port);
	if (handle->forked)
		error = EPERM;
	else if (action > 3 || !share)
		error = EINVAL;
	if (error)
		expect(fake.steps == steps);
	else if (fake.failed)
		/* The driver's word for: it is not shared. */
		error = fake.fail_errno == ENOENT ? EINVAL : fake.fail_errno;
	else if (share->unlisted || (action & 2 && port != FAKE_PORT))
		error = EINVAL;
	else
		model_set_notify(
			&share->pages[(addr - share->addr) / 4096].grants[0],
			action, (unsigned int)(addr - share->addr) % 4096);
	expect(rc == (error ? -1 : 0));
	after_call(handle, error);
}

static void end_share(void)
{
	struct model_handle *handle = any_handle();
	char *addr = any_address();
	struct model_share *share = model_find(handle, addr);
	uint32_t count = share && below(8) ? share->count : byte();
	bool in_arena =
		share && fake_page(share->pages[0].grants[0].ref)->in_arena;
	int rc, error = 0;

	if (!handle->h)
		return;
	before_call();
	rc = gntshr_unshare(handle->h, addr, count);
	if (handle->forked)
		error = EPERM;
	else if (!share || share->addr != addr || share->count != count)
		error = EINVAL;
	if (error)
		expect(fake.steps == steps);
	else if (fake.failed == FAKE_MUNMAP && in_arena && fake.mapped < mapped)
		/* Only what was left of the arena did not go at once. */
		error = 0;
	else if (fake.failed)
		error = fake.fail_errno;
	expect(rc == (error ? -1 : 0));
	if (!error)
		model_end(share);
	else if (share && share->owner == handle)
		model_end_removed(share);
	if (error && fake.failed == FAKE_MUNMAP && !share->unlisted)
		model_delist(share);
	after_call(handle, error);
}

/* The parent goes on, and what it shared stays as it was. */
static void go_on_as_parent(void)
{
	fake_fork();
	model_check();
}

/* What the header forbids: it must do no harm to others. */
static void make_hole(void)
{
	uintptr_t at = (uintptr_t)any_address();
	void *addr = (void *)(at - at % 4096);

	if (model_find(NULL, addr) || !fake_in_arena(addr))
		return;
	fake_program_unmaps(addr, 4096);
	model_check();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	input = data;
	input_end = data + size;
	fake_setup(NULL);
	memset(&model, 0, sizeof(model));
	memset(&armed, 0, sizeof(armed));
	fake.has_arenas = below(4);
	model_fill_memory();

	while (input < input_end)
		switch (below(28)) {
		case 0:
		case 1:
			open_handle();
			break;
		case 2:
			close_handle(any_handle());
			break;
		case 3:
		case 4:
		case 5:
			make_share(false);
			break;
		case 6:
		case 7:
			make_share(true);
			break;
		case 8:
		case 9:
			set_notify();
			break;
		case 10:
		case 11:
			end_share();
			break;
		case 12:
		case 13:
			armed.step = 1 + below(8);
			armed.error = errors[below(5)];
			break;
		case 14:
			/* Each may cost an arena, and with it addresses. */
			if (fake.arenas_asked > 24)
				break;
			if (below(4))
				go_on_as_parent();
			else
				make_hole();
			break;
		case 15:
			/* Seldom: nothing but close is left then. */
			if (below(8))
				break;
			fake_become_child();
			model_fork();
			model_check();
			break;
		case 16:
		case 17:
			share_memory();
			break;
		case 18:
		case 19:
		case 20:
			add_peer();
			break;
		case 21:
		case 22:
			remove_peer();
			break;
		case 23:
			set_peer_notify();
			break;
		case 24:
			renew();
			break;
		case 25:
			ask();
			break;
		case 26:
			/* Seldom: nothing much can be shared then. */
			if (!below(8))
				restrict_handle();
			break;
		case 27:
			open_descriptor();
		}

	armed.step = 0;
	for (int i = 0; i < MAX_HANDLES; i++)
		close_handle(&model.handles[i]);
	expect(fake.mapped == model.mapped);
	expect(!fake.arenas || model.holes_stay);
	expect(!fake.spare || model.holes_stay);
	return 0;
}
