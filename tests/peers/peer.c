// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The other side of the tests: runs in dom0, takes orders of one domain through
 * xenstore and maps, reads and writes what that domain shares.
 *
 *	peer DOMID
 *
 * Orders are "SEQ WORD ARGUMENTS[;WORD ARGUMENTS]..." in data/peer/request of
 * the domain, the answer "SEQ ERRNO NUMBER..." in data/peer/reply. One that
 * fails is the last.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "events.h"
#include "mute.h"
#include "remote.h"

#define SLOTS 64
#define MAX_REFS 1024

static struct {
	unsigned char *addr;
	uint32_t count;
} slots[SLOTS];

static xengnttab_handle *gnttab;
static xenevtchn_handle *evtchn;
static xenevtchn_port_or_error_t port = -1;
static uint32_t domid;

/* "5,9-12,20-18" */
static uint32_t parse_refs(const char *text, uint32_t *refs)
{
	uint32_t count = 0, from, to;
	int used;

	while (*text) {
		if (sscanf(text, "%u%n", &from, &used) != 1)
			return 0;
		text += used;
		to = from;
		if (*text == '-' && sscanf(++text, "%u%n", &to, &used) == 1)
			text += used;
		while (count < MAX_REFS) {
			refs[count++] = from;
			if (from == to)
				break;
			from += from < to ? 1 : -1;
		}
		if (*text == ',')
			text++;
	}
	return count;
}

static long do_map(const char *mode, const char *text)
{
	static uint32_t refs[MAX_REFS];
	uint32_t count = parse_refs(text, refs);
	int prot = PROT_READ | (strcmp(mode, "rw") ? 0 : PROT_WRITE);
	long i;

	for (i = 0; i < SLOTS && slots[i].addr; i++)
		;
	if (!count || i == SLOTS) {
		errno = EINVAL;
		return -1;
	}
	slots[i].addr = xengnttab_map_domain_grant_refs(gnttab, count, domid,
							refs, prot);
	if (!slots[i].addr)
		return -1;
	slots[i].count = count;
	return i;
}

static long do_unmap(unsigned int i)
{
	int rc = xengnttab_unmap(gnttab, slots[i].addr, slots[i].count);

	slots[i].addr = NULL;
	return rc;
}

/* As it was at first: of a case that failed, all may be left. */
static long do_reset(void)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		if (slots[i].addr && do_unmap(i))
			return -1;
	if (port >= 0)
		xenevtchn_unbind(evtchn, port);
	port = -1;
	return 0;
}

/* How many of the references can be mapped. */
static long do_try(const char *text)
{
	static uint32_t refs[MAX_REFS];
	uint32_t count = parse_refs(text, refs);
	long mapped = 0;

	for (uint32_t i = 0; i < count; i++) {
		void *page = xengnttab_map_domain_grant_refs(
			gnttab, 1, domid, refs + i, PROT_READ);

		if (page && xengnttab_unmap(gnttab, page, 1))
			return -1;
		mapped += !!page;
	}
	return mapped;
}

static long do_bind(uint32_t remote)
{
	if (port >= 0)
		xenevtchn_unbind(evtchn, port);
	port = xenevtchn_bind_interdomain(evtchn, domid, remote);
	/* A new channel is signalled once for a start. */
	return port < 0 || count_events(evtchn, port, PATIENCE_MS) < 1 ? -1 : 0;
}

static long not_zero(unsigned int i)
{
	static const unsigned char zeros[256];
	const unsigned char *at = slots[i].addr;
	long wrong = 0;

	for (size_t n = 0; n < (size_t)slots[i].count * 4096;
	     n += sizeof(zeros)) {
		if (!memcmp(at + n, zeros, sizeof(zeros)))
			continue;
		for (size_t j = 0; j < sizeof(zeros); j++)
			wrong += at[n + j] != 0;
	}
	return wrong;
}

static long obey_one(const char *order)
{
	static char text[4096];
	unsigned int i = SLOTS, n = 0, value = 0;
	char word[16], mode[4];

	if (sscanf(order, "%15s", word) != 1)
		goto wrong;
	if (sscanf(order, "map %3s %4095s", mode, text) == 2)
		return do_map(mode, text);
	if (sscanf(order, "try %4095s", text) == 1)
		return do_try(text);
	if (sscanf(order, "bind %u", &n) == 1)
		return do_bind(n);
	if (sscanf(order, "events %u", &n) == 1)
		return count_events(evtchn, port, (int)n);
	if (!strcmp(word, "reset"))
		return do_reset();

	/* All others are about what is mapped. */
	if (sscanf(order, "%*s %u %u %u", &i, &n, &value) < 1 || i >= SLOTS ||
	    !slots[i].addr)
		goto wrong;
	if (!strcmp(word, "unmap"))
		return do_unmap(i);
	if (!strcmp(word, "fill")) {
		fill_pattern(slots[i].addr, slots[i].count, n);
		return 0;
	}
	if (!strcmp(word, "check"))
		return differing(slots[i].addr, slots[i].count, n);
	if (!strcmp(word, "zero"))
		return not_zero(i);
	if (!strcmp(word, "byte") && n < slots[i].count * 4096)
		return slots[i].addr[n];
wrong:
	errno = EINVAL;
	return -1;
}

/* All, into the text of an answer. */
static unsigned int obey(unsigned int seq, char *order, char *answer,
			 size_t size)
{
	char numbers[1000] = "", *one, *rest = order;
	int used = 0, error = 0;

	while (!error && (one = strsep(&rest, ";"))) {
		long result;

		errno = 0;
		result = obey_one(one);
		if (result < 0)
			error = errno ? errno : EIO;
		else
			used += snprintf(numbers + used,
					 sizeof(numbers) - (size_t)used, " %ld",
					 result);
	}
	return (unsigned int)snprintf(answer, size, "%u %d%s", seq, error,
				      numbers);
}

int main(int argc, char **argv)
{
	char request[64], reply[64], answer[1024];
	unsigned int last = 0;
	struct xs_handle *xs = xs_open(0);

	if (argc != 2)
		errx(2, "usage: peer DOMID");
	domid = (uint32_t)strtoul(argv[1], NULL, 10);
	gnttab = xengnttab_open(&mute, 0);
	evtchn = xenevtchn_open(&mute, 0);
	if (!xs || !gnttab || !evtchn)
		err(1, "cannot open xenstore, gntdev and evtchn");

	snprintf(request, sizeof(request), REQUEST_PATH, domid);
	snprintf(reply, sizeof(reply), REPLY_PATH, domid);
	if (!xs_watch(xs, request, "request"))
		err(1, "cannot watch %s", request);

	for (;;) {
		unsigned int n, seq;
		int offset;
		char *order;

		free(xs_read_watch(xs, &n));
		order = xs_read(xs, XBT_NULL, request, &n);
		if (!order || sscanf(order, "%u %n", &seq, &offset) != 1) {
			free(order);
			continue;
		}
		if (!strcmp(order + offset, "quit")) {
			/* It is not meant for the next peer. */
			xs_rm(xs, XBT_NULL, request);
			return 0;
		}
		if (seq == last) {
			free(order);
			continue;
		}
		last = seq;
		n = obey(seq, order + offset, answer, sizeof(answer));
		if (!xs_write(xs, XBT_NULL, reply, answer, n))
			err(1, "cannot write %s", reply);
		free(order);
	}
}
