// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Arenas that take no more shares: those that a child has a copy of, and those
 * that the program unmapped a part of. And what comes of many shares in any
 * order, on a driver that takes pages back as it likes.
 */

#include <stdlib.h>
#include <sys/mman.h>

#include "arenas.h"

/* ---- fork ---- */

static void go_in_a_child(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		make_share(64, true);
	end_share(make_share(100, true), 100);
	fake_become_child();
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.inherited, 1 + 40 * 64);
}

/* A child may fork, too: what it has it has still. */
static void go_in_a_child_that_forks(void **state)
{
	(void)state;
	end_share(make_share(5, true), 5);
	fake_become_child();
	fake_fork();
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
	assert_int_equal(fake.arenas, 0);
}

/* Nothing that a child sees serves again; what it has is not taken from it. */
static void are_not_for_parent_and_child(void **state)
{
	char *one = make_share(1, true), *two = make_share(2, true);
	char *three = make_share(3, true), *new;

	(void)state;
	end_share(three, 3);
	fake_fork();
	assert_int_equal(fake.arenas, 1);
	new = make_share(3, true);
	assert_int_equal(fake.arenas, 2);
	assert_int_equal(fake.reused, 0);
	assert_true(new < one || new >= one + ARENA *PAGE);
	assert_int_equal(gntshr_set_unmap_notify(h, two + 9, 1, 0), 0);

	/* The mapping of the share goes, no more. */
	fake.fail_at = fake.steps + 2;
	assert_int_equal(gntshr_unshare(h, one, 1), -1);
	assert_int_equal(fake.failed, FAKE_MUNMAP);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, one, 1, 0), -1);
	assert_int_equal(errno, EINVAL);
	for (unsigned int bit = 1; bit < 32; bit++) {
		errno = 0;
		assert_int_equal(gntshr_unshare(h, one, 1u << bit | 1), -1);
		assert_int_equal(errno, EINVAL);
	}
	end_share(one, 1);
	assert_int_equal(fake.arenas, 2);
	assert_int_equal(fake.spare, 3);
	assert_int_equal(gntshr_unshare(h, one, 1), -1);
	assert_int_equal(errno, EINVAL);

	/* With the last one all of it goes. */
	end_share(two, 2);
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(fake.spare, 0);
	end_share(new, 3);
	assert_int_equal(fake.spare, 3);
}

static void go_at_fork_if_empty(void **state)
{
	(void)state;
	end_share(make_share(7, true), 7);
	assert_int_equal(fake.spare, 7);
	fake_fork();
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(fake.spare, 0);
	make_share(1, true);
	assert_int_equal(fake.arenas, 1);
}

/* Whatever the kernel puts into the gaps stays. */
static void leave_what_is_in_their_gaps(void **state)
{
	char *a = make_share(2, true), *b = make_share(3, true);
	char *c = make_share(1, true), *mine;

	(void)state;
	fake_fork();
	end_share(b, 3);
	mine = mmap(b, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(mine, b);
	*mine = 0x5B;
	/* A share with a mapping of its own is no stranger there either. */
	fake.fail_errno = ENOMEM;
	fake.fail_at = fake.steps + 2;
	fake.place = b + PAGE;
	assert_ptr_equal(make_share(2, false), b + PAGE);
	assert_int_equal(gntshr_set_unmap_notify(h, b + PAGE, 1, 0), 0);
	end_share(a, 2);
	end_share(c, 1);
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(*mine, 0x5B);
	assert_int_equal(munmap(mine, PAGE), 0);
	end_share(b + PAGE, 2);
	assert_int_equal(fake.cleared, 1);
}

static void end_at_close_behind_fork(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		char *pages = make_share(3, true);

		make_share(2, true);
		if (i)
			end_share(pages, 3);
		fake_fork();
	}
	assert_int_equal(fake.listed, 1 + 5 * 2 + 3);
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
	assert_int_equal(fake.listed, 0);
	assert_int_equal(fake.arenas, 0);
}

/* ---- the program unmaps what it should not ---- */

static void fill(void *addr, size_t size)
{
	assert_ptr_equal(mmap(addr, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			      -1, 0),
			 addr);
	memset(addr, 0x5B, size);
}

static void is_filled(void *addr, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(((char *)addr)[i], 0x5B);
	assert_int_equal(munmap(addr, size), 0);
}

/* No share goes to where something else is, nor is that unmapped. */
static void do_not_come_back_to_holes(void **state)
{
	char *keep = make_share(1, true), *old = make_share(2, true), *new;

	(void)state;
	end_share(old, 2);
	fake_program_unmaps(old, 2 * PAGE);
	fill(old, 2 * PAGE);
	new = make_share(2, true);
	assert_true(new < keep || new >= keep + ARENA *PAGE);
	assert_int_equal(fake.arenas, 3);
	end_share(keep, 1);
	assert_ptr_equal(make_share(3, true), new + 2 * PAGE);
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
	is_filled(old, 2 * PAGE);
}

