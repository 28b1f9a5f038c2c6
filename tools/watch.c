// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr watch: what the driver has in use, again and again. */

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
	"Usage: gntshr watch [OPTION]...\n"
	"\n"
	"Prints how many pages the driver has in use, a line at once and then one each\n"
	"interval, until it is interrupted. \"lingering\" of the pages in use were given up\n"
	"here but are still mapped by their peers, \"spare\" ones are kept for the next\n"
	"share. The driver has to be that of libgntshr: the stock one does not tell.\n"
	"\n"
	"  --interval SECONDS  1 to 86400 (1)\n"
	"  --count N           end after so many lines\n"
	"  --json              print an object a line\n";

static bool check_driver(const struct driver *driver)
{
	if (driver->tells_use)
		return true;
	if (driver->loaded)
		warnx("the stock driver does not tell what is in use, the module of libgntshr does");
	else
		warnx("the module xen-gntalloc is not loaded; 'gntshr info' tells more");
	return false;
}

static void print_text(const struct driver *driver, bool knows_table,
		       uint32_t frames, uint32_t max)
{
	printf("%10lu %10lu ", driver->used, driver->lingering);
	if (driver->tells_spare)
		printf("%10lu ", driver->spare);
	else
		printf("%10s ", "-");
	printf("%10lu ", driver->limit);
	if (knows_table)
		printf("%10u %10u\n", frames, max);
	else
		printf("%10s %10s\n", "-", "-");
}

static void print_json(const struct driver *driver, bool knows_table,
		       uint32_t frames, uint32_t max)
{
	json_open(NULL, '{');
	json_number("used", true, driver->used);
	json_number("lingering", true, driver->lingering);
	json_number("spare", driver->tells_spare, driver->spare);
	json_number("limit", true, driver->limit);
	json_number("frames", knows_table, frames);
	json_number("max_frames", knows_table, max);
	json_end();
}

static int watch(uint64_t interval, uint64_t count, bool json)
{
	uint32_t frames = 0, max = 0;
	struct driver driver;
	bool knows_table;

	for (uint64_t i = 0; !count || i < count; i++) {
		if (i)
			sleep((unsigned int)interval);
		read_driver(&driver);
		if (!check_driver(&driver))
			return FAILED;
		knows_table = !gntshr_sys_grant_frames(&frames, &max);
		if (!i && !json)
			printf("%10s %10s %10s %10s %10s %10s\n", "used",
			       "lingering", "spare", "limit", "frames",
			       "max frames");
		(json ? print_json : print_text)(&driver, knows_table, frames,
						 max);
		if (flush_output())
			return FAILED;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t interval = 1, count = 0;
	bool json = false, fine = true;
	int c;

	while (fine && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'i')
			fine = to_number("--interval", optarg, 1, 86400,
					 &interval);
		else if (c == 'c')
			fine = to_number("--count", optarg, 1, UINT32_MAX,
					 &count);
		else if (c == 'j')
			json = true;
		else if (c == 'h')
			return print_help(&watch_command);
		else
			fine = false;
	}
	if (!fine || !no_arguments(argc, argv))
		return wrong_usage(&watch_command);
	return watch(interval, count, json);
}

const struct command watch_command = {
	.name = "watch",
	.summary = "show what the driver has in use, again and again",
	.help = help,
	.run = run,
};
