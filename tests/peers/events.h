/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVENTS_H
#define EVENTS_H

#include <poll.h>

#include <xenevtchn.h>

/* For a second event, which would be there already. */
#define MOMENT_MS 5

/* How many come through @port: the first within @ms. -1 with errno. */
static inline long count_events(xenevtchn_handle *evtchn, int port, int ms)
{
	struct pollfd fd = { xenevtchn_fd(evtchn), POLLIN, 0 };
	long events = 0;

	while (poll(&fd, 1, events ? MOMENT_MS : ms) > 0) {
		int got = xenevtchn_pending(evtchn);

		/* One that was bound before may still have something there. */
		if (got < 0 ||
		    (xenevtchn_unmask(evtchn, (uint32_t)got) && got == port))
			return -1;
		events += got == port;
	}
	return events;
}

#endif
