// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What every user relies on, against a real peer: contents both ways, rights,
 * the end of a share, and the notification however the end comes. Built for
 * libgntshr and for libxengnttab, run on our module and on the stock one.
 */

#include "test-calls.h"

#include <string.h>
#include <unistd.h>

gntshr_handle *h;
uint32_t refs[MAX_PAGES];

static int setup(void **state)
{
	(void)state;
	h = gntshr_open(NULL, 0);
	return h ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return gntshr_close(h);
}

/*
 * A peer that comes after the end finds nothing. If it had the page mapped when
 * the end came, the grant goes when the driver next looks; the stock one only
 * does that when it is asked for other pages.
 */
void assert_ended(const uint32_t *ref)
{
	for (int i = 0; i < PATIENCE_MS / 100; i++) {
		uint32_t other;
		void *page;
		long slot = remote_map("ro", ref, 1);

		if (slot == -1)
			return;
		assert_int_equal(remote("unmap %ld", slot), 0);
		page = gntshr_share_pages(h, remote_domid(), 1, &other, 0);
		assert_non_null(page);
		assert_int_equal(gntshr_unshare(h, page, 1), 0);
		usleep(100000);
	}
	fail_msg("the peer can still map reference %u", *ref);
}

static void contents_both_ways(uint32_t count)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), count, refs, 1);
	long slot;

	assert_non_null(pages);
	slot = remote_map("rw", refs, count);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("zero %ld", slot), 0);
	fill_pattern(pages, count, 1);
	assert_int_equal(remote("check %ld 1", slot), 0);
	assert_int_equal(remote("fill %ld 2", slot), 0);
	assert_int_equal(differing(pages, count, 2), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, pages, count), 0);
	assert_ended(refs);
	assert_ended(refs + count - 1);
}

static void read_only(uint32_t count)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), count, refs, 0);
	long slot;

	assert_non_null(pages);
	assert_int_equal(remote_map("rw", refs, count), -1);
	assert_int_equal(remote_map("rw", refs + count - 1, 1), -1);
	slot = remote_map("ro", refs, count);
	assert_int_not_equal(slot, -1);
	fill_pattern(pages, count, 3);
	assert_int_equal(remote("check %ld 3", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, pages, count), 0);
	assert_ended(refs);
}

static void writable_1(void **state)
{
	(void)state;
	contents_both_ways(1);
}

static void writable_8(void **state)
{
	(void)state;
	contents_both_ways(8);
}

static void writable_64(void **state)
{
	(void)state;
	contents_both_ways(64);
}

static void writable_512(void **state)
{
	(void)state;
	contents_both_ways(512);
}

static void read_only_1(void **state)
{
	(void)state;
	read_only(1);
}

static void read_only_8(void **state)
{
	(void)state;
	read_only(8);
}

static void read_only_64(void **state)
{
	(void)state;
	read_only(64);
}

static void read_only_512(void **state)
{
	(void)state;
	read_only(512);
}

/* Pages that held something before reach the peer zeroed. */
static void used_memory_comes_zeroed(void **state)
{
	unsigned char *pages;
	long slot;

	(void)state;
	for (int round = 0; round < 4; round++) {
		pages = gntshr_share_pages(h, remote_domid(), 64, refs, 1);
		assert_non_null(pages);
		for (size_t n = 0; n < 64 * 4096; n++)
			assert_int_equal(pages[n], 0);
		slot = remote_map("ro", refs, 64);
		assert_int_equal(remote("zero %ld", slot), 0);
		assert_int_equal(remote("unmap %ld", slot), 0);
		memset(pages, 0x5A, 64 * 4096);
		assert_int_equal(gntshr_unshare(h, pages, 64), 0);
	}
}

/* What the peer maps stays there for it, with its contents, after the end. */
static void peer_keeps_what_it_maps(void **state)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), 8, refs, 1);
	long slot;

	(void)state;
	assert_non_null(pages);
	slot = remote_map("rw", refs, 8);
	fill_pattern(pages, 8, 4);
	assert_int_equal(gntshr_unshare(h, pages, 8), 0);
	/* Nobody else gets these pages meanwhile. */
	pages = gntshr_share_pages(h, remote_domid(), 64, refs + 8, 1);
	memset(pages, 0x77, 64 * 4096);
	assert_int_equal(remote("check %ld 4", slot), 0);
	assert_int_equal(remote("fill %ld 5", slot), 0);
	assert_int_equal(remote("check %ld 5", slot), 0);
	for (size_t n = 0; n < 64 * 4096; n++)
		assert_int_equal(pages[n], 0x77);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, pages, 64), 0);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define notify_tests(how) \
	test(how##_silent), test(how##_byte), test(how##_event), \
		test(how##_both)
	const struct CMUnitTest tests[] = {
		test(writable_1),
		test(writable_8),
		test(writable_64),
		test(writable_512),
		test(read_only_1),
		test(read_only_8),
		test(read_only_64),
		test(read_only_512),
		test(used_memory_comes_zeroed),
		test(peer_keeps_what_it_maps),
		notify_tests(unshare),
		notify_tests(exit),
		notify_tests(kill),
		notify_tests(exec),
#ifndef WITH_XENGNTTAB
		notify_tests(close),
		test(own_domain_is_a_peer_or_refused),
		test(set_later),
		test(change_and_cancel),
		test(a_closed_port_is_refused),
		test(a_child_may_close),
		test(a_child_may_do_nothing_else),
		test(a_child_keeps_pages),
		test(a_child_that_closes_does_not),
		test(a_child_that_execs_does_not),
		test(a_child_can_be_kept_out),
		test(a_child_may_close_what_it_has_not),
#else
		test(munmap_ends_a_share),
		test(parts_go_one_by_one),
		test(two_shares_go_at_once),
		test(a_share_outlives_its_handle),
		test(a_child_has_its_own_end),
		test(so_has_a_clone),
		test(a_share_can_be_moved),
		test(a_share_can_be_covered),
		test(a_share_can_be_protected),
#endif
	};

	return cmocka_run_group_tests_name(LIBRARY, tests, NULL, NULL);
}
