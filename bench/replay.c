// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a whole session of a program costs: its shares, recorded, made and ended
 * again in their order, without the time between, and the end of the handle,
 * which gives back what was kept. bench/traces/README.md has the format.
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

struct event {
	bool share;
	uint32_t id, pages;
};

struct trace {
	struct event *events;
	size_t count;
	uint32_t ids, most;
};

/* All of it before the clock is on. */
static struct trace read_trace(FILE *from)
{
	struct trace trace = { 0 };
	struct event *event;
	char kind;

	for (;;) {
		if (!(trace.count & (trace.count - 1))) {
			size_t room = trace.count ? 2 * trace.count : 1;

			trace.events = realloc(trace.events,
					       room * sizeof(*trace.events));
			if (!trace.events)
				err(1, "no memory for the trace");
		}
		event = &trace.events[trace.count];
		if (fscanf(from, "%*u %c %u", &kind, &event->id) != 2)
			break;
		event->share = kind == 's';
		event->pages = 0;
		if ((!event->share && kind != 'u') ||
		    (event->share && (fscanf(from, "%u", &event->pages) != 1 ||
				      !event->pages)) ||
		    event->id > trace.count)
			errx(2, "line %zu of the trace is none",
			     trace.count + 1);
		if (event->id >= trace.ids)
			trace.ids = event->id + 1;
		if (event->pages > trace.most)
			trace.most = event->pages;
		trace.count++;
	}
	if (!feof(from) || !trace.count)
		errx(2, "line %zu of the trace is none", trace.count + 1);
	return trace;
}

void replay(const char *name)
{
	struct trace trace = read_trace(stdin);
	struct {
		void *pages;
		uint32_t count;
	} *shares = calloc(trace.ids, sizeof(*shares));
	struct cost cost = { 0 };
	unsigned int number = 0;
	uint64_t start;

	if (!shares)
		err(1, "no memory for the trace");
	reserve_refs(trace.most);
	open_device();
	for (size_t i = 0; i < trace.count; i++) {
		const struct event *event = &trace.events[i];

		if (!event->share == !shares[event->id].pages)
			errx(2, "event %zu of the trace cannot be", i + 1);
		if (event->share) {
			shares[event->id].count = event->pages;
			start = now();
			shares[event->id].pages = share(event->pages);
			cost.share += (double)since(start);
			start = now();
			touch(shares[event->id].pages, event->pages);
			cost.touch += (double)since(start);
			number++;
		} else {
			start = now();
			unshare(shares[event->id].pages,
				shares[event->id].count);
			cost.unshare += (double)since(start);
			shares[event->id].pages = NULL;
		}
	}
	start = now();
	close_device();
	cost.close = (double)since(start);
	printf("%s trace-%s %u share=%.0f touch=%.0f unshare=%.0f close=%.0f sum=%.0f\n",
	       LIBRARY, name, number, cost.share, cost.touch, cost.unshare,
	       cost.close, sum(&cost));
	free(shares);
	free(trace.events);
}
