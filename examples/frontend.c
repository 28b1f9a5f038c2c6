// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The frontend of a split driver: shares a ring and data pages with a backend
 * in another domain, and has it transform text in them. See protocol.h.
 *
 * Nothing is cleaned up where this ends by an error: the kernel does that for
 * a process that ends, and tells the backend.
 */
#include "common.h"
#include "protocol.h"

#include <getopt.h>
#include <gntshr.h>
#include <poll.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xentoollog.h>

/* What a data page is used for. */
struct use {
	bool busy;
	uint32_t serial; /* which of all requests */
	struct example_request request;
};

struct frontend {
	/* options */
	uint32_t backend, num_requests, num_pages, timeout;
	const char *dir;
	bool hang;

	struct xentoollog_logger *logger;
	gntshr_handle *gntshr;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;

	example_front_ring_t ring;
	uint32_t ring_ref;
	uint8_t *data;
	uint32_t data_refs[MAX_DATA_PAGES];
	evtchn_port_t port;

	struct use uses[MAX_DATA_PAGES];
	uint32_t sent, answered;
	uint64_t bytes;
};

static void open_all(struct frontend *f)
{
	f->logger = (struct xentoollog_logger *)xtl_createlogger_stdiostream(
		stderr, XTL_ERROR, 0);
	f->gntshr = gntshr_open(f->logger, 0);
	if (!f->gntshr)
		err(1, "no grant allocation device");
	f->evtchn = xenevtchn_open(f->logger, 0);
	if (!f->evtchn)
		err(1, "no event channel device");
	f->xs = xs_open(0);
	if (!f->xs)
		err(1, "no xenstore");
}

/*
 * An empty directory that the backend's domain may read, and where it may say
 * that we are closed if we die. Domain 0 may do both anywhere.
 *
 * What a frontend before us left there must go before we share anything: its
 * references may become ours, and stand for something else then.
 */
static void make_dir(struct frontend *f)
{
	char *domid = xs_read(f->xs, XBT_NULL, "domid", NULL);
	struct xs_permissions perms[2] = {
		{ .perms = XS_PERM_NONE },
		{ .id = f->backend, .perms = XS_PERM_READ | XS_PERM_WRITE },
	};

	if (!domid || !to_number(domid, MAX_DOMID, &perms[0].id))
		err(1, "xenstore does not tell this domain's domid");
	free(domid);
	if (!xs_rm(f->xs, XBT_NULL, f->dir) && errno != ENOENT)
		err(1, "cannot empty %s in xenstore", f->dir);
	if (!xs_mkdir(f->xs, XBT_NULL, f->dir) ||
	    !xs_set_permissions(f->xs, XBT_NULL, f->dir, perms, 2))
		err(1, "cannot make %s in xenstore", f->dir);
}

static void share(struct frontend *f)
{
	int port = xenevtchn_bind_unbound_port(f->evtchn, f->backend);
	example_sring_t *sring;

	if (port < 0)
		err(1, "no event channel for domain %u", f->backend);
	f->port = port;

	sring = gntshr_share_pages(f->gntshr, f->backend, 1, &f->ring_ref,
				   GNTSHR_WRITABLE);
	f->data = gntshr_share_pages(f->gntshr, f->backend, f->num_pages,
				     f->data_refs, GNTSHR_WRITABLE);
	if (!sring || !f->data)
		err(1, "cannot share pages with domain %u", f->backend);
	SHARED_RING_INIT(sring);
	FRONT_RING_INIT(&f->ring, sring, EXAMPLE_PAGE_SIZE);

	sring->example_alive = 1;
	if (gntshr_set_unmap_notify(
		    f->gntshr, &sring->example_alive,
		    GNTSHR_NOTIFY_CLEAR_BYTE | GNTSHR_NOTIFY_SEND_EVENT, port))
		err(1, "cannot arm the unmap notification");
}

