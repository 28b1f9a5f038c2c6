/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that test-faults makes fail, and what they work on. */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

#include "cases.h"
#include "device.h"
#include "module.h"
#include "remote.h"

/* Two blocks of the module, from one call. */
#define MANY 300
/* A run across two blocks, and more pages than the module ends at once. */
#define RUN 40
/* What one page table maps; the runs are mapped across the border of two. */
#define TABLE (512 * PAGE)

/*
 * A call to make fail. @prepare makes what it needs, @check looks whether all
 * is as it was (@done: or as it ought to be after the call), and
 * the pages go with the descriptor, which is closed then.
 */
struct op {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
	void (*check)(bool done);
	int errors[5]; /* that the manual page names, up to a 0 */
};

#define NUM_OPS 14
extern const struct op ops[NUM_OPS];
/* Those about peers, memory, and what a descriptor is told. */
#define NUM_PEER_OPS 9
extern const struct op peer_ops[NUM_PEER_OPS];

/* The device, and the index of the last alloc(). */
extern int fd;
extern uint64_t first;
/* Where runs are mapped; an event channel. */
extern unsigned char *place;
extern uint32_t port;

/* What was given up while its end failed is tried again in the background. */
void wait_until_zero(const char *name);
/* For the peer, writable. */
void alloc(uint32_t count);
long call_open(void);

#endif
