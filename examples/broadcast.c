// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One page for listeners in several domains: each line of the standard input
 * becomes its text. A line "-DOMID" takes it from one of them, while the others
 * go on. Whatever happens to this program, each is told. See broadcast.h.
 */
#include "broadcast.h"
#include "wait.h"

#include <gntshr.h>
#include <xentoollog.h>

struct listener {
	uint32_t domid;
	evtchn_port_t port;
	bool removed;
};

struct broadcaster {
	gntshr_handle *gntshr;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;
	struct broadcast *page;
	struct listener listeners[MAX_LISTENERS];
	uint32_t count;
};

static void open_all(struct broadcaster *b)
{
	struct xentoollog_logger *logger =
		(struct xentoollog_logger *)xtl_createlogger_stdiostream(
			stderr, XTL_ERROR, 0);

	b->gntshr = gntshr_open(logger, 0);
	if (!b->gntshr)
		err(1, "no grant allocation device");
	b->evtchn = xenevtchn_open(logger, 0);
	if (!b->evtchn)
		err(1, "no event channel device");
	b->xs = xs_open(0);
	if (!b->xs)
		err(1, "no xenstore");
}

static const char *dir_of(const struct listener *l)
{
	static char dir[64];

	snprintf(dir, sizeof(dir), "%s/%u", BROADCAST_DIR, l->domid);
	return dir;
}

/*
 * The first listener's grant is the share's own. All may only read: what one
 * wrote would be read by the others.
 */
static uint32_t grant(struct broadcaster *b, uint32_t i)
{
	const struct listener *l = &b->listeners[i];
	unsigned int action =
		GNTSHR_NOTIFY_CLEAR_BYTE | GNTSHR_NOTIFY_SEND_EVENT;
	uint32_t ref;
	int failed;

	if (!i)
		b->page = gntshr_share_pages(b->gntshr, l->domid, 1, &ref, 0);
	if (!b->page ||
	    (i && gntshr_add_peer(b->gntshr, b->page, 1, l->domid, &ref, 0)))
		err(1, "cannot share a page with domain %u", l->domid);

	b->page->alive[i] = 1;
	if (!i)
		failed = gntshr_set_unmap_notify(b->gntshr, &b->page->alive[i],
						 action, l->port);
	else
		failed = gntshr_set_peer_notify(b->gntshr, &b->page->alive[i],
						l->domid, action, l->port);
	if (failed)
		err(1, "cannot arm the notification of domain %u", l->domid);
	return ref;
}

static void add(struct broadcaster *b, uint32_t domid)
{
	struct listener *l = &b->listeners[b->count];
	int port = xenevtchn_bind_unbound_port(b->evtchn, domid);
	const char *dir;
	uint32_t ref;

	if (port < 0)
		err(1, "no event channel for domain %u", domid);
	l->domid = domid;
	l->port = port;
	dir = dir_of(l);
	make_dir(b->xs, dir, domid);
	ref = grant(b, b->count);
	write_key(b->xs, XBT_NULL, dir, "index", b->count);
	write_key(b->xs, XBT_NULL, dir, "event-channel", l->port);
	write_key(b->xs, XBT_NULL, dir, "ref", ref);
	b->count++;
}

/* The kernel clears the listener's byte, and signals. */
static void take(struct broadcaster *b, uint32_t domid)
{
	for (uint32_t i = 0; i < b->count; i++) {
		struct listener *l = &b->listeners[i];

		if (l->domid != domid || l->removed)
			continue;
		if (!xs_rm(b->xs, XBT_NULL, dir_of(l)))
			err(1, "cannot remove %s from xenstore", dir_of(l));
		if (gntshr_remove_peer(b->gntshr, b->page, 1, domid))
			err(1, "cannot take the page from domain %u", domid);
		xenevtchn_unbind(b->evtchn, l->port);
		l->removed = true;
		return;
	}
	warnx("domain %u does not listen", domid);
}

/* A listener that reads meanwhile sees by the version that it has to again. */
static void write_text(struct broadcaster *b, const char *text)
{
	uint32_t version = b->page->version;

	WRITE_ONCE(b->page->version, version + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	snprintf(b->page->text, MAX_TEXT, "%s", text);
	__atomic_store_n(&b->page->version, version + 2, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < b->count; i++)
		if (!b->listeners[i].removed &&
		    xenevtchn_notify(b->evtchn, b->listeners[i].port))
			err(1, "cannot signal domain %u",
			    b->listeners[i].domid);
}

static void read_lines(struct broadcaster *b)
{
	static char line[MAX_TEXT];
	uint32_t domid;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '-' && to_number(line + 1, MAX_DOMID, &domid))
			take(b, domid);
		else
			write_text(b, line);
	}
}

/* Taking the page from each tells them that this is no crash. */
static void close_all(struct broadcaster *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		if (!b->listeners[i].removed)
			take(b, b->listeners[i].domid);
	if (gntshr_unshare(b->gntshr, b->page, 1) || gntshr_close(b->gntshr))
		err(1, "cannot unshare");
	xenevtchn_close(b->evtchn);
	xs_close(b->xs);
}

int main(int argc, char **argv)
{
	struct broadcaster b = { 0 };

	if (argc < 2 || argc > MAX_LISTENERS + 1)
		errx(2, "usage: broadcast DOMID..., of %d at most",
		     MAX_LISTENERS);
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_all(&b);
	for (int i = 1; i < argc; i++)
		add(&b, argument("DOMID", argv[i], MAX_DOMID));
	printf("broadcast: one page for %u domains\n", b.count);
	read_lines(&b);
	close_all(&b);
	printf("broadcast: taken from all\n");
	return 0;
}
