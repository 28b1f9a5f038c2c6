// SPDX-License-Identifier: LGPL-2.1-or-later
/* What sysfs tells of the driver. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define MODULE "/sys/module/xen_gntalloc"

/* The first line of a file, without its end. */
int read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	char *got;

	if (!file)
		return -1;
	got = fgets(line, (int)size, file);
	fclose(file);
	if (!got)
		return -1;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

void read_driver(struct driver *driver)
{
	memset(driver, 0, sizeof(*driver));
	driver->loaded = !access(MODULE, F_OK);
	/* Only ours has one. */
	if (read_line(MODULE "/version", driver->version,
		      sizeof(driver->version)))
		driver->version[0] = '\0';
	driver->tells_limit = !gntshr_sys_parameter("limit", &driver->limit);
	driver->tells_use =
		driver->tells_limit &&
		!gntshr_sys_parameter("used", &driver->used) &&
		!gntshr_sys_parameter("lingering", &driver->lingering);
	driver->tells_spare = driver->tells_use &&
			      !gntshr_sys_parameter("spare", &driver->spare);
}
