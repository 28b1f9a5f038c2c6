// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares of memory that the caller has already. */

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "internal.h"
#include "xen-gntalloc.h"

/*
 * Map what the driver knows by @index. A share of memory lasts when the program
 * has unmapped that, and its addresses are its name: pages never lie there.
 * Below or above, farther and farther, there is place in the end.
 */
void *gntshr_map(struct gntshr_handle *h, size_t size, uint64_t index)
{
	char *addr = gntshr_sys_mmap(NULL, h->fd, size, index);
	struct gntshr_share *there;
	uintptr_t way = size, near;
	bool above = false;

	for (; h->memory && addr != MAP_FAILED; above = !above) {
		there = gntshr_table_overlap(&h->memory, addr, size);
		if (!there)
			break;
		if (gntshr_unmap(addr, addr + size))
			return MAP_FAILED;
		if (!way) {
			errno = ENOMEM;
			return MAP_FAILED;
		}
		near = (uintptr_t)there->addr - way;
		if (above) {
			near = (uintptr_t)there->addr +
			       gntshr_share_size(there) + way - size;
			way *= 2;
		}
		addr = gntshr_sys_mmap((void *)near, h->fd, size, index);
	}
	return addr;
}

static int check_memory(struct gntshr_handle *h, const void *addr,
			uint32_t count)
{
	uintptr_t first = (uintptr_t)addr;

	if (first % GNTSHR_PAGE_SIZE)
		return gntshr_fail(h->logger, EINVAL,
				   "%p is not the address of a page", addr);
	if (!first || first > UINTPTR_MAX - (size_t)count * GNTSHR_PAGE_SIZE)
		return gntshr_fail(h->logger, EINVAL,
				   "there are no %u pages at %p", count, addr);
	return 0;
}

static void remove_share(struct gntshr_handle *h, struct gntshr_share *share)
{
	gntshr_table_remove(&h->memory, share);
	free(share);
}

/*
 * The table has room before the driver is asked, behind that nothing fails.
 * What is the caller's own memory is no mapping of ours any more.
 */
static int share_memory(struct gntshr_handle *h, char *addr,
			struct ioctl_gntalloc_share_memory *op)
{
	struct gntshr_share *share;
	int error;

	share = calloc(1, sizeof(*share));
	if (!share)
		return -1;
	share->addr = addr;
	share->count = op->count;
	if (gntshr_table_overlap(&h->memory, addr, gntshr_share_size(share))) {
		free(share);
		errno = EEXIST;
		return -1;
	}
	if (gntshr_table_add(&h->memory, share)) {
		free(share);
		errno = ENOMEM;
		return -1;
	}
	if (gntshr_ask(h, IOCTL_GNTALLOC_SHARE_MEMORY, op)) {
		error = errno;
		remove_share(h, share);
		errno = error;
		return -1;
	}
	share->index = op->index;
	gntshr_end_stale(h, addr, gntshr_share_size(share));
	return 0;
}

int gntshr_share_memory(gntshr_handle *h, uint32_t domid, void *addr,
			uint32_t count, uint32_t *refs, unsigned int flags)
{
	struct ioctl_gntalloc_share_memory op = {
		.addr = (uintptr_t)addr,
		.count = count,
		.domid = (uint16_t)domid,
		.flags = flags ? GNTALLOC_FLAG_WRITABLE : 0,
	};
	uint32_t *new_refs;
	int rc, error;

	if (gntshr_check_grant(h, domid, count, refs, flags) ||
	    check_memory(h, addr, count))
		return -1;
	new_refs = calloc(count, sizeof(*new_refs));
	if (!new_refs)
		return gntshr_fail(h->logger, ENOMEM,
				   "no memory for %u references", count);
	op.refs = (uintptr_t)new_refs;
	pthread_mutex_lock(&h->lock);
	rc = share_memory(h, addr, &op);
	error = errno;
	pthread_mutex_unlock(&h->lock);
	if (!rc)
		gntshr_give_refs(h, refs, new_refs, count);
	free(new_refs);
	if (rc)
		gntshr_explain_memory(h, error, count, addr);
	return rc;
}

/* As gntshr_arena_unshare(), of the caller's memory. */
int gntshr_memory_unshare(struct gntshr_handle *h, const char *addr,
			  uint32_t count)
{
	struct gntshr_share *share = gntshr_table_find(&h->memory, addr);

	if (!share || share->addr != addr || share->count != count)
		return EINVAL;
	if (gntshr_dealloc(h, share->index, count))
		return errno;
	remove_share(h, share);
	return 0;
}

/* For gntshr_close(). Returns 0 or the first errno. */
int gntshr_memory_drop(struct gntshr_handle *h)
{
	struct gntshr_share *share;
	int first_error = 0;

	while ((share = gntshr_table_any(&h->memory))) {
		if (!h->forked &&
		    gntshr_dealloc(h, share->index, share->count) &&
		    !first_error)
			first_error = errno;
		remove_share(h, share);
	}
	return first_error;
}
