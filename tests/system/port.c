// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program for libxengnttab, both sides of it, that runs in dom0. It is built
 * as it is, and once more after sed made one for libgntshr of it.
 */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGES 4
#define SIZE (PAGES * 4096)
#define LIVE_BYTE 100
/* Only ever waited for in full when the test fails. */
#define PATIENCE_MS 30000

static int passed, failed;

static bool check(bool ok, const char *what)
{
	if (ok)
		passed++;
	else
		failed++;
	printf("%s: %s\n", ok ? "ok" : "FAILED", what);
	return ok;
}

static void both_ways(xengntshr_handle *xgs, xengnttab_handle *xgt)
{
	uint32_t refs[PAGES];
	char *ours = xengntshr_share_pages(xgs, 0, PAGES, refs, 1);
	char *theirs;

	if (!check(ours, "xengntshr_share_pages"))
		return;
	theirs = xengnttab_map_domain_grant_refs(xgt, PAGES, 0, refs,
						 PROT_READ | PROT_WRITE);
	if (check(theirs, "the peer maps the pages")) {
		memset(ours, 'a', SIZE);
		check(theirs[0] == 'a' && theirs[SIZE - 1] == 'a',
		      "what we write is there for the peer");
		memset(theirs, 'b', SIZE);
		check(ours[0] == 'b' && ours[SIZE - 1] == 'b',
		      "what the peer writes is there for us");
		xengnttab_unmap(xgt, theirs, PAGES);
	}
	check(!xengntshr_unshare(xgs, ours, PAGES), "xengntshr_unshare");
	check(!xengnttab_map_grant_ref(xgt, 0, refs[0], PROT_READ),
	      "then nobody can map them");
}

static bool event_comes(xenevtchn_handle *evtchn, int port)
{
	struct pollfd poll_fd = { .fd = xenevtchn_fd(evtchn),
				  .events = POLLIN };

	return poll(&poll_fd, 1, PATIENCE_MS) == 1 &&
	       xenevtchn_pending(evtchn) == port;
}

static void notified(xengntshr_handle *xgs, xengnttab_handle *xgt)
{
	xenevtchn_handle *here = xenevtchn_open(NULL, 0);
	xenevtchn_handle *there = xenevtchn_open(NULL, 0);
	int port = xenevtchn_bind_unbound_port(here, 0);
	int peer_port = xenevtchn_bind_interdomain(there, 0, (uint32_t)port);
	uint32_t ref;
	char *ours, *theirs;

	/* Binding it made it fire once. */
	if (!check(event_comes(there, peer_port), "there is an event channel"))
		return;
	xenevtchn_unmask(there, (uint32_t)peer_port);
	ours = xengntshr_share_page_notify(xgs, 0, &ref, 1, LIVE_BYTE,
					   (uint32_t)port);
	if (!check(ours, "xengntshr_share_page_notify"))
		return;
	memset(ours, 1, 4096);
	theirs = xengnttab_map_grant_ref(xgt, 0, ref, PROT_READ);
	if (!check(theirs, "the peer maps the page"))
		return;
	check(!xengntshr_unshare(xgs, ours, 1), "xengntshr_unshare");
	check(event_comes(there, peer_port), "the peer gets an event");
	check(!theirs[LIVE_BYTE] && theirs[LIVE_BYTE - 1] == 1 &&
		      theirs[LIVE_BYTE + 1] == 1,
	      "and finds the byte cleared");
	xengnttab_unmap(xgt, theirs, 1);
	xenevtchn_close(here);
	xenevtchn_close(there);
}

int main(void)
{
	xengntshr_handle *xgs = xengntshr_open(NULL, 0);
	xengnttab_handle *xgt = xengnttab_open(NULL, 0);

	if (check(xgs && xgt, "xengntshr_open and xengnttab_open")) {
		both_ways(xgs, xgt);
		notified(xgs, xgt);
	}
	check(!xengntshr_close(xgs), "xengntshr_close");
	xengnttab_close(xgt);
	printf("%d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}
