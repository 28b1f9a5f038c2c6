// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A Wayland client's pool of buffers, shared with a compositor in another
 * domain. The client draws in a memfd that it has mapped. Whoever takes it to
 * the other domain, here its parent, gets that memfd and says where in it a
 * buffer is; what is in there it never copies, nor sees. See pool.h.
 *
 * With the stock driver, or --copy, the parent has to: buffers are copied into
 * pages that can be shared, and what comes back is copied into the memfd.
 */
#include "pool.h"
#include "wait.h"

#include <fcntl.h>
#include <gntshr.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WIDTH 320
#define HEIGHT 200
#define BUFFERS 3
#define BUFFER_SIZE ((size_t)WIDTH * HEIGHT * sizeof(uint32_t))
#define POOL_PAGES ((uint32_t)((BUFFERS * BUFFER_SIZE + 4095) / 4096))
#define POOL_SIZE ((size_t)POOL_PAGES * 4096)

struct pool {
	uint32_t compositor, frames;
	bool copy;
	int memfd, client;

	gntshr_handle *gntshr;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;
	evtchn_port_t port;
	struct pool_control *control;

	/* The memfd's pages; or with copies, those beside it. */
	void *shared;
	char *mapped; /* the memfd, only for copies */
	unsigned long copies;
};

static void *map_memfd(int memfd)
{
	void *memory = mmap(NULL, POOL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    memfd, 0);

	if (memory == MAP_FAILED)
		err(1, "cannot map the pool");
	return memory;
}

/*
 * The pages of the memfd that are there now are shared, so it must not become
 * smaller. A hole can still be punched: then the client draws where nobody sees
 * it, which harms nobody else.
 */
static int make_memfd(void)
{
	int memfd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0 || ftruncate(memfd, (off_t)POOL_SIZE) ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		err(1, "cannot make a memfd of %zu bytes", POOL_SIZE);
	return memfd;
}

/* The client: it knows of a memfd and a socket, and of no other domain. */

static void draw(uint32_t *to, const struct buffer *b)
{
	for (uint32_t i = 0; i < pixels(b); i++)
		to[i] = pixel(b, i);
}

static void check_negative(const uint32_t *at, const struct buffer *b)
{
	for (uint32_t i = 0; i < pixels(b); i++)
		if (at[i] != ~pixel(b, i))
			errx(1, "client: pixel %u of frame %u came back as %#x",
			     i, b->frame, at[i]);
}

static int run_client(int memfd, int server, uint32_t frames)
{
	struct buffer b = { .width = WIDTH, .height = HEIGHT };
	char *pool = map_memfd(memfd);
	uint32_t *at, done;

	for (b.frame = 1; b.frame <= frames; b.frame++) {
		b.offset = b.frame % BUFFERS * (uint32_t)BUFFER_SIZE;
		at = (uint32_t *)(pool + b.offset);
		draw(at, &b);
		if (send(server, &b, sizeof(b), 0) != sizeof(b) ||
		    recv(server, &done, sizeof(done), 0) != sizeof(done) ||
		    done != b.frame)
			errx(1, "client: frame %u did not come back", b.frame);
		check_negative(at, &b);
	}
	return 0;
}

/* Before anything of Xen is open: the client shall have nothing of that. */
static pid_t start_client(struct pool *p)
{
	int ends[2];
	pid_t pid;

	p->memfd = make_memfd();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		err(1, "socketpair");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		close(ends[0]);
		_exit(run_client(p->memfd, ends[1], p->frames));
	}
	close(ends[1]);
	p->client = ends[0];
	return pid;
}

/* The parent. */

static void open_all(struct pool *p)
{
	int port;

	p->gntshr = gntshr_open(NULL, 0);
	if (!p->gntshr)
		err(1, "no grant allocation device");
	p->evtchn = xenevtchn_open(NULL, 0);
	if (!p->evtchn)
		err(1, "no event channel device");
	p->xs = xs_open(0);
	if (!p->xs)
		err(1, "no xenstore");
	port = xenevtchn_bind_unbound_port(p->evtchn, p->compositor);
	if (port < 0)
		err(1, "no event channel for domain %u", p->compositor);
	p->port = port;
}

/* The mapping goes at once: what is shared is the pages. */
static bool share_memfd(struct pool *p)
{
	void *memory = map_memfd(p->memfd);

	if (gntshr_share_memory(p->gntshr, p->compositor, memory, POOL_PAGES,
				p->control->refs, GNTSHR_WRITABLE)) {
		if (errno != ENOTSUP)
			err(1, "cannot share the memfd");
		munmap(memory, POOL_SIZE);
		return false;
	}
	if (munmap(memory, POOL_SIZE))
		err(1, "munmap");
	p->shared = memory;
	return true;
}

