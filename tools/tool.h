/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of gntshr(1) know of each other. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "internal.h"

/* Exit statuses, besides 0. */
enum { FAILED = 1, WRONG_USAGE = 2 };

/*
 * @run	gets the arguments behind the name of the command, from argv[1] on, and
 *	returns the exit status
 */
struct command {
	const char *name, *summary, *help;
	int (*run)(int argc, char **argv);
};

extern const struct command info_command, share_command, watch_command;

/*
 * The driver as sysfs shows it. The stock one tells its limit only.
 *
 * @version	of ours; empty for the stock driver, which has none
 * @spare	0 if it is not told: older ones of ours keep no such pages
 */
struct driver {
	bool loaded, tells_limit, tells_use, tells_spare;
	char version[32];
	unsigned long limit, used, lingering, spare;
};

/* driver.c */
int read_line(const char *path, char *line, size_t size);
void read_driver(struct driver *driver);

/* main.c: what commands have in common */
int print_help(const struct command *command);
int wrong_usage(const struct command *command);
bool no_arguments(int argc, char **argv);
bool to_number(const char *option, const char *text, uint64_t min, uint64_t max,
	       uint64_t *value);
int flush_output(void);

/*
 * json.c: @name is NULL in an array. An empty or NULL text, and a number that
 * is not known, is null.
 */
void json_open(const char *name, char bracket);
void json_close(char bracket);
void json_end(void);
void json_string(const char *name, const char *text);
void json_bool(const char *name, bool value);
void json_number(const char *name, bool known, unsigned long value);

#endif
