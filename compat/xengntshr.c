// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The xengntshr_* calls of libxengnttab, for programs that are not to change.
 *
 * They rely on more than its header promises. There the mapping is the share:
 * libxenvchan ends some shares with munmap(), others end a part of one, use it
 * after closing the handle, or in a child. So the driver does not list a share,
 * and gives its pages back, with their notification, when nobody maps them any
 * more. That holds in an arena, too, whoever unmaps them; only what
 * xengntshr_unshare() ends as a whole leaves its pages for the next share.
 */

#include <errno.h>
#include <stdio.h>

#include <xengnttab.h>
#include <xentoollog.h>

#include "internal.h"

static struct xentoollog_logger *stderr_logger;
static pthread_once_t stderr_once = PTHREAD_ONCE_INIT;

static gntshr_handle *from(xengntshr_handle *xgs)
{
	return (gntshr_handle *)xgs;
}

/* It is never destroyed: handles of any age use it. */
static void make_stderr_logger(void)
{
	stderr_logger =
		(struct xentoollog_logger *)xtl_createlogger_stdiostream(
			stderr, XTL_PROGRESS, 0);
}

/* The flags mean nothing to libxengnttab either, whatever they are. */
xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger,
				 unsigned int open_flags)
{
	gntshr_handle *h;

	(void)open_flags;
	if (!logger) {
		pthread_once(&stderr_once, make_stderr_logger);
		logger = stderr_logger;
	}
	h = gntshr_open(logger, 0);
	if (h)
		h->held = true;
	return (xengntshr_handle *)h;
}

/* What is shared outlives its handle. */
int xengntshr_close(xengntshr_handle *xgs)
{
	gntshr_handle *h = from(xgs);

	if (h) {
		pthread_mutex_lock(&h->lock);
		gntshr_arenas_leave(h);
		pthread_mutex_unlock(&h->lock);
	}
	return gntshr_close(h);
}

int xengntshr_fd(xengntshr_handle *xgs)
{
	return gntshr_fd(from(xgs));
}

/*
 * A child may share pages through its parent's handle: no table of shares is
 * there that it could damage, and the arenas are the parent's. A thread that
 * finds this done takes the lock, too, before it uses what was done.
 */
static gntshr_handle *adopt(xengntshr_handle *xgs)
{
	gntshr_handle *h = from(xgs);

	if (h->forked) {
		pthread_mutex_lock(&h->lock);
		gntshr_arenas_leave(h);
		h->forked = false;
		pthread_mutex_unlock(&h->lock);
	}
	return h;
}

void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count,
			    uint32_t *refs, int writable)
{
	gntshr_handle *h = adopt(xgs);

	if (count < 0) {
		gntshr_fail(h->logger, EINVAL,
			    "cannot share %d pages in a call", count);
		return NULL;
	}
	return gntshr_share_pages(h, domid, (uint32_t)count, refs,
				  writable ? GNTSHR_WRITABLE : 0);
}

/* To libxengnttab every offset behind the page means none, not only -1. */
void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid,
				  uint32_t *ref, int writable,
				  uint32_t notify_offset,
				  evtchn_port_t notify_port)
{
	gntshr_handle *h = adopt(xgs);

	if (notify_offset >= GNTSHR_PAGE_SIZE)
		notify_offset = (uint32_t)-1;
	return gntshr_share_page_notify(h, domid, ref,
					writable ? GNTSHR_WRITABLE : 0,
					notify_offset, notify_port);
}

/*
 * The handle may be closed already, or another one; it is munmap() then. What
 * was ended before is still mapped, and stays so: a hole there could come to be
 * somebody else's.
 */
int xengntshr_unshare(xengntshr_handle *xgs, void *start_address,
		      uint32_t count)
{
	gntshr_handle *h = gntshr_lock_if_open(xgs);
	int error = EINVAL;

	if (h) {
		error = gntshr_arena_unshare(h, start_address, count);
		if (error == EINVAL &&
		    gntshr_arena_has_ended(h, start_address, count))
			error = 0;
		pthread_mutex_unlock(&h->lock);
	}
	if (error == EINVAL)
		return gntshr_sys_munmap(start_address,
					 (size_t)count * GNTSHR_PAGE_SIZE);
	if (!error)
		return 0;
	errno = error;
	return -1;
}
