// SPDX-License-Identifier: LGPL-2.1-or-later
/* The xengntshr_* calls where pages of arenas serve what comes next. */

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat-handle.h"

static void spare_pages_serve(void **state)
{
	xengntshr_handle *h = open_handle();
	unsigned int reused = fake.reused, steps = fake.steps;
	uint32_t refs[8];
	char *pages = xengntshr_share_pages(h, 0, 8, refs, 1);

	(void)state;
	assert_int_equal(fake.reused, reused + 1);
	assert_int_equal(fake.steps, steps + 1);
	assert_int_equal(fake.listed, 0);
	assert_int_equal(xengntshr_unshare(h, pages, 8), 0);
	assert_int_equal(fake.steps, steps + 2);
	assert_int_equal(fake.spare, 8);
	assert_ptr_equal(xengntshr_share_pages(h, 1, 8, refs, 0), pages);
	assert_int_equal(fake.reused, reused + 9);
	assert_int_equal(xengntshr_unshare(h, pages, 8), 0);
	/* A notification is no reason not to, and ends with its share. */
	assert_ptr_equal(xengntshr_share_page_notify(h, 0, refs, 1, 9,
						     FAKE_PORT),
			 pages);
	assert_int_equal(fake.listed, 0);
	assert_int_equal(xengntshr_unshare(h, pages, 1), 0);
	assert_int_equal(fake.events, 1);
	assert_ptr_equal(xengntshr_share_pages(h, 0, 1, refs, 1), pages);
	assert_int_equal(xengntshr_unshare(h, pages, 1), 0);
	assert_int_equal(fake.events, 1);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Only what is shared outlives the handle, whatever lies between. */
static void close_leaves_shares_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	char *pages[5];
	uint32_t ref;

	(void)state;
	for (int i = 0; i < 5; i++)
		pages[i] = xengntshr_share_pages(h, 0, 1, &ref, 1);
	for (int i = 0; i < 5; i += 2)
		assert_int_equal(xengntshr_unshare(h, pages[i], 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas, 2);
	assert_int_equal(fake.mapped, 2);
	assert_int_equal(released(), 3);
	for (int i = 1; i < 5; i += 2)
		unmap(pages[i], 1);
	assert_int_equal(released(), 5);
}

/* What lies where a share was is the program's, and goes as it wants. */
static void something_else_is_there(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref;
	char *page = xengntshr_share_pages(h, 0, 1, &ref, 1), *next;

	(void)state;
	fake_program_unmaps(page, PAGE);
	assert_int_equal(released(), 1);
	assert_ptr_equal(mmap(page, PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 page);
	/* It is not known to be gone. */
	next = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_non_null(next);
	assert_ptr_not_equal(next, page);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(released(), 1);
	/* Nothing is there now. */
	assert_ptr_equal(mmap(page, PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			      -1, 0),
			 page);
	assert_int_equal(munmap(page, PAGE), 0);
	assert_int_equal(xengntshr_unshare(h, next, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Not even close unmaps what the program put where a share was. */
static void close_knows_what_is_not_ours(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t refs[2];
	char *pages = xengntshr_share_pages(h, 0, 2, refs, 1);

	(void)state;
	fake_program_unmaps(pages, 2 * PAGE);
	assert_ptr_equal(mmap(pages, 2 * PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 pages);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(msync(pages, 2 * PAGE, MS_ASYNC), 0);
	assert_int_equal(munmap(pages, 2 * PAGE), 0);
}

/* What somebody else maps where the program unmapped what had ended. */
static char *map_other(char *addr)
{
	char *other = mmap(addr, PAGE, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_ptr_equal(other, addr);
	return other;
}

static void assert_is_there(char *other)
{
	assert_int_equal(msync(other, PAGE, MS_ASYNC), 0);
}

/*
 * Five shares: the second and the fourth one ended, and the program ended the
 * former once more by munmap(), so that another library could get its place.
 */
static char *end_by_munmap_too(xengntshr_handle *h, char *pages[5])
{
	uint32_t ref;

	for (int i = 0; i < 5; i++)
		pages[i] = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_int_equal(xengntshr_unshare(h, pages[1], 1), 0);
	assert_int_equal(xengntshr_unshare(h, pages[3], 1), 0);
	fake_program_unmaps(pages[1], PAGE);
	assert_int_equal(fake.spare, 1);
	return map_other(pages[1]);
}

static void assert_only_shares_stay(char *pages[5], char *other)
{
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.mapped, 3);
	assert_true(fake_in_arena(pages[0]));
	assert_true(fake_in_arena(pages[2]));
	assert_true(fake_in_arena(pages[4]));
	assert_int_equal(fake.arenas, 3);
	assert_is_there(other);
	munmap(other, PAGE);
	for (int i = 0; i < 5; i += 2)
		unmap(pages[i], 1);
}

static void close_leaves_others_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	char *pages[5], *other = end_by_munmap_too(h, pages);

	(void)state;
	assert_int_equal(xengntshr_close(h), 0);
	assert_only_shares_stay(pages, other);
}

static void fork_leaves_others_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	char *pages[5], *other = end_by_munmap_too(h, pages);

	(void)state;
	fake_fork();
	assert_only_shares_stay(pages, other);
	assert_int_equal(xengntshr_close(h), 0);
}

/* A child has it from its parent. */
static void a_child_leaves_others_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	char *pages[5], *other = end_by_munmap_too(h, pages);
	uint32_t ref;
	char *page;

	(void)state;
	fake.children_share = true;
	fake_become_child();
	page = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_non_null(page);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_only_shares_stay(pages, other);
	assert_int_equal(xengntshr_close(h), 0);
}

/* A share that the driver does not end is the last one of its arena. */
static void the_last_share_leaves_others_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref;
	char *pages[2], *other;

	(void)state;
	for (int i = 0; i < 2; i++)
		pages[i] = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_int_equal(xengntshr_unshare(h, pages[0], 1), 0);
	fake_program_unmaps(pages[0], PAGE);
	other = map_other(pages[0]);
	fake.fail_errno = EBUSY;
	fake.fail_at = fake.steps + 1;
	assert_int_equal(xengntshr_unshare(h, pages[1], 1), 0);
	assert_int_equal(fake.failed, FAKE_UNSHARE);
	assert_is_there(other);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.arenas, 0);
	assert_is_there(other);
	munmap(other, PAGE);
}

/* The first share of a handle has no arena. */
static xengntshr_handle *open_with_arena(char **pages, int count)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref;

	unmap(xengntshr_share_pages(h, 0, 1, &ref, 1), 1);
	for (int i = 0; i < count; i++)
		pages[i] = xengntshr_share_pages(h, 0, 1, &ref, 1);
	return h;
}

