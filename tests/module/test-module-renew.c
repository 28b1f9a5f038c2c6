// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages that are granted anew where they are. */

#include "test-module-grants.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define LIVE_BYTE 100

/* To somebody else and back, with other rights. */
static void renew_to_and_fro(enum kind kind)
{
	struct pages pages = pages_for(remote_domid(), kind, 3, WRITABLE);
	uint32_t old[3];
	long slot;

	memcpy(old, refs, sizeof(old));
	fill_pattern(pages.at, 3, 1);
	set_notify(pages.index, LIVE_BYTE, 1, 0);
	renew_pages(STRANGER, &pages, WRITABLE);
	assert_int_equal(remote_try(old, 3) + remote_try(refs, 3), 0);
	renew_pages(remote_domid(), &pages, 0);
	assert_counts(3, 0, 0);
	assert_status(fd, 3, 0, 0);
	assert_int_equal(remote_map("rw", refs, 3), -1);
	slot = peer_maps("ro", refs, 3);
	assert_int_equal(remote("check %ld 1", slot), 0);
	peer_lets_go(slot);

	/* To the same one. */
	memcpy(old, refs, sizeof(old));
	renew_pages(remote_domid(), &pages, WRITABLE);
	assert_int_equal(remote_try(old, 3), 0);
	slot = peer_maps("rw", refs, 3);
	assert_int_equal(remote("fill %ld 2", slot), 0);
	assert_int_equal(differing(pages.at, 3, 2), 0);
	assert_counts(3, 0, 0);
	end_pages(&pages);
	assert_int_equal(remote("byte %ld %u", slot, LIVE_BYTE), 0);
	peer_lets_go(slot);
	start_over();
}

void pages_are_renewed(void **state)
{
	(void)state;
	keep_old_refs();
	for (enum kind kind = 0; kind < KINDS; kind++)
		renew_to_and_fro(kind);
	use_old_refs();
}

void many_pages_are_renewed(void **state)
{
	struct pages pages;
	uint32_t old[450];

	(void)state;
	keep_old_refs();
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(remote_domid(), kind, 450, WRITABLE);
		memcpy(old, refs, sizeof(old));
		fill_pattern(pages.at, 450, 3);
		/* Parts of blocks, all of one, all; they end at 221 and 442. */
		assert_int_equal(renew_for(fd, remote_domid(),
					   pages.index + 50 * PAGE, 350, 0),
				 0);
		assert_int_equal(remote_try(old + 45, 10), 5);
		assert_int_equal(remote_try(old + 215, 10), 0);
		assert_int_equal(remote_try(old + 395, 10), 5);
		assert_int_equal(remote_try(refs, 5), 5);
		assert_int_equal(remote_try(refs + 165, 10), 10);
		assert_int_equal(remote_try(refs + 345, 5), 5);
		renew_pages(remote_domid(), &pages, 0);
		assert_int_equal(remote_try(old + 45, 5), 0);
		assert_int_equal(remote_try(refs + 215, 10), 10);
		assert_int_equal(remote_try(refs + 440, 10), 10);
		assert_int_equal(differing(pages.at, 450, 3), 0);
		assert_counts(450, 0, 0);
		end_pages(&pages);
		start_over();
	}
	use_old_refs();
}

void a_renewal_leaves_the_old_peer_its_page(void **state)
{
	/* After the end; memory is unpinned then. */
	static const long linger[KINDS] = { 2, 2, 1 };
	struct pages pages;
	uint32_t old[3];
	long slot;

	(void)state;
	set_parameter("spare_max", 0);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		pages = pages_for(remote_domid(), kind, 3, WRITABLE);
		memcpy(old, refs, sizeof(old));
		slot = peer_maps("rw", old + 1, 1);
		renew_pages(STRANGER, &pages, WRITABLE);
		assert_counts(4, 0, 1);
		assert_status(fd, 3, 0, 1);
		/* It is the same page still. */
		assert_int_equal(remote("fill %ld 4", slot), 0);
		assert_int_equal(differing(pages.at + PAGE, 1, 4), 0);
		renew_pages(remote_domid(), &pages, WRITABLE);
		assert_counts(4, 0, 1);
		assert_int_equal(remote_try(refs, 3), 3);
		end_pages(&pages);
		assert_int_equal(remote_try(refs, 3), 0);
		assert_int_equal(remote("check %ld 4", slot), 0);
		assert_int_equal(lingering(), linger[kind]);
		peer_lets_go(slot);
		wait_until_used_is(0);
		start_over();
	}
	set_parameter("spare_max", 4096);
}

