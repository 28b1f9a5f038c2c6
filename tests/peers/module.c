// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module.h"
#include "remote.h"

int open_parameter(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/xen_gntalloc/parameters/%s",
		 name);
	return open(path, flags);
}

long parameter(const char *name)
{
	int fd = open_parameter(name, O_RDONLY | O_CLOEXEC);
	char text[32] = "", *end;
	long value;

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		err(1, "cannot read %s", name);
	close(fd);
	value = strtol(text, &end, 10);
	if (end == text)
		errx(1, "%s is no number: %s", name, text);
	return value;
}

void set_parameter(const char *name, unsigned int value)
{
	int fd = open_parameter(name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%u", value) < 0 || close(fd))
		err(1, "cannot set %s", name);
}

long parameter_becomes(const char *name, long want)
{
	long value = parameter(name);

	for (int i = 0; value >= 0 && value != want && i < PATIENCE_MS / 5;
	     i++) {
		usleep(5000);
		value = parameter(name);
	}
	return value;
}

int load_module(void)
{
	FILE *modules = fopen("/etc/harness/modules", "re");
	int fd = open("/lib/modules/xen-gntalloc.ko", O_RDONLY | O_CLOEXEC);
	char line[256], params[sizeof(line)] = "";
	long result;

	if (!modules)
		return -1;
	while (fgets(line, sizeof(line), modules)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "xen-gntalloc ", 13))
			strcpy(params, line + 13);
	}
	fclose(modules);
	result = syscall(SYS_finit_module, fd, params, 0);
	close(fd);
	return (int)result;
}
