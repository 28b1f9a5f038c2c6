/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The peer of a test wherever it runs: in a guest the program peer of dom0, in
 * dom0 this process itself, for which dom0's own grants and event channels are
 * as good as those of another domain, and much faster.
 */
#ifndef ANYPEER_H
#define ANYPEER_H

#include <stdbool.h>
#include <stdint.h>

/* To be called first; @domid of the peer comes back. */
uint32_t peer_start(void);
bool peer_is_here(void);

/* Map @count pages, writable: a slot, or -1 with errno. */
long peer_map(const uint32_t *refs, uint32_t count);
void peer_unmap(long slot);
/* Bytes and patterns of a slot, as remote.h has them. */
void peer_fill(long slot, uint32_t seed);
long peer_differing(long slot, uint32_t seed);
unsigned int peer_byte(long slot, uint32_t offset);
/*
 * The same for several slots in one journey; -1 stands for no slot. What is
 * seen: how many bytes differ from the pattern, and the byte at @offset.
 */
struct look {
	long differing;
	unsigned int byte;
};
void peer_map_each(const uint32_t *refs, uint32_t count, long *to);
void peer_fill_each(const long *which, uint32_t count, uint32_t seed);
void peer_look_each(const long *which, uint32_t count, uint32_t seed,
		    uint32_t offset, struct look *looks);
void peer_unmap_each(const long *which, uint32_t count);
/* How many of the pages can be mapped now. */
long peer_try(const uint32_t *refs, uint32_t count);
/* What a peer in this process maps. */
unsigned char *peer_pages(long slot);

/* Listen to an event channel of this domain, and to none from before. */
void peer_bind(uint32_t port);
/*
 * How many events came since. Waits for the first while there can be one, and
 * for more than one a moment only.
 */
long peer_events(bool wait);

#endif
