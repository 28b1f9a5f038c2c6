// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What every user relies on, against a real peer: contents both ways, rights,
 * the end of a share, and the notification however the end comes. Built for
 * libgntshr and for libxengnttab, run on our module and on the stock one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

#include "api.h"
#include "remote.h"

#define MAX_PAGES 512
/* Only ever waited for in full when a test fails. */
#define PATIENCE_MS 30000
/* How long "nothing comes" is believed after. */
#define SILENCE_MS 500

static gntshr_handle *h;
static uint32_t refs[MAX_PAGES];

static int setup(void **state)
{
	(void)state;
	h = gntshr_open(NULL, 0);
	return h ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return gntshr_close(h);
}

static long differing(const unsigned char *pages, uint32_t count, uint32_t seed)
{
	long wrong = 0;

	for (size_t n = 0; n < (size_t)count * 4096; n++)
		wrong += pages[n] != pattern(seed, n);
	return wrong;
}

/*
 * A peer that comes after the end finds nothing. If it had the page mapped when
 * the end came, the grant goes when the driver next looks; the stock one only
 * does that when it is asked for other pages.
 */
static void assert_ended(const uint32_t *ref)
{
	for (int i = 0; i < PATIENCE_MS / 100; i++) {
		uint32_t other;
		void *page;
		long slot = remote_map("ro", ref, 1);

		if (slot == -1)
			return;
		assert_int_equal(remote("unmap %ld", slot), 0);
		page = gntshr_share_pages(h, remote_domid(), 1, &other, 0);
		assert_non_null(page);
		assert_int_equal(gntshr_unshare(h, page, 1), 0);
		usleep(100000);
	}
	fail_msg("the peer can still map reference %u", *ref);
}

static void contents_both_ways(uint32_t count)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), count, refs, 1);
	long slot;

	assert_non_null(pages);
	slot = remote_map("rw", refs, count);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("zero %ld", slot), 0);
	fill_pattern(pages, count, 1);
	assert_int_equal(remote("check %ld 1", slot), 0);
	assert_int_equal(remote("fill %ld 2", slot), 0);
	assert_int_equal(differing(pages, count, 2), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, pages, count), 0);
	assert_ended(refs);
	assert_ended(refs + count - 1);
}

static void read_only(uint32_t count)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), count, refs, 0);
	long slot;

	assert_non_null(pages);
	assert_int_equal(remote_map("rw", refs, count), -1);
	assert_int_equal(remote_map("rw", refs + count - 1, 1), -1);
	slot = remote_map("ro", refs, count);
	assert_int_not_equal(slot, -1);
	fill_pattern(pages, count, 3);
	assert_int_equal(remote("check %ld 3", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, pages, count), 0);
	assert_ended(refs);
}

static void writable_1(void **state)
{
	(void)state;
	contents_both_ways(1);
}

static void writable_8(void **state)
{
	(void)state;
	contents_both_ways(8);
}

static void writable_64(void **state)
{
	(void)state;
	contents_both_ways(64);
}

static void writable_512(void **state)
{
	(void)state;
	contents_both_ways(512);
}

static void read_only_1(void **state)
{
	(void)state;
	read_only(1);
}

static void read_only_8(void **state)
{
	(void)state;
	read_only(8);
}

static void read_only_64(void **state)
{
	(void)state;
	read_only(64);
}

static void read_only_512(void **state)
{
	(void)state;
	read_only(512);
}

/* Pages that held something before reach the peer zeroed. */
static void used_memory_comes_zeroed(void **state)
{
	unsigned char *pages;
	long slot;

	(void)state;
	for (int round = 0; round < 4; round++) {
		pages = gntshr_share_pages(h, remote_domid(), 64, refs, 1);
		assert_non_null(pages);
		for (size_t n = 0; n < 64 * 4096; n++)
			assert_int_equal(pages[n], 0);
		slot = remote_map("ro", refs, 64);
		assert_int_equal(remote("zero %ld", slot), 0);
		assert_int_equal(remote("unmap %ld", slot), 0);
		memset(pages, 0x5A, 64 * 4096);
		assert_int_equal(gntshr_unshare(h, pages, 64), 0);
	}
}

