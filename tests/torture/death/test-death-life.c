// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * It shares, arms, writes and gives up again, and keeps a record of where it
 * is. It ends with a status of its own for whatever does not work.
 */

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <gntshr.h>
#include <xenevtchn.h>

#include "asks.h"
#include "device.h"
#include "remote.h"
#include "test-death.h"

#define NONE ((uint32_t)-1)

static void publish(const uint32_t *known, unsigned char *pages, int count)
{
	for (int i = 0; i < count; i++) {
		fill_pattern(pages + i * PAGE, 1, life->seed);
		life->refs[life->known + i] = known[i];
	}
	life->known += count;
	while (life->patient && life->seen < life->known)
		usleep(20);
}

static void arm(gntshr_handle *h, unsigned char *pages, int page)
{
	uint32_t event = life->event_page == (uint32_t)page
				 ? GNTSHR_NOTIFY_SEND_EVENT
				 : 0;

	life->armed[page] = ARMING;
	if (gntshr_set_unmap_notify(h, pages + page * PAGE + LIVE_BYTE,
				    GNTSHR_NOTIFY_CLEAR_BYTE | event,
				    life->port))
		_exit(3);
	life->armed[page] = ARMED;
}

static void unshare(gntshr_handle *h, void *pages, uint32_t count)
{
	life->gone++;
	if (gntshr_unshare(h, pages, count))
		_exit(4);
	life->gone += life->gone & 1;
}

/* ---- without a library ---- */

/* There is no such domain. */
#define STRANGER 77

static void arm_index(int fd, uint64_t index, int page)
{
	bool event = life->event_page == (uint32_t)page;

	life->armed[page] = ARMING;
	if (notify(fd, index + LIVE_BYTE,
		   UNMAP_NOTIFY_CLEAR_BYTE |
			   (event ? UNMAP_NOTIFY_SEND_EVENT : 0),
		   life->port))
		_exit(3);
	life->armed[page] = ARMED;
}

static void end_index(int fd, uint64_t index, uint32_t count)
{
	life->gone++;
	if (dealloc(fd, index, count))
		_exit(4);
	life->gone += life->gone & 1;
}

/* The page of a stranger, which is there until the end. */
static uint64_t one_more_peer(int fd, unsigned char **page, uint32_t *ref)
{
	uint64_t index = 0, peer_index = 0;

	if (alloc_for(fd, STRANGER, 1, 0, &index))
		_exit(2);
	*page = map(fd, index, 1);
	if (*page == MAP_FAILED ||
	    ask_add_peer(fd, domid, index, 1, GNTALLOC_FLAG_WRITABLE, ref,
			 &peer_index))
		_exit(2);
	return peer_index;
}

static void cycle_of_requests(void)
{
	int fd = open_device();
	unsigned char *memory, *one;
	uint32_t own[FIRST_SHARE], ref;
	uint64_t index, peer_index;

	memory = mmap(NULL, FIRST_SHARE * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || ask_share_memory(fd, domid, memory, FIRST_SHARE,
				       GNTALLOC_FLAG_WRITABLE, own, &index))
		_exit(1);
	publish(own, memory, FIRST_SHARE);
	arm_index(fd, index + NOTIFIED * PAGE, NOTIFIED);
	arm_index(fd, index + CANCELLED * PAGE, CANCELLED);
	life->armed[CANCELLED] = CANCELLING;
	if (notify(fd, index + CANCELLED * PAGE, 0, 0))
		_exit(5);
	life->armed[CANCELLED] = CANCELS;

	peer_index = one_more_peer(fd, &one, &ref);
	publish(&ref, one, 1);
	arm_index(fd, peer_index, FROM_START);

	end_index(fd, index, FIRST_SHARE);
	end_index(fd, peer_index, 1);
	if (close(fd))
		_exit(6);
	life->done = 1;
}

/* ---- with one ---- */

static void cycle(void)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t own[FIRST_SHARE], ref;
	unsigned char *three, *one;

	three = h ? gntshr_share_pages(h, domid, FIRST_SHARE, own,
				       GNTSHR_WRITABLE)
		  : NULL;
	if (!three)
		_exit(1);
	publish(own, three, FIRST_SHARE);
	arm(h, three, NOTIFIED);
	arm(h, three, CANCELLED);
	life->armed[CANCELLED] = CANCELLING;
	if (gntshr_set_unmap_notify(h, three + CANCELLED * PAGE, 0, 0))
		_exit(5);
	life->armed[CANCELLED] = CANCELS;

	life->armed[FROM_START] = ARMING;
	one = gntshr_share_page_notify(
		h, domid, &ref, GNTSHR_WRITABLE, LIVE_BYTE,
		life->event_page == FROM_START ? life->port : NONE);
	if (!one)
		_exit(2);
	life->armed[FROM_START] = ARMED;
	publish(&ref, one, 1);

	unshare(h, three, FIRST_SHARE);
	unshare(h, one, 1);
	if (gntshr_close(h))
		_exit(6);
	life->done = 1;
}

/* A timer of its own kills it in the midst of a system call, too. */
static void set_death(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGKILL };
	struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(life->kill_ns / 1000000000),
			      .tv_nsec = (long)(life->kill_ns % 1000000000) }
	};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &when, NULL))
		_exit(7);
}

void live(void)
{
	xenevtchn_handle *ports =
		life->own_port ? xenevtchn_open(NULL, 0) : NULL;

	if (ports)
		life->port =
			(uint32_t)xenevtchn_bind_unbound_port(ports, domid);
	raise(SIGSTOP);
	if (life->kill_ns)
		set_death();
	if (life->requests)
		cycle_of_requests();
	else
		cycle();
	while (life->kill_ns)
		pause();
	_exit(0);
}
