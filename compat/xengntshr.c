// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The xengntshr_* calls of libxengnttab, for programs that are not to change.
 *
 * They rely on more than its header promises. There the mapping is the share:
 * libxenvchan ends some shares with munmap(), others end a part of one, use it
 * after closing the handle, or in a child. So a share leaves the table of its
 * handle as soon as it is made, and the driver gives its pages back, with
 * their notification, when nobody maps them any more.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <xen/gntalloc.h>
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
	/* A share with a mapping of its own may go by munmap(). */
	if (h)
		h->no_arenas = true;
	return (xengntshr_handle *)h;
}

int xengntshr_close(xengntshr_handle *xgs)
{
	return gntshr_close(from(xgs));
}

int xengntshr_fd(xengntshr_handle *xgs)
{
	return gntshr_fd(from(xgs));
}

/*
 * A child may share pages through its parent's handle: no table of shares is
 * there that it could damage.
 */
static gntshr_handle *adopt(xengntshr_handle *xgs)
{
	gntshr_handle *h = from(xgs);

	pthread_mutex_lock(&h->lock);
	h->forked = false;
	pthread_mutex_unlock(&h->lock);
	return h;
}

/*
 * Leave a new share at @addr to its mapping. If the driver does not agree the
 * pages last until the handle is closed, too.
 */
static void *release(gntshr_handle *h, void *addr)
{
	struct ioctl_gntalloc_dealloc_gref op;
	struct gntshr_share *share;
	int error = errno;

	if (!addr)
		return NULL;
	pthread_mutex_lock(&h->lock);
	share = gntshr_table_find(h, addr);
	gntshr_table_remove(h, share);
	pthread_mutex_unlock(&h->lock);

	op.index = share->index;
	op.count = share->count;
	free(share);
	gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
	errno = error;
	return addr;
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
	return release(h, gntshr_share_pages(h, domid, (uint32_t)count, refs,
					     writable ? GNTSHR_WRITABLE : 0));
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
	return release(h, gntshr_share_page_notify(
				  h, domid, ref, writable ? GNTSHR_WRITABLE : 0,
				  notify_offset, notify_port));
}

/* The handle may be closed already. */
int xengntshr_unshare(xengntshr_handle *xgs, void *start_address,
		      uint32_t count)
{
	(void)xgs;
	return gntshr_sys_munmap(start_address,
				 (size_t)count * GNTSHR_PAGE_SIZE);
}
