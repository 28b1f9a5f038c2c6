// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The shares of a handle, found by any address in them: in a tree, or in the
 * window that has that address. Windows are few, and most calls are about the
 * newest one, so what a call costs hardly grows with the shares in windows.
 */

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

static int add(void **tree, struct gntshr_share *share)
{
	struct gntshr_share **node = tsearch(share, tree, compare);

	if (node && *node == share)
		return 0;
	/* No room here, or where it is mapped: see gntshr_end_stale(). */
	errno = ENOMEM;
	return -1;
}

static struct gntshr_share *find(void **tree, const struct gntshr_share *key)
{
	struct gntshr_share **found = tfind(key, tree, compare);

	return found ? *found : NULL;
}

static uint32_t place(const struct gntshr_window *window, const char *addr)
{
	return (uint32_t)((size_t)(addr - window->all.addr) / GNTSHR_PAGE_SIZE);
}

/* Say which share, or none, has the places of @share in its window. */
static void occupy(const struct gntshr_share *share, struct gntshr_share *by)
{
	uint32_t first = place(share->window, share->addr), i;

	for (i = 0; i < share->count; i++)
		share->window->at[first + i] = by;
}

int gntshr_table_add(struct gntshr_handle *h, struct gntshr_share *share)
{
	if (!share->window)
		return add(&h->shares, share);
	occupy(share, share);
	return 0;
}

void gntshr_table_remove(struct gntshr_handle *h, struct gntshr_share *share)
{
	if (share->window)
		occupy(share, NULL);
	else
		tdelete(share, &h->shares, compare);
}

int gntshr_table_add_window(struct gntshr_handle *h,
			    struct gntshr_window *window)
{
	return add(&h->windows, &window->all);
}

void gntshr_table_remove_window(struct gntshr_handle *h,
				struct gntshr_window *window)
{
	if (window == h->window)
		h->window = NULL;
	else
		tdelete(&window->all, &h->windows, compare);
}

struct gntshr_window *gntshr_table_find_window(struct gntshr_handle *h,
					       const char *addr)
{
	struct gntshr_share key = { .addr = (char *)addr, .count = 1 };

	if (h->window && !compare(&key, &h->window->all))
		return h->window;
	/* The first member of a window. */
	return (struct gntshr_window *)find(&h->windows, &key);
}

struct gntshr_share *gntshr_table_find(struct gntshr_handle *h,
				       const void *addr)
{
	uintptr_t page = (uintptr_t)addr & ~(uintptr_t)(GNTSHR_PAGE_SIZE - 1);
	struct gntshr_share key = { .addr = (char *)page, .count = 1 };
	struct gntshr_window *window;
	struct gntshr_share *share = NULL;

	window = gntshr_table_find_window(h, key.addr);
	if (window)
		share = window->at[place(window, key.addr)];
	/* One can lie in a hole that the program made in a window. */
	return share ? share : find(&h->shares, &key);
}

/*
 * A share in windows that has an address of @key. There is none, and nothing to
 * look for, unless the program made holes in them.
 */
static struct gntshr_share *overlap_windows(struct gntshr_handle *h,
					    const struct gntshr_share *key)
{
	uint32_t page = 0, last = key->count - 1, i;
	struct gntshr_window *window;

	while ((h->window || h->windows) && page <= last) {
		char *addr = key->addr + (size_t)page * GNTSHR_PAGE_SIZE;

		window = gntshr_table_find_window(h, addr);
		if (!window) {
			/* No window fits between here and the next look. */
			if (page == last)
				break;
			page = last - page < GNTSHR_WINDOW_PAGES
				       ? last
				       : page + GNTSHR_WINDOW_PAGES;
			continue;
		}
		addr = window->all.addr > key->addr ? window->all.addr
						    : key->addr;
		page = (uint32_t)((size_t)(addr - key->addr) /
				  GNTSHR_PAGE_SIZE);
		for (i = place(window, addr);
		     i < GNTSHR_WINDOW_PAGES && page <= last; i++, page++)
			if (window->at[i])
				return window->at[i];
	}
	return NULL;
}

/*
 * One that has an address of @key, a share that is not in the table yet, or a
 * window. The place of a share in its window is free: no other has its index.
 */
struct gntshr_share *gntshr_table_overlap(struct gntshr_handle *h,
					  const struct gntshr_share *key)
{
	struct gntshr_share *share = NULL;

	if (!key->window)
		share = overlap_windows(h, key);
	return share ? share : find(&h->shares, key);
}

/* The root: it leads with a pointer to its element. */
struct gntshr_share *gntshr_table_any(struct gntshr_handle *h)
{
	return h->shares ? *(struct gntshr_share **)h->shares : NULL;
}

struct gntshr_window *gntshr_table_any_window(struct gntshr_handle *h)
{
	return h->windows ? *(struct gntshr_window **)h->windows : h->window;
}