/* What the peer maps stays there for it, with its contents, after the end. */
static void peer_keeps_what_it_maps(void **state)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), 8, refs, 1);
	long slot;

	(void)state;
	assert_non_null(pages);
	slot = remote_map("rw", refs, 8);
	fill_pattern(pages, 8, 4);
	assert_int_equal(gntshr_unshare(h, pages, 8), 0);
	/* Nobody else gets these pages meanwhile. */
	pages = gntshr_share_pages(h, remote_domid(), 64, refs + 8, 1);
	memset(pages, 0x77, 64 * 4096);
	assert_int_equal(remote("check %ld 4", slot), 0);
	assert_int_equal(remote("fill %ld 5", slot), 0);
	assert_int_equal(remote("check %ld 5", slot), 0);
	for (size_t n = 0; n < 64 * 4096; n++)
		assert_int_equal(pages[n], 0x77);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_int_equal(gntshr_unshare(h, pages, 64), 0);
}

/* ---- notification: what is asked for, and how the end comes ---- */

enum how { UNSHARE, CLOSE, EXIT, KILL, EXEC };

#define BYTE 1
#define EVENT 2
#define OFFSET 1234

/* The child's part: share, tell the parent, and wait for the end. */
static void share_and_end(enum how how, unsigned int what, int to, int from)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	gntshr_handle *own = gntshr_open(NULL, 0);
	uint32_t message[2] = { 0, -1u };
	unsigned char *page;
	char go;

	if (what & EVENT)
		message[1] = (uint32_t)xenevtchn_bind_unbound_port(
			evtchn, remote_domid());
	page = gntshr_share_page_notify(own, remote_domid(), &message[0], 1,
					what & BYTE ? OFFSET : -1u, message[1]);
	if (!page)
		_exit(1);
	memset(page, 0xFF, 4096);
	if (write(to, message, sizeof(message)) != sizeof(message) ||
	    read(from, &go, 1) != 1)
		_exit(1);

	if (how == EXEC)
		execl("/bin/sh", "sh", "-c", "sleep 60", NULL);
	if (how == UNSHARE)
		gntshr_unshare(own, page, 1);
	if (how == CLOSE)
		gntshr_close(own);
	if (how == EXIT)
		_exit(0);
	sleep(60);
	_exit(1);
}

static void notifies(enum how how, unsigned int what)
{
	uint32_t message[2];
	int up[2], down[2];
	long slot;
	pid_t pid;

	assert_int_equal(pipe(up) | pipe(down), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (!pid)
		share_and_end(how, what, up[1], down[0]);
	assert_int_equal(read(up[0], message, sizeof(message)),
			 sizeof(message));

	slot = remote_map("rw", message, 1);
	assert_int_not_equal(slot, -1);
	if (what & EVENT)
		assert_int_equal(remote("bind %u", message[1]), 0);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0xFF);

	if (how == KILL)
		kill(pid, SIGKILL);
	else
		assert_int_equal(write(down[1], "", 1), 1);

	if (what & EVENT)
		assert_int_equal(remote("events %u", PATIENCE_MS), 1);
	else if (what & BYTE)
		for (int i = 0; i < PATIENCE_MS / 10; i++) {
			if (!remote("byte %ld %u", slot, OFFSET))
				break;
			usleep(10000);
		}
	else
		usleep(SILENCE_MS * 1000);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET),
			 what & BYTE ? 0 : 0xFF);
	/* Only that byte. */
	assert_int_equal(remote("byte %ld %u", slot, OFFSET - 1), 0xFF);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET + 1), 0xFF);
	assert_int_equal(remote("unmap %ld", slot), 0);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_ended(message);
	close(up[0]), close(up[1]), close(down[0]), close(down[1]);
}

#define NOTIFY_TESTS(how, HOW) \
	static void how##_silent(void **state) \
	{ \
		(void)state; \
		notifies(HOW, 0); \
	} \
	static void how##_byte(void **state) \
	{ \
		(void)state; \
		notifies(HOW, BYTE); \
	} \
	static void how##_event(void **state) \
	{ \
		(void)state; \
		notifies(HOW, EVENT); \
	} \
	static void how##_both(void **state) \
	{ \
		(void)state; \
		notifies(HOW, BYTE | EVENT); \
	}

