/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a test talks to its peer in dom0 (peer.c), and what both agree on. */
#ifndef REMOTE_H
#define REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REQUEST_PATH "/local/domain/%u/data/peer/request"
#define REPLY_PATH "/local/domain/%u/data/peer/reply"
/* Only ever waited for in full when a test fails. */
#define PATIENCE_MS 30000

/* Byte @n of pages that were filled with @seed; pages differ. */
static inline unsigned char pattern(uint32_t seed, size_t n)
{
	return (unsigned char)(seed * 31 + n + (n >> 12) * 7 + 1);
}

/* Within a page it comes again after so many bytes, which go to @to. */
#define PATTERN_PERIOD 256
static inline void pattern_at(unsigned char *to, uint32_t seed, size_t n)
{
	for (size_t i = 0; i < PATTERN_PERIOD; i++)
		to[i] = pattern(seed, n + i);
}

static inline void fill_pattern(unsigned char *to, uint32_t count,
				uint32_t seed)
{
	unsigned char same[PATTERN_PERIOD];

	for (size_t n = 0; n < (size_t)count * 4096; n += sizeof(same)) {
		if (n % 4096 == 0)
			pattern_at(same, seed, n);
		memcpy(to + n, same, sizeof(same));
	}
}

/* How many bytes are not what fill_pattern() makes them. */
static inline long differing(const unsigned char *pages, uint32_t count,
			     uint32_t seed)
{
	unsigned char same[PATTERN_PERIOD];
	long wrong = 0;

	for (size_t n = 0; n < (size_t)count * 4096; n += sizeof(same)) {
		if (n % 4096 == 0)
			pattern_at(same, seed, n);
		if (!memcmp(pages + n, same, sizeof(same)))
			continue;
		for (size_t i = 0; i < sizeof(same); i++)
			wrong += pages[n + i] != same[i];
	}
	return wrong;
}

/* The domid of the peer. */
uint32_t remote_domid(void);
/* Give an order: the answer, or -1 with the peer's errno. */
long remote(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * An order to be sent along with the next one: a journey takes much longer than
 * an order. The first that is refused ends them. remote_now() sends them and
 * returns how many @answers came before that, whose errno it sets.
 */
#define REMOTE_ORDERS 32
void remote_later(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
int remote_now(long *answers, int most);
/* Have the peer map pages: a slot, or -1 with errno. mode is "ro" or "rw". */
long remote_map(const char *mode, const uint32_t *refs, uint32_t count);
/* How many of the pages the peer can map now, or -1. */
long remote_try(const uint32_t *refs, uint32_t count);

/* This domain has another number now: XEN_DOMID has it. */
void remote_reset(void);

#endif
