// SPDX-License-Identifier: LGPL-2.1-or-later
/* Several peers of the same pages: added, removed, told, and new ones. */

#include "arenas.h"

#define BYTE GNTSHR_NOTIFY_CLEAR_BYTE
#define EVENT GNTSHR_NOTIFY_SEND_EVENT

/* The domains: A has the share from the begin. */
enum { A = 0, B = 2, C = 0x7FEF };

static uint32_t refs[16], first[16];

/* Pages that are shared with A. */
static char *share(uint32_t count)
{
	char *pages = gntshr_share_pages(h, A, count, first, 1);

	assert_non_null(pages);
	return pages;
}

static void assert_wrong(int rc)
{
	assert_int_equal(rc, -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
}

/* In a mapping of its own, in an arena, and in memory of the program. */
static void works_on_any_share(char *pages)
{
	unsigned int listed = fake.listed;
	static const uint32_t domids[] = { B, C };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			gntshr_add_peer(h, pages, 4, domids[i], refs, !i), 0);
		assert_int_equal(fake.domid, domids[i]);
		assert_int_equal(fake.flags, !i);
		for (int n = 0; n < 4; n++) {
			assert_ptr_equal(fake_page(refs[n])->of,
					 fake_page(first[n]));
			assert_ptr_equal(fake_page(refs[n])->bytes,
					 fake_page(first[n])->bytes);
		}
	}
	assert_int_equal(fake.added, 8);
	/* A part of one. */
	assert_int_equal(gntshr_remove_peer(h, pages + PAGE, 2, B), 0);
	assert_int_equal(fake.added, 6);
	assert_int_equal(gntshr_add_peer(h, pages + 2 * PAGE, 1, B, refs, 0),
			 0);
	assert_int_equal(fake.added, 7);
	assert_int_equal(gntshr_unshare(h, pages, 4), 0);
	assert_int_equal(fake.added, 0);
	assert_int_equal(fake.listed, listed - 4);
	assert_null(h->peers);
}

static void peers_of_all_kinds_of_shares(void **state)
{
	static char memory[5 * PAGE];
	char *pages = memory + PAGE - (uintptr_t)memory % PAGE;

	(void)state;
	works_on_any_share(share(4));
	h->no_arenas = true;
	works_on_any_share(share(4));
	assert_int_equal(gntshr_share_memory(h, A, pages, 4, first, 0), 0);
	works_on_any_share(pages);
}

/* What was added goes first, or its page could serve nobody. */
static void unshared_pages_serve_again(void **state)
{
	char *page = share(1);

	(void)state;
	assert_int_equal(gntshr_add_peer(h, page, 1, B, refs, 1), 0);
	end_share_with_peers(page, 1, 1);
	assert_int_equal(fake.spare, 1);
	assert_ptr_equal(share(1), page);
	assert_int_equal(fake.reused, 1);
}

static void a_page_is_shared_once_with_each(void **state)
{
	char *pages = share(4);

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages + PAGE, 2, B, refs, 1), 0);
	for (int i = 0; i < 4; i++)
		refs[i] = 77;
	/* The driver knows of A, the library of B. */
	assert_int_equal(gntshr_add_peer(h, pages, 4, A, refs, 1), -1);
	assert_int_equal(errno, EEXIST);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(gntshr_add_peer(h, pages + i * PAGE, 4 - i, B,
						 refs, 1),
				 -1);
		assert_int_equal(errno, EEXIST);
		assert_int_equal(gntshr_renew(h, pages + i * PAGE, 4 - i, B,
					      refs, 1),
				 -1);
		assert_int_equal(errno, EEXIST);
	}
	assert_int_equal(refs[0] + refs[1] + refs[2] + refs[3], 4 * 77);
	assert_int_equal(fake.added, 2);
	assert_int_equal(gntshr_add_peer(h, pages + 3 * PAGE, 1, B, refs, 1),
			 0);
	assert_int_equal(gntshr_add_peer(h, pages, 1, B, refs, 1), 0);
	/* All of what came in three calls. */
	assert_int_equal(gntshr_remove_peer(h, pages, 4, B), 0);
	assert_int_equal(fake.added, 0);
}

