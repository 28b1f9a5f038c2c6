// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares of memory that the program has already. */

#include <sys/mman.h>

#include "arenas.h"

static uint32_t refs[16];
static char *memory;

#define PAGES 8

static int setup(void **state)
{
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED || arenas_setup(state);
}

static int teardown(void **state)
{
	munmap(memory, PAGES * PAGE);
	return arenas_teardown(state);
}

static void shares_what_is_there(void **state)
{
	(void)state;
	strcpy(memory + PAGE, "not zeroed");
	assert_int_equal(gntshr_share_memory(h, 0x7FEF, memory, PAGES, refs, 1),
			 0);
	assert_int_equal(fake.domid, 0x7FEF);
	assert_int_equal(fake.flags, 1);
	assert_int_equal(fake.listed, 1 + PAGES);
	for (int i = 0; i < PAGES; i++)
		assert_ptr_equal(fake_page(refs[i])->bytes, memory + i * PAGE);
	assert_string_equal(memory + PAGE, "not zeroed");
	assert_int_equal(gntshr_set_unmap_notify(h, memory + PAGE + 3, 1, 0),
			 0);
	assert_int_equal(gntshr_unshare(h, memory, PAGES), 0);
	assert_int_equal(fake.listed, 1);
	/* It is still mapped. */
	assert_string_equal(memory + PAGE, "not");
	assert_int_equal(gntshr_share_memory(h, 0, memory, 1, refs, 0), 0);
	assert_int_equal(fake.flags, 0);
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		long at;
		uint32_t domid, count;
		unsigned int flags;
	} wrong[] = {
		{ 0, 0x7FF0, 1, 0 }, { 0, -1u, 1, 0 }, { 0, 0, 0, 0 },
		{ 0, 0, 1, 2 },	     { 1, 0, 1, 0 },   { PAGE - 1, 0, 1, 0 },
	};
	unsigned int steps = fake.steps;

	(void)state;
	refs[0] = 77;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		errno = 0;
		assert_int_equal(gntshr_share_memory(h, wrong[i].domid,
						     memory + wrong[i].at,
						     wrong[i].count, refs,
						     wrong[i].flags),
				 -1);
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_int_equal(gntshr_share_memory(h, 0, memory, 1, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_share_memory(h, 0, NULL, 1, refs, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_share_memory(h, 0, (void *)-(intptr_t)PAGE, 2,
					     refs, 0),
			 -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fake.steps, steps);
	/* Only the kernel knows what is there. */
	munmap(memory, PAGE);
	assert_int_equal(gntshr_share_memory(h, 0, memory, 2, refs, 0), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(refs[0], 77);
	assert_int_equal(fake.listed, 1);
}

static void unshares_just_this(void **state)
{
	(void)state;
	assert_int_equal(gntshr_share_memory(h, 0, memory, 4, refs, 1), 0);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, memory, 3), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, memory + PAGE, 3), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, memory + 4 * PAGE, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(gntshr_unshare(h, memory, 4), 0);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, memory, 4), -1);
	assert_int_equal(errno, EINVAL);
}

static void does_not_overlap(void **state)
{
	gntshr_handle *other = gntshr_open(NULL, 0);

	(void)state;
	refs[0] = 77;
	assert_int_equal(gntshr_share_memory(h, 0, memory + 2 * PAGE, 2,
					     refs + 1, 1),
			 0);
	for (uint32_t count = 1; count <= 4; count++) {
		/* The last three have a page of it. */
		assert_int_equal(gntshr_share_memory(h, 0, memory + PAGE, count,
						     refs, 1),
				 count > 1 ? -1 : 0);
		if (count == 1)
			assert_int_equal(gntshr_unshare(h, memory + PAGE, 1),
					 0);
		else
			assert_int_equal(errno, EEXIST);
	}
	/* Another handle may. */
	assert_int_equal(gntshr_share_memory(other, 1, memory, PAGES, refs, 1),
			 0);
	assert_int_equal(gntshr_close(other), 0);
	assert_int_equal(gntshr_close(NULL), 0);
	assert_int_equal(fake.listed, 3);
}

