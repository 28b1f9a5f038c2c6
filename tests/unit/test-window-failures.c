// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every step fails of what is done in windows, see failures.h; what they cannot
 * do is done without them.
 */

#include "failures.h"

/* The first share has a mapping of its own. */
static gntshr_handle *open_with_windows(void)
{
	gntshr_handle *h = open_handle();
	uint32_t ref;

	fake.has_windows = true;
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	return h;
}

static void use_up_window(gntshr_handle *h)
{
	static uint32_t refs[GNTSHR_WINDOW_PAGES];

	for (int i = 0; i < 3; i++)
		assert_int_equal(
			gntshr_unshare(h, gntshr_share_pages(h, 0, 1, refs, 1),
				       1),
			0);
	assert_non_null(gntshr_share_pages(h, 0, GNTSHR_WINDOW_PAGES, refs, 1));
}

/*
 * Each time in a handle without a window yet, or in one that has one, with room
 * or without.
 */
static void share_in_window_fails(bool has_one, bool is_full,
				  unsigned int steps, unsigned int without)
{
	uint32_t live = 1 + has_one + (is_full ? GNTSHR_WINDOW_PAGES : 0);
	unsigned int n, fell_back = 0;

	for_each_failure(n) {
		gntshr_handle *h = open_with_windows();
		uint32_t ref;
		void *page;

		if (has_one)
			assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		if (is_full)
			use_up_window(h);
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
		assert_int_equal(fake.listed, live);
		assert_int_equal(fake.mapped, live);
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
	/* Record, ALLOC, window, its mmap, MAP, notification. */
	share_in_window_fails(false, false, 6, 3);
}

static void share_in_an_old_window_fails(void **state)
{
	(void)state;
	share_in_window_fails(true, false, 4, 1);
}

static void share_behind_a_full_window_fails(void **state)
{
	(void)state;
	/* As in a new one, and the table must take the full one. */
	share_in_window_fails(true, true, 7, 4);
}

static void unshare_in_window_fails(void **state)
{
	gntshr_handle *h = open_with_windows();
	uint32_t refs[2];
	char *pages = gntshr_share_pages(h, 0, 2, refs, 1);
	unsigned int n;

	(void)state;
	pages[4096] = 0x5A;
	for_each_failure(n) {
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
	void *page;

	(void)state;
	page = gntshr_share_pages(h, 0, 1, refs, 1);
	use_up_window(h);
	assert_non_null(gntshr_share_pages(h, 0, 1, refs, 1));
	assert_int_equal(fake.windows, 2);
	fail_at(3);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.failed, FAKE_MUNMAP);
	fake.fail_at = 0;
	assert_int_equal(fake.windows, 2);
	assert_int_equal(fake.mapped, 2 + GNTSHR_WINDOW_PAGES);
	assert_int_equal(gntshr_close(h), 0);
}

/* It cannot make room, so there is no new one until it can. */
static void unmap_of_an_empty_window_fails(void **state)
{
	gntshr_handle *h = open_with_windows();
	uint32_t ref;

	(void)state;
	assert_int_equal(
		gntshr_unshare(h, gntshr_share_pages(h, 0, 1, &ref, 1), 1), 0);
	use_up_window(h);
	fail_at(3);
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	assert_int_equal(fake.failed, FAKE_MUNMAP);
	fake.fail_at = 0;
	assert_false(fake_page(ref)->in_window);
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	assert_true(fake_page(ref)->in_window);
	assert_int_equal(fake.windows, 1);
	assert_int_equal(gntshr_close(h), 0);
}

static void close_with_windows_fails(void **state)
{
	(void)state;
	/*
	 * DEALLOC and munmap, two of empty and DEALLOC, the window, the
	 * descriptor.
	 */
	close_fails(open_with_windows, 8);
}

/*
 * Close cannot get at pages that could not be taken out of a window which could
 * not be unmapped; all else it can.
 */
static void share_in_window_and_the_rest_fail(void **state)
{
	unsigned int n = 1;

	/* The mapping of its own is what failed at last. */
	while (!share_fails_from(n, state, open_with_windows(),
				 n >= 3 && n <= 5))
		n++;
	assert_int_equal(n, 7);
}

static void all_of_close_with_windows_fails(void **state)
{
	close_fails_in_all(state, open_with_windows, 8);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(share_in_a_new_window_fails),
		test(share_in_an_old_window_fails),
		test(share_behind_a_full_window_fails),
		test(unshare_in_window_fails),
		test(last_unshare_in_window_fails),
		test(unmap_of_an_empty_window_fails),
		test(close_with_windows_fails),
		test(share_in_window_and_the_rest_fail),
		test(all_of_close_with_windows_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
