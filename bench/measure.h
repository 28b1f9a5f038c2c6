/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the program have in common. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "tests/calls/api.h"

#define PAGE 4096u
#define DEVICE "/dev/xen/gntalloc"

/* Instructions a page. */
struct cost {
	double share, touch, unshare, close;
};

/*
 * A way to get memory, and to give it back. If it is to be for the first time,
 * each round is one of a handle of its own, whose closing counts.
 */
struct way {
	const char *name;
	void *(*get)(uint32_t count);
	void (*put)(void *pages, uint32_t count);
	bool first;
};

/* The handle, and room for the references of a call: see reserve_refs(). */
extern gntshr_handle *h;
extern uint32_t *refs;

void open_device(void);
void close_device(void);
void reserve_refs(uint32_t count);
/* Sharing with dom0: the ways' functions end the program if they fail. */
void *share(uint32_t count);
void unshare(void *pages, uint32_t count);
/* A byte of each page. */
void touch(void *pages, uint32_t count);

/* See measure.c. */
void make_place(uint32_t count);
double sum(const struct cost *cost);
/* The mean of so many rounds. */
struct cost sample(const struct way *way, uint32_t count, uint32_t rounds);
/* A line about it. */
void report(const struct way *way, uint32_t as, const struct cost *cost);
/* The cost of @count pages, reported with the number @as. */
void measure(const struct way *way, uint32_t count, uint32_t as);
/* The one in the middle, of an odd number. */
double median(double *values, size_t count);

/* bench.c: for bench/profile */
void profile(const struct way *way, char **counts);

/* others.c: measures of their own. */
void notify(void);
void memory(char **counts);
void peer(char **counts);

/* borrowed.c: memory of the caller, and more peers */
void borrowed(char **counts);
void profile_memory(char **counts);

/* replay.c: the trace on stdin, reported with its name. */
void replay(const char *name);

/* A number of the command line. */
uint32_t number(const char *text);

#endif
