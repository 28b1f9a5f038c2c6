// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares: ending them. */

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <xen/gntalloc.h>

#include "internal.h"

int gntshr_dealloc(struct gntshr_handle *h, uint64_t index, uint32_t count)
{
	struct ioctl_gntalloc_dealloc_gref op = {
		.index = index,
		.count = count,
	};

	return gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
}

/* What only our driver knows. */
int gntshr_ask(struct gntshr_handle *h, unsigned long request, void *op)
{
	if (!gntshr_sys_ioctl(h->fd, request, op))
		return 0;
	if (errno == ENOTTY)
		errno = ENOTSUP;
	return -1;
}

/*
 * The kernel gave a new mapping addresses of shares that the program must have
 * unmapped itself: end those, with the lock held.
 */
void gntshr_end_stale(struct gntshr_handle *h, char *addr, size_t size)
{
	struct gntshr_share *stale;

	while ((stale = gntshr_table_overlap(&h->shares, addr, size))) {
		gntshr_grants_end_stale(h, stale->index, stale->count);
		if (!stale->unlisted)
			gntshr_dealloc(h, stale->index, stale->count);
		gntshr_table_remove(&h->shares, stale);
		free(stale);
	}
	gntshr_arenas_end_stale(h, addr, size);
}

/*
 * End a share with a mapping of its own, which is then gone, or say why not.
 * With the lock held: as soon as the mapping is gone another thread may get its
 * address for a new share, which must not find the old one in the table.
 */
static int end_share(struct gntshr_handle *h, struct gntshr_share *share)
{
	if (!h->forked) {
		if (!share->unlisted &&
		    gntshr_dealloc(h, share->index, share->count))
			return -1;
		share->unlisted = true;
		if (gntshr_sys_munmap(share->addr, gntshr_share_size(share)))
			return -1;
	}
	gntshr_table_remove(&h->shares, share);
	free(share);
	return 0;
}

/* As gntshr_arena_unshare(), of shares with a mapping of their own. */
static int unshare_mapping(struct gntshr_handle *h, const char *addr,
			   uint32_t count)
{
	struct gntshr_share *share = gntshr_table_find(&h->shares, addr);

	if (!share || share->addr != addr || share->count != count)
		return EINVAL;
	return end_share(h, share) ? errno : 0;
}

/*
 * Added peers go first: a page that one of them still has cannot serve the next
 * share.
 */
static int end_added_peers(struct gntshr_handle *h, const char *addr,
			   uint32_t count)
{
	struct gntshr_share share;

	if (!gntshr_find_exact(h, addr, count, &share))
		return EINVAL;
	return gntshr_grants_end(h, share.index, count);
}

static int end_any(struct gntshr_handle *h, const char *addr, uint32_t count)
{
	int error = h->peers ? end_added_peers(h, addr, count) : 0;

	if (error)
		return error;
	error = gntshr_arena_unshare(h, addr, count);
	if (error == EINVAL)
		error = unshare_mapping(h, addr, count);
	if (error == EINVAL && h->memory)
		error = gntshr_memory_unshare(h, addr, count);
	return error;
}

int gntshr_unshare(gntshr_handle *h, void *addr, uint32_t count)
{
	int error;

	if (gntshr_check_owner(h))
		return -1;
	pthread_mutex_lock(&h->lock);
	error = end_any(h, addr, count);
	pthread_mutex_unlock(&h->lock);
	if (!error)
		return 0;
	if (error == EINVAL)
		return gntshr_fail(h->logger, error,
				   "%u pages at %p are not a share", count,
				   addr);
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
	gntshr_table_remove(&h->shares, share);
	gntshr_sys_munmap(share->addr, gntshr_share_size(share));
	free(share);
	errno = error;
	return -1;
}

/* End all shares for gntshr_close(). Returns 0 or the first errno. */
int gntshr_drop_shares(struct gntshr_handle *h)
{
	struct gntshr_share *share;
	int first_error = gntshr_grants_drop(h), error;

	error = gntshr_memory_drop(h);
	if (!first_error)
		first_error = error;
	while ((share = gntshr_table_any(&h->shares)))
		if (drop_share(h, share) && !first_error)
			first_error = errno;
	error = gntshr_arenas_end(h);
	return first_error ? first_error : error;
}
