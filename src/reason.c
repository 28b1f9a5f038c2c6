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

static const char *missing_hint(void)
{
	if (!gntshr_sys_exists("/sys/hypervisor/type"))
		return "this is not a Xen domain";
	if (!gntshr_sys_exists("/sys/module/xen_gntalloc"))
		return "the module xen-gntalloc is not loaded; as root: modprobe xen-gntalloc";
	return "the module is loaded, but there is no device: udev makes it, and a container must be given it";
}

static const char *open_hint(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return missing_hint();
	case EACCES:
		return "this user may not; add the user to the group of the device, or use root";
	case EPERM:
		return "this container may not; its device rules must allow it";
	case EMFILE:
		return "this process has too many files open; see RLIMIT_NOFILE in getrlimit(2)";
	case ENFILE:
		return "the system has too many files open; see fs.file-max in proc(5)";
	default:
		return "the device is there, see the kernel's log";
	}
}

/* Why a system call on the pages or their mapping fails. */
const char *gntshr_hint(int error)
{
	switch (error) {
	case ENOMEM:
		return "out of memory, in the system or in the memory cgroup; or the process has too many mappings (vm.max_map_count)";
	case EAGAIN:
		return "the process locks its memory and may not lock more; see RLIMIT_MEMLOCK in getrlimit(2)";
	case ENOTTY:
		return "the stock driver does not know 32-bit programs; the one of libgntshr does";
	case EBADF:
		return "the descriptor of the handle was closed by somebody else";
	case EINTR:
		return "the process is being killed";
	case EACCES:
		return "the descriptor is restricted to another domain, see gntshr_restrict(3); or it is memory that this program may only read";
	case EDQUOT:
		return "more pages than the descriptor is restricted to; see gntshr_restrict(3)";
	case EEXIST:
		return "one of the pages is shared with this domain already";
	case ENOTSUP:
		return "the stock driver cannot do this; the one of libgntshr can";
	default:
		return "unexpected, see the kernel's log";
	}
}

/*
 * All that explain get the errno of the failure from their caller: what they
 * look up may change it.
 */
void gntshr_explain_open(struct xentoollog_logger *logger, int error)
{
	gntshr_fail(logger, error, "cannot open /dev/xen/gntalloc: %s",
		    open_hint(error));
}

void gntshr_explain_fdopen(struct xentoollog_logger *logger, int error, int fd)
{
	const char *why = "it is not open";

	if (error == ENOTTY)
		why = "it is not one of /dev/xen/gntalloc";
	else if (error == EACCES)
		why = "it is not open for reading and writing";
	else if (error == EEXIST)
		why = "another handle has it";
	gntshr_fail(logger, error, "cannot use descriptor %d: %s", fd, why);
}

/* How full the grant table is, as far as this domain may know. */
static void describe_table(char *text, size_t size)
{
	uint32_t used, max;

	if (gntshr_sys_grant_frames(&used, &max))
		snprintf(
			text, size,
			"its size is unknown, as this program may not make hypercalls");
	else
		snprintf(text, size,
			 "%u of at most %u frames of 512 references are in use",
			 used, max);
}

static void explain_no_space(struct gntshr_handle *h, uint32_t count)
{
	unsigned long limit, used, spare;
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
	/* Whoever needs spare pages gets them. */
	if (!gntshr_sys_parameter("spare", &spare))
		used -= spare < used ? spare : used;
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

/* Why the driver does not take a notification. */
void gntshr_explain_notify(struct gntshr_handle *h, int error,
			   unsigned int action, uint32_t port)
{
	if (error == EINVAL && action & GNTSHR_NOTIFY_SEND_EVENT)
		gntshr_fail(
			h->logger, EINVAL,
			"cannot notify through event channel %u: no program of this domain has it open, or too many pages name it",
			port);
	else
		gntshr_fail(h->logger, error, "cannot set a notification: %s",
			    gntshr_hint(error));
}

void gntshr_explain_alloc(struct gntshr_handle *h, int error, uint32_t count,
			  unsigned int action, uint32_t port)
{
	if (error == ENOSPC && h->logger)
		explain_no_space(h, count);
	else if (error == EINVAL && action & GNTSHR_NOTIFY_SEND_EVENT)
		gntshr_explain_notify(h, error, action, port);
	else
		gntshr_fail(h->logger, error, "cannot share %u pages: %s",
			    count, gntshr_hint(error));
}

static const char *memory_hint(int error)
{
	switch (error) {
	case EFAULT:
		return "a part is not mapped, or this program may not write to it";
	case ENODEV:
		return "a part is of a file on disk, a device or another domain; or private, before Linux 5.19";
	case ENOMEM:
		return "out of memory, in the system or in the memory cgroup; or the process may not lock so much, see RLIMIT_MEMLOCK in getrlimit(2)";
	case EEXIST:
		return "a part of it is shared through this handle already";
	default:
		return gntshr_hint(error);
	}
}

/* Why memory of the caller cannot be shared. */
void gntshr_explain_memory(struct gntshr_handle *h, int error, uint32_t count,
			   const void *addr)
{
	if (error == ENOSPC)
		gntshr_explain_alloc(h, error, count, 0, 0);
	else
		gntshr_fail(h->logger, error,
			    "cannot share %u pages of memory at %p: %s", count,
			    addr, memory_hint(error));
}
