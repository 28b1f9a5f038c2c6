// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend of a split driver: maps what the frontend in another domain
 * shares, answers its requests, and notices when it goes. See protocol.h.
 *
 * The frontend is not trusted. All that it can change, in xenstore or in the
 * shared pages, is read once into a variable of ours and checked there.
 */
#include "common.h"
#include "protocol.h"

#include <getopt.h>
#include <poll.h>
#include <sys/mman.h>
#include <xenevtchn.h>
#include <xengnttab.h>

struct backend {
	/* options */
	uint32_t frontend, timeout;
	const char *dir;
	bool expect_crash;

	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;

	example_back_ring_t ring;
	uint32_t ring_ref;
	uint8_t *data;
	uint32_t num_pages;
	evtchn_port_t port;

	unsigned long served, refused;
};

static void open_all(struct backend *b)
{
	b->gnttab = xengnttab_open(NULL, 0);
	if (!b->gnttab)
		err(1, "no grant mapping device");
	b->evtchn = xenevtchn_open(NULL, 0);
	if (!b->evtchn)
		err(1, "no event channel device");
	b->xs = xs_open(0);
	if (!b->xs)
		err(1, "no xenstore");
}

static uint32_t need_key(struct backend *b, const char *key, uint32_t max)
{
	uint32_t value;

	if (!read_key(b->xs, XBT_NULL, b->dir, key, max, &value))
		errx(1, "there is no %s in xenstore", key_path(b->dir, key));
	return value;
}

/* What xenstore says of the frontend; Unknown if it says nothing. */
static uint32_t frontend_state(struct backend *b, xs_transaction_t t)
{
	uint32_t state = XenbusStateUnknown;

	read_key(b->xs, t, b->dir, "state", XenbusStateReconfigured, &state);
	return state;
}

/* Until the event channel or a watch has something. False: neither had. */
static bool wait_for_any(struct backend *b, bool *event, bool *watch)
{
	struct pollfd polls[2] = {
		{ .fd = xenevtchn_fd(b->evtchn), .events = POLLIN },
		{ .fd = xs_fileno(b->xs), .events = POLLIN },
	};
	int ready = poll(polls, 2, (int)b->timeout * 1000), port;
	char **fired;

	if (ready < 0)
		err(1, "poll");
	*event = polls[0].revents;
	if (*event) {
		port = xenevtchn_pending(b->evtchn);
		if (port < 0 || xenevtchn_unmask(b->evtchn, port))
			err(1, "event channel");
	}
	*watch = polls[1].revents;
	if (*watch) {
		while ((fired = xs_check_watch(b->xs)))
			free(fired);
		if (errno != EAGAIN)
			err(1, "xenstore");
	}
	return ready > 0;
}

/* The watch stays; it fires once at once, and whenever state changes. */
static void wait_connected(struct backend *b)
{
	bool event, watch;

	if (!xs_watch(b->xs, key_path(b->dir, "state"), "state"))
		err(1, "cannot watch %s in xenstore",
		    key_path(b->dir, "state"));
	while (frontend_state(b, XBT_NULL) != XenbusStateConnected)
		if (!wait_for_any(b, &event, &watch))
			errx(1, "domain %u has not connected in %u s; %s is %u",
			     b->frontend, b->timeout, key_path(b->dir, "state"),
			     frontend_state(b, XBT_NULL));
}

static void *map(struct backend *b, uint32_t count, uint32_t *refs)
{
	void *pages = xengnttab_map_domain_grant_refs(
		b->gnttab, count, b->frontend, refs, PROT_READ | PROT_WRITE);

	if (!pages)
		err(1, "cannot map %u page(s) of domain %u: reference %u%s",
		    count, b->frontend, refs[0], count > 1 ? "..." : "");
	return pages;
}