/* What the driver has against their places it cannot have elsewhere. */
static void are_given_up(void **state)
{
	static const int errors[] = { EINVAL, EBUSY };

	(void)state;
	make_share(1, true);
	for (int i = 0; i < 2; i++) {
		fake.fail_errno = errors[i];
		fake.fail_at = fake.steps + 1;
		make_share(1, true);
		assert_int_equal(fake.failed, FAKE_SHARE);
		assert_int_equal(fake.arenas, 2 + i);
	}
	fake.fail_at = fake.steps + 1;
	h->alone = 1;
	make_share(1, false);
	make_share(1, true);
	assert_int_equal(fake.arenas, 4);
}

/* Which of it is left cannot be known: it stays mapped. */
static void close_cannot_tell_holes(void **state)
{
	char *old = make_share(1, true);

	(void)state;
	fake.fail_errno = EBUSY;
	fake.fail_at = fake.steps + 1;
	make_share(1, true);
	/* Behind the end of both shares and what is left of the arenas. */
	fake.fail_errno = EACCES;
	fake.fail_at = fake.steps + 6;
	assert_int_equal(gntshr_close(h), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(fake.failed, FAKE_MAPPINGS);
	fake_program_unmaps(old, ARENA * PAGE);
	h = NULL;
}

/* Unmapped by the program, then unshared: as with a mapping of its own. */
static void end_what_the_program_unmapped(void **state)
{
	char *page = make_share(1, true), *pages = make_share(4, true);

	(void)state;
	fake_program_unmaps(page, PAGE);
	fill(page, PAGE);
	fake_program_unmaps(pages + PAGE, 2 * PAGE);
	end_share(page, 1);
	end_share(pages, 4);
	make_share(1, true);
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
	is_filled(page, PAGE);
}

/* A share whose addresses are those of another one ends. */
static void end_where_another_share_lies(void **state)
{
	char *begin = make_share(1, true), *old = make_share(2, true);
	char *end = make_share(1, true), *new;

	(void)state;
	fake_program_unmaps(old + PAGE, PAGE);
	assert_int_equal(fake.released, 0);
	h->no_arenas = true;
	fake.place = old + PAGE;
	new = make_share(1, false);
	assert_ptr_equal(new, old + PAGE);
	assert_int_equal(fake.released, 2);
	h->no_arenas = false;

	assert_int_equal(gntshr_unshare(h, old, 2), -1);
	end_share(begin, 1);
	end_share(end, 1);
	/* Nor does an arena go that is empty and was pierced. */
	fake_fork();
	assert_int_equal(new[PAGE - 1], 0x5A);
	end_share(new, 1);
}

/* What was there is ended, as the program will not do it any more. */
static void come_where_the_program_unmapped(void **state)
{
	char *old = make_share(1, true);

	(void)state;
	make_share(3, true);
	fake_program_unmaps(old, ARENA * PAGE);
	fake.arena_place = old;
	assert_ptr_equal(make_share(1, true), old);
	assert_int_equal(fake.released, 4);
	assert_int_equal(fake.arenas, 1);
	end_share(old, 1);
	assert_int_equal(fake.spare, 1);
}

/* A hole in what a child has a copy of. */
static void end_with_holes_behind_fork(void **state)
{
	char *one = make_share(1, true), *two = make_share(2, true);
	char *three = make_share(3, true);

	(void)state;
	fake_fork();
	end_share(one, 1);
	fake_program_unmaps(two, PAGE);
	h->no_arenas = true;
	fake.place = two;
	assert_ptr_equal(make_share(1, false), two);
	assert_int_equal(fake.released, 1 + 2);
	/* There may be more holes. */
	fake_program_unmaps(three, PAGE);
	fill(three, PAGE);
	end_share(three, 3);
	is_filled(three, PAGE);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(gntshr_close(h), 0);
	h = NULL;
}

/* ---- any order ---- */

#define SHARES 200
#define ROUNDS 6000

static unsigned int below(unsigned int n)
{
	static uint32_t dice = 1;

	dice = dice * 1103515245 + 12345;
	return (dice >> 8) % n;
}

static void serve_in_any_order(void **state)
{
	static struct {
		char *pages;
		uint32_t count;
	} shares[SHARES];

	(void)state;
	memset(shares, 0, sizeof(shares));
	fake.decays = true;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int n = below(SHARES), count = 1 + below(12);

		if (below(1500) == 0)
			fake_fork();
		if (shares[n].pages) {
			for (uint32_t i = 0; i < shares[n].count * PAGE; i++)
				if (shares[n].pages[i] != 0x5A)
					fail();
			end_share(shares[n].pages, shares[n].count);
			shares[n].pages = NULL;
			continue;
		}
		shares[n].pages = make_share(count, true);
		shares[n].count = count;
	}
	assert_true(fake.reused > ROUNDS);
}

int main(void)
{
#define test(f) \
	cmocka_unit_test_setup_teardown(f, arenas_setup, arenas_teardown)
	const struct CMUnitTest tests[] = {
		test(go_in_a_child),
		test(go_in_a_child_that_forks),
		test(are_not_for_parent_and_child),
		test(go_at_fork_if_empty),
		test(leave_what_is_in_their_gaps),
		test(end_at_close_behind_fork),
		test(do_not_come_back_to_holes),
		test(are_given_up),
		test(close_cannot_tell_holes),
		test(end_what_the_program_unmapped),
		test(end_where_another_share_lies),
		test(come_where_the_program_unmapped),
		test(end_with_holes_behind_fork),
		test(serve_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
