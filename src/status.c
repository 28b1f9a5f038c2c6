// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a handle has, waiting until nothing of it lingers, and its bounds. */

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "xen-gntalloc.h"

/*
 * Another one who has the descriptor may take the news while this one waits,
 * and poll() would wait on: it asks again after so long at the latest.
 */
#define SLICE_MS 200

int gntshr_status(gntshr_handle *h, struct gntshr_status *status)
{
	struct ioctl_gntalloc_status op = { .flags = GNTALLOC_STATUS_QUIET };
	int error;

	if (gntshr_check_owner(h))
		return -1;
	if (!status)
		return gntshr_fail(h->logger, EINVAL,
				   "there is no place for the status");
	if (gntshr_ask(h, IOCTL_GNTALLOC_STATUS, &op)) {
		error = errno;
		return gntshr_fail(h->logger, error,
				   "cannot tell the status: %s",
				   gntshr_hint(error));
	}
	*status = (struct gntshr_status){
		.returned = op.returned,
		.shared = op.listed,
		.spare = op.spare,
		.lingering = op.lingering,
		.restores = op.restores,
	};
	if (h->watched)
		gntshr_declare_written(status, sizeof(*status));
	return 0;
}

/* 0: nothing lingers; 1: it does still, after @timeout_ms at the most. */
static int wait_once(struct gntshr_handle *h, int timeout_ms)
{
	struct ioctl_gntalloc_status op = { .flags = 0 };

	if (gntshr_ask(h, IOCTL_GNTALLOC_STATUS, &op))
		return -1;
	if (!op.lingering)
		return 0;
	if (timeout_ms && gntshr_sys_poll(h->fd, POLLIN, timeout_ms) < 0)
		return -1;
	return 1;
}

static int wait_released(struct gntshr_handle *h, int timeout_ms)
{
	int64_t left = SLICE_MS, end = 0;
	int rc;

	if (timeout_ms >= 0)
		end = gntshr_sys_now_ms() + timeout_ms;
	for (;;) {
		if (timeout_ms >= 0)
			left = end - gntshr_sys_now_ms();
		rc = wait_once(h, left < 0	    ? 0
				  : left < SLICE_MS ? (int)left
						    : SLICE_MS);
		if (rc <= 0)
			return rc;
		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

int gntshr_wait_released(gntshr_handle *h, int timeout_ms)
{
	int error;

	if (gntshr_check_owner(h))
		return -1;
	if (!wait_released(h, timeout_ms))
		return 0;
	error = errno;
	if (error == ETIMEDOUT)
		return gntshr_fail(h->logger, error,
				   "pages linger still after %d ms",
				   timeout_ms);
	return gntshr_fail(
		h->logger, error, "cannot wait until pages come back: %s",
		error == EINTR ? "a signal came" : gntshr_hint(error));
}

int gntshr_restrict(gntshr_handle *h, uint32_t domid, uint32_t pages)
{
	struct ioctl_gntalloc_restrict op = {
		.pages = pages,
		.domid = (uint16_t)domid,
	};
	int error;

	if (gntshr_check_owner(h) || gntshr_check_domid(h, domid))
		return -1;
	if (!pages)
		return gntshr_fail(h->logger, EINVAL,
				   "cannot restrict the descriptor to 0 pages");
	if (!gntshr_ask(h, IOCTL_GNTALLOC_RESTRICT, &op))
		return 0;
	error = errno;
	return gntshr_fail(h->logger, error,
			   "cannot restrict the descriptor: %s",
			   error == EACCES ? "it is restricted already"
					   : gntshr_hint(error));
}
