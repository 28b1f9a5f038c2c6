// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Says which errno gntshr_open() leaves, with a logger and without; with an
 * argument as nobody. Row O4 runs it.
 */

#include <errno.h>
#include <gntshr.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xentoollog.h>

/* As a logger may: it has better things to do than to keep errno. */
static void listen(struct xentoollog_logger *logger, xentoollog_level level,
		   int errnoval, const char *context, const char *format,
		   va_list args)
{
	(void)logger, (void)level, (void)errnoval;
	(void)context, (void)format, (void)args;
	errno = EDOM;
}

static const char *try(struct xentoollog_logger *logger)
{
	if (gntshr_open(logger, 0))
		return "opened";
	return strerrorname_np(errno);
}

int main(int argc, char **argv)
{
	struct xentoollog_logger logger = { .vmessage = listen };

	(void)argv;
	if (argc > 1 && setuid(65534))
		return perror("setuid"), 1;
	printf("%s ", try(NULL));
	printf("%s\n", try(&logger));
	return 0;
}
