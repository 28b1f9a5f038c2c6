// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls on pages that are shared: who else may map them, or somebody else. */

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "xen-gntalloc.h"

static int check_pages(struct gntshr_handle *h, uint32_t count)
{
	if (count)
		return 0;
	return gntshr_fail(h->logger, EINVAL, "0 pages are none of a share");
}

/* What @domid has, or shall have, of pages that are in no one share. */
static int fail_pages(struct gntshr_handle *h, const void *addr, uint32_t count)
{
	return gntshr_fail(h->logger, EINVAL,
			   "%u pages at %p are not in one share", count, addr);
}

static int add_peer(struct gntshr_handle *h, uint64_t index, uint32_t domid,
		    uint32_t count, uint32_t *refs, uint16_t flags)
{
	struct ioctl_gntalloc_add_peer op = {
		.index = index,
		.refs = (uintptr_t)refs,
		.count = count,
		.domid = (uint16_t)domid,
		.flags = flags,
	};

	return gntshr_grants_add(h, &op);
}

static int renew(struct gntshr_handle *h, uint64_t index, uint32_t domid,
		 uint32_t count, uint32_t *refs, uint16_t flags)
{
	struct ioctl_gntalloc_renew op = {
		.index = index,
		.refs = (uintptr_t)refs,
		.count = count,
		.domid = (uint16_t)domid,
		.flags = flags,
	};

	return gntshr_ask(h, IOCTL_GNTALLOC_RENEW, &op);
}

typedef int grant_fn(struct gntshr_handle *h, uint64_t index, uint32_t domid,
		     uint32_t count, uint32_t *refs, uint16_t flags);

/*
 * Have @grant grant pages of a share to a domain that was not added to them.
 * The references go to the caller only when that is done.
 */
static int grant_pages(struct gntshr_handle *h, grant_fn *grant,
		       const void *addr, uint32_t count, uint32_t domid,
		       uint32_t *refs, unsigned int flags)
{
	uint32_t *new_refs;
	uint64_t index;
	int error = 0;
	bool found;

	if (gntshr_check_grant(h, domid, count, refs, flags))
		return -1;
	new_refs = calloc(count, sizeof(*new_refs));
	if (!new_refs)
		return gntshr_fail(h->logger, ENOMEM,
				   "no memory for %u references", count);
	pthread_mutex_lock(&h->lock);
	found = gntshr_find_pages(h, addr, count, &index);
	if (found && gntshr_grants_any(h, domid, index, count))
		error = EEXIST;
	else if (found && grant(h, index, domid, count, new_refs,
				flags ? GNTALLOC_FLAG_WRITABLE : 0))
		error = errno;
	pthread_mutex_unlock(&h->lock);
	if (found && !error)
		gntshr_give_refs(h, refs, new_refs, count);
	free(new_refs);
	if (!found)
		return fail_pages(h, addr, count);
	if (error)
		gntshr_explain_alloc(h, error, count, 0, 0);
	return error ? -1 : 0;
}

int gntshr_add_peer(gntshr_handle *h, void *addr, uint32_t count,
		    uint32_t domid, uint32_t *refs, unsigned int flags)
{
	return grant_pages(h, add_peer, addr, count, domid, refs, flags);
}

int gntshr_renew(gntshr_handle *h, void *addr, uint32_t count, uint32_t domid,
		 uint32_t *refs, unsigned int flags)
{
	return grant_pages(h, renew, addr, count, domid, refs, flags);
}

static int revoke(struct gntshr_handle *h, uint64_t index, uint32_t domid,
		  uint32_t count)
{
	struct ioctl_gntalloc_revoke op = {
		.index = index,
		.count = count,
		.domid = (uint16_t)domid,
	};

	return gntshr_ask(h, IOCTL_GNTALLOC_REVOKE, &op);
}

/*
 * It is an added peer of all pages or, as far as we know, the first one of all.
 * What of this is true only the driver knows.
 */
static int remove_peer(struct gntshr_handle *h, const char *addr,
		       uint32_t count, uint32_t domid)
{
	uint64_t index;

	if (gntshr_find_pages(h, addr, count, &index)) {
		if (!gntshr_grants_any(h, domid, index, count))
			return revoke(h, index, domid, count);
		if (gntshr_grants_count(h, domid, index, count) == count)
			return gntshr_grants_remove(h, domid, index, count);
	}
	errno = EINVAL;
	return -1;
}

int gntshr_remove_peer(gntshr_handle *h, void *addr, uint32_t count,
		       uint32_t domid)
{
	int rc, error;

	if (gntshr_check_owner(h) || gntshr_check_domid(h, domid) ||
	    check_pages(h, count))
		return -1;
	pthread_mutex_lock(&h->lock);
	rc = remove_peer(h, addr, count, domid);
	error = errno;
	pthread_mutex_unlock(&h->lock);
	if (!rc)
		return 0;
	if (error == EINVAL)
		return gntshr_fail(
			h->logger, error,
			"%u pages at %p are not in one share, or not all shared with domain %u",
			count, addr, domid);
	return gntshr_fail(h->logger, error,
			   "cannot take %u pages at %p from domain %u: %s",
			   count, addr, domid, gntshr_hint(error));
}

int gntshr_set_peer_notify(gntshr_handle *h, void *addr, uint32_t domid,
			   unsigned int action, uint32_t port)
{
	struct gntshr_share share;
	uint64_t index;
	bool added;
	int error;

	if (gntshr_check_owner(h) || gntshr_check_domid(h, domid) ||
	    gntshr_check_action(h, action))
		return -1;
	pthread_mutex_lock(&h->lock);
	added = gntshr_find(h, addr, &share) &&
		gntshr_grants_index(
			h, domid,
			share.index + (uint64_t)((char *)addr - share.addr),
			&index);
	pthread_mutex_unlock(&h->lock);
	if (!added)
		return gntshr_fail(
			h->logger, EINVAL,
			"%p is not in a page that domain %u was added to", addr,
			domid);

	if (!gntshr_set_notify(h, index, action, port))
		return 0;
	/* Removed by another thread just now. */
	error = errno == ENOENT ? EINVAL : errno;
	gntshr_explain_notify(h, error, action, port);
	return -1;
}
