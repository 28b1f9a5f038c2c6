// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Each allocation, lock and device call fails once, the first, the second, ...,
 * until the operation gets through. Every time: the errno of that failure, told
 * once, outputs untouched, and nothing left behind. Then all of it again with
 * every later step failing as well, those that take back what was done.
 */

#include "fake.h"

#define ERRNO EXFULL

/* Make step n of what follows fail, for n of 1, 2, ... */
#define for_each_failure(n) for ((n) = 1; fail_at(n), true; (n)++)

static void fail_at(unsigned int n)
{
	fake.failed = FAKE_NONE;
	fake.fail_errno = ERRNO;
	fake.fail_at = fake.steps + n;
	fake_messages = 0;
	errno = 0;
}

static void assert_failed_once(void)
{
	assert_int_equal(errno, fake.fail_errno);
	assert_int_not_equal(fake.failed, FAKE_NONE);
	assert_int_equal(fake_messages, 1);
}

static gntshr_handle *open_handle(void)
{
	gntshr_handle *h;

	fake.fail_at = 0;
	h = gntshr_open(fake_logger(), 0);
	assert_non_null(h);
	return h;
}

static void open_fails_at(unsigned int steps)
{
	gntshr_handle *h;
	unsigned int n;

	for_each_failure (n) {
		h = gntshr_open(fake_logger(), 0);
		if (h)
			break;
		assert_failed_once();
		assert_int_equal(fake.open, 0);
	}
	assert_int_equal(n, steps + 1);
	fake.fail_at = 0;
	gntshr_close(h);
}

/* The first handle of a process also has fork call the library. */
static void first_open_fails(void **state)
{
	(void)state;
	/* Handle, lock, device, handlers. */
	open_fails_at(4);
	open_fails_at(3);
}

static void share_fails(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[3] = { 70, 71, 72 };
	char *pages;
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		pages = gntshr_share_pages(h, 0, 3, refs, 1);
		if (pages)
			break;
		assert_failed_once();
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(refs[i], 70 + i);
		assert_int_equal(fake.open, 1);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
	}
	/* Struct, record, ALLOC, mmap, table. */
	assert_int_equal(n, 6);
	fake.fail_at = 0;
	assert_int_equal(gntshr_unshare(h, pages, 3), 0);
	gntshr_close(h);
}

static void share_with_notification_fails(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t ref = 70;
	char *page;
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
		if (page)
			break;
		assert_failed_once();
		assert_int_equal(ref, 70);
		assert_int_equal(fake.open, 1);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
		/* The peer never heard of this page. */
		assert_int_equal(fake.cleared + fake.events, 0);
	}
	assert_int_equal(n, 7);
	fake.fail_at = 0;
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.events, 1);
	gntshr_close(h);
}

static void notify_fails(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t ref;
	char *page = gntshr_share_page_notify(h, 0, &ref, 1, 0, -1);
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		if (!gntshr_set_unmap_notify(h, page, 0, 0))
			break;
		assert_failed_once();
		assert_int_equal(fake_page(ref)->action,
				 GNTSHR_NOTIFY_CLEAR_BYTE);
	}
	assert_int_equal(n, 2);
	fake.fail_at = 0;
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.cleared, 0);
	gntshr_close(h);
}

/* A failed unshare can be repeated, and the next one ends the share. */
static void unshare_fails(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[2];
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		char *pages;

		fake.fail_at = 0;
		pages = gntshr_share_pages(h, 0, 2, refs, 1);
		assert_non_null(pages);
		fail_at(n);
		if (!gntshr_unshare(h, pages, 2))
			break;
		assert_failed_once();
		assert_int_equal(fake.mapped, 2);
		fake.fail_at = 0;
		/* The driver may have ended it already, the program not. */
		errno = 0;
		if (gntshr_set_unmap_notify(h, pages, 0, 0))
			assert_int_equal(errno, EINVAL);
		assert_int_equal(fake.listed != 0, errno == 0);
		assert_int_equal(gntshr_unshare(h, pages, 2), 0);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
	}
	/* DEALLOC, munmap. */
	assert_int_equal(n, 3);
	fake.fail_at = 0;
	gntshr_close(h);
}

