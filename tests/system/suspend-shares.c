// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What becomes of shares when the domain is saved and restored: test-suspend
 * runs this in a guest and does in dom0 what order() asks for.
 *
 *	suspend-shares [no-events]
 *
 * "no-events" leaves out the notifications that the stock module gets wrong.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xenstore.h>

#include <gntshr.h>

#include "cases.h"
#include "module.h"
#include "remote.h"

#define ORDER_PATIENCE_MS 600000
/* How long "nothing comes" is believed after. */
#define SILENCE_MS 500
/* More than what the kernel has open itself, before and after. */
#define PORTS 64

static gntshr_handle *h;
static struct xs_handle *xs;
static unsigned int domid;
static bool ours, events = true;

/* The peer maps one of them. */
#define PAGES 3
static struct share {
	unsigned char *pages;
	uint32_t refs[PAGES];
} mapped, unmapped;
static long slot;
/* One page each, with an event. */
static struct armed {
	unsigned char *page;
	uint32_t ref;
	int port;
} early, late, again, lost;

/* The stock module tells nothing: there anything is right. */
static void assert_counts(unsigned int live, unsigned int lingering)
{
	unsigned int all = live + lingering;

	if (!ours)
		return;
	parameter_becomes("used", all);
	parameter_becomes("lingering", lingering);
	assert_int_equal(parameter("used"), all);
	assert_int_equal(parameter("lingering"), lingering);
}

static unsigned int live_pages(void)
{
	return 2 * PAGES + (events ? 4 : 0);
}

static char *read_node(const char *node)
{
	unsigned int length;

	return xs_read(xs, XBT_NULL, node, &length);
}

static unsigned int own_domid(void)
{
	char *text = read_node("domid");
	unsigned int value = text ? (unsigned int)atoi(text) : 0;

	free(text);
	return value;
}

/* How often the watch on "domid" has fired. */
static int watch_fired(void)
{
	int times = 0;
	char **event;

	while ((event = xs_check_watch(xs))) {
		free(event);
		times++;
	}
	return times;
}

/* Have dom0 do something to this domain. */
static void order(const char *what)
{
	char *answer = NULL;
	bool done = false;

	assert_true(xs_write(xs, XBT_NULL, "data/suspend/order", what,
			     (unsigned int)strlen(what)));
	for (int i = 0; i < ORDER_PATIENCE_MS / 100 && !answer; i++) {
		usleep(100000);
		answer = read_node("data/suspend/answer");
	}
	done = answer && !strcmp(answer, what);
	free(answer);
	assert_true(done);
	xs_rm(xs, XBT_NULL, "data/suspend");
}

static void share(struct share *share, uint32_t seed)
{
	share->pages = gntshr_share_pages(h, remote_domid(), PAGES, share->refs,
					  GNTSHR_WRITABLE);
	assert_non_null(share->pages);
	fill_pattern(share->pages, PAGES, seed);
}

/* The lowest free numbers come first; up to @until, of which 0 is none. */
static int open_ports(xenevtchn_handle *evtchn, int until)
{
	int port = -1;

	for (int i = 0; i < PORTS && port != until; i++) {
		port = xenevtchn_bind_unbound_port(evtchn, remote_domid());
		assert_int_not_equal(port, -1);
	}
	return port;
}

static void arm(struct armed *share, int port)
{
	share->port = port;
	share->page =
		gntshr_share_page_notify(h, remote_domid(), &share->ref,
					 GNTSHR_WRITABLE, 0, (uint32_t)port);
	assert_non_null(share->page);
}

/*
 * Ports that only the notification keeps open: xen-evtchn itself does not
 * survive that one of its ports is gone.
 */
static void share_with_events(void)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port;

	assert_non_null(evtchn);
	port = open_ports(evtchn, 0);
	arm(&early, port - 3);
	arm(&again, port - 2);
	arm(&late, port - 1);
	arm(&lost, port);
	assert_int_equal(remote("bind %d", early.port), 0);
	xenevtchn_close(evtchn);
}

static int setup(void **state)
{
	uint32_t ref;
	void *page;

	(void)state;
	ours = parameter("used") >= 0;
	h = gntshr_open(NULL, 0);
	xs = xs_open(0);
	if (!h || !xs)
		return -1;
	domid = own_domid();
	/* A watch fires once for a start. */
	if (!xs_watch(xs, "domid", "domid"))
		return -1;
	while (!watch_fired())
		usleep(10000);

	share(&mapped, 1);
	share(&unmapped, 2);
	slot = remote_map("rw", mapped.refs, PAGES);
	assert_int_not_equal(slot, -1);
	/* One that was given up here and is mapped there. */
	page = gntshr_share_pages(h, remote_domid(), 1, &ref, 0);
	assert_non_null(page);
	assert_int_not_equal(remote_map("ro", &ref, 1), -1);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	if (events)
		share_with_events();
	assert_counts(live_pages(), 1);
	return 0;
}

