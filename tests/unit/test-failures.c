// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Each allocation and each device call fails once, the first, the second, ...,
 * until the operation gets through. Every time: the errno of that failure,
 * outputs untouched, and nothing left behind.
 */

#include "fake.h"

#define ERRNO EXFULL

/* Make step n of what follows fail, for n of 1, 2, ... */
#define for_each_failure(n) \
	for ((n) = 1; (fake.failed = false), (fake.fail_errno = ERRNO), \
	    (fake.fail_at = fake.steps + (n)), true; \
	     (n)++)

static void open_fails(void **state)
{
	gntshr_handle *h;
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		errno = 0;
		h = gntshr_open(NULL, 0);
		if (h)
			break;
		assert_true(fake.failed);
		assert_int_equal(errno, fake.fail_errno);
		assert_int_equal(fake.open, 0);
	}
	/* The handle and the device. */
	assert_int_equal(n, 3);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void share_fails(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t refs[3] = { 70, 71, 72 };
	char *pages;
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		errno = 0;
		pages = gntshr_share_pages(h, 0, 3, refs, 1);
		if (pages)
			break;
		assert_true(fake.failed);
		assert_int_equal(errno, fake.fail_errno);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(refs[i], 70 + i);
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
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t ref = 70;
	char *page;
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		errno = 0;
		page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
		if (page)
			break;
		assert_true(fake.failed);
		assert_int_equal(errno, fake.fail_errno);
		assert_int_equal(ref, 70);
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
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t ref;
	char *page = gntshr_share_page_notify(h, 0, &ref, 1, 0, -1);
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		errno = 0;
		if (!gntshr_set_unmap_notify(h, page, 0, 0))
			break;
		assert_true(fake.failed);
		assert_int_equal(errno, ERRNO);
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
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t refs[2];
	unsigned int n;

	(void)state;
	for_each_failure (n) {
		char *pages;
		int rc;

		fake.fail_at = 0;
		pages = gntshr_share_pages(h, 0, 2, refs, 1);
		assert_non_null(pages);
		fake.fail_at = fake.steps + n;
		errno = 0;
		rc = gntshr_unshare(h, pages, 2);
		if (!rc)
			break;
		assert_true(fake.failed);
		assert_int_equal(errno, ERRNO);
		assert_int_equal(fake.mapped, 2);
		fake.fail_at = 0;
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
		gntshr_handle *h;
		uint32_t ref;
		int rc;

		fake.fail_at = 0;
		h = gntshr_open(NULL, 0);
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		fake.fail_at = fake.steps + n;
		errno = 0;
		rc = gntshr_close(h);
		assert_int_equal(fake.open, 0);
		assert_int_equal(fake.listed, 0);
		if (!rc)
			break;
		assert_true(fake.failed);
		assert_int_equal(errno, ERRNO);
		assert_int_equal(fake.mapped, 0);
		fake_setup(state);
	}
	/* Two of DEALLOC and munmap, and the descriptor. */
	assert_int_equal(n, 6);
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
		test(close_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
