// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "anypeer.h"
#include "remote.h"

#define SLOTS 1024
/* For a second event, which would be there already. */
#define MOMENT_MS 2

static struct {
	unsigned char *pages;
	uint32_t count;
} slots[SLOTS];

static bool here;
static uint32_t own_domid;
static xengnttab_handle *gnttab;
static xenevtchn_handle *evtchn;
static int bound = -1;

static void mute(struct xentoollog_logger *logger, xentoollog_level level,
		 int errnoval, const char *context, const char *format,
		 va_list args)
{
	(void)logger, (void)level, (void)errnoval;
	(void)context, (void)format, (void)args;
}

uint32_t peer_start(void)
{
	static xentoollog_logger logger = { .vmessage = mute };
	const char *type = getenv("XEN_DOMAIN_TYPE");
	const char *domid = getenv("XEN_DOMID");

	if (!type || !domid)
		errx(2, "XEN_DOMID and XEN_DOMAIN_TYPE are not set");
	own_domid = (uint32_t)atoi(domid);
	here = !strcmp(type, "dom0");
	if (!here)
		return remote_domid();
	gnttab = xengnttab_open(&logger, 0);
	evtchn = xenevtchn_open(&logger, 0);
	if (!gnttab || !evtchn)
		err(1, "cannot open gntdev and evtchn");
	return own_domid;
}

bool peer_is_here(void)
{
	return here;
}

/* An order that only a test gone wrong has refused. */
static long must(long result, const char *what)
{
	if (result < 0)
		err(1, "the peer cannot %s", what);
	return result;
}

long peer_map(const uint32_t *refs, uint32_t count)
{
	long slot;

	if (!here)
		return remote_map("rw", refs, count);
	for (slot = 0; slots[slot].pages; slot++)
		if (slot == SLOTS - 1)
			errx(1, "the peer has no slot left");
	slots[slot].pages =
		xengnttab_map_domain_grant_refs(gnttab, count, own_domid,
						(uint32_t *)(uintptr_t)refs,
						PROT_READ | PROT_WRITE);
	slots[slot].count = count;
	return slots[slot].pages ? slot : -1;
}

void peer_unmap(long slot)
{
	if (!here) {
		must(remote("unmap %ld", slot), "unmap");
		return;
	}
	must(xengnttab_unmap(gnttab, slots[slot].pages, slots[slot].count),
	     "unmap");
	slots[slot].pages = NULL;
}

unsigned char *peer_pages(long slot)
{
	return here ? slots[slot].pages : NULL;
}

void peer_fill(long slot, uint32_t seed)
{
	if (here)
		fill_pattern(slots[slot].pages, slots[slot].count, seed);
	else
		must(remote("fill %ld %u", slot, seed), "write");
}

long peer_differing(long slot, uint32_t seed)
{
	long wrong = 0;

	if (!here)
		return must(remote("check %ld %u", slot, seed), "read");
	for (size_t n = 0; n < (size_t)slots[slot].count * 4096; n++)
		wrong += slots[slot].pages[n] != pattern(seed, n);
	return wrong;
}

unsigned int peer_byte(long slot, uint32_t offset)
{
	if (here)
		return slots[slot].pages[offset];
	return (unsigned int)must(remote("byte %ld %u", slot, offset), "read");
}

static long events_in(int ms)
{
	struct pollfd fd = { xenevtchn_fd(evtchn), POLLIN, 0 };
	long events = 0;

	while (poll(&fd, 1, events ? MOMENT_MS : ms) > 0) {
		int port = xenevtchn_pending(evtchn);

		events += port == bound;
		if (port < 0 || xenevtchn_unmask(evtchn, (uint32_t)port))
			err(1, "cannot read events");
	}
	return events;
}

void peer_bind(uint32_t port)
{
	if (!here) {
		must(remote("bind %u", port), "bind an event channel");
		return;
	}
	if (bound >= 0)
		xenevtchn_unbind(evtchn, (uint32_t)bound);
	bound = xenevtchn_bind_interdomain(evtchn, own_domid, port);
	/* A new channel is signalled once for a start. */
	if (bound < 0 || events_in(PATIENCE_MS) != 1)
		err(1, "cannot bind event channel %u", port);
}

long peer_events(bool wait)
{
	int ms = wait ? PATIENCE_MS : here ? 0 : 50;

	return here ? events_in(ms) : must(remote("events %d", ms), "listen");
}

static FILE *open_parameter(const char *name, const char *mode)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/xen_gntalloc/parameters/%s",
		 name);
	return fopen(path, mode);
}

long parameter(const char *name)
{
	FILE *file = open_parameter(name, "re");
	long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		err(1, "cannot read %s", name);
	fclose(file);
	return value;
}

void set_parameter(const char *name, unsigned int value)
{
	FILE *file = open_parameter(name, "we");

	if (!file || fprintf(file, "%u", value) < 0 || fclose(file))
		err(1, "cannot set %s", name);
}

long parameter_becomes(const char *name, long want)
{
	long value = parameter(name);

	for (int i = 0; value >= 0 && value != want && i < PATIENCE_MS / 5;
	     i++) {
		usleep(5000);
		value = parameter(name);
	}
	return value;
}