/* In a transaction, so that the backend sees all of it or nothing. */
static void publish(struct frontend *f)
{
	xs_transaction_t t;
	char key[32];

	do {
		t = xs_transaction_start(f->xs);
		if (t == XBT_NULL)
			err(1, "no xenstore transaction");
		write_key(f->xs, t, f->dir, "ring-ref", f->ring_ref);
		write_key(f->xs, t, f->dir, "event-channel", f->port);
		write_key(f->xs, t, f->dir, "num-data-pages", f->num_pages);
		for (uint32_t i = 0; i < f->num_pages; i++) {
			snprintf(key, sizeof(key), "data-ref%u", i);
			write_key(f->xs, t, f->dir, key, f->data_refs[i]);
		}
		write_key(f->xs, t, f->dir, "state", XenbusStateConnected);
		if (xs_transaction_end(f->xs, t, false))
			return;
	} while (errno == EAGAIN); /* others wrote meanwhile: once more */
	err(1, "cannot publish the shares in xenstore");
}

static uint8_t letter(const struct use *use, unsigned int i)
{
	return ' ' + (use->serial * 7 + i * 31) % 95;
}

static uint8_t *text_of(struct frontend *f, const struct example_request *req)
{
	return f->data + (size_t)req->page * EXAMPLE_PAGE_SIZE + req->offset;
}

/* Fill the page of request number serial, and put the request in the ring. */
static void send_request(struct frontend *f, uint16_t page, uint32_t serial)
{
	uint16_t length = 1 + serial * 37u % 512;
	struct use *use = &f->uses[page];

	use->busy = true;
	use->serial = serial;
	use->request = (struct example_request){
		.id = page, /* finds its use[] again */
		.operation = serial % 2 ? EXAMPLE_ROT13 : EXAMPLE_UPPER_CASE,
		.page = page,
		.offset = serial * 97u % (EXAMPLE_PAGE_SIZE - length + 1),
		.length = length,
	};
	for (uint16_t i = 0; i < length; i++)
		text_of(f, &use->request)[i] = letter(use, i);
	*RING_GET_REQUEST(&f->ring, f->ring.req_prod_pvt) = use->request;
	f->ring.req_prod_pvt++;
}

/* A request for each data page that is free, and one signal for all. */
static void send_requests(struct frontend *f)
{
	bool notify;

	for (uint32_t page = 0; page < f->num_pages; page++) {
		if (f->sent == f->num_requests || RING_FULL(&f->ring))
			break;
		if (!f->uses[page].busy)
			send_request(f, page, f->sent++);
	}
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&f->ring, notify);
	if (notify && xenevtchn_notify(f->evtchn, f->port))
		err(1, "cannot signal the event channel");
}

static void check_response(struct frontend *f,
			   const struct example_response *response)
{
	struct use *use = &f->uses[response->id % MAX_DATA_PAGES];
	const struct example_request *request = &use->request;
	uint32_t sum = CHECKSUM_START;
	uint8_t is, should;

	if (!use->busy || request->id != response->id)
		errx(1, "an answer to no request, with id %u", response->id);
	if (response->status != EXAMPLE_DONE)
		errx(1, "request %u: the backend refused it, status %u",
		     use->serial, response->status);
	for (uint16_t i = 0; i < request->length; i++) {
		sum = checksum_add(sum, letter(use, i));
		should = transform(request->operation, letter(use, i));
		is = text_of(f, request)[i];
		if (is != should)
			errx(1, "request %u: byte %u is '%c', not '%c'",
			     use->serial, i, is, should);
	}
	if (sum != response->checksum)
		errx(1,
		     "request %u: the backend has read other bytes than "
		     "we wrote: checksum %#x, not %#x",
		     use->serial, response->checksum, sum);
	use->busy = false;
	f->bytes += request->length;
	f->answered++;
}

/* The backend is not trusted either: neither its index nor what it answers. */
static void take_responses(struct frontend *f)
{
	RING_IDX prod = READ_ONCE(f->ring.sring->rsp_prod);
	struct example_response response;

	if (RING_RESPONSE_PROD_OVERFLOW(&f->ring, prod))
		errx(1, "the backend broke the ring: rsp_prod is %u", prod);
	xen_rmb(); /* the responses, after the index that says they are there */
	while (f->ring.rsp_cons != prod) {
		RING_COPY_RESPONSE(&f->ring, f->ring.rsp_cons, &response);
		f->ring.rsp_cons++;
		check_response(f, &response);
	}
}

