// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The events that the module sends.
 *
 * With several processors an event may come after the step that sent it, and
 * one that was sent again before it was read comes when it is unmasked, or a
 * bit later. So none is waited for with a clock: behind them a fence is sent,
 * the event of another channel. Both interrupt the same processor, which gets
 * them in the order in which they were sent.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xen/sys/evtchn.h>

#include "fuzz.h"

/* The fence comes; this is for a kernel that has lost it. */
#define PATIENCE_MS 60000

/* Interrupts that are asked for from now on go to the first processor. */
static void choose_processor(void)
{
	int fd = open("/proc/irq/default_smp_affinity", O_WRONLY);

	/* A kernel for one processor has no such file. */
	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || write(fd, "1", 1) != 1)
		err(1, "cannot choose a processor for events");
	close(fd);
}

/* A channel of this domain with itself. */
static void bind(int fd, uint32_t *from, uint32_t *to)
{
	struct ioctl_evtchn_bind_unbound_port unbound;
	struct ioctl_evtchn_bind_interdomain inter;
	const char *own = getenv("XEN_DOMID");

	unbound.remote_domain = (unsigned int)(own ? atoi(own) : 0);
	*from = (uint32_t)ioctl(fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &unbound);
	inter.remote_domain = unbound.remote_domain;
	inter.remote_port = *from;
	*to = (uint32_t)ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &inter);
	if ((int)*from < 0 || (int)*to < 0)
		err(1, "cannot bind event channels");
}

/* The port of the next event, which can come again from now on. */
static uint32_t next_event(void)
{
	struct pollfd fd = { fuzz->event_fd, POLLIN, 0 };
	uint32_t port;

	if (poll(&fd, 1, PATIENCE_MS) != 1 ||
	    read(fuzz->event_fd, &port, sizeof(port)) != sizeof(port))
		errx(1, "an event channel does not work");
	if (write(fuzz->event_fd, &port, sizeof(port)) != sizeof(port))
		err(1, "cannot unmask an event channel");
	return port;
}

void open_events(void)
{
	fuzz->event_fd = open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK);
	if (fuzz->event_fd < 0)
		err(1, "cannot open evtchn");
	choose_processor();
	bind(fuzz->event_fd, &fuzz->port, &fuzz->event_port);
	bind(fuzz->event_fd, &fuzz->fence_port, &fuzz->fence_event_port);
	/* A new channel is signalled once for a start. */
	while (next_event() != fuzz->fence_event_port)
		;
}

/* Whether there was an event before the fence. */
static bool read_to_fence(void)
{
	struct ioctl_evtchn_notify fence = { fuzz->fence_port };
	bool any = false;
	uint32_t port;

	if (ioctl(fuzz->event_fd, IOCTL_EVTCHN_NOTIFY, &fence))
		err(1, "cannot signal an event channel");
	while ((port = next_event()) != fuzz->fence_event_port)
		any = any || port == fuzz->event_port;
	return any;
}

/* After one that was read there may be one that was held back by it. */
bool read_events(void)
{
	bool any = false;

	while (read_to_fence())
		any = true;
	return any;
}

void check_event(void)
{
	bool want = fuzz->m.event, got;

	/* One without a reason stays until it is read. */
	if (!want && !fuzz->replay && fuzz->step % 4)
		return;
	got = read_events();
	fuzz->m.event = false;
	if (want != got)
		deviation("event: %s", got ? "one without a reason" : "none");
}
