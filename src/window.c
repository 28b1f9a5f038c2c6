// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Windows: small shares that lie in one mapping. To make and remove a mapping
 * costs several times what all else about a page does, so it is made for many
 * pages before they exist, and serves the shares that come next. A place in it
 * is used once, as the driver ties it to the index of a page.
 *
 * The stock driver has no windows, see xen-gntalloc.h: there, and wherever
 * a window cannot be had, each share has a mapping of its own.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "internal.h"
#include "xen-gntalloc.h"

/* For more pages a mapping of their own costs little. */
#define SHARE_MAX 64u
/*
 * Large shares use up the places between small ones. A window that took fewer
 * than this was not worth its mapping, and for some shares there is none.
 */
#define TAKEN_MIN 4u
#define ALONE 64u

static bool has_place(const struct gntshr_window *window,
		      const struct gntshr_share *share)
{
	return window && share->index >= window->all.index &&
	       share->index - window->all.index <=
		       GNTSHR_WINDOW_SIZE - gntshr_share_size(share);
}

static int unmap(struct gntshr_handle *h, const struct gntshr_window *window)
{
	if (window->holed || h->forked)
		return 0;
	return gntshr_sys_munmap(window->all.addr, GNTSHR_WINDOW_SIZE);
}

/*
 * The newest one makes room for another: it waits in the table for the end of
 * its shares.
 */
static int retire(struct gntshr_handle *h)
{
	struct gntshr_window *window = h->window;

	if (!window)
		return 0;
	if (window->shares) {
		if (gntshr_table_add_window(h, window))
			return -1;
	} else {
		if (unmap(h, window))
			return -1;
		free(window);
	}
	h->window = NULL;
	return 0;
}

/* A window that begins with @share and takes those that follow. */
static struct gntshr_window *begin(struct gntshr_handle *h,
				   const struct gntshr_share *share)
{
	bool few = h->window && h->window->taken < TAKEN_MIN;
	struct gntshr_window *window;

	if (retire(h))
		return NULL;
	if (few) {
		h->alone = ALONE;
		return NULL;
	}
	window = calloc(1, sizeof(*window));
	if (!window)
		return NULL;
	window->all.count = GNTSHR_WINDOW_PAGES;
	window->all.index = share->index;
	window->all.addr = gntshr_sys_mmap(h->fd, GNTSHR_WINDOW_SIZE,
					   GNTALLOC_WINDOW | share->index);
	if (window->all.addr == MAP_FAILED) {
		h->no_windows = errno != ENOMEM;
		free(window);
		return NULL;
	}
	gntshr_end_stale(h, &window->all);
	h->window = window;
	return window;
}

/* Map a share at its place in @window. */
int gntshr_window_map(struct gntshr_handle *h, struct gntshr_window *window,
		      struct gntshr_share *share)
{
	char *addr = window->all.addr + (share->index - window->all.index);
	struct ioctl_gntalloc_map_gref op = {
		.index = share->index,
		.addr = (uintptr_t)addr,
		.count = share->count,
	};

	if (gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_MAP_GREF, &op))
		return -1;
	share->addr = addr;
	return 0;
}

/*
 * Find a place for a share and map it there. The first one of a handle, which
 * is often the only one, gets no window.
 */
int gntshr_window_take(struct gntshr_handle *h, struct gntshr_share *share)
{
	struct gntshr_window *window = h->window;
	bool first = !h->has_shared;

	h->has_shared = true;
	if (first || h->no_windows || share->count > SHARE_MAX)
		return -1;
	if (h->alone) {
		h->alone--;
		return -1;
	}
	if (!has_place(window, share))
		window = begin(h, share);
	if (!window || gntshr_window_map(h, window, share))
		return -1;
	share->window = window;
	window->shares++;
	window->taken++;
	return 0;
}

/*
 * A share that was mapped in its window is gone. With the last one the window
 * goes, unless it takes new ones, or stays for gntshr_close().
 */
void gntshr_window_leave(struct gntshr_handle *h, struct gntshr_share *share)
{
	struct gntshr_window *window = share->window;

	if (--window->shares || window == h->window || unmap(h, window))
		return;
	gntshr_table_remove_window(h, window);
	free(window);
}

/* A window goes for good: the shares that were in it have left. */
int gntshr_window_end(struct gntshr_handle *h, struct gntshr_window *window)
{
	int error = 0;

	if (unmap(h, window)) {
		error = errno;
		unmap(h, window);
	}
	gntshr_table_remove_window(h, window);
	free(window);
	if (!error)
		return 0;
	errno = error;
	return -1;
}
