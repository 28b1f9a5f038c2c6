// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares of any kind: which one has an address, as a copy of what it is. */

#include "internal.h"

static void from_slot(struct gntshr_slot *slot, struct gntshr_share *share)
{
	bool unlisted = gntshr_places_run(slot) == GNTSHR_UNLISTED;

	*share = (struct gntshr_share){
		.addr = gntshr_slot_addr(slot),
		.count = slot->count,
		.index = gntshr_slot_index(slot),
		.unlisted = unlisted,
	};
}

/* The share that has this byte. No pages lie where memory is shared. */
bool gntshr_find(struct gntshr_handle *h, const char *addr,
		 struct gntshr_share *share)
{
	struct gntshr_share *found;
	struct gntshr_slot slot;

	if (gntshr_arena_find(h, addr, &slot)) {
		from_slot(&slot, share);
		return true;
	}
	found = gntshr_table_find(&h->shares, addr);
	if (!found)
		found = gntshr_table_find(&h->memory, addr);
	if (found)
		*share = *found;
	return found;
}

static bool find_in_table(void **table, const char *addr, uint32_t count,
			  struct gntshr_share *share)
{
	struct gntshr_share *found = gntshr_table_find(table, addr);

	if (!found || found->addr != addr || found->count != count)
		return false;
	*share = *found;
	return true;
}

/* The share that is just this: what gntshr_unshare() is to end. */
bool gntshr_find_exact(struct gntshr_handle *h, const char *addr,
		       uint32_t count, struct gntshr_share *share)
{
	struct gntshr_slot slot;

	if (gntshr_arena_find_exact(h, addr, count, &slot)) {
		from_slot(&slot, share);
		return true;
	}
	return find_in_table(&h->shares, addr, count, share) ||
	       find_in_table(&h->memory, addr, count, share);
}

/* The driver's index of pages that all are in one share, and listed. */
bool gntshr_find_pages(struct gntshr_handle *h, const char *addr,
		       uint32_t count, uint64_t *index)
{
	struct gntshr_share share;
	size_t before;

	if (!gntshr_find(h, addr, &share) || share.unlisted)
		return false;
	before = (size_t)(addr - share.addr);
	if (before % GNTSHR_PAGE_SIZE ||
	    count > share.count - before / GNTSHR_PAGE_SIZE)
		return false;
	*index = share.index + before;
	return true;
}