/* Saved, and it goes on: nothing has changed. */
static void test_checkpoint(void **state)
{
	long other;

	(void)state;
	order("checkpoint");
	assert_int_equal(own_domid(), domid);
	assert_int_equal(watch_fired(), 0);
	assert_counts(live_pages(), 1);

	assert_int_equal(differing(mapped.pages, PAGES, 1), 0);
	assert_int_equal(remote("check %ld 1", slot), 0);
	assert_int_equal(remote("fill %ld 3", slot), 0);
	assert_int_equal(differing(mapped.pages, PAGES, 3), 0);

	other = remote_map("rw", unmapped.refs, PAGES);
	assert_int_not_equal(other, -1);
	assert_int_equal(remote("check %ld 2", other), 0);
	assert_int_equal(remote("unmap %ld", other), 0);
}

static void test_checkpoint_event(void **state)
{
	long other = remote_map("ro", &early.ref, 1);

	(void)state;
	assert_int_not_equal(other, -1);
	early.page[0] = 1;
	assert_int_equal(gntshr_unshare(h, early.page, 1), 0);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(remote("byte %ld 0", other), 0);
	assert_int_equal(remote("unmap %ld", other), 0);
}

/*
 * Restored, as another domain, while the peer still mapped pages. A watch on
 * xenstore tells.
 */
static void test_restore(void **state)
{
	char number[16];
	int fired = 0;

	(void)state;
	order("restore");
	for (int i = 0; i < PATIENCE_MS / 10 && !fired; i++) {
		usleep(10000);
		fired = watch_fired();
	}
	assert_int_equal(fired, 1);
	assert_int_not_equal(own_domid(), domid);
	snprintf(number, sizeof(number), "%u", own_domid());
	setenv("XEN_DOMID", number, 1);
	remote_reset();

	assert_int_equal(differing(mapped.pages, PAGES, 3), 0);
	assert_int_equal(differing(unmapped.pages, PAGES, 2), 0);
}

/* What the peer has of the old domain's pages is no longer the same memory. */
static void test_references_are_dead(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PAGES; i++) {
		assert_int_equal(remote_map("ro", mapped.refs + i, 1), -1);
		assert_int_equal(remote_map("ro", unmapped.refs + i, 1), -1);
	}
}

/* The grant that kept a page lingering is gone. */
static void test_lingering_comes_back(void **state)
{
	(void)state;
	assert_counts(live_pages() - (events ? 1 : 0), 0);
}

/*
 * Numbers of ports begin anew. Who has got the number of a dead one now is
 * neither signalled nor loses it.
 */
static void test_dead_event(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);

	(void)state;
	assert_non_null(evtchn);
	assert_int_equal(open_ports(evtchn, late.port), late.port);
	assert_int_equal(remote("bind %d", late.port), 0);
	assert_int_equal(gntshr_unshare(h, late.page, 1), 0);
	assert_int_equal(remote("events %d", SILENCE_MS), 0);
	assert_int_equal(xenevtchn_notify(evtchn, late.port), 0);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);

	/* Replaced by a new one; that number was taken on the way. */
	assert_int_equal(remote("bind %d", again.port), 0);
	assert_int_equal(gntshr_set_unmap_notify(h, again.page,
						 GNTSHR_NOTIFY_SEND_EVENT,
						 (uint32_t)again.port),
			 0);
	assert_int_equal(xenevtchn_notify(evtchn, again.port), 0);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(gntshr_unshare(h, again.page, 1), 0);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(xenevtchn_notify(evtchn, again.port), 0);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);

	/* Nobody has got that number. */
	assert_int_equal(gntshr_unshare(h, lost.page, 1), 0);
	xenevtchn_close(evtchn);
}

static void test_unshare(void **state)
{
	(void)state;
	assert_int_equal(gntshr_unshare(h, mapped.pages, PAGES), 0);
	assert_int_equal(gntshr_unshare(h, unmapped.pages, PAGES), 0);
	assert_counts(0, 0);
}

static void test_share_anew(void **state)
{
	(void)state;
	share(&mapped, 4);
	slot = remote_map("rw", mapped.refs, PAGES);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("check %ld 4", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, mapped.pages, PAGES), 0);
	assert_counts(0, 0);
}

static int teardown(void **state)
{
	(void)state;
	xs_close(xs);
	return gntshr_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_references_are_dead),
		cmocka_unit_test(test_lingering_comes_back),
		cmocka_unit_test(test_unshare),
		cmocka_unit_test(test_share_anew),
	};
	const struct CMUnitTest with_events[] = {
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_checkpoint_event),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_references_are_dead),
		cmocka_unit_test(test_lingering_comes_back),
		cmocka_unit_test(test_dead_event),
		cmocka_unit_test(test_unshare),
		cmocka_unit_test(test_share_anew),
	};

	events = argc < 2 || strcmp(argv[1], "no-events");
	return events ? cmocka_run_group_tests(with_events, setup, teardown)
		      : cmocka_run_group_tests(tests, setup, teardown);
}