/* As if a child had a copy that nobody saw it get. */
static void share_what_is_unmapped(xengntshr_handle *h)
{
	uint32_t ref;
	char *page = xengntshr_share_pages(h, 0, 1, &ref, 1);

	fake.failed = FAKE_NONE;
	fake.fail_errno = EBUSY;
	fake.fail_at = fake.steps + 1;
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.failed, FAKE_UNSHARE);
}

/* Spare pages that a child keeps make up for what is missing. */
static void a_child_keeps_what_was_spare(void **state)
{
	char *pages[3], *other;
	xengntshr_handle *h = open_with_arena(pages, 2);
	uint32_t ref;

	(void)state;
	assert_int_equal(xengntshr_unshare(h, pages[0], 1), 0);
	fake_fork();
	assert_int_equal(fake.arenas, 1);
	pages[2] = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_int_equal(xengntshr_unshare(h, pages[2], 1), 0);
	fake_program_unmaps(pages[2], PAGE);
	other = map_other(pages[2]);
	assert_int_equal(xengntshr_close(h), 0);
	assert_is_there(other);
	munmap(other, PAGE);
	assert_int_equal(fake.arenas, 1);
	unmap(pages[1], 1);
}

/* When they are gone the driver's count tells again. */
static void a_child_ends(void **state)
{
	char *pages[1];
	xengntshr_handle *h = open_with_arena(pages, 1);

	(void)state;
	assert_int_equal(xengntshr_unshare(h, pages[0], 1), 0);
	fake_fork();
	assert_int_equal(fake.arenas, 0);
	share_what_is_unmapped(h);
	assert_int_equal(fake.arenas, 1);
	fake_children_end();
	share_what_is_unmapped(h);
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.looks, 0);
}