static void connect_frontend(struct backend *b)
{
	uint32_t refs[MAX_DATA_PAGES], remote_port;
	example_sring_t *sring;
	char key[32];
	int port;

	b->ring_ref = need_key(b, "ring-ref", UINT32_MAX);
	remote_port = need_key(b, "event-channel", INT32_MAX);
	b->num_pages = need_key(b, "num-data-pages", MAX_DATA_PAGES);
	if (!b->num_pages)
		errx(1, "domain %u shares no data page", b->frontend);
	for (uint32_t i = 0; i < b->num_pages; i++) {
		snprintf(key, sizeof(key), "data-ref%u", i);
		refs[i] = need_key(b, key, UINT32_MAX);
	}

	b->data = map(b, b->num_pages, refs);
	sring = map(b, 1, &b->ring_ref);
	BACK_RING_INIT(&b->ring, sring, EXAMPLE_PAGE_SIZE);
	port = xenevtchn_bind_interdomain(b->evtchn, b->frontend, remote_port);
	if (port < 0)
		err(1, "cannot bind to port %u of domain %u", remote_port,
		    b->frontend);
	b->port = port;
}

static bool is_valid(struct backend *b, const struct example_request *request)
{
	return request->operation <= EXAMPLE_ROT13 &&
	       request->page < b->num_pages &&
	       request->offset + request->length <= EXAMPLE_PAGE_SIZE;
}

/* The frontend may write to the text meanwhile: each byte is read once. */
static uint32_t work(struct backend *b, const struct example_request *request)
{
	volatile uint8_t *text = b->data +
				 (size_t)request->page * EXAMPLE_PAGE_SIZE +
				 request->offset;
	uint32_t sum = CHECKSUM_START;
	uint8_t byte;

	for (uint16_t i = 0; i < request->length; i++) {
		byte = text[i];
		sum = checksum_add(sum, byte);
		text[i] = transform(request->operation, byte);
	}
	return sum;
}

/* A wrong request gets its answer; the frontend may have made a mistake. */
static void answer(struct backend *b, const struct example_request *request)
{
	struct example_response response = { .id = request->id };

	if (is_valid(b, request)) {
		response.checksum = work(b, request);
		response.status = EXAMPLE_DONE;
		b->served++;
	} else {
		response.status = EXAMPLE_BAD_REQUEST;
		b->refused++;
	}
	*RING_GET_RESPONSE(&b->ring, b->ring.rsp_prod_pvt) = response;
	b->ring.rsp_prod_pvt++;
}

/*
 * Answer what is in the ring. A req_prod that promises more requests than the
 * ring holds is nobody's mistake: without this check it would make us answer
 * four thousand million requests that nobody made.
 */
static void answer_requests(struct backend *b)
{
	RING_IDX prod = READ_ONCE(b->ring.sring->req_prod);
	struct example_request request;
	bool notify;

	if (RING_REQUEST_PROD_OVERFLOW(&b->ring, prod))
		errx(1, "domain %u broke the ring: req_prod is %u after %u",
		     b->frontend, prod, b->ring.req_cons);
	xen_rmb(); /* the requests, after the index that says they are there */
	while (b->ring.req_cons != prod) {
		RING_COPY_REQUEST(&b->ring, b->ring.req_cons, &request);
		b->ring.req_cons++;
		answer(b, &request);
	}
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&b->ring, notify);
	if (notify && xenevtchn_notify(b->evtchn, b->port))
		err(1, "cannot signal the event channel");
}

/* Until an event; the kernel clears the byte before it sends one. */
static void wait_event(struct backend *b)
{
	bool any, event, watch, alive;

	do {
		any = wait_for_any(b, &event, &watch);
		alive = READ_ONCE(b->ring.sring->example_alive);
		if (!any)
			errx(1,
			     "no event from domain %u for %u s; its byte "
			     "in the ring page is %s",
			     b->frontend, b->timeout,
			     alive ? "set" : "cleared");
		/* A whole domain that goes can notify nobody. */
		if (watch && alive &&
		    frontend_state(b, XBT_NULL) == XenbusStateUnknown)
			errx(1, "domain %u or its %s is gone from xenstore",
			     b->frontend, b->dir);
	} while (!event);
}