NOTIFY_TESTS(unshare, UNSHARE)
NOTIFY_TESTS(exit, EXIT)
NOTIFY_TESTS(kill, KILL)
NOTIFY_TESTS(exec, EXEC)

#ifndef WITH_XENGNTTAB

/* ---- what libxengnttab cannot do ---- */

NOTIFY_TESTS(close, CLOSE)

static void set_later(void **state)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), 8, refs, 1);
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port = xenevtchn_bind_unbound_port(evtchn, remote_domid());
	long slot;

	(void)state;
	assert_non_null(pages);
	memset(pages, 0xFF, 8 * 4096);
	slot = remote_map("rw", refs, 8);
	assert_int_equal(remote("bind %d", port), 0);

	assert_int_equal(gntshr_set_unmap_notify(h, pages + 3 * 4096 + 7,
						 GNTSHR_NOTIFY_CLEAR_BYTE, 0),
			 0);
	assert_int_equal(gntshr_set_unmap_notify(h, pages + 5 * 4096,
						 GNTSHR_NOTIFY_SEND_EVENT,
						 (uint32_t)port),
			 0);
	/* The notification keeps the channel open. */
	xenevtchn_close(evtchn);
	assert_int_equal(remote("events 0"), 0);
	assert_int_equal(gntshr_unshare(h, pages, 8), 0);
	assert_int_equal(remote("events %u", PATIENCE_MS), 1);
	assert_int_equal(remote("byte %ld %u", slot, 3 * 4096 + 7), 0);
	assert_int_equal(remote("byte %ld %u", slot, 5 * 4096), 0xFF);
	assert_int_equal(remote("unmap %ld", slot), 0);
}

