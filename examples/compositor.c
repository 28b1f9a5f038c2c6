// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The other side of pool.c, in another domain: maps a client's pool, and looks
 * at each buffer in it where it is. See pool.h.
 *
 * The pool's side is not trusted: what it describes is read once and checked.
 */
#include "pool.h"
#include "wait.h"

#include <sys/mman.h>
#include <xengnttab.h>

struct compositor {
	uint32_t domid;
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;
	evtchn_port_t port;
	struct pool_control *control;
	char *pool;
	uint32_t num_pages;
	unsigned long frames;
};

static void *map(struct compositor *c, uint32_t count, uint32_t *refs)
{
	void *pages = xengnttab_map_domain_grant_refs(
		c->gnttab, count, c->domid, refs, PROT_READ | PROT_WRITE);

	if (!pages)
		err(1, "cannot map %u page(s) of domain %u", count, c->domid);
	return pages;
}

static void open_all(struct compositor *c)
{
	c->gnttab = xengnttab_open(NULL, 0);
	if (!c->gnttab)
		err(1, "no grant mapping device");
	c->evtchn = xenevtchn_open(NULL, 0);
	if (!c->evtchn)
		err(1, "no event channel device");
	c->xs = xs_open(0);
	if (!c->xs)
		err(1, "no xenstore");
}

static void connect_pool(struct compositor *c)
{
	static uint32_t refs[MAX_POOL_PAGES];
	uint32_t ref, remote_port;
	char dir[64];
	int port;

	snprintf(dir, sizeof(dir), "/local/domain/%u/%s", c->domid, POOL_DIR);
	/* It is written last. */
	ref = wait_key(c->xs, dir, "control-ref", UINT32_MAX);
	remote_port = wait_key(c->xs, dir, "event-channel", INT32_MAX);

	c->control = map(c, 1, &ref);
	c->num_pages = READ_ONCE(c->control->num_pages);
	if (!c->num_pages || c->num_pages > MAX_POOL_PAGES)
		errx(1, "a pool of %u pages", c->num_pages);
	memcpy(refs, c->control->refs, sizeof(refs));
	c->pool = map(c, c->num_pages, refs);
	port = xenevtchn_bind_interdomain(c->evtchn, c->domid, remote_port);
	if (port < 0)
		err(1, "cannot bind to port %u", remote_port);
	c->port = port;
}

static void check_place(const struct compositor *c, const struct buffer *b)
{
	uint64_t size = (uint64_t)b->width * b->height * sizeof(uint32_t);

	if (b->offset % sizeof(uint32_t) || b->width > 65536 ||
	    b->height > 65536 ||
	    b->offset + size > (uint64_t)c->num_pages * 4096)
		errx(1, "frame %u is not in the pool", b->frame);
}

/* Looks at the buffer and answers in it, in place. */
static void compose(struct compositor *c, const struct buffer *b)
{
	volatile uint32_t *at = (uint32_t *)(c->pool + b->offset);

	for (uint32_t i = 0; i < pixels(b); i++) {
		uint32_t is = at[i];

		if (is != pixel(b, i))
			errx(1, "pixel %u of frame %u is %#x", i, b->frame, is);
		at[i] = ~is;
	}
	c->frames++;
}

/*
 * False when the other side has gone: then it waits for nothing, and it does
 * not matter which of the two is read first.
 */
static bool serve(struct compositor *c)
{
	bool alive = READ_ONCE(c->control->alive);
	uint32_t committed =
		__atomic_load_n(&c->control->committed, __ATOMIC_ACQUIRE);
	struct buffer b;

	if (committed != c->control->released) {
		b = *(volatile struct buffer *)&c->control->buffer;
		check_place(c, &b);
		compose(c, &b);
		__atomic_store_n(&c->control->released, committed,
				 __ATOMIC_RELEASE);
		if (xenevtchn_notify(c->evtchn, c->port))
			err(1, "cannot signal the event channel");
	}
	return alive;
}

int main(int argc, char **argv)
{
	struct compositor c = { 0 };

	if (argc != 2)
		errx(2, "usage: compositor DOMID");
	c.domid = argument("DOMID", argv[1], MAX_DOMID);
	open_all(&c);
	connect_pool(&c);
	while (serve(&c))
		wait_event(c.evtchn, FOREVER);
	if (xengnttab_unmap(c.gnttab, c.pool, c.num_pages) ||
	    xengnttab_unmap(c.gnttab, c.control, 1))
		err(1, "cannot unmap");
	xengnttab_close(c.gnttab);
	xenevtchn_close(c.evtchn);
	xs_close(c.xs);
	printf("compositor: %lu frames, each pixel as it was drawn\n",
	       c.frames);
	return 0;
}