static void share_beside(struct pool *p)
{
	p->mapped = map_memfd(p->memfd);
	p->shared = gntshr_share_pages(p->gntshr, p->compositor, POOL_PAGES,
				       p->control->refs, GNTSHR_WRITABLE);
	if (!p->shared)
		err(1, "cannot share %u pages", POOL_PAGES);
}

static void share_all(struct pool *p)
{
	uint32_t ref;

	make_dir(p->xs, POOL_DIR, p->compositor);
	p->control = gntshr_share_page_notify(
		p->gntshr, p->compositor, &ref, GNTSHR_WRITABLE,
		offsetof(struct pool_control, alive), p->port);
	if (!p->control)
		err(1, "cannot share a page");
	p->copy = p->copy || !share_memfd(p);
	if (p->copy)
		share_beside(p);
	p->control->num_pages = POOL_PAGES;
	p->control->alive = 1;
	write_key(p->xs, XBT_NULL, POOL_DIR, "event-channel", p->port);
	write_key(p->xs, XBT_NULL, POOL_DIR, "control-ref", ref);
}

/* All that is copied of buffers is copied here. */
static void copy(struct pool *p, void *to, const void *from)
{
	memcpy(to, from, BUFFER_SIZE);
	p->copies++;
}

/*
 * The compositor is not trusted: what it says is only compared. What the client
 * drew comes before its send(), our recv() and so before committed; what the
 * compositor did, before released.
 */
static void commit(struct pool *p, const struct buffer *b)
{
	uint32_t number = b->frame;

	p->control->buffer = *b;
	__atomic_store_n(&p->control->committed, number, __ATOMIC_RELEASE);
	if (xenevtchn_notify(p->evtchn, p->port))
		err(1, "cannot signal the event channel");
	while (__atomic_load_n(&p->control->released, __ATOMIC_ACQUIRE) !=
	       number)
		wait_event(p->evtchn, PATIENCE);
}

/* Nor is the client, of course. False when it has gone. */
static bool serve_client(struct pool *p)
{
	struct buffer b;
	ssize_t got = recv(p->client, &b, sizeof(b), 0);
	char *pages = p->shared;

	if (!got)
		return false;
	if (got != sizeof(b) || b.width > WIDTH || b.height > HEIGHT ||
	    b.offset > POOL_SIZE - BUFFER_SIZE)
		errx(1, "the client sent no buffer of the pool");
	if (p->copy)
		copy(p, pages + b.offset, p->mapped + b.offset);
	commit(p, &b);
	if (p->copy)
		copy(p, p->mapped + b.offset, pages + b.offset);
	if (send(p->client, &b.frame, sizeof(b.frame), MSG_NOSIGNAL) < 0)
		err(1, "cannot answer the client");
	return true;
}

/*
 * The memory is named by where it was. The control page goes last: it tells the
 * compositor, which lets go then. The next one shall not find what is gone.
 */
static void close_all(struct pool *p)
{
	if (!xs_rm(p->xs, XBT_NULL, POOL_DIR))
		err(1, "cannot remove %s from xenstore", POOL_DIR);
	if (gntshr_unshare(p->gntshr, p->shared, POOL_PAGES) ||
	    gntshr_unshare(p->gntshr, p->control, 1))
		err(1, "cannot unshare");
	if (gntshr_wait_released(p->gntshr, PATIENCE * 1000) &&
	    errno != ENOTSUP)
		err(1, "the compositor does not let go of the pool");
	if (gntshr_close(p->gntshr))
		err(1, "cannot close");
	xenevtchn_close(p->evtchn);
	xs_close(p->xs);
}

static void parse(struct pool *p, int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--copy")) {
		p->copy = true;
		argc--;
		argv++;
	}
	if (argc != 3)
		errx(2, "usage: pool [--copy] DOMID FRAMES");
	p->compositor = argument("DOMID", argv[1], MAX_DOMID);
	p->frames = argument("FRAMES", argv[2], INT32_MAX);
}

int main(int argc, char **argv)
{
	struct pool p = { 0 };
	int status;
	pid_t pid;

	parse(&p, argc, argv);
	pid = start_client(&p);
	open_all(&p);
	share_all(&p);
	while (serve_client(&p))
		;
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "the client failed");
	close_all(&p);
	printf("pool: %u frames of %zu bytes there and back, %lu copies\n",
	       p.frames, BUFFER_SIZE, p.copies);
	return 0;
}
