/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a process that shares pages; test-death.c ends it. */
#ifndef TEST_DEATH_H
#define TEST_DEATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096
#define LIVE_BYTE 100

/* One share of three pages and one of a single page. */
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
 * @gone	2 with the first share unshared, 4 with the second; odd on the
 *		way there
 */
struct life {
	uint32_t seed, port, event_page, refs[PAGES];
	bool own_port, mapped, patient;
	unsigned long kill_ns;
	atomic_int known, seen, done, gone, armed[PAGES];
};

/* In memory that all share; and who the peer is. */
extern struct life *life;
extern uint32_t domid;

/* What the process does; it stops itself before it begins. */
void __attribute__((noreturn)) live(void);

#endif
