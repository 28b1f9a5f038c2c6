// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every step fails of what is done with more peers, with memory of the program
 * and with descriptors of others, see failures.h.
 */

#include <string.h>
#include <sys/mman.h>

#include "failures.h"

#define PAGE 4096
#define PAGES 4

static char *pages;
static uint32_t refs[PAGES];

/* A share of our driver, in a mapping of its own. */
static gntshr_handle *open_with_share(void)
{
	gntshr_handle *h = open_handle();

	fake.has_arenas = true;
	pages = gntshr_share_pages(h, 0, PAGES, refs, 1);
	assert_non_null(pages);
	return h;
}

static void spoil_refs(void)
{
	memset(refs, 0x46, sizeof(refs));
}

static void assert_refs_untouched(void)
{
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(refs[i], 0x46464646);
}

static void add_peer_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	unsigned int n;

	(void)state;
	spoil_refs();
	for_each_failure(n) {
		if (!gntshr_add_peer(h, pages, PAGES, 1, refs, 1))
			break;
		assert_failed_once();
		assert_refs_untouched();
		assert_int_equal(fake.added, 0);
		assert_null(h->peers);
	}
	/* References, peer, record, its node, the request. */
	assert_int_equal(n, 6);
	assert_int_equal(fake.added, PAGES);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void renew_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	uint32_t ref = refs[0];
	unsigned int n;

	(void)state;
	spoil_refs();
	for_each_failure(n) {
		if (!gntshr_renew(h, pages, PAGES, 1, refs, 1))
			break;
		assert_failed_once();
		assert_refs_untouched();
		assert_int_equal(fake_page(ref)->ref, ref);
	}
	/* References, the request. */
	assert_int_equal(n, 3);
	fake.fail_at = 0;
	gntshr_close(h);
}

/* The middle of what was added, so that there are two pieces more. */
static void remove_peer_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	unsigned int n;

	(void)state;
	for (n = 1;; n++) {
		fake.fail_at = 0;
		assert_int_equal(gntshr_add_peer(h, pages, PAGES, 1, refs, 1),
				 0);
		fail_at(n);
		if (!gntshr_remove_peer(h, pages + PAGE, 1, 1))
			break;
		assert_failed_once();
		assert_int_equal(fake.added, PAGES);
		/* It has all pages still. */
		fake.fail_at = 0;
		for (int i = 0; i < PAGES; i++)
			assert_int_equal(gntshr_set_peer_notify(
						 h, pages + i * PAGE, 1, 0, 0),
					 0);
		assert_int_equal(gntshr_remove_peer(h, pages, PAGES, 1), 0);
	}
	/* Record and node of this part and of the rest, DEALLOC. */
	assert_int_equal(n, 6);
	assert_int_equal(fake.added, PAGES - 1);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void revoke_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	unsigned int n;

	(void)state;
	for_each_failure(n) {
		if (!gntshr_remove_peer(h, pages, PAGES, 0))
			break;
		assert_failed_once();
		assert_true(fake_page(refs[0])->granted);
	}
	assert_int_equal(n, 2);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void set_peer_notify_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	unsigned int n;

	(void)state;
	assert_int_equal(gntshr_add_peer(h, pages, 1, 1, refs, 1), 0);
	for_each_failure(n) {
		if (!gntshr_set_peer_notify(h, pages, 1, 1, 0))
			break;
		assert_failed_once();
		assert_int_equal(fake_page(refs[0])->action, 0);
	}
	assert_int_equal(n, 2);
	fake.fail_at = 0;
	gntshr_close(h);
}

