// SPDX-License-Identifier: LGPL-2.1-or-later

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xencall.h>
#include <xentoollog.h>

#include "played.h"

struct played played = {
	.asked_for = "/sys/module/xen_gntalloc/parameters/limit",
	.maps_text = "",
};

FILE *fopen(const char *path, const char *mode)
{
	const char *text = played.maps_text;
	int fd;

	assert_string_equal(mode, "re");
	if (strcmp(path, "/proc/thread-self/maps")) {
		text = strcmp(path, "/sys/hypervisor/guest_type")
			       ? played.parameter
			       : played.guest_type;
		assert_string_equal(path, played.asked_for);
	} else if (text && !*text) {
		return fdopen(open(path, O_RDONLY | O_CLOEXEC), "r");
	}
	if (!text) {
		errno = ENOENT;
		return NULL;
	}
	fd = memfd_create("text", MFD_CLOEXEC);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fdopen(fd, "r");
}

static struct gnttab_query_size query;

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned flags)
{
	assert_int_equal(flags, 0);
	/* The library under test is silent whatever happens here. */
	assert_non_null(logger);
	xtl_log(logger, XTL_ERROR, ENOENT, "xencall", "not for the user");
	if (played.failing == OPENING) {
		errno = EACCES;
		return NULL;
	}
	played.held++;
	return (xencall_handle *)&query;
}

void *xencall_alloc_buffer(xencall_handle *xencall, size_t size)
{
	(void)xencall;
	assert_int_equal(size, sizeof(query));
	if (played.failing == BUFFER) {
		errno = ENOMEM;
		return NULL;
	}
	played.held++;
	return &query;
}

int xencall3(xencall_handle *xencall, unsigned int op, uint64_t arg1,
	     uint64_t arg2, uint64_t arg3)
{
	(void)xencall;
	assert_int_equal(op, __HYPERVISOR_grant_table_op);
	assert_int_equal(arg1, GNTTABOP_query_size);
	assert_int_equal(arg2, (uintptr_t)&query);
	assert_int_equal(arg3, 1);
	assert_int_equal(query.dom, DOMID_SELF);
	if (played.failing == CALL) {
		errno = EPERM;
		return -1;
	}
	query.nr_frames = 3;
	query.max_nr_frames = 64;
	query.status = played.status;
	return 0;
}

void xencall_free_buffer(xencall_handle *xencall, void *buffer)
{
	(void)xencall;
	assert_ptr_equal(buffer, &query);
	played.held--;
	errno = EDOM;
}

int xencall_close(xencall_handle *xencall)
{
	assert_ptr_equal(xencall, &query);
	played.held--;
	errno = EDOM;
	return 0;
}
