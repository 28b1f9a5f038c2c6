// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a handle tells of itself, waiting for peers, restricting a descriptor,
 * and handles of descriptors that somebody else opened. On the stock driver
 * most of it, and all that has to do with more peers, says so.
 */

#include <fcntl.h>

#include "arenas.h"

static uint32_t refs[8];

static void tells_what_there_is(void **state)
{
	struct gntshr_status status;
	char *pages = make_share(4, true);

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages, 2, 3, refs, 1), 0);
	fake.lingering = 7;
	fake.back_at_ms = 1000;
	fake.restores = 2;
	memset(&status, 0x5A, sizeof(status));
	assert_int_equal(gntshr_status(h, &status), 0);
	assert_int_equal(status.shared, 1 + 4 + 2);
	assert_int_equal(status.spare, 0);
	assert_int_equal(status.lingering, 7);
	assert_int_equal(status.restores, 2);
	assert_int_equal(status.returned, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(status.reserved[i], 0);
	assert_true(fake.quiet);
	assert_int_equal(gntshr_unshare(h, pages, 4), 0);
	fake.now_ms = 1000;
	assert_int_equal(gntshr_status(h, &status), 0);
	assert_int_equal(status.shared, 1);
	assert_int_equal(status.spare, 4);
	assert_int_equal(status.lingering, 0);
	assert_int_equal(status.returned, 1);
}

static void refuses_no_status(void **state)
{
	(void)state;
	errno = 0;
	assert_int_equal(gntshr_status(h, NULL), -1);
	assert_int_equal(errno, EINVAL);
}