/* So do pages that a share got before it failed. */
static void a_share_that_failed_had_pages(void **state)
{
	char *pages[3], *others[2];
	xengntshr_handle *h = open_with_arena(pages, 3);
	uint32_t refs[4];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(xengntshr_unshare(h, pages[i], 1), 0);
		fake_program_unmaps(pages[i], PAGE);
		others[i] = map_other(pages[i]);
	}
	fake.fail_errno = ENOMEM;
	fake.fail_at = fake.steps + 1;
	assert_null(xengntshr_share_pages(h, 0, 4, refs, 1));
	assert_int_equal(fake.failed, FAKE_SHARE);
	assert_int_equal(fake.spare, 2);
	assert_int_equal(xengntshr_close(h), 0);
	for (int i = 0; i < 2; i++) {
		assert_is_there(others[i]);
		munmap(others[i], PAGE);
	}
	assert_int_equal(fake.spare, 0);
	unmap(pages[2], 1);
}

/* Another handle may have the whole place, and what it has the same index. */
static void close_leaves_other_handles_alone(void **state)
{
	xengntshr_handle *h = xengntshr_open(fake_logger(), 0), *other;
	static uint32_t refs[1024];
	char *pages = xengntshr_share_pages(h, 0, 1024, refs, 1), *page;

	(void)state;
	assert_true(fake_page(refs[0])->in_arena);
	assert_int_equal(xengntshr_unshare(h, pages, 1024), 0);
	fake_program_unmaps(pages, 1024 * PAGE);
	fake.arena_place = pages;
	other = open_handle();
	assert_null(fake.arena_place);
	page = xengntshr_share_pages(other, 0, 1, refs, 1);
	assert_ptr_equal(page, pages);
	fake_fork();
	assert_int_equal(fake.mapped, 1);
	assert_true(fake_in_arena(page));
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.mapped, 1);
	assert_int_equal(xengntshr_unshare(other, page, 1), 0);
	assert_int_equal(xengntshr_close(other), 0);
}

/* Ended twice, it ended; it is still in its place, and serves. */
static void what_ended_stays_so(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t refs[3], steps;
	char *pages = xengntshr_share_pages(h, 0, 3, refs, 1);

	(void)state;
	assert_int_equal(xengntshr_unshare(h, pages, 3), 0);
	steps = fake.steps;
	assert_int_equal(xengntshr_unshare(h, pages, 3), 0);
	assert_int_equal(xengntshr_unshare(h, pages + PAGE, 2), 0);
	assert_int_equal(xengntshr_unshare(h, pages + 8 * PAGE, 1), 0);
	assert_int_equal(fake.steps, steps);
	assert_int_equal(fake.spare, 3);
	assert_ptr_equal(xengntshr_share_pages(h, 0, 3, refs, 1), pages);
	/* In a share it is what munmap() would do. */
	assert_int_equal(xengntshr_unshare(h, pages + 2 * PAGE, 1), 0);
	assert_int_equal(fake.mapped, 2);
	assert_int_equal(xengntshr_unshare(h, pages, 2), 0);
	assert_int_equal(fake.mapped, 0);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Only where pages are missing that were spare it matters what is mapped. */
static void close_looks_where_it_must(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t refs[4];
	char *pages = xengntshr_share_pages(h, 0, 4, refs, 1);

	(void)state;
	assert_int_equal(xengntshr_unshare(h, pages, 4), 0);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.looks, 0);

	h = open_handle();
	pages = xengntshr_share_pages(h, 0, 4, refs, 1);
	assert_int_equal(xengntshr_unshare(h, pages, 4), 0);
	/* The driver has taken it back, as if idle. */
	fake_take_spare();
	assert_int_equal(fake.spare, 3);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.looks, 1);
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(fake.spare, 0);
}

/* What cannot be looked at stays. */
static void close_may_not_look(void **state)
{
	xengntshr_handle *h = open_handle();
	char *pages[5], *other = end_by_munmap_too(h, pages);

	(void)state;
	fake.fail_at = fake.steps + 2;
	fake.mappings_told = 0;
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.failed, FAKE_MAPPINGS);
	assert_is_there(other);
	munmap(other, PAGE);
	fake_program_unmaps(pages[0], 1024 * PAGE);
}

