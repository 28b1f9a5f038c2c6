// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * It shares, arms, writes and gives up again, and keeps a record of where it
 * is. It ends with a status of its own for whatever does not work.
 */

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <gntshr.h>
#include <xenevtchn.h>

#include "remote.h"
#include "test-death.h"

#define NONE ((uint32_t)-1)

static void publish(const uint32_t *refs, unsigned char *pages, int count)
{
	for (int i = 0; i < count; i++) {
		fill_pattern(pages + i * PAGE, 1, life->seed);
		life->refs[life->known + i] = refs[i];
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

static void cycle(void)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t refs[FIRST_SHARE], ref;
	unsigned char *three, *one;

	three = h ? gntshr_share_pages(h, domid, FIRST_SHARE, refs,
				       GNTSHR_WRITABLE)
		  : NULL;
	if (!three)
		_exit(1);
	publish(refs, three, FIRST_SHARE);
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
	cycle();
	while (life->kill_ns)
		pause();
	_exit(0);
}