static void change_and_cancel(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port = xenevtchn_bind_unbound_port(evtchn, remote_domid());
	unsigned char *page = gntshr_share_page_notify(h, remote_domid(), refs,
						       1, 1, (uint32_t)port);
	long slot;

	(void)state;
	assert_non_null(page);
	memset(page, 0xFF, 4096);
	slot = remote_map("rw", refs, 1);
	assert_int_equal(remote("bind %d", port), 0);
	assert_int_equal(gntshr_set_unmap_notify(h, page + 2,
						 GNTSHR_NOTIFY_CLEAR_BYTE, 0),
			 0);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(remote("events %u", SILENCE_MS), 0);
	assert_int_equal(remote("byte %ld 1", slot), 0xFF);
	assert_int_equal(remote("byte %ld 2", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);

	page = gntshr_share_page_notify(h, remote_domid(), refs, 1, 1,
					(uint32_t)port);
	assert_non_null(page);
	memset(page, 0xFF, 4096);
	slot = remote_map("rw", refs, 1);
	assert_int_equal(gntshr_set_unmap_notify(h, page, 0, 0), 0);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(remote("events %u", SILENCE_MS), 0);
	assert_int_equal(remote("byte %ld 1", slot), 0xFF);
	assert_int_equal(remote("unmap %ld", slot), 0);
	xenevtchn_close(evtchn);
}

static void a_closed_port_is_refused(void **state)
{
	unsigned char *page = gntshr_share_pages(h, remote_domid(), 1, refs, 1);

	(void)state;
	assert_non_null(page);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(
				 h, page, GNTSHR_NOTIFY_SEND_EVENT, 1 << 20),
			 -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
}

/* The child's copies do not keep the page, nor does their end take it away. */
static void a_child_may_close(void **state)
{
	unsigned char *page =
		gntshr_share_page_notify(h, remote_domid(), refs, 1, 9, -1u);
	int status;
	long slot;
	pid_t pid;

	(void)state;
	assert_non_null(page);
	memset(page, 0xFF, 4096);
	slot = remote_map("rw", refs, 1);
	pid = fork();
	if (!pid)
		_exit(gntshr_close(h) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(remote("byte %ld 9", slot), 0xFF);
	assert_int_equal(page[9], 0xFF);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(remote("byte %ld 9", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
}

/* True if the handle of the parent refuses all but close, and changes nothing.
 */
static bool is_refused(unsigned char *pages)
{
	uint32_t mine[2] = { 70, 71 };
	bool refused;

#define eperm(call, failure) (errno = 0, (call) == (failure) && errno == EPERM)
	refused =
		eperm(gntshr_share_pages(h, 0, 2, mine, 1), NULL) &&
		eperm(gntshr_share_page_notify(h, 0, mine, 1, 0, -1u), NULL) &&
		eperm(gntshr_set_unmap_notify(h, pages, 0, 0), -1) &&
		eperm(gntshr_unshare(h, pages, 2), -1);
	return refused && mine[0] == 70 && mine[1] == 71;
}

/* A handle of its own is as good as in any process. */
static bool shares_itself(void)
{
	gntshr_handle *own = gntshr_open(NULL, 0);
	uint32_t ref;
	char *page = gntshr_share_pages(own, remote_domid(), 1, &ref, 1);

	return page && !gntshr_set_unmap_notify(own, page, 1, 0) &&
	       !gntshr_unshare(own, page, 1) && !gntshr_close(own);
}

static void a_child_may_do_nothing_else(void **state)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), 2, refs, 1);
	int status;
	long slot;
	pid_t pid;

	(void)state;
	assert_non_null(pages);
	assert_int_equal(gntshr_set_unmap_notify(h, pages,
						 GNTSHR_NOTIFY_CLEAR_BYTE, 0),
			 0);
	fill_pattern(pages, 2, 6);
	slot = remote_map("rw", refs, 2);
	assert_int_not_equal(slot, -1);
	pid = fork();
	if (!pid)
		_exit(is_refused(pages) && shares_itself() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	/* Nothing of the parent's is different. */
	assert_int_equal(remote("check %ld 6", slot), 0);
	assert_int_equal(remote("fill %ld 7", slot), 0);
	assert_int_equal(differing(pages, 2, 7), 0);
	assert_int_not_equal(pages[0], 0);
	assert_int_equal(gntshr_unshare(h, pages, 2), 0);
	assert_int_equal(remote("byte %ld 0", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_ended(refs);
}

/* ---- a process with a child is killed: who keeps its page alive? ---- */

enum child { KEEPS, CLOSES, KEPT_OUT, EXECS };

struct family {
	uint32_t ref;
	pid_t child;
};

static void be_child(enum child what, gntshr_handle *own)
{
	/* For a child without the pages, as the header has it. */
	if (what == KEPT_OUT && close(gntshr_fd(own)))
		_exit(1);
	if (what == CLOSES && gntshr_close(own))
		_exit(1);
}

static void be_parent(enum child what, int to)
{
	gntshr_handle *own = gntshr_open(NULL, 0);
	struct family family = { 0 };
	unsigned char *page;
	int ready[2];
	char byte;

	page = gntshr_share_page_notify(own, remote_domid(), &family.ref, 1,
					OFFSET, -1u);
	if (!page || pipe2(ready, O_CLOEXEC))
		_exit(1);
	memset(page, 0xFF, 4096);
	if (what == KEPT_OUT && madvise(page, 4096, MADV_DONTFORK))
		_exit(1);

	family.child = fork();
	if (!family.child) {
		be_child(what, own);
		if (what == EXECS)
			execl("/bin/sh", "sh", "-c", "sleep 60", NULL);
		close(ready[0]);
		close(ready[1]);
		sleep(60);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) ||
	    write(to, &family, sizeof(family)) != sizeof(family))
		_exit(1);
	sleep(60);
	_exit(1);
}

static void is_killed(enum child what)
{
	struct pollfd end = { .events = POLLIN };
	struct family family;
	int up[2];
	long slot;
	pid_t pid;

	assert_int_equal(pipe(up), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (!pid)
		be_parent(what, up[1]);
	/* From now on the pipe ends with the two, exec or not. */
	close(up[1]);
	end.fd = up[0];
	assert_int_equal(read(up[0], &family, sizeof(family)), sizeof(family));
	slot = remote_map("rw", &family.ref, 1);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0xFF);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (what == KEEPS) {
		usleep(SILENCE_MS * 1000);
		assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0xFF);
		kill(family.child, SIGKILL);
	}
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (!remote("byte %ld %u", slot, OFFSET))
			break;
		usleep(10000);
	}
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0);
	/* Those live on, and that made no difference. */
	if (what != KEEPS) {
		assert_int_equal(poll(&end, 1, 0), 0);
		kill(family.child, SIGKILL);
	}
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_ended(&family.ref);
	close(up[0]);
}

