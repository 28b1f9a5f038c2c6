// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares with a mapping of their own, found by any address in them: a tree. */

#include <errno.h>
#include <search.h>

#include "internal.h"

/* What is in a tree does not overlap: "neither before nor behind" finds it. */
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

	if (node)
		return 0;
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

	return gntshr_table_overlap(h, (char *)page, GNTSHR_PAGE_SIZE);
}

/* One that has an address there. */
struct gntshr_share *gntshr_table_overlap(struct gntshr_handle *h, char *addr,
					  size_t size)
{
	struct gntshr_share key = {
		.addr = addr, .count = (uint32_t)(size / GNTSHR_PAGE_SIZE)
	};
	struct gntshr_share **found = tfind(&key, &h->shares, compare);

	return found ? *found : NULL;
}

/* The root: it leads with a pointer to its element. */
struct gntshr_share *gntshr_table_any(struct gntshr_handle *h)
{
	return h->shares ? *(struct gntshr_share **)h->shares : NULL;
}
