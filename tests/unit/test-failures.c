// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every step of every call fails, where each share has a mapping of its own;
 * see failures.h. Then all of it again with every later step failing as well,
 * those that take back what was done.
 */

#include "failures.h"

static void open_fails_at(unsigned int steps)
{
	gntshr_handle *h;
	unsigned int n;

	for_each_failure(n) {
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

static void open_fails(void **state)
{
	(void)state;
	/* Handle, lock, device. */
	open_fails_at(3);
}

/* So many that the references are not on the stack. */
#define MANY 100

static void share_fails(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[MANY];
	char *pages;
	unsigned int n;

	(void)state;
	h->no_arenas = true;
	for (uint32_t i = 0; i < MANY; i++)
		refs[i] = 70 + i;
	for_each_failure(n) {
		pages = gntshr_share_pages(h, 0, MANY, refs, 1);
		if (pages)
			break;
		assert_failed_once();
		for (uint32_t i = 0; i < MANY; i++)
			assert_int_equal(refs[i], 70 + i);
		assert_int_equal(fake.open, 1);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
	}
	/* Struct, record, ALLOC, mmap, table. */
	assert_int_equal(n, 6);
	fake.fail_at = 0;
	assert_int_equal(gntshr_unshare(h, pages, MANY), 0);
	gntshr_close(h);
}

static void share_with_notification_fails(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t ref = 70;
	char *page;
	unsigned int n;

	(void)state;
	for_each_failure(n) {
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
	/* No struct; a notification. */
	assert_int_equal(n, 6);
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
	for_each_failure(n) {
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
	for_each_failure(n) {
		bool listed;
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
		listed = !gntshr_set_unmap_notify(h, pages, 0, 0);
		assert_true(listed || errno == EINVAL);
		assert_int_equal(fake.listed != 0, listed);
		assert_int_equal(gntshr_unshare(h, pages, 2), 0);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
	}
	/* DEALLOC, munmap. */
	assert_int_equal(n, 3);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void close_says_what_failed(void **state)
{
	(void)state;
	/* Two of DEALLOC and munmap, and the descriptor. */
	close_fails(open_handle, 5);
}

/* ---- what takes back fails too: the first errno counts ---- */

static void open_and_the_rest_fail(void **state)
{
	gntshr_handle *h;
	unsigned int n;

	(void)state;
	for (n = 1; fail_from(n), true; n++) {
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
	unsigned int n = 1;

	while (!share_fails_from(n, state, open_handle(), false))
		n++;
	assert_int_equal(n, 6);
}

static void all_of_close_fails(void **state)
{
	close_fails_in_all(state, open_handle, 5);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(open_fails),
		test(share_fails),
		test(share_with_notification_fails),
		test(notify_fails),
		test(unshare_fails),
		test(close_says_what_failed),
		test(open_and_the_rest_fail),
		test(share_and_the_rest_fail),
		test(all_of_close_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
