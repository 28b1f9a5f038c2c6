// SPDX-License-Identifier: LGPL-2.1-or-later
/* Shares: making them, and arming their notification. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#endif
#include <xen/gntalloc.h>

#include "internal.h"

#define NONE ((uint32_t)-1)
/* Bytes of the stack for the arguments of ALLOC: enough for 60 pages. */
#define SMALL_OP 256

/*
 * There if the program is built for MemorySanitizer, which sees what a library
 * writes only if that is built for it, too, or calls memcpy() for it.
 */
void __msan_unpoison(const volatile void *addr, size_t size)
	__attribute__((weak));

void gntshr_declare_written(const void *addr, size_t size)
{
	if (__msan_unpoison)
		__msan_unpoison(addr, size);
#ifdef HAVE_VALGRIND_MEMCHECK_H
	VALGRIND_MAKE_MEM_DEFINED(addr, size);
#endif
}

/* Whether somebody looks who must be told what the driver writes. */
bool gntshr_is_watched(void)
{
#ifdef HAVE_VALGRIND_MEMCHECK_H
	if (RUNNING_ON_VALGRIND)
		return true;
#endif
	return __msan_unpoison;
}

/* A call has granted, and the caller gets the references. */
void gntshr_give_refs(struct gntshr_handle *h, uint32_t *refs,
		      const uint32_t *new_refs, uint32_t count)
{
	memcpy(refs, new_refs, count * sizeof(*refs));
	if (h->watched)
		gntshr_declare_written(refs, count * sizeof(*refs));
}

/* What the driver gets to do with a page that goes. */
struct notification {
	uint32_t offset;
	unsigned int action;
	uint32_t port;
};

int gntshr_set_notify(struct gntshr_handle *h, uint64_t index,
		      unsigned int action, uint32_t port)
{
	struct ioctl_gntalloc_unmap_notify op = {
		.index = index,
		.action = action,
		.event_channel_port = port,
	};

	return gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &op);
}

/* Take back what make_mapping() did. */
static void unmake_mapping(struct gntshr_handle *h, struct gntshr_share *share,
			   const struct notification *armed)
{
	/* The peer has not heard of the page, so it gets no notification. */
	if (armed)
		gntshr_set_notify(h, share->index + armed->offset, 0, 0);
	if (share->addr != MAP_FAILED)
		gntshr_sys_munmap(share->addr, gntshr_share_size(share));
	gntshr_dealloc(h, share->index, share->count);
	free(share);
}

/*
 * A share of a held handle is its mapping from now on. If the driver does not
 * agree its pages last until the handle is closed, too.
 */
static void hold(struct gntshr_handle *h,
		 const struct ioctl_gntalloc_alloc_gref *op)
{
	int error = errno;

	gntshr_dealloc(h, op->index, op->count);
	errno = error;
}

/* Have pages allocated, map them alone and enter them into the table. */
static void *make_mapping(struct gntshr_handle *h,
			  struct ioctl_gntalloc_alloc_gref *op,
			  const struct notification *notify)
{
	const struct notification *armed = NULL;
	struct gntshr_share *share;
	char *addr;
	int error;

	share = calloc(1, sizeof(*share));
	if (!share)
		return NULL;
	if (gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_ALLOC_GREF, op)) {
		error = errno;
		free(share);
		errno = error;
		return NULL;
	}

	share->count = op->count;
	share->index = op->index;
	share->addr = gntshr_map(h, gntshr_share_size(share), share->index);
	if (share->addr == MAP_FAILED)
		goto undo;
	if (notify->action) {
		if (gntshr_set_notify(h, share->index + notify->offset,
				      notify->action, notify->port))
			goto undo;
		armed = notify;
	}
	addr = share->addr;
	gntshr_end_stale(h, addr, gntshr_share_size(share));
	if (h->held) {
		free(share);
		hold(h, op);
	} else if (gntshr_table_add(&h->shares, share)) {
		goto undo;
	}
	h->has_shared = true;
	return addr;
undo:
	error = errno;
	unmake_mapping(h, share, armed);
	errno = error;
	return NULL;
}

/*
 * With the lock held, so that no child gets pages without what is known of
 * them.
 */
