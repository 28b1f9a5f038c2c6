// SPDX-License-Identifier: LGPL-2.1-or-later
/* Why a call failed, in words, for the caller's logger. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <xentoollog.h>

#include "internal.h"

#define LIMIT_PATH "/sys/module/xen_gntalloc/parameters/limit"

/* Fail with @error: sets errno, tells why in one message and returns -1. */
int gntshr_fail(struct xentoollog_logger *logger, int error, const char *format,
		...)
{
	va_list args;

	if (logger) {
		va_start(args, format);
		xtl_logv(logger, XTL_ERROR, error, "gntshr", format, args);
		va_end(args);
	}
	errno = error;
	return -1;
}

static const char *open_hint(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "is this a Xen domain, with the module xen-gntalloc loaded (modprobe xen-gntalloc)?";
	case EACCES:
	case EPERM:
		return "this user may not use the device; see its owner, group and mode";
	default:
		return "the device is there but cannot be opened";
	}
}

void gntshr_explain_open(struct xentoollog_logger *logger)
{
	gntshr_fail(logger, errno, "cannot open /dev/xen/gntalloc: %s",
		    open_hint(errno));
}

/* How full the grant table is, as far as this domain may know. */
static void describe_table(char *text, size_t size)
{
	uint32_t used, max;

	if (gntshr_sys_grant_frames(&used, &max))
		snprintf(
			text, size,
			"its size is unknown, as this kernel lets no program make hypercalls");
	else
		snprintf(text, size,
			 "%u of at most %u frames of 512 references are in use",
			 used, max);
}

static void explain_no_space(struct gntshr_handle *h, uint32_t count)
{
	unsigned long limit, used;
	char table[96];

	if (gntshr_sys_parameter("limit", &limit)) {
		describe_table(table, sizeof(table));
		gntshr_fail(
			h->logger, ENOSPC,
			"cannot share %u pages: over the driver's limit, which cannot be read here, or the grant table is full (%s)",
			count, table);
		return;
	}
	/* The stock driver does not say how many pages it has. */
	if (gntshr_sys_parameter("used", &used)) {
		describe_table(table, sizeof(table));
		gntshr_fail(
			h->logger, ENOSPC,
			"cannot share %u pages: over the driver's limit of %lu pages (raise it in " LIMIT_PATH
			"), or the grant table is full (%s)",
			count, limit, table);
		return;
	}
	if (used > limit || count > limit - used) {
		gntshr_fail(
			h->logger, ENOSPC,
			"cannot share %u pages: the driver's limit is %lu pages and %lu are in use; raise it in " LIMIT_PATH,
			count, limit, used);
		return;
	}
	describe_table(table, sizeof(table));
	gntshr_fail(
		h->logger, ENOSPC,
		"cannot share %u pages: the grant table is full (%s); raise gnttab_max_frames= of Xen, or max_grant_frames of this domain",
		count, table);
}

void gntshr_explain_alloc(struct gntshr_handle *h, uint32_t count)
{
	if (errno == ENOSPC && h->logger)
		explain_no_space(h, count);
	else
		gntshr_fail(h->logger, errno, "cannot share %u pages", count);
}