static void waits(void **state)
{
	static const struct {
		int timeout, back;
		bool no_news;
		int error, until;
	} cases[] = {
		/* Nothing lingers; a look; in time; too late. */
		{ 0, 0, false, 0, 0 },
		{ 0, 1, false, ETIMEDOUT, 0 },
		{ 5000, 1234, false, 0, 1234 },
		{ 1000, 1234, false, ETIMEDOUT, 1000 },
		{ 1234, 1234, false, 0, 1234 },
		{ -1, 123456, false, 0, 123456 },
		{ -5, 10, false, 0, 10 },
		/* Somebody else takes the news, and it takes a bit longer. */
		{ 5000, 1234, true, 0, 1400 },
		{ -1, 1234, true, 0, 1400 },
		{ 1300, 1234, true, 0, 1300 },
		{ 1200, 1234, true, ETIMEDOUT, 1200 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake.now_ms = 0;
		fake.lingering = cases[i].back ? 3 : 0;
		fake.back_at_ms = cases[i].back;
		fake.no_news = cases[i].no_news;
		fake.is_back = fake.quiet = false;
		errno = 0;
		assert_int_equal(gntshr_wait_released(h, cases[i].timeout),
				 cases[i].error ? -1 : 0);
		if (cases[i].error)
			assert_int_equal(errno, cases[i].error);
		assert_int_equal(fake.now_ms, cases[i].until);
		/* Whoever polls is told still. */
		assert_int_equal(fake.quiet, fake.is_back && fake.no_news);
	}
}

/* Other threads share and unshare meanwhile. */
static void waits_without_the_lock(void **state)
{
	(void)state;
	fake.lingering = 1;
	fake.back_at_ms = 5;
	pthread_mutex_lock(&h->lock);
	assert_int_equal(gntshr_wait_released(h, 10), 0);
	pthread_mutex_unlock(&h->lock);
}

static void a_signal_ends_the_wait(void **state)
{
	(void)state;
	fake.lingering = 1;
	fake.back_at_ms = 1000;
	fake.fail_at = fake.steps + 2;
	fake.fail_errno = EINTR;
	errno = 0;
	assert_int_equal(gntshr_wait_released(h, -1), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(fake.failed, FAKE_POLL);
}

static void restricts(void **state)
{
	char *page = make_share(1, true);
	static char memory[2 * PAGE];
	char *own = memory + PAGE - (uintptr_t)memory % PAGE;

	(void)state;
	errno = 0;
	assert_int_equal(gntshr_restrict(h, 0x7FF0, 1), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_restrict(h, 5, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(gntshr_restrict(h, 5, 4), 0);
	errno = 0;
	assert_int_equal(gntshr_restrict(h, 5, 40), -1);
	assert_int_equal(errno, EACCES);
	refs[0] = 77;
	assert_null(gntshr_share_pages(h, 0, 1, refs, 1));
	assert_int_equal(errno, EACCES);
	h->no_arenas = true;
	assert_null(gntshr_share_pages(h, 0, 1, refs, 1));
	assert_int_equal(errno, EACCES);
	assert_int_equal(gntshr_share_memory(h, 0, own, 1, refs, 1), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(gntshr_add_peer(h, page, 1, 6, refs, 1), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(gntshr_renew(h, page, 1, 0, refs, 1), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(refs[0], 77);

	assert_non_null(gntshr_share_pages(h, 5, 1, refs, 1));
	assert_int_equal(gntshr_add_peer(h, page, 1, 5, refs, 1), 0);
	refs[0] = 77;
	assert_null(gntshr_share_pages(h, 5, 1, refs, 1));
	assert_int_equal(errno, EDQUOT);
	h->no_arenas = false;
	assert_null(gntshr_share_pages(h, 5, 1, refs, 1));
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(gntshr_share_memory(h, 5, own, 1, refs, 1), -1);
	assert_int_equal(errno, EDQUOT);
	assert_int_equal(refs[0], 77);
}

static void a_child_may_not(void **state)
{
	struct gntshr_status status = { .shared = 99 };
	unsigned int steps;

	(void)state;
	fake_become_child();
	steps = fake.steps;
	assert_int_equal(gntshr_status(h, &status), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(status.shared, 99);
	errno = 0;
	assert_int_equal(gntshr_wait_released(h, 0), -1);
	assert_int_equal(errno, EPERM);
	errno = 0;
	assert_int_equal(gntshr_restrict(h, 0, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fake.steps, steps);
}

static void the_stock_driver_says_so(void **state)
{
	struct gntshr_status status = { .shared = 99 };
	char *page;

	(void)state;
	gntshr_close(h);
	fake_setup(state);
	h = gntshr_open(fake_logger(), 0);
	page = gntshr_share_pages(h, 0, 1, refs, 1);
	refs[0] = 77;
#define says_so(call) \
	do { \
		errno = 0; \
		fake_messages = 0; \
		assert_int_equal(call, -1); \
		assert_int_equal(errno, ENOTSUP); \
		assert_int_equal(fake_messages, 1); \
		assert_non_null(strstr(fake_message, "stock driver cannot")); \
	} while (0)
	says_so(gntshr_share_memory(h, 0, page, 1, refs, 1));
	says_so(gntshr_add_peer(h, page, 1, 3, refs, 1));
	says_so(gntshr_remove_peer(h, page, 1, 0));
	says_so(gntshr_renew(h, page, 1, 0, refs, 1));
	says_so(gntshr_status(h, &status));
	says_so(gntshr_wait_released(h, -1));
	says_so(gntshr_restrict(h, 0, 1));
	assert_int_equal(refs[0], 77);
	assert_int_equal(status.shared, 99);
	assert_null(h->peers);
	/* Nobody can have been added. */
	assert_int_equal(gntshr_set_peer_notify(h, page, 3, 0, 0), -1);
	assert_int_equal(errno, EINVAL);
}

static void of_a_descriptor(bool stock)
{
	gntshr_handle *own;
	int fd = fake_open();
	char *pages;

	fake.has_arenas = !stock;
	assert_false(fake_is_cloexec(fd));
	own = gntshr_fdopen(NULL, fd, 0);
	assert_non_null(own);
	assert_int_equal(gntshr_fd(own), fd);
	assert_true(fake_is_cloexec(fd));
	for (int i = 0; i < 2; i++) {
		pages = gntshr_share_pages(own, 0, 3, refs, 1);
		assert_non_null(pages);
		assert_int_equal(fake_page(refs[0])->in_arena, i && !stock);
		assert_int_equal(gntshr_unshare(own, pages, 3), 0);
	}
	assert_int_equal(gntshr_close(own), 0);
	fake.has_arenas = true;
}

static void handles_of_descriptors(void **state)
{
	(void)state;
	of_a_descriptor(false);
	of_a_descriptor(true);
}

/* Somebody else has the arena: shares have mappings of their own. */
static void an_arena_of_somebody_else(void **state)
{
	int fd = fake_open();
	gntshr_handle *own = gntshr_fdopen(NULL, fd, 0);
	char *pages[2];

	(void)state;
	fake.no_arena = true;
	for (int i = 0; i < 2; i++) {
		pages[i] = gntshr_share_pages(own, 0, 2, refs, 1);
		assert_non_null(pages[i]);
		assert_false(fake_page(refs[0])->in_arena);
	}
	assert_int_equal(gntshr_unshare(own, pages[0], 2), 0);
	assert_int_equal(gntshr_close(own), 0);
}

static void refuses_descriptors(void **state)
{
	static const struct {
		int fd, error;
	} wrong[] = {
		{ FAKE_OTHER_FD, ENOTTY },
		{ FAKE_GNTDEV_FD, ENOTTY },
		{ FAKE_RANDOM_FD, ENOTTY },
		{ FAKE_CLOSED_FD, EBADF },
	};
	int fd = fake_open();

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		errno = 0;
		assert_null(gntshr_fdopen(NULL, wrong[i].fd, 0));
		assert_int_equal(errno, wrong[i].error);
	}
	assert_null(gntshr_fdopen(NULL, gntshr_fd(h), 0));
	assert_int_equal(errno, EEXIST);
	assert_null(gntshr_fdopen(NULL, fd, 2));
	assert_int_equal(errno, EINVAL);
	fake.page_size = 65536;
	assert_null(gntshr_fdopen(NULL, fd, 0));
	assert_int_equal(errno, ENOTSUP);
	fake.page_size = 4096;
	fake.open_mode = O_RDONLY;
	assert_null(gntshr_fdopen(NULL, fd, 0));
	assert_int_equal(errno, EACCES);
	fake.open_mode = O_WRONLY;
	assert_null(gntshr_fdopen(NULL, fd, 0));
	assert_int_equal(errno, EACCES);
	/* It is still the caller's, as it was. */
	assert_false(fake_is_cloexec(fd));
	assert_int_equal(fake.open, 2);
	assert_int_equal(gntshr_sys_close(fd), 0);
}

int main(void)
{
#define test(f) \
	cmocka_unit_test_setup_teardown(f, arenas_setup, arenas_teardown)
	const struct CMUnitTest tests[] = {
		test(tells_what_there_is),
		test(refuses_no_status),
		test(waits),
		test(waits_without_the_lock),
		test(a_signal_ends_the_wait),
		test(restricts),
		test(a_child_may_not),
		test(the_stock_driver_says_so),
		test(handles_of_descriptors),
		test(an_arena_of_somebody_else),
		test(refuses_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
