/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device below the library that keeps to the rules of the driver, counts what
 * is open, listed and mapped, and fails where a test wants it to.
 */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "internal.h"

/* The first descriptor, and the ones after it; the last opened closes first. */
#define FAKE_FD 1000
/* The references of a new share count up from here. */
#define FAKE_FIRST_REF 8
/* The only event channel that is open in this domain. */
#define FAKE_PORT 5

struct fake {
	/* What there is now. */
	int open;
	unsigned int listed, mapped;
	/* What happened: pages released, bytes cleared, events sent. */
	unsigned int released, cleared, events;
	/* Steps that could fail so far, and which one shall, with what. */
	unsigned int steps, fail_at;
	int fail_errno;
	bool failed;
	/* The last ALLOC. */
	uint32_t domid, flags, count;
	/* What the machine says of itself; limit 0: no such parameter. */
	unsigned long limit;
	bool tells_used, hypercalls;
	uint32_t frames, max_frames;
	long page_size;
};

extern struct fake fake;

/* Setup and teardown of each test: a fresh device; nothing left behind. */
int fake_setup(void **state);
int fake_teardown(void **state);

/* A page as the peer sees it; a released page is NULL. */
unsigned char *fake_page(uint32_t ref);

/* A logger that keeps the messages, and what it has kept. */
struct xentoollog_logger *fake_logger(void);
extern char fake_message[1024];
extern unsigned int fake_messages;

#endif
