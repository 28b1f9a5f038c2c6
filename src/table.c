// SPDX-License-Identifier: LGPL-2.1-or-later
/* The shares of a handle, found by any address in them. */

#include <errno.h>
#include <search.h>

#include "internal.h"

/* Live shares do not overlap, so "neither before nor behind" is one of them. */
static int compare(const void *a, const void *b)
{
	const struct gntshr_share *x = a, *y = b;
	uintptr_t x_first = (uintptr_t)x->addr, y_first = (uintptr_t)y->addr;

	if (x_first + (gntshr_share_size(x) - 1) < y_first)
		return -1;
	return y_first + (gntshr_share_size(y) - 1) < x_first;
}

int gntshr_table_add(struct gntshr_handle *h, struct gntshr_share *share)
{
	struct gntshr_share **node = tsearch(share, &h->shares, compare);

	if (node && *node == share)
		return 0;
	/* No room here, or where it is mapped: see end_stale(). */
	errno = ENOMEM;
	return -1;
}

void gntshr_table_remove(struct gntshr_handle *h, struct gntshr_share *share)
{
	tdelete(share, &h->shares, compare);
}

struct gntshr_share *gntshr_table_find(struct gntshr_handle *h,
				       const void *addr)
{
	uintptr_t page = (uintptr_t)addr & ~(uintptr_t)(GNTSHR_PAGE_SIZE - 1);
	struct gntshr_share key = { .addr = (char *)page, .count = 1 };

	return gntshr_table_overlap(h, &key);
}

/* One that has an address of @key, which need not be a share. */
struct gntshr_share *gntshr_table_overlap(struct gntshr_handle *h,
					  const struct gntshr_share *key)
{
	struct gntshr_share **found = tfind(key, &h->shares, compare);

	return found ? *found : NULL;
}

/* The root: it leads with a pointer to its element. */
struct gntshr_share *gntshr_table_any(struct gntshr_handle *h)
{
	return h->shares ? *(struct gntshr_share **)h->shares : NULL;
}