static void serve(struct backend *b)
{
	bool alive, more;

	do {
		/* The first is from Xen itself: the channel is bound. */
		wait_event(b);
		/*
		 * What was put in the ring before the byte was cleared is
		 * answered: the last check below has its xen_mb() behind this.
		 */
		alive = READ_ONCE(b->ring.sring->example_alive);
		do {
			answer_requests(b);
			/* Asks for a signal, unless there is one more. */
			RING_FINAL_CHECK_FOR_REQUESTS(&b->ring, more);
		} while (more);
	} while (alive);
	printf("backend: served %lu requests", b->served);
	if (b->refused)
		printf(", refused %lu", b->refused);
	printf("\n");
}

/*
 * Did it die? Then mark it as closed, since it cannot do so any more: the next
 * backend would map what its references stand for by then. But not what a new
 * frontend has published meanwhile: its ring-ref is another one, for this one
 * stays in use as long as we map the page.
 */
static bool bury_if_dead(struct backend *b)
{
	uint32_t ref = 0, state;
	xs_transaction_t t;
	bool died;

	do {
		t = xs_transaction_start(b->xs);
		if (t == XBT_NULL)
			err(1, "no xenstore transaction");
		state = frontend_state(b, t);
		read_key(b->xs, t, b->dir, "ring-ref", UINT32_MAX, &ref);
		died = state == XenbusStateConnected || ref != b->ring_ref;
		if (died && ref == b->ring_ref)
			write_key(b->xs, t, b->dir, "state", XenbusStateClosed);
		if (xs_transaction_end(b->xs, t, false))
			return died;
	} while (errno == EAGAIN);
	err(1, "cannot write %s in xenstore", key_path(b->dir, "state"));
}

static void disconnect(struct backend *b)
{
	if (xengnttab_unmap(b->gnttab, b->ring.sring, 1) ||
	    xengnttab_unmap(b->gnttab, b->data, b->num_pages))
		err(1, "cannot unmap");
	xengnttab_close(b->gnttab);
	xenevtchn_close(b->evtchn);
	xs_close(b->xs);
}

static void usage(void)
{
	printf("Usage: backend [OPTION]... DOMID\n"
	       "Serves the frontend in domain DOMID until it goes.\n\n"
	       "  --path PATH     its directory in xenstore\n"
	       "                  (/local/domain/DOMID/%s)\n"
	       "  --timeout S     give up after so many seconds of silence (60)\n"
	       "  --expect-crash  exit status 1 if the frontend closes cleanly\n"
	       "  --help\n",
	       EXAMPLE_DIR);
}

static void parse(struct backend *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "path", required_argument, NULL, 'p' },
		{ "timeout", required_argument, NULL, 't' },
		{ "expect-crash", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static char dir[64];
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			b->dir = optarg;
		else if (c == 't')
			b->timeout = argument("--timeout", optarg, 86400);
		else if (c == 'c')
			b->expect_crash = true;
		else if (c == 'h')
			usage(), exit(0);
		else
			errx(1, "see --help");
	}
	if (argc - optind != 1)
		errx(1, "one domid is needed: see --help");
	b->frontend = argument("DOMID", argv[optind], MAX_DOMID);
	snprintf(dir, sizeof(dir), "/local/domain/%u/%s", b->frontend,
		 EXAMPLE_DIR);
	if (!b->dir)
		b->dir = dir;
}

int main(int argc, char **argv)
{
	struct backend b = { .timeout = 60 };
	bool died;

	parse(&b, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all(&b);
	wait_connected(&b);
	connect_frontend(&b);
	printf("backend: mapped the ring and %u data pages of domain %u\n",
	       b.num_pages, b.frontend);
	serve(&b);
	died = bury_if_dead(&b);
	printf("backend: the frontend is gone: byte cleared, event received; "
	       "it %s\n",
	       died ? "died without a word" : "had said that it closes");
	disconnect(&b);
	if (b.expect_crash && !died)
		errx(1, "the frontend was expected to crash");
	return 0;
}