/* What the driver does not unshare, as a child has copies, is unmapped. */
static void refused_shares_are_unmapped(void **state)
{
	static const int errors[] = { EBUSY, EINVAL, EPERM };
	xengntshr_handle *h = open_handle();
	uint32_t ref;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		char *page = xengntshr_share_pages(h, 0, 1, &ref, 1);

		fake.failed = FAKE_NONE;
		fake.fail_errno = errors[i];
		fake.fail_at = fake.steps + 1;
		assert_int_equal(xengntshr_unshare(h, page, 1), 0);
		assert_int_equal(fake.failed, FAKE_UNSHARE);
		assert_int_equal(fake.spare, 0);
		assert_int_equal(fake.mapped, 0);
		assert_int_equal(released(), i + 1);
		/* Nothing else was in the arena. */
		assert_int_equal(fake.arenas, 0);
		page = xengntshr_share_pages(h, 0, 1, &ref, 1);
		assert_true(fake_page(ref)->in_arena);
		assert_int_equal(xengntshr_unshare(h, page, 1), 0);
		released_before++;
	}
	assert_int_equal(xengntshr_close(h), 0);
}

/* A child whose birth nobody saw. */
static void has_no_arena(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref;
	char *page;

	(void)state;
	fake.fail_errno = EPERM;
	fake.fail_at = fake.steps + 1;
	page = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_int_equal(fake.failed, FAKE_SHARE);
	assert_non_null(page);
	assert_false(fake_page(ref)->in_arena);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

/* A child's copies are shares, too: nothing stays of the arena but them. */
static void fork_leaves_shares_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	unsigned int asked = fake.arenas_asked;
	uint32_t refs[4];
	char *pages = xengntshr_share_pages(h, 0, 3, refs, 1), *next;

	(void)state;
	next = xengntshr_share_pages(h, 0, 4, refs, 1);
	assert_int_equal(xengntshr_unshare(h, next, 4), 0);
	released_before = fake.released;
	fake_fork();
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(fake.mapped, 3);
	next = xengntshr_share_pages(h, 0, 1, refs, 1);
	assert_int_equal(fake.arenas_asked, asked + 1);
	assert_true(fake_page(refs[0])->in_arena);
	assert_int_equal(xengntshr_unshare(h, pages, 3), 0);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(released(), 3);
	assert_int_equal(xengntshr_unshare(h, next, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

static uint64_t places_of(xengntshr_handle *h)
{
	const struct gntshr_arena *arena = ((gntshr_handle *)h)->arenas;
	uint64_t places = 0;

	for (; arena; arena = arena->next)
		places += arena->places;
	return places;
}

/* Places of shares that munmap() ended are forgotten in the end. */
static void begins_anew(void **state)
{
	xengntshr_handle *h = open_handle();
	static uint32_t refs[4096];
	uint64_t places = 0, before;
	int shares = 0;

	(void)state;
	do {
		char *pages = xengntshr_share_pages(h, 0, 4096, refs, 1);

		assert_non_null(pages);
		unmap(pages, 4096);
		before = places;
		places = places_of(h);
		assert_int_not_equal(shares++, 60);
	} while (places >= before);
	assert_int_equal(xengntshr_close(h), 0);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup_arenas, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(spare_pages_serve),
		test(close_leaves_shares_alone),
		test(something_else_is_there),
		test(close_knows_what_is_not_ours),
		test(close_leaves_others_alone),
		test(fork_leaves_others_alone),
		test(a_child_leaves_others_alone),
		test(the_last_share_leaves_others_alone),
		test(a_child_keeps_what_was_spare),
		test(a_child_ends),
		test(a_share_that_failed_had_pages),
		test(close_leaves_other_handles_alone),
		test(what_ended_stays_so),
		test(close_looks_where_it_must),
		test(close_may_not_look),
		test(refused_shares_are_unmapped),
		test(has_no_arena),
		test(fork_leaves_shares_alone),
		test(begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
