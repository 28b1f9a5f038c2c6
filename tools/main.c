// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr(1): share pages from the command line, and look at the driver. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const struct command *const commands[] = {
	&info_command,
	&share_command,
	&watch_command,
	NULL,
};

static const struct command *find_command(const char *name)
{
	const struct command *const *each;

	for (each = commands; *each; each++) {
		if (!strcmp((*each)->name, name))
			return *each;
	}
	return NULL;
}

static int print_overview(void)
{
	const struct command *const *each;

	puts("Usage: gntshr COMMAND [OPTION]...\n"
	     "\n"
	     "Shares memory of this Xen domain with another one, to debug what is there, and\n"
	     "shows the state of the driver.\n");
	for (each = commands; *each; each++)
		printf("  %-8s %s\n", (*each)->name, (*each)->summary);
	puts("\n"
	     "gntshr help COMMAND tells the options of a command, gntshr --version the\n"
	     "version.\n"
	     "\n"
	     "Exit status:\n"
	     "  0  all is well\n"
	     "  1  it failed, or info found a problem\n"
	     "  2  wrong usage");
	return 0;
}

int print_help(const struct command *command)
{
	fputs(command->help, stdout);
	return 0;
}

int wrong_usage(const struct command *command)
{
	fprintf(stderr, "See 'gntshr help%s%s'.\n", command ? " " : "",
		command ? command->name : "");
	return WRONG_USAGE;
}

/* Behind the options there must be nothing. */
bool no_arguments(int argc, char **argv)
{
	if (optind == argc)
		return true;
	warnx("'%s' is no option", argv[optind]);
	return false;
}

/* Decimal digits and nothing else. Too many give the greatest number. */
bool to_number(const char *option, const char *text, uint64_t min, uint64_t max,
	       uint64_t *value)
{
	unsigned long long number = strtoull(text, NULL, 10);

	if (*text && !text[strspn(text, "0123456789")] && number >= min &&
	    number <= max) {
		*value = number;
		return true;
	}
	warnx("%s: '%s' is not a number from %" PRIu64 " to %" PRIu64, option,
	      text, min, max);
	return false;
}

/* Nobody may take for printed what is not. */
int flush_output(void)
{
	if (fflush(stdout))
		warn("cannot write to standard output");
	else if (ferror(stdout))
		warnx("cannot write to standard output");
	else
		return 0;
	return -1;
}

/*
 * Put something useless in the place of standard streams that are closed: the
 * device would get their numbers otherwise, and our output.
 */
static void guard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null",
			     fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return print_overview();
	command = find_command(argv[1]);
	if (command && argc == 2)
		return print_help(command);
	if (command)
		warnx("help takes one command");
	else
		warnx("there is no command '%s'", argv[1]);
	return wrong_usage(NULL);
}

static int run(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		warnx("a command is needed");
		return wrong_usage(NULL);
	}
	if (!strcmp(argv[1], "--version")) {
		puts("gntshr " PACKAGE_VERSION);
		return 0;
	}
	if (!strcmp(argv[1], "--help"))
		return print_overview();
	if (!strcmp(argv[1], "help"))
		return help(argc - 1, argv + 1);
	command = find_command(argv[1]);
	if (!command) {
		warnx("there is no command '%s'", argv[1]);
		return wrong_usage(NULL);
	}
	argv[1] = argv[0];
	return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	static char name[] = "gntshr";
	int status;

	/* Whatever the build calls the program: getopt and err print it. */
	program_invocation_short_name = name;
	if (argc)
		argv[0] = name;
	guard_streams();
	status = run(argc, argv);
	return !status && flush_output() ? FAILED : status;
}
