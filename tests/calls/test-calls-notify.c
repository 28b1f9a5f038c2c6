// SPDX-License-Identifier: LGPL-2.1-or-later
/* Notification: what is asked for, and how the end comes. */

#include "test-calls.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

enum how { UNSHARE, CLOSE, EXIT, KILL, EXEC };

#define BYTE 1
#define EVENT 2

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
	void how##_silent(void **state) \
	{ \
		(void)state; \
		notifies(HOW, 0); \
	} \
	void how##_byte(void **state) \
	{ \
		(void)state; \
		notifies(HOW, BYTE); \
	} \
	void how##_event(void **state) \
	{ \
		(void)state; \
		notifies(HOW, EVENT); \
	} \
	void how##_both(void **state) \
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

void set_later(void **state)
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

void change_and_cancel(void **state)
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

void a_closed_port_is_refused(void **state)
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

#endif