static void *make_share(struct gntshr_handle *h,
			struct ioctl_gntalloc_alloc_gref *op,
			const struct notification *notify)
{
	bool alone, unlisted = h->held && !notify->action;
	char *addr = gntshr_arena_share(h, op, unlisted, &alone);
	int error;

	if (alone)
		return make_mapping(h, op, notify);
	if (!addr)
		return NULL;
	if (notify->action && gntshr_set_notify(h, op->index + notify->offset,
						notify->action, notify->port)) {
		error = errno;
		gntshr_arena_unshare(h, addr, op->count);
		errno = error;
		return NULL;
	}
	if (h->held && !unlisted)
		hold(h, op);
	return addr;
}

static void *share_pages(struct gntshr_handle *h, uint32_t domid,
			 uint32_t count, uint32_t *refs, unsigned int flags,
			 const struct notification *notify)
{
	/* The driver wants the whole struct, also where less would do. */
	size_t size = sizeof(struct ioctl_gntalloc_alloc_gref) +
		      ((size_t)count - 1) * sizeof(uint32_t);
	union {
		struct ioctl_gntalloc_alloc_gref op;
		char space[SMALL_OP];
	} small;
	struct ioctl_gntalloc_alloc_gref *op = &small.op;
	void *addr = NULL;
	int error;

	if (gntshr_check_grant(h, domid, count, refs, flags))
		return NULL;
	if (notify->offset >= GNTSHR_PAGE_SIZE) {
		gntshr_fail(h->logger, EINVAL, "byte %u is not in a page",
			    notify->offset);
		return NULL;
	}

	/*
	 * The driver does not need it zeroed: valgrind, which does not know its
	 * requests, would take what they write for uninitialised.
	 */
	if (size > sizeof(small))
		op = calloc(1, size);
	else if (count > 1)
		memset(op, 0, size);
	if (op) {
		*op = (struct ioctl_gntalloc_alloc_gref){
			.domid = (uint16_t)domid,
			.flags = flags & GNTSHR_WRITABLE
					 ? GNTALLOC_FLAG_WRITABLE
					 : 0,
			.count = count,
		};
		pthread_mutex_lock(&h->lock);
		addr = make_share(h, op, notify);
		error = errno;
		pthread_mutex_unlock(&h->lock);
	} else {
		error = errno;
	}
	if (addr) {
		if (count == 1)
			*refs = op->gref_ids[0];
		else
			memcpy(refs, op->gref_ids, count * sizeof(*refs));
		if (h->watched) {
			gntshr_declare_written(addr, (size_t)count *
							     GNTSHR_PAGE_SIZE);
			gntshr_declare_written(refs, count * sizeof(*refs));
		}
	}
	if (op != &small.op)
		free(op);
	if (addr)
		return addr;
	gntshr_explain_alloc(h, error, count, notify->action, notify->port);
	return NULL;
}

void *gntshr_share_pages(gntshr_handle *h, uint32_t domid, uint32_t count,
			 uint32_t *refs, unsigned int flags)
{
	static const struct notification none;

	return share_pages(h, domid, count, refs, flags, &none);
}

void *gntshr_share_page_notify(gntshr_handle *h, uint32_t domid, uint32_t *ref,
			       unsigned int flags, uint32_t notify_offset,
			       uint32_t notify_port)
{
	struct notification notify = { 0 };

	if (notify_offset != NONE) {
		notify.action |= GNTSHR_NOTIFY_CLEAR_BYTE;
		notify.offset = notify_offset;
	}
	if (notify_port != NONE) {
		notify.action |= GNTSHR_NOTIFY_SEND_EVENT;
		notify.port = notify_port;
	}
	return share_pages(h, domid, 1, ref, flags, &notify);
}

int gntshr_set_unmap_notify(gntshr_handle *h, void *addr, unsigned int action,
			    uint32_t port)
{
	struct gntshr_share share;
	uint64_t index;
	bool shared;
	int error;

	if (gntshr_check_owner(h) || gntshr_check_action(h, action))
		return -1;
	pthread_mutex_lock(&h->lock);
	shared = gntshr_find(h, addr, &share);
	pthread_mutex_unlock(&h->lock);
	if (!shared)
		return gntshr_fail(h->logger, EINVAL,
				   "%p is not in a page that is shared", addr);

	index = share.index + (uint64_t)((char *)addr - share.addr);
	if (!gntshr_set_notify(h, index, action, port))
		return 0;
	/* Ended by another thread just now: no different from a moment ago. */
	error = errno == ENOENT ? EINVAL : errno;
	gntshr_explain_notify(h, error, action, port);
	return -1;
}
