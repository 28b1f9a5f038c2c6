// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages that are granted to nobody for a while. */

#include "test-module-grants.h"

#include <string.h>
#include <sys/mman.h>

#include <xenevtchn.h>

#define LIVE_BYTE 100

static void revoke_and_renew(enum kind kind, int port)
{
	struct pages pages = pages_for(remote_domid(), kind, 3, WRITABLE);
	long slot;

	fill_pattern(pages.at, 3, 6);
	set_notify(pages.index + PAGE, LIVE_BYTE, 3, port);
	slot = peer_maps("ro", refs + 1, 1);
	peer_lets_go(slot);
	revoke_pages(remote_domid(), pages.index + PAGE, 2);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(pages.at[PAGE + LIVE_BYTE], 0);
	assert_int_equal(differing(pages.at, 3, 6), 1);
	assert_int_equal(remote_try(refs, 3), 1);
	assert_counts(3, 0, 0);
	assert_status(fd, 3, 0, 0);
	/* None of them may be revoked already, or be somebody else's. */
	assert_errno(revoke_for(fd, remote_domid(), pages.index, 3), EINVAL);
	assert_errno(revoke_for(fd, STRANGER, pages.index, 1), EINVAL);
	assert_int_equal(remote_try(refs, 3), 1);

	/* Others may have them meanwhile. */
	add_peer(remote_domid(), pages.index + PAGE, 1, 0);
	assert_int_equal(remote_try(refs, 1), 1);
	renew_pages(remote_domid(), &pages, WRITABLE);
	assert_int_equal(remote_try(refs, 3), 3);
	assert_counts(4, 0, 0);
	/* Nobody was notified, and what is new was not set. */
	fill_pattern(pages.at, 3, 7);
	assert_int_equal(remote("events 0"), 0);
	revoke_pages(remote_domid(), pages.index, 3);
	assert_int_equal(remote("events 0"), 0);
	assert_int_equal(differing(pages.at, 3, 7), 0);
	end_pages(&pages);
	start_over();
}

void a_grant_is_revoked(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port = xenevtchn_bind_unbound_port(evtchn, remote_domid());

	(void)state;
	assert_true(port >= 0);
	assert_int_equal(remote("bind %d", port), 0);
	for (enum kind kind = 0; kind < KINDS; kind++)
		revoke_and_renew(kind, port);
	xenevtchn_close(evtchn);
}

void a_revoked_page_lingers(void **state)
{
	struct pages pages;
	long slot;

	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(remote_domid(), kind, 2, WRITABLE);
		slot = peer_maps("rw", refs, 2);
		revoke_pages(remote_domid(), pages.index, 2);
		assert_counts(4, 0, 2);
		assert_int_equal(remote("fill %ld 8", slot), 0);
		assert_int_equal(differing(pages.at, 2, 8), 0);
		renew_pages(STRANGER, &pages, 0);
		assert_counts(4, 0, 2);
		revoke_pages(STRANGER, pages.index, 2);
		assert_counts(4, 0, 2);
		peer_lets_go(slot);
		wait_until_used_is(2);
		assert_int_equal(differing(pages.at, 2, 8), 0);
		assert_counts(2, 0, 0);
		end_pages(&pages);
		start_over();
	}
}

/* What lingers may be more than is allowed; nothing else may. */
void a_revocation_needs_no_room(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	struct pages pages;
	long slot;

	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(remote_domid(), kind, 3, WRITABLE);
		slot = peer_maps("ro", refs, 3);
		set_parameter("limit", 3);
		revoke_pages(remote_domid(), pages.index, 3);
		assert_counts(6, 0, 3);
		assert_errno(renew_for(fd, STRANGER, pages.index, 1, 0),
			     ENOSPC);
		peer_lets_go(slot);
		wait_until_used_is(3);
		set_parameter("limit", limit);
		end_pages(&pages);
		start_over();
	}
}

void revoked_places_are_used_again(void **state)
{
	(void)state;
	share_singly(0, 4);
	memset(arena, 0xA5, 4 * PAGE);
	revoke_pages(remote_domid(), PLACE(1), 2);
	assert_errno(try_share(1, 1), EBUSY);
	unshare(0, 4);
	assert_counts(4, 4, 0);
	share(0, 4);
	peer_finds_zeros(4);
	assert_counts(4, 0, 0);
	memset(arena, 0xA5, 4 * PAGE);
	/* By where they are mapped; one by one; without an unshare. */
	revoke_pages(remote_domid(), PLACE(0), 4);
	assert_int_equal(unshare_places(fd, PLACE(0), arena, 4), 0);
	assert_counts(4, 4, 0);
	share(0, 4);
	peer_finds_zeros(4);
	revoke_pages(remote_domid(), PLACE(0), 4);
	assert_int_equal(dealloc(fd, PLACE(0), 2), 0);
	assert_int_equal(munmap(arena, 2 * PAGE), 0);
	assert_counts(2, 0, 0);
	unshare(2, 2);
	assert_counts(2, 2, 0);
}