static void refuses_wrong_pages(void **state)
{
	char *pages = share(4), *other = share(2);
	const struct {
		char *addr;
		uint32_t count;
	} wrong[] = {
		{ pages, 0 },	     { pages, 5 },
		{ pages + PAGE, 4 }, { pages + 1, 1 },
		{ pages - PAGE, 1 }, { pages, -1u },
		{ NULL, 1 },	     { (char *)-1, 1 },
		{ other + PAGE, 2 }, { other + 2 * PAGE, 1 },
		{ (char *)refs, 1 },
	};
	unsigned int steps;

	(void)state;
	refs[0] = 77;
	assert_int_equal(gntshr_unshare(h, other + 2 * PAGE, 1), -1);
	errno = 0;
	steps = fake.steps;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		/* A large count makes for large arrays. */
		if (wrong[i].count == -1u)
			continue;
		assert_wrong(gntshr_add_peer(h, wrong[i].addr, wrong[i].count,
					     B, refs, 1));
		assert_wrong(gntshr_renew(h, wrong[i].addr, wrong[i].count, B,
					  refs, 1));
		assert_wrong(gntshr_remove_peer(h, wrong[i].addr,
						wrong[i].count, A));
	}
	/* But for memory for references. */
	fake.steps -= steps;
	assert_in_range(fake.steps, 0, 2 * sizeof(wrong) / sizeof(*wrong));
	assert_wrong(gntshr_remove_peer(h, pages, -1u, A));
	assert_int_equal(refs[0], 77);
	assert_int_equal(fake.added, 0);
}

static void refuses_wrong_arguments(void **state)
{
	static const uint32_t wrong[] = { 0x7FF0, 0x10000, -1u };
	char *page = share(1);
	unsigned int steps = fake.steps;

	(void)state;
	refs[0] = 77;
	errno = 0;
	for (int i = 0; i < 3; i++) {
		assert_wrong(gntshr_add_peer(h, page, 1, wrong[i], refs, 1));
		assert_wrong(gntshr_renew(h, page, 1, wrong[i], refs, 1));
		assert_wrong(gntshr_remove_peer(h, page, 1, wrong[i]));
		assert_wrong(
			gntshr_set_peer_notify(h, page, wrong[i], BYTE, 0));
	}
	assert_wrong(gntshr_add_peer(h, page, 1, B, NULL, 1));
	assert_wrong(gntshr_renew(h, page, 1, B, NULL, 1));
	assert_wrong(gntshr_add_peer(h, page, 1, B, refs, 2));
	assert_wrong(gntshr_renew(h, page, 1, B, refs, 2));
	assert_wrong(gntshr_set_peer_notify(h, page, B, 4, 0));
	assert_int_equal(fake.steps, steps);
	assert_int_equal(refs[0], 77);
}

static void removes_who_has_all(void **state)
{
	char *pages = share(4);

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages + PAGE, 2, B, refs, 1), 0);
	errno = 0;
	assert_wrong(gntshr_remove_peer(h, pages, 3, B));
	assert_wrong(gntshr_remove_peer(h, pages + PAGE, 3, B));
	assert_wrong(gntshr_remove_peer(h, pages, 1, B));
	assert_wrong(gntshr_remove_peer(h, pages, 4, C));
	assert_int_equal(fake.added, 2);

	/* The first one, of a part. */
	assert_int_equal(gntshr_remove_peer(h, pages, 2, A), 0);
	assert_false(fake_page(first[0])->granted);
	assert_true(fake_page(first[1])->listed);
	assert_true(fake_page(first[2])->granted);
	assert_wrong(gntshr_remove_peer(h, pages, 4, A));
	/* It can come back, as one of those that were added. */
	assert_int_equal(gntshr_add_peer(h, pages, 2, A, refs, 1), 0);
	assert_wrong(gntshr_remove_peer(h, pages, 4, A));
	assert_int_equal(gntshr_remove_peer(h, pages, 2, A), 0);
	assert_int_equal(gntshr_remove_peer(h, pages + 2 * PAGE, 2, A), 0);
	assert_int_equal(gntshr_unshare(h, pages, 4), 0);
}

