// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr info: whether pages can be shared here, and if not, why. */

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xen/features.h>
#include <xentoollog.h>

#include "info.h"

static const char help[] =
	"Usage: gntshr info [--fd N] [--json]\n"
	"\n"
	"Shows the Xen domain, its domid if the processor tells it, the device, the\n"
	"driver with its limit and what is in use, and the grant table; then what is\n"
	"wrong, and how to mend it. It ends with status 1 if something is.\n"
	"\n"
	"  --fd N  show what the descriptor N has, too, which gntshr was started with\n"
	"  --json  print an object\n";

static void read_domain(struct info *info)
{
	char line[32];

	info->xen = !read_line("/sys/hypervisor/type", line, sizeof(line)) &&
		    !strcmp(line, "xen");
	if (!info->xen)
		return;
	read_line("/sys/hypervisor/guest_type", info->type, sizeof(info->type));
	info->knows_domid = strcmp(info->type, "PV") != 0 &&
			    gntshr_cpuid_domid(&info->domid);
	read_line("/sys/hypervisor/uuid", info->uuid, sizeof(info->uuid));
	if (!read_line("/sys/hypervisor/properties/features", line,
		       sizeof(line)))
		info->dom0 = strtoull(line, NULL, 16) >> XENFEAT_dom0 & 1;
}

static void read_device(struct info *info)
{
	struct passwd *owner;
	struct group *group;
	gntshr_handle *h;
	struct stat st;

	info->present = !stat(DEVICE, &st);
	if (info->present) {
		info->mode = st.st_mode & 07777;
		owner = getpwuid(st.st_uid);
		group = getgrgid(st.st_gid);
		snprintf(info->owner, sizeof(info->owner), "%u", st.st_uid);
		snprintf(info->group, sizeof(info->group), "%u", st.st_gid);
		if (owner)
			snprintf(info->owner, sizeof(info->owner), "%s",
				 owner->pw_name);
		if (group)
			snprintf(info->group, sizeof(info->group), "%s",
				 group->gr_name);
	}
	h = gntshr_open(NULL, 0);
	info->open_error = h ? 0 : errno;
	gntshr_close(h);
}

/*
 * What somebody else's descriptor has. It is asked for in a way that leaves the
 * news to those who poll it.
 */
static int read_descriptor(struct info *info)
{
	xentoollog_logger_stdiostream *logger =
		xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	gntshr_handle *h;

	if (!logger)
		err(FAILED, "no memory for messages");
	h = gntshr_fdopen((xentoollog_logger *)logger, info->fd, 0);
	if (h)
		info->tells_status = !gntshr_sys_ioctl(
			info->fd, IOCTL_GNTALLOC_STATUS, &info->status);
	gntshr_close(h);
	xtl_logger_destroy((xentoollog_logger *)logger);
	return h ? 0 : -1;
}

static bool take_fd(struct info *info)
{
	uint64_t fd;

	if (!to_number("--fd", optarg, 0, INT_MAX, &fd))
		return false;
	info->fd = (int)fd;
	return true;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct problem problems[MAX_PROBLEMS];
	struct info info = { .fd = -1 };
	bool json = false;
	size_t count;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return print_help(&info_command);
		if (c == 'j')
			json = true;
		else if (c != 'f' || !take_fd(&info))
			return wrong_usage(&info_command);
	}
	if (!no_arguments(argc, argv))
		return wrong_usage(&info_command);

	if (info.fd >= 0 && read_descriptor(&info))
		return FAILED;
	read_domain(&info);
	read_device(&info);
	read_driver(&info.driver);
	info.table_error =
		gntshr_sys_grant_frames(&info.frames, &info.max_frames) ? errno
									: 0;
	count = find_problems(&info, problems);
	(json ? print_info_json : print_info)(&info, problems, count);
	return flush_output() || count ? FAILED : 0;
}

const struct command info_command = {
	.name = "info",
	.summary = "tell whether pages can be shared here, and if not, why",
	.help = help,
	.run = run,
};
