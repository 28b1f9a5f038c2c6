// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages that are granted to more than one domain. */

#include "test-module-grants.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define UNTIL_END 100
#define UNTIL_PEER_ENDS 200

/* The main grants are a stranger's, so that the peer has only what is added. */
static void add_to_some(enum kind kind, uint32_t flags)
{
	struct pages pages = pages_for(STRANGER, kind, 5, flags ^ WRITABLE);
	uint64_t peer = add_peer(remote_domid(), pages.index + PAGE, 3, flags);
	long slot;

	fill_pattern(pages.at + PAGE, 3, 1);
	assert_int_equal(used(), 5 + 3);
	assert_status(fd, 5 + 3, 0, 0);
	slot = remote_map("rw", refs, 3);
	assert_int_equal(slot >= 0, flags & WRITABLE);
	if (slot < 0)
		slot = peer_maps("ro", refs, 3);
	assert_int_equal(remote("check %ld 1", slot), 0);
	if (flags & WRITABLE) {
		assert_int_equal(remote("fill %ld 2", slot), 0);
		assert_int_equal(differing(pages.at + PAGE, 3, 2), 0);
	}
	peer_lets_go(slot);

	/* It goes in parts, and nothing else with it. */
	assert_int_equal(dealloc(fd, peer + PAGE, 1), 0);
	assert_int_equal(used(), 5 + 2);
	assert_int_equal(remote_try(refs, 3), 2);
	assert_errno(dealloc(fd, peer, 3), EINVAL);
	assert_int_equal(dealloc(fd, peer, 1), 0);
	assert_int_equal(dealloc(fd, peer + 2 * PAGE, 1), 0);
	assert_int_equal(remote_try(refs, 3), 0);
	assert_int_equal(used(), 5);
	end_pages(&pages);
	start_over();
}

void a_peer_is_added(void **state)
{
	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		add_to_some(kind, 0);
		add_to_some(kind, WRITABLE);
	}
}

/* This domain is the other one: only a PV domain maps what is its own. */
void two_domains_map_a_page(void **state)
{
	uint32_t own = (uint32_t)atoi(getenv("XEN_DOMID"));
	struct pages pages;
	xengnttab_handle *gnttab;
	uint32_t main_refs[2];
	unsigned char *at;
	uint64_t peer;
	long slot;

	(void)state;
	if (strcmp(getenv("XEN_DOMAIN_TYPE"), "pv"))
		return;
	gnttab = xengnttab_open(NULL, 0);
	assert_non_null(gnttab);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(remote_domid(), kind, 2, 0);
		memcpy(main_refs, refs, sizeof(main_refs));
		peer = add_peer(own, pages.index, 2, WRITABLE);
		assert_int_equal(remote_map("rw", main_refs, 2), -1);
		slot = peer_maps("ro", main_refs, 2);
		at = xengnttab_map_domain_grant_refs(gnttab, 2, own, refs,
						     PROT_READ | PROT_WRITE);
		assert_non_null(at);
		fill_pattern(at, 2, 3);
		assert_int_equal(remote("check %ld 3", slot), 0);
		assert_int_equal(differing(pages.at, 2, 3), 0);
		/* Each lets go by itself. */
		assert_int_equal(dealloc(fd, peer, 2), 0);
		assert_counts(4, 0, 2);
		assert_int_equal(xengnttab_unmap(gnttab, at, 2), 0);
		wait_until_used_is(2);
		assert_int_equal(remote("check %ld 3", slot), 0);
		peer_lets_go(slot);
		end_pages(&pages);
		wait_until_none_lingers();
		start_over();
	}
	xengnttab_close(gnttab);
}

void a_page_has_one_grant_for_a_domain(void **state)
{
	struct pages pages = pages_for(remote_domid(), ALLOCATED, 3, WRITABLE);
	uint64_t peer = 0, none = 0;

	(void)state;
	assert_errno(add_peer_for(fd, remote_domid(), pages.index, 1, 0, &none),
		     EEXIST);
	/* Of some that is gone. */
	assert_int_equal(revoke_for(fd, remote_domid(), pages.index, 1), 0);
	peer = add_peer(remote_domid(), pages.index, 1, 0);
	assert_int_equal(remote_try(refs, 1), 1);
	assert_errno(add_peer_for(fd, remote_domid(), pages.index, 3, 0, &none),
		     EEXIST);
	assert_int_equal(used(), 4);
	/* What was added is pages, too. */
	assert_errno(add_peer_for(fd, remote_domid(), peer, 1, 0, &none),
		     EEXIST);
	add_peer(STRANGER, peer, 1, 0);
	assert_int_equal(used(), 5);
	munmap(pages.at, 3 * PAGE);
}

