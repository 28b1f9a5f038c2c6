// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Prints what a broadcaster in another domain tells in the page that it shares
 * with several: see broadcast.c and broadcast.h.
 */
#include "broadcast.h"
#include "wait.h"

#include <sys/mman.h>
#include <xengnttab.h>

struct place {
	char dir[64];
	uint32_t ref, index, port;
};

static void find(struct xs_handle *xs, uint32_t domid, struct place *place)
{
	char *own = xs_read(xs, XBT_NULL, "domid", NULL);

	if (!own)
		err(1, "xenstore does not tell this domain's domid");
	snprintf(place->dir, sizeof(place->dir), "/local/domain/%u/%s/%s",
		 domid, BROADCAST_DIR, own);
	free(own);
	/* It is written last. */
	place->ref = wait_key(xs, place->dir, "ref", UINT32_MAX);
	place->port = wait_key(xs, place->dir, "event-channel", INT32_MAX);
	place->index = wait_key(xs, place->dir, "index", MAX_LISTENERS - 1);
}

/*
 * A copy and its version, which is read before and, behind the fence, after it.
 * The writer's fence and release are the other halves. False if the text was
 * written meanwhile. To try again at once would be in vain if the writer has
 * died: an event comes when the text is whole, or nobody is left to write it.
 */
static bool copy_text(struct broadcast *page, char *text, uint32_t *version)
{
	*version = __atomic_load_n(&page->version, __ATOMIC_ACQUIRE);
	memcpy(text, page->text, MAX_TEXT);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	text[MAX_TEXT - 1] = '\0';
	return !(*version & 1) && READ_ONCE(page->version) == *version;
}

/* Until the page is taken from us, or the broadcaster dies. */
static void listen_to(xenevtchn_handle *evtchn, struct broadcast *page,
		      uint32_t index)
{
	uint32_t last = 0, version;
	char text[MAX_TEXT];
	bool alive;

	do {
		wait_event(evtchn, FOREVER);
		/* First, or a text from before it was cleared may be missed. */
		alive = __atomic_load_n(&page->alive[index], __ATOMIC_ACQUIRE);
		if (copy_text(page, text, &version) && version != last) {
			printf("%s\n", text);
			last = version;
		}
	} while (alive);
}

int main(int argc, char **argv)
{
	xengnttab_handle *gnttab;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;
	struct broadcast *page;
	struct place place;
	uint32_t domid, rest;

	if (argc != 2)
		errx(2, "usage: listener DOMID");
	domid = argument("DOMID", argv[1], MAX_DOMID);
	setvbuf(stdout, NULL, _IOLBF, 0);
	gnttab = xengnttab_open(NULL, 0);
	evtchn = xenevtchn_open(NULL, 0);
	xs = xs_open(0);
	if (!gnttab || !evtchn || !xs)
		err(1, "cannot open gntdev, evtchn and xenstore");

	find(xs, domid, &place);
	page = xengnttab_map_grant_ref(gnttab, domid, place.ref, PROT_READ);
	if (!page)
		err(1, "cannot map reference %u of domain %u", place.ref,
		    domid);
	if (xenevtchn_bind_interdomain(evtchn, domid, place.port) < 0)
		err(1, "cannot bind to port %u", place.port);
	listen_to(evtchn, page, place.index);
	if (read_key(xs, XBT_NULL, place.dir, "ref", UINT32_MAX, &rest))
		printf("(the broadcaster has died)\n");
	else
		printf("(the page was taken from us)\n");
	if (xengnttab_unmap(gnttab, page, 1))
		err(1, "cannot unmap");
	xengnttab_close(gnttab);
	xenevtchn_close(evtchn);
	xs_close(xs);
	return 0;
}
