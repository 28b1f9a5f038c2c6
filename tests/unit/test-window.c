// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Small shares in windows: which ones lie in one, how long it lasts, and what
 * comes instead where there is none. Nobody else sees a difference.
 */

#include <string.h>

#include "fake.h"

#define PAGE 4096
#define WINDOW_PAGES GNTSHR_WINDOW_PAGES

static gntshr_handle *h;
/* The first share of the handle, which never lies in a window. */
static char *first;

static int setup(void **state)
{
	uint32_t ref;

	if (fake_setup(state))
		return -1;
	fake.has_windows = true;
	h = gntshr_open(NULL, 0);
	first = gntshr_share_pages(h, 0, 1, &ref, 1);
	return !first || fake_page(ref)->in_window || fake.windows_asked;
}

static int teardown(void **state)
{
	gntshr_close(h);
	return fake_teardown(state);
}

static char *make_share(uint32_t count, bool in_window)
{
	uint32_t refs[WINDOW_PAGES];
	char *pages = gntshr_share_pages(h, 0, count, refs, 1);

	assert_non_null(pages);
	for (uint32_t i = 0; i < count; i++) {
		assert_ptr_equal(fake_page(refs[i])->addr, pages + i * PAGE);
		assert_int_equal(fake_page(refs[i])->in_window, in_window);
	}
	memset(pages, 0x5A, count * PAGE);
	return pages;
}

static void end_share(void *pages, uint32_t count)
{
	unsigned int released = fake.released;

	assert_int_equal(gntshr_unshare(h, pages, count), 0);
	assert_int_equal(fake.released, released + count);
}

/* The next one is only begun if this one took a few shares. */
static void use_window(void)
{
	for (int i = 0; i < 3; i++)
		end_share(make_share(1, true), 1);
}

static void take_small_shares(void **state)
{
	char *small, *most, *large;

	(void)state;
	small = make_share(1, true);
	most = make_share(64, true);
	assert_ptr_equal(most, small + PAGE);
	large = make_share(65, false);
	/* Its place stays empty. */
	assert_ptr_equal(make_share(2, true), small + (1 + 64 + 65) * PAGE);
	assert_int_equal(fake.windows, 1);
	end_share(most, 64);
	end_share(large, 65);
	end_share(small, 1);
	assert_int_equal(fake.mapped, 3);
}

/* A window is as long as it says; the old one goes with its last share. */
static void follow_each_other(void **state)
{
	char *begin, *end, *next;

	(void)state;
	begin = make_share(1, true);
	for (int i = 0; i < 15; i++)
		make_share(64, true);
	end = make_share(63, true);
	assert_int_equal(fake.windows, 1);
	assert_ptr_equal(end + 63 * PAGE, begin + WINDOW_PAGES * PAGE);
	next = make_share(1, true);
	assert_int_equal(fake.windows, 2);

	for (int i = 0; i < 15; i++)
		end_share(begin + (1 + 64 * i) * PAGE, 64);
	end_share(end, 63);
	assert_int_equal(fake.windows, 2);
	end_share(begin, 1);
	assert_int_equal(fake.windows, 1);
	/* The one in use stays. */
	end_share(next, 1);
	assert_int_equal(fake.windows, 1);
	assert_ptr_equal(make_share(1, true), next + PAGE);
}

/* What would reach over the end begins the next one. */
static void are_not_reached_over(void **state)
{
	char *begin = make_share(1, true), *pages;

	(void)state;
	use_window();
	end_share(make_share(WINDOW_PAGES - 6, false), WINDOW_PAGES - 6);
	end_share(begin, 1);
	/* Two places are left, and nothing is in the window. */
	pages = make_share(3, true);
	assert_int_equal(fake.windows, 1);
	assert_int_equal(fake.windows_asked, 2);
	assert_ptr_equal(make_share(1, true), pages + 3 * PAGE);
}

/*
 * One that large shares end soon is no gain: then small ones have a mapping of
 * their own for a while.
 */
static void are_not_for_a_few(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		make_share(1, i < 2);
		end_share(make_share(WINDOW_PAGES / 2, false),
			  WINDOW_PAGES / 2);
	}
	for (int i = 0; i < 64; i++)
		make_share(1, false);
	assert_int_equal(fake.windows_asked, 1);
	make_share(1, true);
}

/* Windows in the middle of the list go as well as those at its end. */
static void go_in_any_order(void **state)
{
	char *pages[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		pages[i] = make_share(1, true);
		use_window();
		end_share(make_share(WINDOW_PAGES, false), WINDOW_PAGES);
	}
	assert_int_equal(fake.windows, 4);
	end_share(pages[1], 1);
	assert_int_equal(fake.windows, 3);
	end_share(pages[0], 1);
	end_share(pages[2], 1);
	assert_int_equal(fake.windows, 1);
	end_share(pages[3], 1);
}

/* Without them all is as ever, and the driver is asked once. */
static void may_not_be_there(void **state)
{
	char *pages[3];

	(void)state;
	fake.has_windows = false;
	for (int i = 0; i < 3; i++)
		pages[i] = make_share(2, false);
	assert_int_equal(fake.windows_asked, 1);
	for (int i = 0; i < 3; i++)
		end_share(pages[i], 2);
}

