// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Shares in arenas: which ones lie in one, which pages they get, and what comes
 * instead where there is none. Nobody else sees a difference.
 */

#include <stdlib.h>

#include "arenas.h"

/* The first share of a handle is often the only one. */
static void are_not_for_the_first(void **state)
{
	gntshr_handle *other = gntshr_open(NULL, 0);
	uint32_t refs[65];

	(void)state;
	assert_non_null(gntshr_share_pages(other, 0, 64, refs, 1));
	assert_int_equal(fake.arenas_asked, 0);
	assert_non_null(gntshr_share_pages(other, 0, 1, refs, 1));
	assert_true(fake_page(refs[0])->in_arena);
	assert_int_equal(gntshr_close(other), 0);

	/* Unless it is large. */
	other = gntshr_open(NULL, 0);
	assert_non_null(gntshr_share_pages(other, 0, 65, refs, 1));
	assert_true(fake_page(refs[0])->in_arena);
	assert_int_equal(gntshr_close(other), 0);
	assert_int_equal(fake.arenas, 0);
}

/* Pages serve again, whatever the sizes, zeroed and under new references. */
static void keep_pages(void **state)
{
	char *one, *two, *four;

	(void)state;
	one = make_share(1, true);
	four = make_share(4, true);
	two = make_share(2, true);
	assert_ptr_equal(four, one + PAGE);
	assert_ptr_equal(two, four + 4 * PAGE);
	end_share(four, 4);
	assert_int_equal(fake.spare, 4);
	assert_int_equal(fake.reused, 0);

	assert_ptr_equal(make_share(3, true), four);
	assert_int_equal(fake.reused, 3);
	assert_ptr_equal(make_share(1, true), four + 3 * PAGE);
	assert_int_equal(fake.reused, 4);
	end_share(four, 3);
	end_share(one, 1);
	assert_ptr_equal(make_share(4, true), one);
	assert_int_equal(fake.reused, 8);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas_asked, 1);
}

/*
 * Memcheck takes a page for what the program made of it, here something that
 * nobody ever wrote: make check-valgrind.
 */
static void are_known_to_be_zeroed(void **state)
{
	volatile char *junk = malloc(1);
	char *page = make_share(1, true);

	(void)state;
	assert_non_null(junk);
	page[5] = *junk;
	free((char *)junk);
	end_share(page, 1);
	assert_ptr_equal(make_share(1, true), page);
	assert_int_equal(fake.reused, 1);
}

/* The shortest run that has room; then what is behind the last one. */
static void fill_holes(void **state)
{
	char *base = make_share(1, true), *runs[4];
	static const uint32_t lengths[] = { 40, 9, 17, 33 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		runs[i] = make_share(lengths[i], true);
		make_share(1, true);
	}
	for (int i = 0; i < 4; i++)
		end_share(runs[i], lengths[i]);
	assert_ptr_equal(make_share(9, true), runs[1]);
	/* Runs of 33 are not told from those of 34 at first sight. */
	assert_ptr_equal(make_share(34, true), runs[0]);
	assert_ptr_equal(make_share(10, true), runs[2]);
	assert_ptr_equal(make_share(18, true), runs[3]);
	assert_ptr_equal(make_share(7, true), runs[2] + 10 * PAGE);
	assert_int_equal(fake.reused, 9 + 10 + 18 + 34 + 7);

	/* Two runs are left, of 6 and 15; the rest is new. */
	assert_ptr_equal(make_share(16, true), base + 104 * PAGE);
	end_share(base + 104 * PAGE, 16);
	assert_ptr_equal(make_share(20, true), base + 104 * PAGE);
	assert_int_equal(fake.reused, 9 + 10 + 18 + 34 + 7 + 16);
	assert_int_equal(fake.spare, 6 + 15);
}

