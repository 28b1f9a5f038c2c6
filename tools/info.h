/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What "gntshr info" finds out, and what it makes of it. */
#ifndef INFO_H
#define INFO_H

#include "tool.h"
#include "xen-gntalloc.h"

#define DEVICE "/dev/xen/gntalloc"

/*
 * @type	of domain: PV, PVH or HVM; empty if unknown, as @uuid
 * @knows_domid	the processor told @domid, this domain's own
 * @present	there is such a device, and the members behind it are its own
 * @open_error	errno of opening it for sharing; 0 if this user can
 * @fd		a descriptor that was asked for, or -1
 * @tells_status	its driver told what it has
 * @table_error	errno of asking for the grant table; 0 if its frames are known
 */
struct info {
	bool xen, dom0, knows_domid;
	char type[8], uuid[40];
	uint32_t domid;

	bool present;
	char owner[64], group[64];
	unsigned int mode;
	int open_error;

	struct driver driver;

	int fd;
	bool tells_status;
	struct ioctl_gntalloc_status status;

	uint32_t frames, max_frames;
	int table_error;
};

struct problem {
	char what[256], remedy[256];
};

/* One that keeps the device from being opened, and two of what can be full. */
#define MAX_PROBLEMS 3

/* problems.c */
size_t find_problems(const struct info *info, struct problem *problems);

/* report.c */
void print_info(const struct info *info, const struct problem *problems,
		size_t count);
void print_info_json(const struct info *info, const struct problem *problems,
		     size_t count);

#endif
