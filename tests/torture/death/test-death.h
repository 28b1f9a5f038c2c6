/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a process that shares pages, and its end. */
#ifndef TEST_DEATH_H
#define TEST_DEATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "device.h"

#define LIVE_BYTE 100

/*
 * One share of three pages and one of a single page; or memory of the process,
 * and one more peer for a page of a stranger.
 */
enum { PLAIN, NOTIFIED, CANCELLED, FROM_START, PAGES };
#define FIRST_SHARE 3

/* An odd one is on its way to the next. */
enum { NEVER, ARMING, ARMED, CANCELLING, CANCELS };

/*
 * One process's life, which its parent reads over its shoulder.
 *
 * @port	is signalled for the page @event_page
 * @known	so many references are there, and the pages written to
 * @seen	so many of them the peer has mapped
 * @patient	the process waits for that
 * @requests	it uses the device without a library
 * @gone	2 with the first share unshared, 4 with the second; odd on the
 *		way there
 */
struct life {
	uint32_t seed, port, event_page, refs[PAGES];
	bool own_port, mapped, patient, requests;
	unsigned long kill_ns;
	atomic_int known, seen, done, gone, armed[PAGES];
};

/* In memory that all share; and who the peer is. */
extern struct life *life;
extern uint32_t domid;

/* What the process does; it stops itself before it begins. */
void __attribute__((noreturn)) live(void);

/* What is seen of it from outside. */
extern struct seen {
	char how[64];
	pid_t pid;
	long slots[PAGES], events;
	bool unlisted, unmapped;
	int taken;
} seen;
extern unsigned int deaths;
/* Whether the driver has what such a life needs. */
extern bool has_requests;

/* test-death.c. A life of another kind: all take turns. */
void birth(const char *how, unsigned int kind, bool traced);
/* Is all as it must be, before its death or after? */
void judge(bool dead);
void bury(void);
/* The process is dead, or has ended by itself. */
bool killed(int status);
void complain(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* test-death-calls.c. One death at each stop. Returns how many there are. */
unsigned int kill_at_each(unsigned int sweep, unsigned int most);

#endif