/* Close says what failed and goes on with the rest. */
static void close_fails(void **state)
{
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		gntshr_handle *h = open_handle();
		uint32_t ref;
		int rc;

		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		fail_at(n);
		rc = gntshr_close(h);
		assert_int_equal(fake.open, 0);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
		if (!rc)
			break;
		assert_int_equal(errno, ERRNO);
		assert_int_not_equal(fake.failed, FAKE_NONE);
	}
	/* Two of DEALLOC and munmap, and the descriptor. */
	assert_int_equal(n, 6);
}

/* ---- in windows: what they cannot do is done without them ---- */

/* The first share has a mapping of its own. */
static gntshr_handle *open_with_windows(void)
{
	gntshr_handle *h = open_handle();
	uint32_t ref;

	fake.has_windows = true;
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	return h;
}

/* Each time in a handle without a window yet, or in one that has one. */
static void share_in_window_fails(bool has_one, unsigned int steps,
				  unsigned int without)
{
	unsigned int n, fell_back = 0;

	for_each_failure (n) {
		gntshr_handle *h = open_with_windows();
		uint32_t ref;
		void *page;

		if (has_one)
			assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		ref = 70;
		fail_at(n);
		page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
		fake.fail_at = 0;
		if (page) {
			assert_int_equal(fake_page(ref)->in_window,
					 fake.failed == FAKE_NONE);
			fell_back += fake.failed != FAKE_NONE;
			assert_int_equal(gntshr_unshare(h, page, 1), 0);
			assert_int_equal(fake.events, 1);
		} else {
			assert_failed_once();
			assert_int_equal(ref, 70);
			assert_int_equal(fake.cleared + fake.events, 0);
		}
		fake.cleared = fake.events = 0;
		assert_int_equal(fake.listed, 1 + has_one);
		assert_int_equal(fake.mapped, 1 + has_one);
		assert_int_equal(gntshr_close(h), 0);
		assert_int_equal(fake.windows, 0);
		if (fake.failed == FAKE_NONE)
			break;
	}
	assert_int_equal(n, steps + 1);
	assert_int_equal(fell_back, without);
}

static void share_in_a_new_window_fails(void **state)
{
	(void)state;
	/* Struct, record, ALLOC, window, its mmap, MAP, notification, table. */
	share_in_window_fails(false, 8, 3);
}

static void share_in_an_old_window_fails(void **state)
{
	(void)state;
	share_in_window_fails(true, 6, 1);
}

static void unshare_in_window_fails(void **state)
{
	gntshr_handle *h = open_with_windows();
	uint32_t refs[2];
	char *pages = gntshr_share_pages(h, 0, 2, refs, 1);
	unsigned int n;

	(void)state;
	pages[4096] = 0x5A;
	for_each_failure (n) {
		if (!gntshr_unshare(h, pages, 2))
			break;
		assert_failed_once();
		fake.fail_at = 0;
		/* Nothing happened. */
		assert_int_equal(fake.listed, 3);
		assert_int_equal(fake.mapped, 3);
		assert_int_equal(pages[4096], 0x5A);
		assert_int_equal(gntshr_set_unmap_notify(h, pages, 1, 0), 0);
	}
	/* Empty, DEALLOC. */
	assert_int_equal(n, 3);
	fake.fail_at = 0;
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(gntshr_close(h), 0);
}

/* The share is gone; the window is left for close. */
static void last_unshare_in_window_fails(void **state)
{
	gntshr_handle *h = open_with_windows();
	static uint32_t refs[GNTSHR_WINDOW_PAGES];
	void *page, *pages;

	(void)state;
	page = gntshr_share_pages(h, 0, 1, refs, 1);
	pages = gntshr_share_pages(h, 0, GNTSHR_WINDOW_PAGES, refs, 1);
	assert_int_equal(gntshr_unshare(h, pages, GNTSHR_WINDOW_PAGES), 0);
	assert_non_null(gntshr_share_pages(h, 0, 1, refs, 1));
	assert_int_equal(fake.windows, 2);
	fail_at(3);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.failed, FAKE_MUNMAP);
	fake.fail_at = 0;
	assert_int_equal(fake.windows, 2);
	assert_int_equal(fake.mapped, 2);
	assert_int_equal(gntshr_close(h), 0);
}

