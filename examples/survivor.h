/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the survivor (survivor.c) and its clerk (clerk.c) in another domain have
 * agreed on.
 *
 * They keep a ledger in pages of the survivor's domain: it makes entries, the
 * clerk stamps them. In xenstore, in SURVIVOR_DIR of the survivor's domain,
 *
 *	backend-id	is the clerk's domid. Whoever manages the domains writes
 *			it there, and anew after the clerk's domain or the
 *			survivor's has come back.
 *	DOMID/ref0...	are the references for the clerk in domain DOMID, which
 *			alone may read them; ref0 is written last
 *
 * There is no event channel, for Linux does not survive that a program has one
 * open while its domain is saved and restored: both look every few
 *milliseconds.
 */
#ifndef EXAMPLE_SURVIVOR_H
#define EXAMPLE_SURVIVOR_H

#include <stdint.h>

#define SURVIVOR_DIR "data/gntshr-survivor"
#define LEDGER_PAGES 16
#define MAX_ENTRIES 8000
#define PACE_MS 50

struct entry {
	uint32_t number;
	uint32_t stamp; /* the clerk's domid */
};

struct ledger {
	uint8_t alive; /* cleared by the kernel when the survivor has gone */
	uint32_t made, stamped;
	struct entry entries[MAX_ENTRIES];
};

/* What the survivor puts in entry i. */
static inline uint32_t number_of(uint32_t i)
{
	return (i + 1) * 2654435761u;
}

#endif
