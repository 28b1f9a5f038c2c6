// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Added peers: which pages were granted to another domain once they were
 * shared. There is a tree for each such domain, of runs of pages by what the
 * driver knows them by, as their addresses may come to be those of others. A
 * page is in a tree once at the most.
 */

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "internal.h"
#include "xen-gntalloc.h"

/*
 * @page	the index of the first page
 * @index	that of its grant
 */
struct grant {
	uint64_t page, index, count;
};

/* What is in a tree does not overlap: "neither before nor behind" finds it. */
static int compare(const void *a, const void *b)
{
	const struct grant *x = a, *y = b;

	if (x->page + (x->count * GNTSHR_PAGE_SIZE - 1) < y->page)
		return -1;
	return y->page + (y->count * GNTSHR_PAGE_SIZE - 1) < x->page;
}

/* One that has a page there. */
static struct grant *find(struct gntshr_peer *peer, uint64_t page,
			  uint64_t count)
{
	struct grant key = { .page = page, .count = count };
	struct grant **found = tfind(&key, &peer->grants, compare);

	return found ? *found : NULL;
}

static struct grant *enter(struct gntshr_peer *peer, uint64_t page,
			   uint64_t count)
{
	struct grant *grant = calloc(1, sizeof(*grant));

	if (!grant)
		return NULL;
	grant->page = page;
	grant->count = count;
	if (tsearch(grant, &peer->grants, compare))
		return grant;
	free(grant);
	errno = ENOMEM;
	return NULL;
}

static void take_out(struct gntshr_peer *peer, struct grant *grant)
{
	tdelete(grant, &peer->grants, compare);
	free(grant);
}

static struct gntshr_peer *find_peer(struct gntshr_handle *h, uint32_t domid)
{
	struct gntshr_peer *peer = h->peers;

	while (peer && peer->domid != domid)
		peer = peer->next;
	return peer;
}

static struct gntshr_peer *get_peer(struct gntshr_handle *h, uint32_t domid)
{
	struct gntshr_peer *peer = find_peer(h, domid);

	if (peer)
		return peer;
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->domid = domid;
	peer->next = h->peers;
	h->peers = peer;
	return peer;
}

/* A handle that has no grants in trees has no trees: see gntshr_unshare(). */
static void forget_empty(struct gntshr_handle *h)
{
	struct gntshr_peer **link = &h->peers, *peer;
	int error = errno;

	while ((peer = *link)) {
		if (peer->grants) {
			link = &peer->next;
			continue;
		}
		*link = peer->next;
		free(peer);
	}
	errno = error;
}

/* How many of these pages the domain was added to, from the first one on. */
uint32_t gntshr_grants_count(struct gntshr_handle *h, uint32_t domid,
			     uint64_t page, uint32_t count)
{
	uint64_t end = page + (uint64_t)count * GNTSHR_PAGE_SIZE, at = page;
	struct gntshr_peer *peer = find_peer(h, domid);
	struct grant *grant;

	while (peer && at < end && (grant = find(peer, at, 1)))
		at = grant->page + grant->count * GNTSHR_PAGE_SIZE;
	return (uint32_t)(((at < end ? at : end) - page) / GNTSHR_PAGE_SIZE);
}

/* Whether the domain was added to one of them. */
bool gntshr_grants_any(struct gntshr_handle *h, uint32_t domid, uint64_t page,
		       uint32_t count)
{
	struct gntshr_peer *peer = find_peer(h, domid);

	return peer && find(peer, page, count);
}

/* What the driver knows the grant by of the page that has this byte. */
bool gntshr_grants_index(struct gntshr_handle *h, uint32_t domid, uint64_t byte,
			 uint64_t *index)
{
	struct gntshr_peer *peer = find_peer(h, domid);
	uint64_t page = byte - byte % GNTSHR_PAGE_SIZE;
	struct grant *grant = peer ? find(peer, page, 1) : NULL;

	if (grant)
		*index = grant->index + (byte - grant->page);
	return grant;
}

/* The tree has room before the driver is asked, behind that nothing fails. */
static int add(struct gntshr_handle *h, struct gntshr_peer *peer,
	       struct ioctl_gntalloc_add_peer *op)
{
	struct grant *grant = enter(peer, op->index, op->count);
	int error;

	if (!grant)
		return -1;
	if (!gntshr_ask(h, IOCTL_GNTALLOC_ADD_PEER, op)) {
		grant->index = op->peer_index;
		return 0;
	}
	error = errno;
	take_out(peer, grant);
	errno = error;
	return -1;
}

/* Grant pages to a domain that was added to none of them. */
int gntshr_grants_add(struct gntshr_handle *h,
		      struct ioctl_gntalloc_add_peer *op)
{
	struct gntshr_peer *peer = get_peer(h, op->domid);
	int rc = peer ? add(h, peer, op) : -1;

	forget_empty(h);
	return rc;
}

/* Of two runs the second one begins at @page then, if one spanned it. */
static int split(struct gntshr_peer *peer, uint64_t page)
{
	struct grant *grant = find(peer, page, 1), *rest;
	uint64_t all, before;

	if (!grant || grant->page == page)
		return 0;
	all = grant->count;
	before = (page - grant->page) / GNTSHR_PAGE_SIZE;
	grant->count = before;
	rest = enter(peer, page, all - before);
	if (!rest) {
		grant->count = all;
		return -1;
	}
	rest->index = grant->index + before * GNTSHR_PAGE_SIZE;
	return 0;
}

/*
 * End runs that have a page there, up to a failure, or all of them. Returns 0
 * or the first errno.
 */
static int end_runs(struct gntshr_handle *h, struct gntshr_peer *peer,
		    uint64_t page, uint64_t count, bool all)
{
	struct grant *grant;
	int error = 0;

	while ((grant = find(peer, page, count))) {
		if (!h->forked &&
		    gntshr_dealloc(h, grant->index, (uint32_t)grant->count)) {
			if (!error)
				error = errno;
			if (!all)
				break;
		}
		take_out(peer, grant);
	}
	return error;
}

/* End what this domain has of these pages, all of which it was added to. */
int gntshr_grants_remove(struct gntshr_handle *h, uint32_t domid, uint64_t page,
			 uint32_t count)
{
	struct gntshr_peer *peer = find_peer(h, domid);
	int error;

	if (split(peer, page) ||
	    split(peer, page + (uint64_t)count * GNTSHR_PAGE_SIZE))
		return -1;
	error = end_runs(h, peer, page, count, false);
	forget_empty(h);
	errno = error;
	return error ? -1 : 0;
}

static int end_all_peers(struct gntshr_handle *h, uint64_t page, uint64_t count,
			 bool all)
{
	struct gntshr_peer *peer;
	int error = 0, next;

	for (peer = h->peers; peer && (all || !error); peer = peer->next) {
		next = end_runs(h, peer, page, count, all);
		if (!error)
			error = next;
	}
	forget_empty(h);
	return error;
}

/* A share ends: nobody else has its pages then. Returns 0 or an errno. */
int gntshr_grants_end(struct gntshr_handle *h, uint64_t page, uint32_t count)
{
	return end_all_peers(h, page, count, false);
}

/* It ended, whatever the driver says. */
void gntshr_grants_end_stale(struct gntshr_handle *h, uint64_t page,
			     uint32_t count)
{
	end_all_peers(h, page, count, true);
}

/* For gntshr_close(). Returns 0 or the first errno. */
int gntshr_grants_drop(struct gntshr_handle *h)
{
	return end_all_peers(h, 0, UINT64_MAX / GNTSHR_PAGE_SIZE, true);
}
