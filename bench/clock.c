// SPDX-License-Identifier: LGPL-2.1-or-later

#include <err.h>

#include "clock.h"

#define TURNS 100000u
#define TRIES 100

uint64_t clock_overhead;

/* A loop of two instructions a turn; interrupts add a little. */
static double per_turn(void)
{
	uint64_t start = now();
	uint32_t left = TURNS;

#ifdef __aarch64__
	__asm__ volatile("1: subs %w0, %w0, #1; b.ne 1b" : "+r"(left)::"cc");
#else
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(left)::"cc");
#endif
	return (double)(now() - start) / TURNS;
}

void clock_check(void)
{
	uint64_t least = UINT64_MAX;
	double turn;

	for (int i = 0; i < 1000; i++) {
		uint64_t start = now(), end = now();

		if (end - start < least)
			least = end - start;
	}
	clock_overhead = least;

	/* Other processes and domains may have something to do, too. */
	turn = per_turn();
	for (int i = 0; i < TRIES; i++) {
		double other = per_turn();

		if (other < turn)
			turn = other;
	}
	if (turn < 2 || turn > 2.01)
		errx(1,
		     "the clock does not count instructions: a loop of two takes %.3f; run this under harness/run --icount",
		     turn);
}
