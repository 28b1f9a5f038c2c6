// SPDX-License-Identifier: LGPL-2.1-or-later
/* What "gntshr info" prints. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "info.h"

/* Why the size of the grant table is not known, or NULL if it is. */
static const char *why_no_table(const struct info *info)
{
	switch (info->table_error) {
	case 0:
		return NULL;
	case EPERM:
		return "this kernel lets no program make hypercalls";
	case EACCES:
		return "this user may not make hypercalls";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "there is no device to make hypercalls through";
	default:
		return strerror(info->table_error);
	}
}

static void print_device(const struct info *info)
{
	if (!info->present) {
		puts("device       there is no " DEVICE);
		return;
	}
	printf("device       " DEVICE ", owner %s, group %s, mode %04o; %s\n",
	       info->owner, info->group, info->mode,
	       info->open_error ? "cannot be opened" : "this user can open it");
}

static void print_driver(const struct driver *driver)
{
	if (!driver->loaded)
		puts("driver       not loaded");
	else if (*driver->version)
		printf("driver       of libgntshr, version %s\n",
		       driver->version);
	else
		puts("driver       the stock one, which does not tell what is in use");
	if (driver->tells_limit)
		printf("limit        %lu pages\n", driver->limit);
	if (driver->tells_use)
		printf("used         %lu\n"
		       "lingering    %lu\n",
		       driver->used, driver->lingering);
	if (driver->tells_spare)
		printf("spare        %lu\n", driver->spare);
}

static void print_descriptor(const struct info *info)
{
	const struct ioctl_gntalloc_status *status = &info->status;

	if (info->fd < 0)
		return;
	if (!info->tells_status)
		printf("descriptor   %d, of which the stock driver tells nothing\n",
		       info->fd);
	else
		printf("descriptor   %d: %u shared, %u spare, %u lingering, %llu returned, %u restores\n",
		       info->fd, status->listed, status->spare,
		       status->lingering, (unsigned long long)status->returned,
		       status->restores);
}

void print_info(const struct info *info, const struct problem *problems,
		size_t count)
{
	if (info->xen)
		printf("Xen domain   %s%s%s, uuid %s\n", info->type,
		       *info->type ? " " : "", info->dom0 ? "dom0" : "guest",
		       *info->uuid ? info->uuid : "not known");
	else
		puts("Xen domain   no");
	if (info->knows_domid)
		printf("domid        %u\n", info->domid);
	print_device(info);
	print_driver(&info->driver);
	print_descriptor(info);
	if (info->table_error)
		printf("grant table  not known: %s\n", why_no_table(info));
	else
		printf("grant table  %u of at most %u frames of 512 references\n",
		       info->frames, info->max_frames);

	puts("");
	for (size_t i = 0; i < count; i++)
		printf("problem: %s\n remedy: %s\n", problems[i].what,
		       problems[i].remedy);
	if (!count)
		puts("no problem found");
}

static void print_domain_json(const struct info *info)
{
	json_open("xen", '{');
	json_bool("domain", info->xen);
	json_bool("dom0", info->dom0);
	json_string("type", info->type);
	json_number("domid", info->knows_domid, info->domid);
	json_string("uuid", info->uuid);
	json_close('}');
}

static void print_device_json(const struct info *info)
{
	char mode[8] = "";

	if (info->present)
		snprintf(mode, sizeof(mode), "%04o", info->mode);
	json_open("device", '{');
	json_string("path", DEVICE);
	json_bool("present", info->present);
	json_string("owner", info->owner);
	json_string("group", info->group);
	json_string("mode", mode);
	json_bool("can_open", !info->open_error);
	json_close('}');
}

static void print_driver_json(const struct driver *driver)
{
	json_open("driver", '{');
	json_bool("loaded", driver->loaded);
	json_string("version", driver->version);
	json_number("limit", driver->tells_limit, driver->limit);
	json_number("used", driver->tells_use, driver->used);
	json_number("lingering", driver->tells_use, driver->lingering);
	json_number("spare", driver->tells_spare, driver->spare);
	json_close('}');
}

static void print_descriptor_json(const struct info *info)
{
	const struct ioctl_gntalloc_status *status = &info->status;
	bool tells = info->tells_status;

	if (info->fd < 0)
		return;
	json_open("descriptor", '{');
	json_number("fd", true, (unsigned long)info->fd);
	json_number("shared", tells, status->listed);
	json_number("spare", tells, status->spare);
	json_number("lingering", tells, status->lingering);
	json_number("returned", tells, status->returned);
	json_number("restores", tells, status->restores);
	json_close('}');
}

void print_info_json(const struct info *info, const struct problem *problems,
		     size_t count)
{
	json_open(NULL, '{');
	print_domain_json(info);
	print_device_json(info);
	print_driver_json(&info->driver);
	print_descriptor_json(info);
	json_open("grant_table", '{');
	json_number("frames", !info->table_error, info->frames);
	json_number("max_frames", !info->table_error, info->max_frames);
	json_string("unknown", why_no_table(info));
	json_close('}');
	json_open("problems", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(NULL, '{');
		json_string("problem", problems[i].what);
		json_string("remedy", problems[i].remedy);
		json_close('}');
	}
	json_close(']');
	json_end();
}
