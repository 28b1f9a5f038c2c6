// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include "remote.h"

static struct xs_handle *xs;
static char request[64], reply[64];

static void connect_once(void)
{
	const char *own = getenv("XEN_DOMID");

	if (xs)
		return;
	xs = xs_open(0);
	if (!xs || !own)
		errx(1, "needs xenstore, and XEN_DOMID in the environment");
	snprintf(request, sizeof(request), REQUEST_PATH, atoi(own));
	snprintf(reply, sizeof(reply), REPLY_PATH, atoi(own));
	/* The node must be there, and the domain's own, to be watched. */
	if (!xs_write(xs, XBT_NULL, reply, "0 0 0", 5) ||
	    !xs_watch(xs, reply, "reply"))
		err(1, "cannot watch %s", reply);
}

void remote_reset(void)
{
	xs_close(xs);
	xs = NULL;
}

/* The peer is always dom0. */
uint32_t remote_domid(void)
{
	return 0;
}

/* What has not been sent yet. */
static char orders[4000];
static int length;

static void add(const char *format, va_list args)
{
	int room = (int)sizeof(orders) - length, n;

	n = snprintf(orders + length, (size_t)room, "%s", length ? ";" : "");
	n += vsnprintf(orders + length + n, (size_t)(room - n), format, args);
	if (n >= room)
		errx(1, "orders of %d bytes are too long", length + n);
	length += n;
}

void remote_later(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(format, args);
	va_end(args);
}

/* What stands behind "SEQ ERRNO" of an answer. */
static int parse(const char *text, long *answers, int most)
{
	char *end;
	int n = 0;

	for (; n < most; n++, text = end) {
		answers[n] = strtol(text, &end, 10);
		if (end == text)
			break;
	}
	return n;
}

int remote_now(long *answers, int most)
{
	static unsigned int seq;
	char order[sizeof(orders) + 16];
	unsigned int n, answered = 0;
	int error = 0, offset = 0, got = 0;

	connect_once();
	/* Another program of this domain may have been here before. */
	if (!seq)
		seq = (unsigned int)getpid() << 12;
	n = (unsigned int)snprintf(order, sizeof(order), "%u %s", ++seq,
				   orders);
	length = 0;
	if (!xs_write(xs, XBT_NULL, request, order, n))
		err(1, "cannot write %s", request);

	do {
		struct pollfd told = { xs_fileno(xs), POLLIN, 0 };
		char *answer;

		/* It may have died, or wait for something itself. */
		if (!poll(&told, 1, 4 * PATIENCE_MS))
			errx(1, "the peer does not answer to '%s'", order);
		free(xs_read_watch(xs, &n));
		answer = xs_read(xs, XBT_NULL, reply, &n);
		if (!answer ||
		    sscanf(answer, "%u %d%n", &answered, &error, &offset) != 2)
			answered = 0;
		else
			got = parse(answer + offset, answers, most);
		free(answer);
	} while (answered != seq);

	errno = error;
	return got;
}

long remote(const char *format, ...)
{
	long answers[REMOTE_ORDERS];
	va_list args;
	int got;

	va_start(args, format);
	add(format, args);
	va_end(args);
	got = remote_now(answers, REMOTE_ORDERS);
	return got < 1 || errno ? -1 : answers[got - 1];
}

/* "5,9-12,20-18" */
static void print_refs(char *text, size_t size, const uint32_t *refs,
		       uint32_t count)
{
	size_t used = 0;

	for (uint32_t i = 0, j; i < count; i = j + 1) {
		int step = 0;

		for (j = i; j + 1 < count; j++) {
			int delta = (int)(refs[j + 1] - refs[j]);

			if (!step && (delta == 1 || delta == -1))
				step = delta;
			if (!step || delta != step)
				break;
		}
		used += (size_t)snprintf(text + used, size - used,
					 j > i ? "%s%u-%u" : "%s%u",
					 i ? "," : "", refs[i], refs[j]);
		if (used >= size)
			errx(1, "the references of %u pages are too long",
			     count);
	}
}

long remote_map(const char *mode, const uint32_t *refs, uint32_t count)
{
	char text[3900];

	print_refs(text, sizeof(text), refs, count);
	return remote("map %s %s", mode, text);
}

long remote_try(const uint32_t *refs, uint32_t count)
{
	char text[3900];

	print_refs(text, sizeof(text), refs, count);
	return remote("try %s", text);
}