/* A peer that never lets go uses up what there may be, and not more. */
void renewals_have_a_bound(void **state)
{
	enum { MOST = 5 };
	unsigned int limit = (unsigned int)parameter("limit");
	struct pages pages;
	long slots[MOST];

	(void)state;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		set_parameter("limit", MOST);
		pages = pages_for(remote_domid(), kind, 1, WRITABLE);
		fill_pattern(pages.at, 1, 5);
		for (int i = 0; i < MOST; i++) {
			slots[i] = peer_maps("ro", refs, 1);
			if (i < MOST - 1)
				renew_pages(remote_domid(), &pages, WRITABLE);
			assert_int_equal(used(), i < MOST - 1 ? i + 2 : MOST);
		}
		/* What it has now it still has. */
		assert_errno(renew_for(fd, remote_domid(), pages.index, 1,
				       WRITABLE),
			     ENOSPC);
		assert_counts(MOST, 0, MOST - 1);
		assert_int_equal(remote("check %ld 5", slots[MOST - 1]), 0);
		for (int i = 0; i < MOST; i++)
			peer_lets_go(slots[i]);
		renew_pages(remote_domid(), &pages, WRITABLE);
		assert_int_equal(remote_try(refs, 1), 1);
		/* It need not have made room for more than itself. */
		wait_until_used_is(1);
		assert_counts(1, 0, 0);
		set_parameter("limit", limit);
		end_pages(&pages);
		start_over();
	}
}

/* ---- refused, and failed ---- */

static void refused(int error, uint64_t index, uint32_t count)
{
	assert_errno(renew_for(fd, STRANGER, index, count, 0), error);
	if (error != ENOSPC)
		assert_errno(revoke_for(fd, remote_domid(), index, count),
			     error);
}

static void refuse_bad_memory(uint64_t index)
{
	struct ioctl_gntalloc_renew op = { .index = index, .count = 600 };
	char *bad = half_writable();

	assert_errno(ioctl(fd, IOCTL_GNTALLOC_RENEW, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_REVOKE, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_RENEW, &op), EFAULT);
	op.refs = (uintptr_t)bad - 599 * sizeof(*refs);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_RENEW, &op), EFAULT);
	op.refs = (uintptr_t)bad;
	op.count = 1;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_RENEW, &op), EFAULT);
}

void renew_and_revoke_refuse(void **state)
{
	struct ioctl_gntalloc_revoke op = { .count = 1, .pad = 1 };
	uint64_t index = alloc(600), hole = index + 300 * PAGE;
	uint32_t old[600];

	(void)state;
	memcpy(old, refs, sizeof(old));
	op.index = index;
	op.domid = (uint16_t)remote_domid();
	share_singly(0, 2);
	unshare(1, 1);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_REVOKE, &op), EINVAL);
	refuse_bad_memory(index);
	refused(EINVAL, index, 0);
	refused(EINVAL, index + 1, 1);
	refused(EINVAL, index, 601);
	refused(EINVAL, index + 600 * PAGE, 1);
	refused(EINVAL, -(uint64_t)PAGE, 2);
	refused(EINVAL, PLACE(0), 2);
	refused(EINVAL, PLACE(1), 1);
	refused(EINVAL, PLACE(2), 1);
	refused(ENOSPC, index, 0x80000000);
	assert_errno(renew_for(fd, 0x7FF0, index, 1, 0), EINVAL);
	assert_errno(renew_for(fd, 0xFFFF, index, 1, 0), EINVAL);
	assert_errno(renew_for(fd, 0, index, 1, 2), EINVAL);
	assert_errno(renew_for(fd, 0, index, 1, GNTALLOC_FLAG_UNLISTED),
		     EINVAL);
	assert_int_equal(dealloc(fd, hole, 1), 0);
	refused(EINVAL, index, 600);
	assert_int_equal(remote_try(old, 600), 599);
	assert_counts(599 + 2, 1, 0);
}

void renew_and_revoke_fail_half_way(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	uint64_t index = alloc(600);
	uint32_t old[600];
	long other;

	(void)state;
	memcpy(old, refs, sizeof(old));
	set_parameter("limit", 600 + 599);
	refused(ENOSPC, index, 600);
	assert_int_equal(remote_try(old + 215, 20), 20);
	assert_counts(600, 0, 0);
	set_parameter("limit", limit);
	other = fill_table();
	refused(ENOSPC, index, 600);
	assert_int_equal(remote_try(old + 215, 20), 20);
	assert_int_equal(used(), other + 600);
	/* This needs neither reference nor room. */
	set_parameter("limit", 0);
	revoke_pages(remote_domid(), index, 300);
	set_parameter("limit", limit);
	assert_int_equal(used(), other + 600);
	free_table();
	wait_until_used_is(600);
	assert_int_equal(remote_try(old + 290, 20), 10);
	assert_int_equal(renew_for(fd, remote_domid(), index, 600, 0), 0);
	assert_int_equal(remote_try(refs + 430, 20), 20);
	assert_counts(600, 0, 0);
}