/* Where the program unmapped it no share of pages comes to lie. */
static void keeps_its_addresses(void **state)
{
	static const struct {
		uint32_t count, at;
	} shares[] = { { PAGES, PAGES }, { 1, 2 * PAGES - 1 }, { 9, 0 } };
	char *large = mmap(NULL, 3 * PAGES * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *within = large + PAGES * PAGE, *pages;
	uint32_t more[2 * PAGES];

	(void)state;
	h->no_arenas = true;
	assert_int_equal(gntshr_share_memory(h, 0, within, PAGES, refs, 1), 0);
	assert_int_equal(gntshr_add_peer(h, within, 1, 5, refs + 8, 1), 0);
	munmap(large, 3 * PAGES * PAGE);
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		uint32_t count = shares[i].count;

		fake.place = large + shares[i].at * PAGE;
		pages = gntshr_share_pages(h, 0, count, more, 1);
		assert_null(fake.place);
		assert_non_null(pages);
		assert_true(pages + count * PAGE <= within ||
			    pages >= within + PAGES * PAGE);
		assert_ptr_equal(fake_page(more[0])->addr, pages);
		assert_int_equal(gntshr_unshare(h, pages, count), 0);
		assert_int_equal(fake.listed, 1 + 1 + PAGES);
	}
	assert_int_equal(gntshr_unshare(h, within, PAGES), 0);
	assert_int_equal(fake.listed, 1);
	assert_int_equal(fake.added, 0);
	/* It has ended, and they are free. */
	fake.place = within;
	assert_ptr_equal(gntshr_share_pages(h, 0, PAGES, more, 1), within);
	assert_int_equal(gntshr_unshare(h, within, PAGES), 0);
}

/* Nor an arena. */
static void keeps_its_addresses_from_arenas(void **state)
{
	char *large = mmap(NULL, 1024 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *page;

	(void)state;
	assert_int_equal(
		gntshr_share_memory(h, 0, large + 1023 * PAGE, 1, refs, 1), 0);
	munmap(large, 1024 * PAGE);
	fake.arena_place = large;
	page = gntshr_share_pages(h, 0, 1, refs, 1);
	assert_null(fake.arena_place);
	assert_true(fake_page(refs[0])->in_arena);
	assert_false(fake_in_arena(large + 1023 * PAGE));
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(gntshr_unshare(h, large + 1023 * PAGE, 1), 0);
}

/* There is no place below it that could be had. */
static void keeps_its_addresses_or_fails(void **state)
{
	unsigned int listed;
	uint32_t ref;

	(void)state;
	h->no_arenas = true;
	assert_int_equal(gntshr_share_memory(h, 0, memory, PAGES, refs, 1), 0);
	munmap(memory, PAGES * PAGE);
	listed = fake.listed;
	for (unsigned int step = 3; step <= 5; step++) {
		fake.place = memory;
		fake.fail_at = fake.steps + step;
		fake.fail_errno = ENOMEM;
		assert_null(gntshr_share_pages(h, 0, 1, &ref, 1));
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(fake.failed,
				 step == 4 ? FAKE_MUNMAP : FAKE_MMAP);
		assert_int_equal(fake.listed, listed);
		fake.place = NULL;
	}
}

/* Memory where pages were that the program unmapped itself: those end. */
static void takes_the_place_of_stale_shares(void **state)
{
	char *pages;

	(void)state;
	h->no_arenas = true;
	pages = gntshr_share_pages(h, 0, 2, refs, 1);
	fake_program_unmaps(pages, 2 * PAGE);
	assert_int_equal(fake.listed, 3);
	assert_ptr_equal(mmap(pages, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 pages);
	assert_int_equal(gntshr_share_memory(h, 0, pages, 1, refs, 1), 0);
	assert_int_equal(fake.listed, 2);
	assert_int_equal(gntshr_unshare(h, pages, 1), 0);
	munmap(pages, 2 * PAGE);
}

static void close_ends_all(void **state)
{
	gntshr_handle *own = gntshr_open(NULL, 0);

	(void)state;
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(gntshr_share_memory(own, 0, memory + i * PAGE,
						     1, refs, 1),
				 0);
	assert_int_equal(gntshr_close(own), 0);
	assert_int_equal(fake.listed, 1);
}

static void a_child_may_not(void **state)
{
	unsigned int steps;

	(void)state;
	assert_int_equal(gntshr_share_memory(h, 0, memory, 1, refs, 1), 0);
	fake_become_child();
	steps = fake.steps;
	assert_int_equal(gntshr_share_memory(h, 0, memory + PAGE, 1, refs, 1),
			 -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fake.steps, steps);
	/* Its close, in teardown, leaves the parent's grants alone. */
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(shares_what_is_there),
		test(refuses_what_is_wrong),
		test(unshares_just_this),
		test(does_not_overlap),
		test(keeps_its_addresses),
		test(keeps_its_addresses_from_arenas),
		test(keeps_its_addresses_or_fails),
		test(takes_the_place_of_stale_shares),
		test(close_ends_all),
		test(a_child_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