static void wait_event(struct frontend *f)
{
	struct pollfd poll_evtchn = {
		.fd = xenevtchn_fd(f->evtchn),
		.events = POLLIN,
	};
	int port, ready = poll(&poll_evtchn, 1, (int)f->timeout * 1000);

	if (ready < 0)
		err(1, "poll");
	if (!ready)
		errx(1, "no answer from domain %u for %u s; %u of %u came",
		     f->backend, f->timeout, f->answered, f->num_requests);
	port = xenevtchn_pending(f->evtchn);
	if (port < 0 || xenevtchn_unmask(f->evtchn, port))
		err(1, "event channel");
}

static void run(struct frontend *f)
{
	bool more;

	while (f->answered < f->num_requests) {
		send_requests(f);
		/* Asks for a signal, unless there is something by now. */
		RING_FINAL_CHECK_FOR_RESPONSES(&f->ring, more);
		if (!more)
			wait_event(f);
		take_responses(f);
	}
	printf("frontend: %u requests answered, contents and checksums right, "
	       "%.0f KiB each way\n",
	       f->answered, (double)f->bytes / 1024);
}

/* Closing comes first, so that the backend does not take it for a crash. */
static void close_all(struct frontend *f)
{
	write_key(f->xs, XBT_NULL, f->dir, "state", XenbusStateClosing);
	if (gntshr_unshare(f->gntshr, f->ring.sring, 1) ||
	    gntshr_unshare(f->gntshr, f->data, f->num_pages) ||
	    gntshr_close(f->gntshr))
		err(1, "cannot unshare");
	xenevtchn_close(f->evtchn);
	write_key(f->xs, XBT_NULL, f->dir, "state", XenbusStateClosed);
	xs_close(f->xs);
	xtl_logger_destroy(f->logger);
	printf("frontend: closed\n");
}

static void usage(void)
{
	printf("Usage: frontend [OPTION]...\n"
	       "Shares memory with a backend, and has it work there.\n\n"
	       "  --requests N    send so many (1000)\n"
	       "  --pages N       share so many data pages, 1 to %d (8)\n"
	       "  --backend DOMID the backend's domain (0)\n"
	       "  --path PATH     directory in xenstore (%s)\n"
	       "  --timeout S     give up after so many seconds of silence (60)\n"
	       "  --hang          then hold the shares until killed\n"
	       "  --help\n",
	       MAX_DATA_PAGES, EXAMPLE_DIR);
}

static void parse(struct frontend *f, int argc, char **argv)
{
	static const struct option options[] = {
		{ "requests", required_argument, NULL, 'r' },
		{ "pages", required_argument, NULL, 'p' },
		{ "backend", required_argument, NULL, 'b' },
		{ "path", required_argument, NULL, 'd' },
		{ "timeout", required_argument, NULL, 't' },
		{ "hang", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			f->num_requests = argument("--requests", optarg, ~0u);
		else if (c == 'p')
			f->num_pages =
				argument("--pages", optarg, MAX_DATA_PAGES);
		else if (c == 'b')
			f->backend = argument("--backend", optarg, MAX_DOMID);
		else if (c == 'd')
			f->dir = optarg;
		else if (c == 't')
			f->timeout = argument("--timeout", optarg, 86400);
		else if (c == 'k')
			f->hang = true;
		else if (c == 'h')
			usage(), exit(0);
		else
			errx(1, "see --help");
	}
	if (optind < argc || !f->num_pages)
		errx(1, "no such argument, or no page: see --help");
}

int main(int argc, char **argv)
{
	struct frontend f = {
		.num_requests = 1000,
		.num_pages = 8,
		.timeout = 60,
		.dir = EXAMPLE_DIR,
	};

	parse(&f, argc, argv);
	setvbuf(stdout, NULL, _IOLBF,
		0); /* for what is said before a SIGKILL */
	open_all(&f);
	make_dir(&f);
	share(&f);
	publish(&f);
	printf("frontend: shares a ring and %u data pages with domain %u "
	       "(ring-ref %u, event-channel %u)\n",
	       f.num_pages, f.backend, f.ring_ref, f.port);
	run(&f);
	if (f.hang)
		printf("frontend: holds the shares until it is killed\n");
	while (f.hang)
		pause();
	close_all(&f);
	return 0;
}