/* A share that cannot be put into its place has a mapping of its own. */
static void may_be_refused_to_a_share(void **state)
{
	char *pages, *other;

	(void)state;
	make_share(1, true);
	/* Record, ALLOC, MAP. */
	fake.fail_at = fake.steps + 3;
	pages = make_share(2, false);
	assert_int_equal(fake.failed, FAKE_MAP);
	other = make_share(2, true);
	end_share(pages, 2);
	end_share(other, 2);
	assert_int_equal(fake.windows_asked, 1);
}

/* The share is as before if the driver does not end it. */
static void take_back_what_does_not_end(void **state)
{
	static const enum fake_step steps[] = { FAKE_EMPTY, FAKE_DEALLOC };
	char *pages = make_share(2, true);

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		fake.fail_at = fake.steps + i + 1;
		errno = 0;
		assert_int_equal(gntshr_unshare(h, pages, 2), -1);
		assert_int_equal(errno, EXFULL);
		assert_int_equal(fake.failed, steps[i]);
		assert_int_equal(fake.mapped, 3);
		assert_int_equal(fake.listed, 3);
		for (int n = 0; n < 2 * PAGE; n++)
			assert_int_equal(pages[n], 0x5A);
	}
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
	assert_true(fake_page(ref)->in_window);
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
}

/* A place in a window that holds no share is none. */
static void know_their_shares(void **state)
{
	char *pages = make_share(2, true);

	(void)state;
	end_share(make_share(2, true), 2);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, pages + 2 * PAGE, 2), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, pages, 1), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, pages + 2 * PAGE, 1, 0),
			 -1);
	assert_int_equal(errno, EINVAL);
	end_share(pages, 2);
}

static void go_at_close(void **state)
{
	gntshr_handle *other = gntshr_open(NULL, 0);
	uint32_t ref, released;

	(void)state;
	for (int i = 0; i < 40; i++) {
		make_share(64, true);
		assert_non_null(gntshr_share_page_notify(other, 0, &ref, 1, 0,
							 FAKE_PORT));
	}
	assert_int_equal(fake.windows, 6);
	released = fake.released;
	assert_int_equal(gntshr_close(other), 0);
	assert_int_equal(fake.released, released + 40);
	assert_int_equal(fake.events, 40);
	assert_int_equal(fake.windows, 3);
}

static void go_in_a_child(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		make_share(64, true);
	fake_become_child();
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
	assert_int_equal(fake.windows, 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(fake.released, 0);
	assert_int_equal(fake.inherited, 1 + 40 * 64);
}

/*
 * The program should not have unmapped that one. Something else is in its
 * place, so the window is left alone when it would go.
 */
static void stay_where_the_program_unmapped(void **state)
{
	char *begin = make_share(1, true), *old = make_share(2, true), *new;

	(void)state;
	fake_program_unmaps(old, 2 * PAGE);
	assert_int_equal(fake.released, 0);
	fake.place = old;
	fake.fail_at = fake.steps + 3;
	new = make_share(2, false);
	assert_int_equal(fake.failed, FAKE_MAP);
	assert_ptr_equal(new, old);
	assert_int_equal(fake.released, 2);

	use_window();
	end_share(make_share(WINDOW_PAGES, false), WINDOW_PAGES);
	make_share(1, true);
	end_share(begin, 1);
	assert_int_equal(new[2 * PAGE - 1], 0x5A);
	end_share(new, 2);
	fake_program_unmaps(begin, PAGE);
	fake_program_unmaps(old + 2 * PAGE, (WINDOW_PAGES - 3) * PAGE);
}

/* What was there is ended, as the program will not do it any more. */
static void come_where_the_program_unmapped(void **state)
{
	char *old = make_share(1, true);
	unsigned int released;

	(void)state;
	use_window();
	assert_true(fake_skip(WINDOW_PAGES));
	fake_program_unmaps(old, WINDOW_PAGES * PAGE);
	released = fake.released;
	fake.window_place = old;
	assert_ptr_equal(make_share(1, true), old);
	assert_int_equal(fake.released, released + 1);
	assert_int_equal(fake.windows, 1);
	end_share(old, 1);
}

/* Unmapped by the program, then unshared: as with a mapping of its own. */
static void end_what_the_program_unmapped(void **state)
{
	char *page = make_share(1, true);

	(void)state;
	fake_program_unmaps(page, PAGE);
	end_share(page, 1);
	make_share(1, true);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(take_small_shares),
		test(follow_each_other),
		test(are_not_reached_over),
		test(are_not_for_a_few),
		test(go_in_any_order),
		test(may_not_be_there),
		test(may_be_refused_to_a_share),
		test(take_back_what_does_not_end),
		test(carry_notifications),
		test(know_their_shares),
		test(go_at_close),
		test(go_in_a_child),
		test(stay_where_the_program_unmapped),
		test(come_where_the_program_unmapped),
		test(end_what_the_program_unmapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
