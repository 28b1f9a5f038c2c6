// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is wrong, and how to mend it. */

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "info.h"

static void describe(struct problem *problem, const char *remedy,
		     const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void describe(struct problem *problem, const char *remedy,
		     const char *format, ...)
{
	va_list args;

	snprintf(problem->remedy, sizeof(problem->remedy), "%s", remedy);
	va_start(args, format);
	vsnprintf(problem->what, sizeof(problem->what), format, args);
	va_end(args);
}

static void describe_denial(const struct info *info, struct problem *problem)
{
	struct passwd *user = getpwuid(geteuid());
	bool root_only =
		!strcmp(info->group, "root") || (info->mode & 060) != 060;

	describe(
		problem,
		"use root, or give the device to a group: see FILES in xen-gntalloc(4)",
		"this user may not open " DEVICE
		" (owner %s, group %s, mode %04o)",
		info->owner, info->group, info->mode);
	if (user && !root_only)
		snprintf(problem->remedy, sizeof(problem->remedy),
			 "as root: usermod -aG %s %s; then log in again",
			 info->group, user->pw_name);
}

/* Why the device cannot be opened: the first that explains the rest. */
static void describe_access(const struct info *info, struct problem *problem)
{
	if (info->open_error == ENOTSUP)
		describe(
			problem, "run a kernel with pages of 4096 bytes",
			"this kernel has pages of %ld bytes, and pages of more than %u are not supported",
			gntshr_sys_page_size(), GNTSHR_PAGE_SIZE);
	else if (info->present && info->open_error == EACCES)
		describe_denial(info, problem);
	else if (info->present && info->open_error == EPERM)
		describe(problem, "allow the container " DEVICE,
			 "this container may not open " DEVICE);
	else if (!info->xen)
		describe(problem, "run it in a domain on Xen",
			 "this is not a Xen domain");
	else if (!info->driver.loaded)
		describe(problem, "as root: modprobe xen-gntalloc",
			 "the module xen-gntalloc is not loaded");
	else if (!info->present)
		describe(
			problem,
			"let udev make it, and in a container allow it; its number is in '/sys/class/misc/xen!gntalloc/dev'",
			"the module is loaded, but there is no " DEVICE);
	else
		describe(problem, "see the kernel's log: dmesg",
			 "cannot open " DEVICE ": %s",
			 strerror(info->open_error));
}

static void describe_limit(const struct driver *driver, struct problem *problem)
{
	const char *raise =
		"as root, write a higher one to /sys/module/xen_gntalloc/parameters/limit";
	const char *release =
		"have the peers unmap them; in dom0, 'xl debug-keys g; xl dmesg' tells who maps what";

	describe(
		problem, driver->lingering > driver->used / 2 ? release : raise,
		"no page is left: the limit is %lu, and %lu are in use, %lu of them given up here but still mapped by peers",
		driver->limit, driver->used, driver->lingering);
}

size_t find_problems(const struct info *info, struct problem *problems)
{
	const struct driver *driver = &info->driver;
	size_t n = 0;

	if (info->open_error)
		describe_access(info, &problems[n++]);
	/* Whoever needs spare pages gets them. */
	if (driver->tells_use && driver->used >= driver->limit + driver->spare)
		describe_limit(driver, &problems[n++]);
	if (!info->table_error && info->frames >= info->max_frames)
		describe(
			&problems[n++],
			info->dom0
				? "raise gnttab_max_frames= on Xen's command line"
				: "raise max_grant_frames of this domain in xl.cfg(5)",
			"the grant table has all %u frames that it may have, and may be full",
			info->max_frames);
	return n;
}
