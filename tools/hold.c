// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr share: the pages, from their beginning to a signal. */

#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "share.h"

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

/* The references of the n-th domain are the n-th @count ones. */
static void print_lines(const struct request *r, const uint32_t *refs,
			uint32_t count)
{
	for (size_t n = 0; n < r->number_of_domids; n++)
		for (uint32_t i = 0; i < count; i++, refs++)
			if (r->number_of_domids > 1)
				printf("%" PRIu64 " %u\n", r->domids[n], *refs);
			else
				printf("%u\n", *refs);
}

static void print_json_refs(const struct request *r, size_t n,
			    const uint32_t *refs, uint32_t count)
{
	json_number("domid", true, r->domids[n]);
	json_bool("writable", r->flags & GNTSHR_WRITABLE);
	json_open("refs", '[');
	for (uint32_t i = 0; i < count; i++)
		json_number(NULL, true, refs[n * count + i]);
	json_close(']');
}

static void print_json(const struct request *r, const uint32_t *refs,
		       uint32_t count)
{
	json_open(NULL, '{');
	print_json_refs(r, 0, refs, count);
	json_open("peers", '[');
	for (size_t n = 1; n < r->number_of_domids; n++) {
		json_open(NULL, '{');
		print_json_refs(r, n, refs, count);
		json_close('}');
	}
	json_close(']');
	json_end();
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

static int add_peers(gntshr_handle *h, char *pages, uint32_t count,
		     const struct request *r, uint32_t *refs)
{
	for (size_t n = 1; n < r->number_of_domids; n++)
		if (gntshr_add_peer(h, pages, count, (uint32_t)r->domids[n],
				    refs + n * count, r->flags))
			return -1;
	return 0;
}

/*
 * Everything to do with pages that are shared. The peers hear of them last,
 * when they are filled and armed, and no signal can get between.
 */
static int hold(gntshr_handle *h, char *pages, uint32_t count, uint32_t *refs,
		const struct request *r, FILE *file)
{
	sigset_t signals;
	int signal;

	if (file &&
	    fill(pages, (size_t)count * GNTSHR_PAGE_SIZE, file, r->file))
		return -1;
	block_signals(&signals);
	if (set_notify(h, pages, r) || add_peers(h, pages, count, r, refs))
		return -1;
	(r->json ? print_json : print_lines)(r, refs, count);
	if (flush_output())
		return -1;
	sigwait(&signals, &signal);
	return 0;
}

static char *share(gntshr_handle *h, char *memory, uint32_t count,
		   const struct request *r, uint32_t *refs)
{
	uint32_t domid = (uint32_t)r->domids[0];

	if (!memory)
		return gntshr_share_pages(h, domid, count, refs, r->flags);
	return gntshr_share_memory(h, domid, memory, count, refs, r->flags)
		       ? NULL
		       : memory;
}

static int share_pages(gntshr_handle *h, char *memory, uint32_t count,
		       const struct request *r, FILE *file)
{
	uint32_t *refs =
		calloc((size_t)count * r->number_of_domids, sizeof(*refs));
	char *pages;
	int rc;

	if (!refs) {
		warn("no memory for %u references", count);
		return -1;
	}
	pages = share(h, memory, count, r, refs);
	rc = pages ? hold(h, pages, count, refs, r, file) : -1;
	if (pages && gntshr_unshare(h, pages, count))
		rc = -1;
	free(refs);
	return rc;
}

/* Is the byte of the notification one of so many pages? */
bool has_byte(const struct request *r, uint32_t count)
{
	uint64_t size = (uint64_t)count * GNTSHR_PAGE_SIZE;

	if (r->notify_byte == NONE || r->notify_byte < size)
		return true;
	warnx("--notify-byte: the pages have bytes 0 to %" PRIu64 " only",
	      size - 1);
	return false;
}

int share_and_hold(gntshr_handle *h, const struct request *r, FILE *file)
{
	uint32_t count = (uint32_t)r->count;
	char *memory = NULL;
	int rc;

	if (r->memory) {
		memory = map_memory(r->memory, r->flags & GNTSHR_WRITABLE,
				    &count);
		if (!memory)
			return -1;
	} else if (!count) {
		count = 1;
	}
	rc = has_byte(r, count) ? share_pages(h, memory, count, r, file) : -1;
	if (memory)
		munmap(memory, (size_t)count * GNTSHR_PAGE_SIZE);
	return rc;
}