static void each_is_told(void **state)
{
	unsigned char *pages = (unsigned char *)share(3);

	(void)state;
	memset(pages, 0xA5, 3 * PAGE);
	assert_int_equal(gntshr_add_peer(h, pages, 3, B, refs, 1), 0);
	assert_int_equal(
		gntshr_set_peer_notify(h, pages + PAGE + 5, B, BYTE, 0), 0);
	assert_int_equal(gntshr_set_peer_notify(h, pages, B, EVENT, FAKE_PORT),
			 0);
	assert_int_equal(gntshr_set_unmap_notify(h, pages + 7, BYTE, 0), 0);
	assert_int_equal(gntshr_remove_peer(h, pages + PAGE, 1, B), 0);
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(pages[PAGE + 5], 0);
	assert_int_equal(pages[7], 0xA5);
	/* After a part went the others are still found. */
	assert_int_equal(
		gntshr_set_peer_notify(h, pages + 2 * PAGE, B, BYTE, 0), 0);
	assert_int_equal(gntshr_remove_peer(h, pages, 1, A), 0);
	assert_int_equal(pages[7], 0);
	assert_int_equal(fake.events, 0);
	assert_int_equal(gntshr_unshare(h, pages, 3), 0);
	assert_int_equal(fake.events, 1);
	assert_int_equal(fake.cleared, 3);
}

static void refuses_a_notification(void **state)
{
	char *pages = share(3);
	unsigned int steps;

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages + PAGE, 1, B, refs, 1), 0);
	steps = fake.steps;
	errno = 0;
	assert_wrong(gntshr_set_peer_notify(h, pages, B, BYTE, 0));
	assert_wrong(gntshr_set_peer_notify(h, pages + 2 * PAGE, B, BYTE, 0));
	assert_wrong(gntshr_set_peer_notify(h, pages + PAGE, A, BYTE, 0));
	assert_wrong(gntshr_set_peer_notify(h, pages + PAGE, C, BYTE, 0));
	assert_wrong(gntshr_set_peer_notify(h, NULL, B, BYTE, 0));
	assert_int_equal(fake.steps, steps);
	assert_wrong(gntshr_set_peer_notify(h, pages + PAGE, B, EVENT,
					    FAKE_PORT + 1));
	/* Another thread was faster. */
	fake.fail_at = fake.steps + 1;
	fake.fail_errno = ENOENT;
	assert_wrong(gntshr_set_peer_notify(h, pages + PAGE, B, BYTE, 0));
}

static void renews(void **state)
{
	char *pages = share(4);

	(void)state;
	strcpy(pages + PAGE, "stays");
	assert_int_equal(gntshr_set_unmap_notify(h, pages + PAGE, BYTE, 0), 0);
	assert_int_equal(gntshr_add_peer(h, pages, 4, B, refs, 0), 0);
	assert_int_equal(gntshr_renew(h, pages + PAGE, 2, C, refs + 1, 0), 0);
	for (int i = 1; i < 3; i++) {
		assert_int_not_equal(refs[i], first[i]);
		assert_ptr_equal(fake_page(refs[i]), fake_page(first[i]));
		assert_int_equal(fake_page(refs[i])->domid, C);
	}
	assert_string_equal(pages + PAGE, "stays");
	assert_int_equal(fake.added, 4);
	assert_int_equal(fake.cleared, 0);
	/* A is gone there, and may come again; and so after a removal. */
	errno = 0;
	assert_wrong(gntshr_remove_peer(h, pages, 2, A));
	assert_int_equal(gntshr_remove_peer(h, pages + PAGE, 1, C), 0);
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(gntshr_renew(h, pages, 4, A, refs, 1), 0);
	assert_int_equal(gntshr_unshare(h, pages, 4), 0);
}

