// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "anypeer.h"
#include "events.h"
#include "mute.h"
#include "remote.h"

#define SLOTS 1024

static struct {
	unsigned char *pages;
	uint32_t count;
} slots[SLOTS];

static bool here;
static uint32_t own_domid;
static xengnttab_handle *gnttab;
static xenevtchn_handle *evtchn;
static int bound = -1;

uint32_t peer_start(void)
{
	const char *type = getenv("XEN_DOMAIN_TYPE");
	const char *domid = getenv("XEN_DOMID");

	if (!type || !domid)
		errx(2, "XEN_DOMID and XEN_DOMAIN_TYPE are not set");
	own_domid = (uint32_t)atoi(domid);
	here = !strcmp(type, "dom0");
	if (!here)
		return remote_domid();
	gnttab = xengnttab_open(&mute, 0);
	evtchn = xenevtchn_open(&mute, 0);
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
	if (!slots[slot].pages)
		return -1;
	/* Where fork copies such a mapping, a child would map on for us. */
	must(madvise(slots[slot].pages, (size_t)count * 4096, MADV_DONTFORK),
	     "keep a mapping from its children");
	return slot;
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
	if (!here)
		return must(remote("check %ld %u", slot, seed), "read");
	return differing(slots[slot].pages, slots[slot].count, seed);
}

unsigned int peer_byte(long slot, uint32_t offset)
{
	if (here)
		return slots[slot].pages[offset];
	return (unsigned int)must(remote("byte %ld %u", slot, offset), "read");
}

/* ---- several at once ---- */

/* What cannot be mapped any more ends it. */
void peer_map_each(const uint32_t *refs, uint32_t count, long *to)
{
	uint32_t mapped = 0;

	if (!here) {
		for (uint32_t i = 0; i < count; i++)
			remote_later("map rw %u", refs[i]);
		mapped = (uint32_t)remote_now(to, (int)count);
	}
	for (uint32_t i = mapped; i < count; i++)
		to[i] = here ? peer_map(refs + i, 1) : -1;
}

static int later(const char *word, const long *which, uint32_t count,
		 uint32_t arg)
{
	int orders = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (which[i] < 0)
			continue;
		remote_later("%s %ld %u", word, which[i], arg);
		orders++;
	}
	return orders;
}

/* Their answers, in the order of @later. */
static void now(int orders, const char *what, long *answers)
{
	if (orders && remote_now(answers, orders) != orders)
		err(1, "the peer cannot %s", what);
}

void peer_fill_each(const long *which, uint32_t count, uint32_t seed)
{
	long answers[REMOTE_ORDERS];

	if (!here)
		return now(later("fill", which, count, seed), "write", answers);
	for (uint32_t i = 0; i < count; i++)
		if (which[i] >= 0)
			peer_fill(which[i], seed);
}

void peer_look_each(const long *which, uint32_t count, uint32_t seed,
		    uint32_t offset, struct look *looks)
{
	long answers[REMOTE_ORDERS];
	int orders = 0, n = 0;

	if (!here) {
		orders = later("check", which, count, seed);
		now(orders + later("byte", which, count, offset), "read",
		    answers);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (which[i] < 0)
			continue;
		looks[i].differing =
			here ? peer_differing(which[i], seed) : answers[n];
		looks[i].byte = here ? peer_byte(which[i], offset)
				     : (unsigned int)answers[orders + n];
		n++;
	}
}

void peer_unmap_each(const long *which, uint32_t count)
{
	long answers[REMOTE_ORDERS];

	if (!here)
		return now(later("unmap", which, count, 0), "unmap", answers);
	for (uint32_t i = 0; i < count; i++)
		if (which[i] >= 0)
			peer_unmap(which[i]);
}

long peer_try(const uint32_t *refs, uint32_t count)
{
	long mapped = 0, slot;

	if (!here)
		return must(remote_try(refs, count), "map or unmap");
	for (uint32_t i = 0; i < count; i++) {
		slot = peer_map(refs + i, 1);
		if (slot < 0)
			continue;
		peer_unmap(slot);
		mapped++;
	}
	return mapped;
}

/* ---- events ---- */

static long events_in(int ms)
{
	return must(count_events(evtchn, bound, ms), "read events");
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
	int ms = wait ? PATIENCE_MS : 0;

	return here ? events_in(ms) : must(remote("events %d", ms), "listen");
}