/* The next one is as large as all before. */
static void follow_each_other(void **state)
{
	char *first, *second, *third;

	(void)state;
	first = make_large_share(ARENA - 2);
	second = make_share(3, true);
	assert_int_equal(fake.arenas, 2);
	assert_true(second < first || second >= first + ARENA * PAGE);
	/* There are two places in the first. */
	assert_ptr_equal(make_share(2, true), second + 3 * PAGE);
	end_share(first, ARENA - 2);
	assert_ptr_equal(make_share(4, true), first);
	end_share(first, 4);

	third = make_large_share(ARENA + 1);
	assert_ptr_equal(third, second + 5 * PAGE);
	assert_int_equal(fake.arenas, 2);
	/* None goes when it is empty. */
	end_share(third, ARENA + 1);
	assert_int_equal(fake.arenas, 2);
}

static void are_as_large_as_a_share(void **state)
{
	gntshr_handle *other = gntshr_open(NULL, 0);
	static uint32_t refs[ARENA + 1];
	char *pages = gntshr_share_pages(other, 0, ARENA + 1, refs, 1);

	(void)state;
	assert_true(fake_page(refs[ARENA])->in_arena);
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(gntshr_unshare(other, pages, ARENA + 1), 0);
	assert_ptr_equal(gntshr_share_pages(other, 0, 1, refs, 1), pages);
	assert_int_equal(gntshr_close(other), 0);
}

/* Without them all is as ever, and the driver is asked once. */
static void may_not_be_there(void **state)
{
	char *pages[3];

	(void)state;
	fake.has_arenas = false;
	for (int i = 0; i < 3; i++)
		pages[i] = make_share(2, false);
	assert_int_equal(fake.arenas_asked, 1);
	for (int i = 0; i < 3; i++)
		end_share(pages[i], 2);
}

/* That there is no room says nothing for ever. */
static void may_find_no_room(void **state)
{
	static const int errors[] = { ENOMEM, EAGAIN };

	(void)state;
	for (int n = 0; n < 2; n++) {
		/* The memory for it, and the mapping. */
		fake.fail_errno = errors[n];
		fake.fail_at = fake.steps + 2;
		make_share(1, false);
		assert_int_equal(fake.failed, FAKE_ARENA);
		for (int i = 0; i < 64; i++)
			make_share(1, false);
		assert_int_equal(fake.arenas_asked, n + 1);
	}
	make_share(1, true);
	assert_int_equal(fake.arenas_asked, 3);
}

static void may_not_be_wanted(void **state)
{
	gntshr_handle *other = gntshr_open(NULL, GNTSHR_OPEN_UNMAP);
	uint32_t refs[65];
	char *pages;

	(void)state;
	for (int i = 0; i < 3; i++) {
		unsigned int mapped = fake.mapped;

		pages = gntshr_share_pages(other, 0, 65, refs, 1);
		assert_non_null(pages);
		assert_false(fake_page(refs[0])->in_arena);
		assert_int_equal(gntshr_unshare(other, pages, 65), 0);
		assert_int_equal(fake.mapped, mapped);
	}
	assert_int_equal(fake.arenas_asked, 0);
	assert_int_equal(gntshr_close(other), 0);
}

/* The share is as before if the driver does not end it. */
static void keep_what_does_not_end(void **state)
{
	char *pages = make_share(2, true);

	(void)state;
	fake.fail_at = fake.steps + 1;
	errno = 0;
	assert_int_equal(gntshr_unshare(h, pages, 2), -1);
	assert_int_equal(errno, EXFULL);
	assert_int_equal(fake.failed, FAKE_UNSHARE);
	assert_int_equal(fake.listed, 3);
	for (int n = 0; n < 2 * PAGE; n++)
		assert_int_equal(pages[n], 0x5A);
	assert_int_equal(gntshr_set_unmap_notify(h, pages + PAGE + 3, 1, 0), 0);
	end_share(pages, 2);
	assert_int_equal(fake.cleared, 1);
}