/* Peers go before the share does; what failed can be done again. */
static void unshare_with_peers_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	unsigned int n;

	(void)state;
	for_each_failure(n) {
		int rc;

		fake.fail_at = 0;
		pages = gntshr_share_pages(h, 0, PAGES, refs, 1);
		assert_int_equal(gntshr_add_peer(h, pages, PAGES, 1, refs, 1),
				 0);
		assert_int_equal(gntshr_add_peer(h, pages, 1, 2, refs, 1), 0);
		fail_at(n);
		rc = gntshr_unshare(h, pages, PAGES);
		if (!rc)
			break;
		assert_failed_once();
		fake.fail_at = 0;
		assert_int_equal(gntshr_unshare(h, pages, PAGES), 0);
		assert_int_equal(fake.added, 0);
		assert_int_equal(fake.listed, PAGES);
		assert_null(h->peers);
	}
	/* Two of DEALLOC, UNSHARE. */
	assert_int_equal(n, 4);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void memory_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int n;

	(void)state;
	spoil_refs();
	for_each_failure(n) {
		if (!gntshr_share_memory(h, 0, memory, PAGES, refs, 1))
			break;
		assert_failed_once();
		assert_refs_untouched();
		assert_int_equal(fake.listed, PAGES);
		assert_null(h->memory);
	}
	/* References, record, its node, the request. */
	assert_int_equal(n, 5);
	for_each_failure(n) {
		if (!gntshr_unshare(h, memory, PAGES))
			break;
		assert_failed_once();
		assert_int_equal(fake.listed, 2 * PAGES);
	}
	assert_int_equal(n, 2);
	fake.fail_at = 0;
	gntshr_close(h);
	munmap(memory, PAGES * PAGE);
}

static char *own;

static gntshr_handle *open_with_all(void)
{
	gntshr_handle *h = open_handle();

	fake.has_arenas = true;
	h->no_arenas = true;
	own = own ? own
		  : mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(gntshr_share_memory(h, 0, own, PAGES, refs, 1), 0);
	for (uint32_t i = 1; i < 3; i++)
		assert_int_equal(gntshr_add_peer(h, own, i, i, refs, 1), 0);
	return h;
}

static void close_with_all_fails(void **state)
{
	(void)state;
	/* Two peers, memory; two of DEALLOC and munmap; the descriptor. */
	close_fails(open_with_all, 8);
}

static void all_of_close_with_all_fails(void **state)
{
	close_fails_in_all(state, open_with_all, 8);
}

static void status_fails(void **state)
{
	gntshr_handle *h = open_with_share();
	struct gntshr_status status = { .shared = 99 };
	unsigned int n;

	(void)state;
	for_each_failure(n) {
		if (!gntshr_status(h, &status))
			break;
		assert_failed_once();
		assert_int_equal(status.shared, 99);
	}
	assert_int_equal(n, 2);
	for_each_failure(n) {
		fake.now_ms = 0;
		fake.lingering = 1;
		fake.back_at_ms = 10;
		fake.is_back = false;
		if (!gntshr_wait_released(h, 100))
			break;
		assert_failed_once();
	}
	/* STATUS, poll, STATUS. */
	assert_int_equal(n, 4);
	for_each_failure(n) {
		if (!gntshr_restrict(h, 0, 10))
			break;
		assert_failed_once();
	}
	assert_int_equal(n, 2);
	fake.fail_at = 0;
	gntshr_close(h);
}

static void fdopen_fails(void **state)
{
	int fd = fake_open();
	gntshr_handle *h;
	unsigned int n;

	(void)state;
	for_each_failure(n) {
		h = gntshr_fdopen(fake_logger(), fd, 0);
		if (h)
			break;
		/* Whatever the driver answers, it is not the right thing. */
		if (fake.failed == FAKE_NOTIFY || fake.failed == FAKE_DEALLOC)
			fake.fail_errno = ENOTTY;
		assert_failed_once();
		assert_false(fake_is_cloexec(fd));
		assert_int_equal(fake.open, 1);
	}
	/* Handle, lock, mode, the two requests, the flag. */
	assert_int_equal(n, 7);
	fake.fail_at = 0;
	assert_int_equal(gntshr_close(h), 0);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(add_peer_fails),
		test(renew_fails),
		test(remove_peer_fails),
		test(revoke_fails),
		test(set_peer_notify_fails),
		test(unshare_with_peers_fails),
		test(memory_fails),
		test(close_with_all_fails),
		test(all_of_close_with_all_fails),
		test(status_fails),
		test(fdopen_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