/* ---- notifications, and the end ---- */

static void notify_each(enum kind kind, int port)
{
	struct pages pages = pages_for(STRANGER, kind, 1, 0);
	uint64_t peer = add_peer(remote_domid(), pages.index, 1, 0);
	long slot = peer_maps("ro", refs, 1);

	memset(pages.at, 7, PAGE);
	set_notify(pages.index, UNTIL_END, 1, 0);
	set_notify(peer, UNTIL_PEER_ENDS, 3, port);
	assert_int_equal(remote("events 0"), 0);
	assert_int_equal(dealloc(fd, peer, 1), 0);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(remote("byte %ld %u", slot, UNTIL_PEER_ENDS), 0);
	assert_int_equal(remote("byte %ld %u", slot, UNTIL_END), 7);
	peer_lets_go(slot);
	wait_until_used_is(1);

	/* The other way round. */
	peer = add_peer(remote_domid(), pages.index, 1, 0);
	slot = peer_maps("ro", refs, 1);
	set_notify(peer, UNTIL_PEER_ENDS + 1, 1, 0);
	set_notify(pages.index, UNTIL_END, 3, port);
	end_pages(&pages);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(remote("byte %ld %u", slot, UNTIL_END), 0);
	assert_int_equal(remote("byte %ld %u", slot, UNTIL_PEER_ENDS + 1), 7);
	assert_int_equal(dealloc(fd, peer, 1), 0);
	assert_int_equal(remote("byte %ld %u", slot, UNTIL_PEER_ENDS + 1), 0);
	assert_int_equal(remote("events 0"), 0);
	peer_lets_go(slot);
	wait_until_used_is(0);
	start_over();
}

void each_grant_has_its_notification(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port = xenevtchn_bind_unbound_port(evtchn, remote_domid());

	(void)state;
	assert_true(port >= 0);
	assert_int_equal(remote("bind %d", port), 0);
	for (enum kind kind = 0; kind < KINDS; kind++)
		notify_each(kind, port);
	xenevtchn_close(evtchn);
}

/* Whoever stays keeps the page, but not the grant of somebody else. */
void a_share_ends_for_its_peer(void **state)
{
	uint32_t main_refs[3];
	struct pages pages;
	uint64_t peer;

	(void)state;
	keep_old_refs();
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(remote_domid(), kind, 3, WRITABLE);
		memcpy(main_refs, refs, sizeof(main_refs));
		peer = add_peer(STRANGER, pages.index, 3, WRITABLE);
		assert_int_equal(remote_try(main_refs, 3), 3);
		end_pages(&pages);
		assert_int_equal(remote_try(main_refs, 3), 0);
		assert_int_equal(dealloc(fd, peer, 3), 0);
		wait_until_used_is(0);
		start_over();
	}
	use_old_refs();
}

void a_share_ends_while_a_peer_stays(void **state)
{
	/* Memory is unpinned, and its grant is the only one that counts. */
	static const long own_pages[KINDS] = { 2, 2, 0 };
	struct pages pages, next;
	uint64_t peer, none = 0;
	long slot;

	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(STRANGER, kind, 2, WRITABLE);
		peer = add_peer(remote_domid(), pages.index, 2, WRITABLE);
		slot = peer_maps("rw", refs, 2);
		fill_pattern(pages.at, 2, 4);
		end_pages(&pages);
		assert_counts(2 + own_pages[kind], 0, own_pages[kind]);
		assert_errno(renew_for(fd, 0, pages.index, 2, 0), EINVAL);
		assert_errno(add_peer_for(fd, 1, pages.index, 2, 0, &none),
			     EINVAL);
		next = pages_for(remote_domid(), kind, 2, WRITABLE);
		peer_finds_zeros(2);
		fill_pattern(next.at, 2, 5);
		assert_int_equal(remote("check %ld 4", slot), 0);
		assert_int_equal(remote("fill %ld 6", slot), 0);
		assert_int_equal(differing(next.at, 2, 5), 0);

		assert_int_equal(dealloc(fd, peer, 2), 0);
		assert_counts(4 + own_pages[kind], 0, 2 + own_pages[kind]);
		assert_int_equal(remote("check %ld 6", slot), 0);
		peer_lets_go(slot);
		wait_until_used_is(2);
		assert_counts(2, 0, 0);
		end_pages(&next);
		start_over();
	}
}

/* ---- refused, and failed ---- */

