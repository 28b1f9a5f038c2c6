// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr share: share pages until a signal comes. */

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xentoollog.h>

#include "tool.h"

/* The event channels that Xen has for a domain at most. */
#define PORT_LAST 131071
#define NONE UINT64_MAX

static const char help[] =
	"Usage: gntshr share --domid N [OPTION]...\n"
	"\n"
	"Shares pages with domain N, prints their grant references, one a line, and holds\n"
	"them until it gets SIGINT, SIGTERM or SIGHUP. Then it gives them up and ends\n"
	"with status 0.\n"
	"\n"
	"  --domid N          the domain that may map the pages, 0 to 32751\n"
	"  --count N          so many pages of 4096 bytes (1)\n"
	"  --writable         the domain may write to them, not only read them\n"
	"  --file F           fill them with what is in F, or in standard input if F\n"
	"                     is -; the rest is zero\n"
	"  --notify-byte OFF  when the pages go clear this byte of theirs, the first\n"
	"                     being 0\n"
	"  --notify-port P    when the page of that byte goes, or the first page,\n"
	"                     signal this event channel; it must be open in this domain\n"
	"  --json             print an object with the references\n";

struct request {
	uint64_t domid, count, notify_byte, notify_port;
	unsigned int flags;
	const char *file;
	bool json;
};

/* One option; false if it is wrong. */
static bool take(struct request *r, int option)
{
	switch (option) {
	case 'd':
		return to_number("--domid", optarg, 0, GNTSHR_DOMID_LAST,
				 &r->domid);
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
	uint64_t size = r->count * GNTSHR_PAGE_SIZE;

	if (r->domid == NONE)
		warnx("--domid is needed");
	else if (r->notify_byte != NONE && r->notify_byte >= size)
		warnx("--notify-byte: the pages have bytes 0 to %" PRIu64
		      " only",
		      size - 1);
	else
		return true;
	return false;
}

/* The file, which must not be larger, to the beginning of the pages. */
static int fill(char *pages, size_t size, FILE *file, const char *name)
{
	if (file == stdin)
		name = "standard input";
	if (fread(pages, 1, size, file) == size && getc(file) != EOF) {
		warnx("%s has more than the %zu bytes of the pages; see --count",
		      name, size);
		return -1;
	}
	if (ferror(file)) {
		warn("cannot read %s", name);
		return -1;
	}
	return 0;
}

static int set_notify(gntshr_handle *h, char *pages, const struct request *r)
{
	unsigned int action = 0;
	uint64_t byte = 0;
	uint32_t port = 0;

	if (r->notify_byte != NONE) {
		action |= GNTSHR_NOTIFY_CLEAR_BYTE;
		byte = r->notify_byte;
	}
	if (r->notify_port != NONE) {
		action |= GNTSHR_NOTIFY_SEND_EVENT;
		port = (uint32_t)r->notify_port;
	}
	if (!action)
		return 0;
	return gntshr_set_unmap_notify(h, pages + byte, action, port);
}

static int print_refs(const struct request *r, const uint32_t *refs)
{
	if (!r->json) {
		for (uint64_t i = 0; i < r->count; i++)
			printf("%u\n", refs[i]);
		return flush_output();
	}
	json_open(NULL, '{');
	json_number("domid", true, r->domid);
	json_bool("writable", r->flags & GNTSHR_WRITABLE);
	json_open("refs", '[');
	for (uint64_t i = 0; i < r->count; i++)
		json_number(NULL, true, refs[i]);
	json_close(']');
	json_end();
	return flush_output();
}

/*
 * The signals that end a share, blocked from now on; but not those that are
 * ignored, as nohup does. Before this they end the process, as usual.
 */
static void block_signals(sigset_t *signals)
{
	static const int all[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		sigaction(all[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaddset(signals, all[i]);
	}
	sigprocmask(SIG_BLOCK, signals, NULL);
}

/*
 * Everything to do with pages that are shared. The peer hears of them last,
 * when they are filled and armed, and no signal can get between.
 */
static int hold(gntshr_handle *h, char *pages, const uint32_t *refs,
		const struct request *r, FILE *file)
{
	sigset_t signals;
	int signal;

	if (file &&
	    fill(pages, (size_t)r->count * GNTSHR_PAGE_SIZE, file, r->file))
		return -1;
	block_signals(&signals);
	if (set_notify(h, pages, r) || print_refs(r, refs))
		return -1;
	sigwait(&signals, &signal);
	return 0;
}

static int share(gntshr_handle *h, const struct request *r, FILE *file)
{
	uint32_t count = (uint32_t)r->count;
	uint32_t *refs = calloc(count, sizeof(*refs));
	char *pages;
	int rc;

	if (!refs) {
		warn("no memory for %u references", count);
		return -1;
	}
	pages = gntshr_share_pages(h, (uint32_t)r->domid, count, refs,
				   r->flags);
	if (!pages) {
		free(refs);
		return -1;
	}
	rc = hold(h, pages, refs, r, file);
	if (gntshr_unshare(h, pages, count))
		rc = -1;
	free(refs);
	return rc;
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
	rc = h ? share(h, r, file) : -1;
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
		{ "notify-byte", required_argument, NULL, 'b' },
		{ "notify-port", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request r = {
		.domid = NONE,
		.count = 1,
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