static void carry_notifications(void **state)
{
	uint32_t ref, refs[3];
	char *page = gntshr_share_page_notify(h, 0, &ref, 1, 7, FAKE_PORT);
	char *pages = gntshr_share_pages(h, 0, 3, refs, 1);

	(void)state;
	assert_true(fake_page(ref)->in_arena);
	memset(page, 0x5A, PAGE);
	memset(pages, 0x5A, 3 * PAGE);
	assert_int_equal(gntshr_set_unmap_notify(h, pages + PAGE + 9, 1, 0), 0);
	assert_int_equal(
		gntshr_set_unmap_notify(h, page + PAGE - 1, 3, FAKE_PORT), 0);
	end_share(page, 1);
	assert_int_equal(fake.events, 1);
	assert_int_equal(fake_page(ref)->bytes[7], 0x5A);
	assert_int_equal(fake_page(ref)->bytes[PAGE - 1], 0);
	end_share(pages, 3);
	assert_int_equal(fake.cleared, 2);
	assert_int_equal(fake_page(refs[1])->bytes[9], 0);
	/* The next ones have none. */
	end_share(make_share(4, true), 4);
	assert_int_equal(fake.reused, 4);
	assert_int_equal(fake.cleared, 2);
}

static bool knows(char *addr)
{
	errno = 0;
	if (!gntshr_set_unmap_notify(h, addr, 0, 0))
		return true;
	assert_int_equal(errno, EINVAL);
	return false;
}

static void does_not_end(void *pages, uint32_t count)
{
	errno = 0;
	assert_int_equal(gntshr_unshare(h, pages, count), -1);
	assert_int_equal(errno, EINVAL);
}

/* A place in an arena that holds no share is none. */
static void know_their_shares(void **state)
{
	char *pages = make_share(59, true), *old = make_share(35, true);
	char *last = make_share(3, true);

	(void)state;
	end_share(old, 35);
	for (int i = 0; i < 97 * PAGE; i += PAGE / 2)
		assert_int_equal(knows(pages + i),
				 i < 59 * PAGE || i >= 94 * PAGE);
	assert_false(knows(pages - 1));
	assert_false(knows(pages + 97 * PAGE));
	does_not_end(old, 35);
	does_not_end(pages, 58);
	does_not_end(pages, 60);
	does_not_end(pages, 97);
	does_not_end(pages + PAGE, 58);
	does_not_end(pages + 1, 59);
	does_not_end(last + 3 * PAGE, 1);
	end_share(pages, 59);
	/* Where one was may lie a shorter one. */
	assert_ptr_equal(make_share(20, true), pages);
	for (int i = 0; i < 94 * PAGE; i += PAGE)
		assert_int_equal(knows(pages + i), i < 20 * PAGE);
	end_share(last, 3);
}

static void go_at_close(void **state)
{
	gntshr_handle *other = gntshr_open(NULL, 0);
	uint32_t ref, released;

	(void)state;
	for (int i = 0; i < 40; i++) {
		end_share(make_share(64 + i, true), 64 + i);
		make_share(3, true);
		assert_non_null(gntshr_share_page_notify(other, 0, &ref, 1, 0,
							 FAKE_PORT));
	}
	assert_int_equal(fake.arenas, 2);
	released = fake.released;
	assert_int_equal(gntshr_close(other), 0);
	assert_int_equal(fake.released, released + 40);
	assert_int_equal(fake.events, 40);
	assert_int_equal(fake.arenas, 1);
}

int main(void)
{
#define test(f) \
	cmocka_unit_test_setup_teardown(f, arenas_setup, arenas_teardown)
	const struct CMUnitTest tests[] = {
		test(are_not_for_the_first),
		test(keep_pages),
		test(are_known_to_be_zeroed),
		test(fill_holes),
		test(follow_each_other),
		test(are_as_large_as_a_share),
		test(may_not_be_there),
		test(may_find_no_room),
		test(may_not_be_wanted),
		test(keep_what_does_not_end),
		test(carry_notifications),
		test(know_their_shares),
		test(go_at_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
