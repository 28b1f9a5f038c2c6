// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr share: share pages until a signal comes. */

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xentoollog.h>

#include "share.h"

/* The event channels that Xen has for a domain at most. */
#define PORT_LAST 131071

static const char help[] =
	"Usage: gntshr share --domid N [OPTION]...\n"
	"\n"
	"Shares pages with domain N, prints their grant references, one a line, and holds\n"
	"them until it gets SIGINT, SIGTERM or SIGHUP. Then it gives them up and ends\n"
	"with status 0. Of several domains each gets references of its own, and a line\n"
	"has the domid before the reference.\n"
	"\n"
	"  --domid N          a domain that may map the pages, 0 to 32751; more than\n"
	"                     once for several, with the driver of libgntshr\n"
	"  --count N          so many pages of 4096 bytes (1)\n"
	"  --writable         the domain may write to them, not only read them\n"
	"  --file F           fill them with what is in F, or in standard input if F\n"
	"                     is -; the rest is zero\n"
	"  --memory F         share the file F itself, one of /dev/shm or a memfd, all\n"
	"                     of it or --count pages; with the driver of libgntshr\n"
	"  --notify-byte OFF  when the pages go clear this byte of theirs, the first\n"
	"                     being 0; that is for the first domain\n"
	"  --notify-port P    when the page of that byte goes, or the first page,\n"
	"                     signal this event channel; it must be open in this domain\n"
	"  --json             print an object with the references\n";

static bool take_domid(struct request *r)
{
	if (r->number_of_domids == MAX_DOMIDS) {
		warnx("--domid: not more than %d", MAX_DOMIDS);
		return false;
	}
	return to_number("--domid", optarg, 0, GNTSHR_DOMID_LAST,
			 &r->domids[r->number_of_domids++]);
}

/* One option; false if it is wrong. */
static bool take(struct request *r, int option)
{
	switch (option) {
	case 'd':
		return take_domid(r);
	case 'c':
		return to_number("--count", optarg, 1, UINT32_MAX, &r->count);
	case 'b':
		return to_number("--notify-byte", optarg, 0,
				 (uint64_t)UINT32_MAX * GNTSHR_PAGE_SIZE - 1,
				 &r->notify_byte);
	case 'p':
		return to_number("--notify-port", optarg, 1, PORT_LAST,
				 &r->notify_port);
	case 'f':
		r->file = optarg;
		return true;
	case 'm':
		r->memory = optarg;
		return true;
	case 'w':
		r->flags = GNTSHR_WRITABLE;
		return true;
	case 'j':
		r->json = true;
		return true;
	default:
		return false;
	}
}

/* What the options must have in common. */
static bool is_whole(const struct request *r)
{
	if (!r->number_of_domids)
		warnx("--domid is needed");
	else if (r->file && r->memory)
		warnx("--file and --memory exclude each other");
	else /* How large a file is nobody knows yet. */
		return (r->memory && !r->count) ||
		       has_byte(r, r->count ? (uint32_t)r->count : 1);
	return false;
}

static FILE *open_file(const struct request *r)
{
	FILE *file;

	if (!strcmp(r->file, "-"))
		return stdin;
	file = fopen(r->file, "re");
	if (!file)
		warn("cannot open %s", r->file);
	return file;
}

static int open_and_share(const struct request *r, xentoollog_logger *logger)
{
	FILE *file = NULL;
	gntshr_handle *h;
	int rc;

	if (r->file) {
		file = open_file(r);
		if (!file)
			return -1;
	}
	h = gntshr_open(logger, 0);
	rc = h ? share_and_hold(h, r, file) : -1;
	if (gntshr_close(h)) {
		warn("cannot close the device");
		rc = -1;
	}
	if (file)
		fclose(file);
	return rc;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "domid", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'c' },
		{ "writable", no_argument, NULL, 'w' },
		{ "file", required_argument, NULL, 'f' },
		{ "memory", required_argument, NULL, 'm' },
		{ "notify-byte", required_argument, NULL, 'b' },
		{ "notify-port", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request r = {
		.notify_byte = NONE,
		.notify_port = NONE,
	};
	xentoollog_logger_stdiostream *logger;
	bool fine = true;
	int c, status;

	while (fine && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h')
			return print_help(&share_command);
		fine = take(&r, c);
	}
	if (!fine || !no_arguments(argc, argv) || !is_whole(&r))
		return wrong_usage(&share_command);

	/* The library tells it why a call failed. */
	logger = xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
	if (!logger)
		err(FAILED, "no memory for messages");
	status = open_and_share(&r, (xentoollog_logger *)logger) ? FAILED : 0;
	xtl_logger_destroy((xentoollog_logger *)logger);
	return status;
}

const struct command share_command = {
	.name = "share",
	.summary = "share pages until a signal comes",
	.help = help,
	.run = run,
};
