// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares that are in no arena, found by any address in them: trees. */

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

int gntshr_table_add(void **table, struct gntshr_share *share)
{
	struct gntshr_share **node = tsearch(share, table, compare);

	if (node)
		return 0;
	errno = ENOMEM;
	return -1;
}

void gntshr_table_remove(void **table, struct gntshr_share *share)
{
	tdelete(share, table, compare);
}

struct gntshr_share *gntshr_table_find(void **table, const void *addr)
{
	uintptr_t page = (uintptr_t)addr & ~(uintptr_t)(GNTSHR_PAGE_SIZE - 1);

	return gntshr_table_overlap(table, (char *)page, GNTSHR_PAGE_SIZE);
}

/* One that has an address there. */
struct gntshr_share *gntshr_table_overlap(void **table, char *addr, size_t size)
{
	struct gntshr_share key = {
		.addr = addr, .count = (uint32_t)(size / GNTSHR_PAGE_SIZE)
	};
	struct gntshr_share **found = tfind(&key, table, compare);

	return found ? *found : NULL;
}

/* The root: it leads with a pointer to its element. */
struct gntshr_share *gntshr_table_any(void **table)
{
	return *table ? *(struct gntshr_share **)*table : NULL;
}