static void a_child_keeps_pages(void **state)
{
	(void)state;
	is_killed(KEEPS);
}

static void a_child_that_closes_does_not(void **state)
{
	(void)state;
	is_killed(CLOSES);
}

static void a_child_that_execs_does_not(void **state)
{
	(void)state;
	is_killed(EXECS);
}

static void a_child_can_be_kept_out(void **state)
{
	(void)state;
	is_killed(KEPT_OUT);
}

/*
 * MADV_DONTFORK kept pages from the child: some of a share, in a window with
 * our driver, and all of the first. What it has in their place is its own.
 */
static int close_kept_out(unsigned char *const pages[2])
{
	static const size_t sizes[2] = { 4096, 2 * 4096 };
	int right = 1;

	for (int i = 0; i < 2; i++) {
		if (mmap(pages[i], sizes[i], PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0) != pages[i])
			return 2;
		memset(pages[i], 0x77, sizes[i]);
	}
	right = !gntshr_close(h);
	for (int i = 0; i < 2; i++)
		right = right && pages[i][0] == 0x77 &&
			pages[i][sizes[i] - 1] == 0x77;
	/* The rest of the second is gone. */
	right = right && msync(pages[1] + 2 * 4096, 4096, MS_ASYNC) == -1 &&
		errno == ENOMEM;
	return !right;
}

static void a_child_may_close_what_it_has_not(void **state)
{
	unsigned char *pages[2];
	int status;
	pid_t pid;

	(void)state;
	pages[0] = gntshr_share_pages(h, remote_domid(), 1, refs, 1);
	pages[1] = gntshr_share_pages(h, remote_domid(), 4, refs + 1, 1);
	assert_true(pages[0] && pages[1]);
	memset(pages[0], 0xFF, 4096);
	memset(pages[1], 0xFF, 4 * 4096);
	assert_int_equal(madvise(pages[0], 4096, MADV_DONTFORK), 0);
	assert_int_equal(madvise(pages[1], 2 * 4096, MADV_DONTFORK), 0);
	pid = fork();
	if (!pid)
		_exit(close_kept_out(pages));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pages[0][4095], 0xFF);
	assert_int_equal(pages[1][4 * 4096 - 1], 0xFF);
	assert_int_equal(gntshr_unshare(h, pages[1], 4), 0);
	assert_int_equal(gntshr_unshare(h, pages[0], 1), 0);
	assert_ended(refs);
}

#endif

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define notify_tests(how) \
	test(how##_silent), test(how##_byte), test(how##_event), \
		test(how##_both)
	const struct CMUnitTest tests[] = {
		test(writable_1),
		test(writable_8),
		test(writable_64),
		test(writable_512),
		test(read_only_1),
		test(read_only_8),
		test(read_only_64),
		test(read_only_512),
		test(used_memory_comes_zeroed),
		test(peer_keeps_what_it_maps),
		notify_tests(unshare),
		notify_tests(exit),
		notify_tests(kill),
		notify_tests(exec),
#ifndef WITH_XENGNTTAB
		notify_tests(close),
		test(set_later),
		test(change_and_cancel),
		test(a_closed_port_is_refused),
		test(a_child_may_close),
		test(a_child_may_do_nothing_else),
		test(a_child_keeps_pages),
		test(a_child_that_closes_does_not),
		test(a_child_that_execs_does_not),
		test(a_child_can_be_kept_out),
		test(a_child_may_close_what_it_has_not),
#endif
	};

	return cmocka_run_group_tests_name(LIBRARY, tests, NULL, NULL);
}