static void close_with_windows_fails(void **state)
{
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		gntshr_handle *h = open_with_windows();
		uint32_t ref;
		int rc;

		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		fail_at(n);
		rc = gntshr_close(h);
		assert_int_equal(fake.open, 0);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
		assert_int_equal(fake.windows, 0);
		if (!rc)
			break;
		assert_int_equal(errno, ERRNO);
		assert_int_not_equal(fake.failed, FAKE_NONE);
	}
	/*
	 * DEALLOC and munmap, two of empty and DEALLOC, the window, the
	 * descriptor.
	 */
	assert_int_equal(n, 9);
}

/* ---- what takes back fails too: the first errno counts ---- */

static void open_and_the_rest_fail(void **state)
{
	gntshr_handle *h;
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		fake.fail_on = true;
		h = gntshr_open(fake_logger(), 0);
		if (h)
			break;
		assert_failed_once();
		assert_int_equal(fake.open, 0);
	}
	fake.fail_at = 0;
	gntshr_close(h);
}

static void share_and_the_rest_fail(void **state)
{
	unsigned int n;

	for_each_failure (n) {
		gntshr_handle *h = open_handle();
		uint32_t ref = 70;
		void *page;

		fail_at(n);
		fake.fail_on = true;
		page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
		if (!page) {
			assert_failed_once();
			assert_int_equal(ref, 70);
		}
		/* Close gets at what the driver still lists. */
		fake.fail_at = 0;
		assert_int_equal(gntshr_close(h), 0);
		assert_int_equal(fake.listed, 0);
		fake_setup(state);
		if (page)
			break;
	}
	assert_int_equal(n, 7);
}

/*
 * Close cannot get at pages that could not be taken out of a window which could
 * not be unmapped; all else it can.
 */
static void share_in_window_and_the_rest_fail(void **state)
{
	unsigned int n;

	for_each_failure (n) {
		gntshr_handle *h = open_with_windows();
		uint32_t ref = 70;
		void *page;

		fail_at(n);
		fake.fail_on = true;
		page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
		if (!page) {
			/* The mapping of its own is what failed at last. */
			bool instead = n >= 4 && n <= 6;

			assert_int_equal(errno, instead ? FAKE_LATER_ERRNO
							: fake.fail_errno);
			assert_int_equal(ref, 70);
		}
		fake.fail_at = 0;
		assert_int_equal(gntshr_close(h), 0);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.windows, 0);
		fake_setup(state);
		if (page)
			break;
	}
	assert_int_equal(n, 9);
}

static void close_fails_in_all(void **state)
{
	unsigned int n;

	for_each_failure (n) {
		gntshr_handle *h = open_handle();
		uint32_t ref;
		int rc;

		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		fail_at(n);
		fake.fail_on = true;
		rc = gntshr_close(h);
		assert_int_equal(fake.open, 0);
		assert_int_equal(fake.listed, 0);
		if (!rc)
			break;
		assert_int_equal(errno, ERRNO);
		fake_setup(state);
	}
	assert_int_equal(n, 6);
}

static void close_with_windows_fails_in_all(void **state)
{
	unsigned int n;

	for_each_failure (n) {
		gntshr_handle *h = open_with_windows();
		uint32_t ref;
		int rc;

		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		fail_at(n);
		fake.fail_on = true;
		rc = gntshr_close(h);
		assert_int_equal(fake.open, 0);
		assert_int_equal(fake.listed, 0);
		if (!rc)
			break;
		assert_int_equal(errno, ERRNO);
		fake_setup(state);
	}
	assert_int_equal(n, 9);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(first_open_fails),
		test(share_fails),
		test(share_with_notification_fails),
		test(notify_fails),
		test(unshare_fails),
		test(close_fails),
		test(share_in_a_new_window_fails),
		test(share_in_an_old_window_fails),
		test(unshare_in_window_fails),
		test(last_unshare_in_window_fails),
		test(close_with_windows_fails),
		test(open_and_the_rest_fail),
		test(share_and_the_rest_fail),
		test(share_in_window_and_the_rest_fail),
		test(close_fails_in_all),
		test(close_with_windows_fails_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
