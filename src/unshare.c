// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares: ending them. */

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <xen/gntalloc.h>

#include "internal.h"

int gntshr_dealloc(struct gntshr_handle *h, const struct gntshr_share *share)
{
	struct ioctl_gntalloc_dealloc_gref op = {
		.index = share->index,
		.count = share->count,
	};

	return gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
}

/*
 * The kernel gave @share, or a window, addresses of shares that the program
 * must have unmapped itself: end those, with the lock held. One that is just
 * being ended stays, and then there is no room for @share.
 */
void gntshr_end_stale(struct gntshr_handle *h, const struct gntshr_share *share)
{
	struct gntshr_share *stale;

	while ((stale = gntshr_table_overlap(h, share)) && !stale->ending) {
		if (!stale->unlisted)
			gntshr_dealloc(h, stale);
		gntshr_table_remove(h, stale);
		if (stale->window) {
			stale->window->holed = true;
			gntshr_window_leave(h, stale);
		}
		free(stale);
	}
}

/* Take the share that is just this for ending, from all other threads. */
static struct gntshr_share *claim(struct gntshr_handle *h, const void *addr,
				  uint32_t count)
{
	struct gntshr_share *share;

	pthread_mutex_lock(&h->lock);
	share = gntshr_table_find(h, addr);
	if (share &&
	    (share->ending || share->addr != addr || share->count != count))
		share = NULL;
	if (share)
		share->ending = true;
	pthread_mutex_unlock(&h->lock);
	return share;
}

/*
 * Have the driver end the grants. A page in a window must leave it before: no
 * mapping goes there whose end the driver would see.
 */
static int unlist(struct gntshr_handle *h, struct gntshr_share *share)
{
	int error;

	if (share->unlisted || h->forked)
		return 0;
	if ((!share->window ||
	     !gntshr_sys_empty(share->addr, gntshr_share_size(share))) &&
	    !gntshr_dealloc(h, share)) {
		share->unlisted = true;
		return 0;
	}
	error = errno;
	pthread_mutex_lock(&h->lock);
	if (share->window)
		gntshr_window_map(h, share->window, share);
	pthread_mutex_unlock(&h->lock);
	errno = error;
	return -1;
}

/*
 * End @share, which is then gone, or say why not. The mapping goes with the
 * lock held: as soon as it is gone another thread may get its address for a
 * new share, which must not find the old one in the table.
 */
static int end_share(struct gntshr_handle *h, struct gntshr_share *share)
{
	int error;

	if (unlist(h, share))
		return -1;

	pthread_mutex_lock(&h->lock);
	if (!share->window && !h->forked &&
	    gntshr_sys_munmap(share->addr, gntshr_share_size(share))) {
		error = errno;
		pthread_mutex_unlock(&h->lock);
		errno = error;
		return -1;
	}
	gntshr_table_remove(h, share);
	if (share->window)
		gntshr_window_leave(h, share);
	pthread_mutex_unlock(&h->lock);
	free(share);
	return 0;
}

int gntshr_unshare(gntshr_handle *h, void *addr, uint32_t count)
{
	struct gntshr_share *share;
	int error;

	if (gntshr_check_owner(h))
		return -1;
	share = claim(h, addr, count);
	if (!share)
		return gntshr_fail(h->logger, EINVAL,
				   "%u pages at %p are not a share", count,
				   addr);
	if (!end_share(h, share))
		return 0;

	error = errno;
	pthread_mutex_lock(&h->lock);
	share->ending = false;
	pthread_mutex_unlock(&h->lock);
	return gntshr_fail(h->logger, error,
			   "cannot unshare %u pages at %p: %s", count, addr,
			   gntshr_hint(error));
}

/*
 * End a share for gntshr_close(), or leave it to the driver and say why. A
 * mapping that stayed would keep its pages shared, so it is tried once more.
 */
static int drop_share(struct gntshr_handle *h, struct gntshr_share *share)
{
	int error;

	if (!end_share(h, share))
		return 0;
	error = errno;
	gntshr_table_remove(h, share);
	if (share->window)
		gntshr_window_leave(h, share);
	else
		gntshr_sys_munmap(share->addr, gntshr_share_size(share));
	free(share);
	errno = error;
	return -1;
}

/* A window and what is in it. */
static int drop_window(struct gntshr_handle *h, struct gntshr_window *window)
{
	unsigned int i;
	int error = 0;

	/* It does not go with the last of them. */
	window->shares++;
	for (i = 0; i < GNTSHR_WINDOW_PAGES; i++)
		if (window->at[i] && drop_share(h, window->at[i]) && !error)
			error = errno;
	if (gntshr_window_end(h, window) && !error)
		error = errno;
	if (!error)
		return 0;
	errno = error;
	return -1;
}

/* End all shares for gntshr_close(), which says what failed first. */
int gntshr_drop_shares(struct gntshr_handle *h)
{
	struct gntshr_window *window;
	struct gntshr_share *share;
	int error = 0;

	while ((share = gntshr_table_any(h)))
		if (drop_share(h, share) && !error)
			error = errno;
	while ((window = gntshr_table_any_window(h)))
		if (drop_window(h, window) && !error)
			error = errno;
	if (!error)
		return 0;
	errno = error;
	return -1;
}
