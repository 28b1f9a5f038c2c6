/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for the other domain: for what it writes in xenstore, and for its
 * events. Who must have an answer waits for PATIENCE; who serves, FOREVER. That
 * the other side's whole domain goes is no event: see backend.c for that.
 */
#ifndef EXAMPLE_WAIT_H
#define EXAMPLE_WAIT_H

#include "common.h"

#include <poll.h>
#include <string.h>
#include <xenevtchn.h>

#define PATIENCE 120 /* seconds */
#define FOREVER (-1)

/* One access to memory that the other domain can change at any time. */
#define READ_ONCE(x) (*(volatile const __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

/* False if there is nothing for so many seconds. */
static inline bool wait_readable(int fd, int seconds)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	int ready = poll(&one, 1, seconds * 1000);

	if (ready < 0)
		err(1, "poll");
	return ready;
}

/* A number in xenstore, once it is there. */
static inline uint32_t wait_key(struct xs_handle *xs, const char *dir,
				const char *key, uint32_t max)
{
	uint32_t value;
	char **fired;

	/* The watch fires once at once, and for all that is written there. */
	if (!xs_watch(xs, dir, "wait_key"))
		err(1, "cannot watch %s in xenstore", dir);
	while (!read_key(xs, XBT_NULL, dir, key, max, &value)) {
		if (!wait_readable(xs_fileno(xs), PATIENCE))
			errx(1, "%s has not come for %d s", key_path(dir, key),
			     PATIENCE);
		while ((fired = xs_check_watch(xs)))
			free(fired);
	}
	xs_unwatch(xs, dir, "wait_key");
	return value;
}

/*
 * The next event; it may have come for no reason. What the other side wrote
 * before it signalled is found from here on: Xen marks a channel by an atomic
 * operation behind all that, and from the mark to us there are the kernel's.
 */
static inline void wait_event(xenevtchn_handle *evtchn, int seconds)
{
	int port;

	if (!wait_readable(xenevtchn_fd(evtchn), seconds))
		errx(1, "no event for %d s", seconds);
	port = xenevtchn_pending(evtchn);
	if (port < 0 || xenevtchn_unmask(evtchn, port))
		err(1, "event channel");
}

/*
 * An empty directory in xenstore that one other domain may read. What was there
 * before must go before anything is shared: its references may stand for
 * something else then.
 */
static inline void make_dir(struct xs_handle *xs, const char *dir,
			    uint32_t reader)
{
	char *domid = xs_read(xs, XBT_NULL, "domid", NULL);
	struct xs_permissions perms[2] = {
		{ .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	if (!domid || !to_number(domid, MAX_DOMID, &perms[0].id))
		err(1, "xenstore does not tell this domain's domid");
	free(domid);
	if (!xs_rm(xs, XBT_NULL, dir) && errno != ENOENT)
		err(1, "cannot empty %s in xenstore", dir);
	if (!xs_mkdir(xs, XBT_NULL, dir) ||
	    !xs_set_permissions(xs, XBT_NULL, dir, perms, 2))
		err(1, "cannot make %s in xenstore", dir);
}

#endif