void grants_of_a_peer_are_no_pages(void **state)
{
	struct pages pages = pages_for(STRANGER, ALLOCATED, 2, WRITABLE);
	uint64_t peer = add_peer(remote_domid(), pages.index, 2, WRITABLE);

	(void)state;
	munmap(pages.at, 2 * PAGE);
	assert_int_equal(peer, pages.index + 2 * PAGE);
	assert_errno(map(fd, peer, 1), ENOENT);
	assert_errno(map(fd, pages.index + PAGE, 2), ENOENT);
	assert_errno(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)peer),
		     ENOENT);
	assert_errno(share_for(fd, 0, peer, arena, 1, 1), EINVAL);
	assert_errno(unshare_places(fd, peer, NULL, 1), EINVAL);
	assert_int_equal(used(), 4);
	assert_int_equal(dealloc(fd, pages.index + PAGE, 2), 0);
	assert_int_equal(remote_try(refs, 2), 1);
}

static void refused(int error, uint64_t index, uint32_t count)
{
	uint64_t peer = 0;

	assert_errno(add_peer_for(fd, 1, index, count, 0, &peer), error);
}

static void refuses_bad_memory(uint64_t index)
{
	struct ioctl_gntalloc_add_peer *bad = half_writable();
	struct ioctl_gntalloc_add_peer op = { .index = index, .count = 600 };

	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ADD_PEER, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ADD_PEER, bad), EINVAL);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ADD_PEER, &op), EFAULT);
	/* The last of them. */
	op.refs = (uintptr_t)bad - 599 * sizeof(*refs);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ADD_PEER, &op), EFAULT);
	/* The index. */
	op.refs = (uintptr_t)refs;
	assert_int_equal(mprotect(bad, PAGE, PROT_READ | PROT_WRITE), 0);
	*bad = op;
	assert_int_equal(mprotect(bad, PAGE, PROT_READ), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ADD_PEER, bad), EFAULT);
}

void add_peer_refuses(void **state)
{
	uint64_t index = alloc(600), hole = index + 300 * PAGE, peer = 42;

	(void)state;
	share_singly(0, 2);
	unshare(1, 1);
	assert_int_equal(share_for(fd, 0, PLACE(2), arena + 2 * PAGE, 1,
				   GNTALLOC_FLAG_UNLISTED),
			 0);
	refuses_bad_memory(index);
	refused(EINVAL, index, 0);
	refused(EINVAL, index + 1, 1);
	refused(EINVAL, index, 601);
	refused(EINVAL, index + 600 * PAGE, 1);
	refused(EINVAL, -(uint64_t)PAGE, 2);
	refused(EINVAL, PLACE(0), 2);
	refused(EINVAL, PLACE(1), 1);
	refused(EINVAL, PLACE(2), 1);
	refused(ENOSPC, index, 0x80000000);
	refused(ENOSPC, index, 0xFFFFFFFF);
	assert_errno(add_peer_for(fd, 0x7FF0, index, 1, 0, &peer), EINVAL);
	assert_errno(add_peer_for(fd, 0xFFFF, index, 1, 0, &peer), EINVAL);
	assert_errno(add_peer_for(fd, 1, index, 1, 2, &peer), EINVAL);
	assert_errno(add_peer_for(fd, 1, index, 1, GNTALLOC_FLAG_UNLISTED,
				  &peer),
		     EINVAL);
	assert_int_equal(dealloc(fd, hole, 1), 0);
	refused(EINVAL, index, 600);
	refused(EINVAL, hole, 1);
	assert_counts(599 + 3, 1, 0);
	assert_status(fd, 599 + 1, 1, 0);
	/* A part of it is there. */
	add_peer(STRANGER, hole + PAGE, 299, 0);
	assert_counts(599 + 3 + 299, 1, 0);
}

void add_peer_fails_half_way(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	uint64_t index = alloc(600), peer = 42;
	long other;

	(void)state;
	set_parameter("limit", 600 + 599);
	refused(ENOSPC, index, 600);
	assert_counts(600, 0, 0);
	set_parameter("limit", limit);
	other = fill_table();
	refused(ENOSPC, index, 600);
	assert_int_equal(remote_try(refs, 600), 600);
	assert_int_equal(used(), other + 600);
	free_table();
	wait_until_used_is(600);
	peer = add_peer(STRANGER, index, 600, 0);
	assert_counts(1200, 0, 0);
	assert_int_equal(dealloc(fd, index, 600), 0);
	assert_int_equal(dealloc(fd, peer, 600), 0);
	wait_until_used_is(0);
}
