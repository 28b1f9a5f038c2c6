/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A clock that counts instructions, those of the kernel and of Xen included:
 * the time stamp counter under QEMU's -icount; on arm64 the virtual counter if
 * the processor has cntfrq=1000000000.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

static inline uint64_t now(void)
{
#ifdef __aarch64__
	uint64_t ticks;

	/* Else it may be read before what stands before it has been done. */
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
	return ticks;
#else
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
#endif
}

/* What two calls of now() find between them when nothing is there. */
extern uint64_t clock_overhead;

/* Learn the overhead; end the program if the clock counts something else. */
void clock_check(void);

/* Instructions since @start. */
static inline uint64_t since(uint64_t start)
{
	return now() - start - clock_overhead;
}

/*
 * A word for bench/profile: an instruction that does nothing, whose number the
 * profiler sees. 0 begins a count, any other ends it and names it.
 */
#ifdef __aarch64__
#define MARK(number) __asm__ volatile("movz xzr, %0" ::"i"(0x6700 + (number)))
#else
#define MARK(number) \
	__asm__ volatile("nopl %c0(%%rax,%%rax,1)" ::"i"(0x67736800 + (number)))
#endif

#endif
