// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every step fails of what is done in arenas, see failures.h; where none can be
 * had it is done without.
 */

#include <string.h>

#include "failures.h"

/* The first share has a mapping of its own. */
static gntshr_handle *open_with_arenas(void)
{
	gntshr_handle *h = open_handle();
	uint32_t ref;

	fake.has_arenas = true;
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	return h;
}

/* Each time in a handle without an arena, or in one that has one. */
static void share_in_arena_fails(bool has_one, unsigned int steps,
				 unsigned int without)
{
	unsigned int n, fell_back = 0;

	for_each_failure(n) {
		gntshr_handle *h = open_with_arenas();
		uint32_t ref;
		void *page;

		if (has_one)
			assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		ref = 70;
		fail_at(n);
		page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
		fake.fail_at = 0;
		if (page) {
			assert_int_equal(fake_page(ref)->in_arena,
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
		/* The next one is as if nothing had been. */
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_int_equal(gntshr_close(h), 0);
		assert_int_equal(fake.arenas, 0);
		if (fake.failed == FAKE_NONE)
			break;
	}
	assert_int_equal(n, steps + 1);
	assert_int_equal(fell_back, without);
}

static void share_in_a_new_arena_fails(void **state)
{
	(void)state;
	/* Arena, its mmap, SHARE, notification. */
	share_in_arena_fails(false, 4, 2);
}

static void share_in_an_old_arena_fails(void **state)
{
	(void)state;
	share_in_arena_fails(true, 2, 0);
}

/* So many that the references are not on the stack. */
#define MANY 100

static void many_pages_in_an_arena_fail(void **state)
{
	gntshr_handle *h = open_with_arenas();
	uint32_t refs[MANY];
	unsigned int n;

	(void)state;
	assert_non_null(gntshr_share_pages(h, 0, 1, refs, 1));
	memset(refs, 0x46, sizeof(refs));
	for_each_failure(n) {
		if (gntshr_share_pages(h, 0, MANY, refs, 1))
			break;
		assert_failed_once();
		for (int i = 0; i < MANY; i++)
			assert_int_equal(refs[i], 0x46464646);
		assert_int_equal(fake.listed, 2);
		assert_int_equal(fake.mapped, 2);
	}
	/* Struct, SHARE. */
	assert_int_equal(n, 3);
	fake.fail_at = 0;
	assert_int_equal(gntshr_close(h), 0);
}

static void unshare_in_an_arena_fails(void **state)
{
	gntshr_handle *h = open_with_arenas();
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
	/* UNSHARE. */
	assert_int_equal(n, 2);
	fake.fail_at = 0;
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(gntshr_close(h), 0);
}

/* In an arena that a child has a copy of. */
static void unshare_behind_fork_fails(void **state)
{
	unsigned int n;

	(void)state;
	for_each_failure(n) {
		gntshr_handle *h = open_with_arenas();
		uint32_t ref;
		void *page = gntshr_share_pages(h, 0, 1, &ref, 1);
		int rc;

		fake_fork();
		fail_at(n);
		rc = gntshr_unshare(h, page, 1);
		if (rc)
			assert_failed_once();
		fake.fail_at = 0;
		if (rc)
			assert_int_equal(gntshr_unshare(h, page, 1), 0);
		assert_int_equal(fake.mapped, 1);
		assert_int_equal(fake.arenas, 0);
		assert_int_equal(gntshr_close(h), 0);
		if (fake.failed == FAKE_NONE)
			break;
	}
	/* DEALLOC, munmap; those of the rest are tried twice. */
	assert_int_equal(n, 4);
}

/* An arena that cannot go at fork goes at the second try, or never. */
static void fork_fails(void **state)
{
	unsigned int n;

	(void)state;
	for_each_failure(n) {
		gntshr_handle *h = open_with_arenas();
		uint32_t ref;

		assert_int_equal(
			gntshr_unshare(h, gntshr_share_pages(h, 0, 1, &ref, 1),
				       1),
			0);
		fail_at(n);
		fake_fork();
		assert_int_equal(fake.arenas, 0);
		fake.fail_at = 0;
		assert_int_equal(gntshr_close(h), 0);
		if (fake.failed == FAKE_NONE)
			break;
	}
	assert_int_equal(n, 2);
}

static void close_with_arenas_fails(void **state)
{
	(void)state;
	/* DEALLOC and munmap, two of UNSHARE, the arena, the descriptor. */
	close_fails(open_with_arenas, 6);
}

static void share_in_arena_and_the_rest_fail(void **state)
{
	unsigned int n = 1;

	/* The mapping of its own is what failed at last. */
	while (!share_fails_from(n, state, open_with_arenas(), n <= 2))
		n++;
	assert_int_equal(n, 5);
}

static void all_of_close_with_arenas_fails(void **state)
{
	close_fails_in_all(state, open_with_arenas, 6);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(share_in_a_new_arena_fails),
		test(share_in_an_old_arena_fails),
		test(many_pages_in_an_arena_fail),
		test(unshare_in_an_arena_fails),
		test(unshare_behind_fork_fails),
		test(fork_fails),
		test(close_with_arenas_fails),
		test(share_in_arena_and_the_rest_fail),
		test(all_of_close_with_arenas_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