/* All references are dead, and nothing here knows. */
static void goes_on_after_a_restore(void **state)
{
	char *pages = share(2);

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages, 2, B, refs, 0), 0);
	fake.restores++;
	assert_int_equal(gntshr_renew(h, pages, 2, C, refs, 1), 0);
	assert_int_equal(gntshr_remove_peer(h, pages, 2, B), 0);
	assert_int_equal(gntshr_add_peer(h, pages, 2, B, refs, 0), 0);
	assert_int_equal(gntshr_unshare(h, pages, 2), 0);
}

static void close_ends_all(void **state)
{
	gntshr_handle *own = gntshr_open(NULL, 0);
	uint32_t count = fake.listed;

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		char *pages = gntshr_share_pages(own, A, 3, refs, 1);

		assert_int_equal(
			gntshr_add_peer(own, pages, 3, B + i % 3, refs, 1), 0);
		assert_int_equal(
			gntshr_add_peer(own, pages + PAGE, 1, C, refs, 1), 0);
	}
	assert_int_equal(gntshr_close(own), 0);
	assert_int_equal(fake.listed, count);
	assert_int_equal(fake.added, 0);
}

/* What the program unmapped itself ends for all when its addresses come back.
 */
static void stale_shares_end_for_all(void **state)
{
	char *page, *in_arena = share(2);

	(void)state;
	h->no_arenas = true;
	page = share(1);
	assert_int_equal(gntshr_add_peer(h, page, 1, B, refs, 1), 0);
	assert_int_equal(gntshr_add_peer(h, in_arena, 2, B, refs, 1), 0);
	fake_program_unmaps(page, PAGE);
	fake.place = page;
	assert_ptr_equal(share(1), page);
	assert_int_equal(fake.added, 2);
	fake_program_unmaps(in_arena, PAGE);
	fake.place = in_arena;
	assert_ptr_equal(share(1), in_arena);
	assert_int_equal(fake.added, 0);
	assert_int_equal(gntshr_add_peer(h, in_arena, 1, B, refs, 1), 0);
	fake_program_unmaps(in_arena + PAGE, PAGE);
}

/* Behind fork a share ends in another way. */
static void unshared_behind_fork(void **state)
{
	char *pages = share(2);

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages, 2, B, refs, 1), 0);
	fake_fork();
	assert_int_equal(gntshr_add_peer(h, pages, 2, C, refs, 1), 0);
	end_share_with_peers(pages, 2, 4);
	assert_int_equal(fake.added, 0);
}

static void a_child_may_not(void **state)
{
	char *page = share(1);
	unsigned int steps;

	(void)state;
	assert_int_equal(gntshr_add_peer(h, page, 1, B, refs, 1), 0);
	refs[0] = 77;
	fake_become_child();
	steps = fake.steps;
	assert_int_equal(gntshr_add_peer(h, page, 1, C, refs, 1), -1);
	assert_int_equal(errno, EPERM);
	errno = 0;
	assert_int_equal(gntshr_renew(h, page, 1, A, refs, 1), -1);
	assert_int_equal(errno, EPERM);
	errno = 0;
	assert_int_equal(gntshr_remove_peer(h, page, 1, B), -1);
	assert_int_equal(errno, EPERM);
	errno = 0;
	assert_int_equal(gntshr_set_peer_notify(h, page, B, 0, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fake.steps, steps);
	assert_int_equal(refs[0], 77);
	/* Its close, in teardown, leaves the parent's grants alone. */
}

int main(void)
{
#define test(f) \
	cmocka_unit_test_setup_teardown(f, arenas_setup, arenas_teardown)
	const struct CMUnitTest tests[] = {
		test(peers_of_all_kinds_of_shares),
		test(unshared_pages_serve_again),
		test(a_page_is_shared_once_with_each),
		test(refuses_wrong_pages),
		test(refuses_wrong_arguments),
		test(removes_who_has_all),
		test(each_is_told),
		test(refuses_a_notification),
		test(renews),
		test(goes_on_after_a_restore),
		test(close_ends_all),
		test(stale_shares_end_for_all),
		test(unshared_behind_fork),
		test(a_child_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
