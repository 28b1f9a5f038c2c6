// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>
#include <errno.h>
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

long remote(const char *format, ...)
{
	static unsigned int seq;
	static char order[4096];
	unsigned int n, answered = 0;
	va_list args;
	long result;
	int used, error;

	connect_once();
	/* Another program of this domain may have been here before. */
	if (!seq)
		seq = (unsigned int)getpid() << 12;
	used = snprintf(order, sizeof(order), "%u ", ++seq);
	va_start(args, format);
	used += vsnprintf(order + used, sizeof(order) - used, format, args);
	va_end(args);
	if (used >= (int)sizeof(order) - 128)
		errx(1, "an order of %d bytes is too long", used);
	if (!xs_write(xs, XBT_NULL, request, order, (unsigned int)used))
		err(1, "cannot write %s", request);

	do {
		char *answer;

		free(xs_read_watch(xs, &n));
		answer = xs_read(xs, XBT_NULL, reply, &n);
		if (!answer || sscanf(answer, "%u %d %ld", &answered, &error,
				      &result) != 3)
			answered = 0;
		free(answer);
	} while (answered != seq);

	errno = error;
	return result;
}

long remote_map(const char *mode, const uint32_t *refs, uint32_t count)
{
	char text[3900];
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
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 j > i ? "%s%u-%u" : "%s%u",
					 i ? "," : "", refs[i], refs[j]);
		if (used >= sizeof(text))
			errx(1, "the references of %u pages are too long",
			     count);
	}
	return remote("map %s %s", mode, text);
}
