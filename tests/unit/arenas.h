/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of arenas have in common. */
#ifndef ARENAS_H
#define ARENAS_H

#include <string.h>

#include "fake.h"

#define PAGE 4096
/* The places of the first arena. */
#define ARENA 1024u

/* Its first share has a mapping of its own. */
extern gntshr_handle *h;

/* Spare pages stay until a test wants it otherwise. */
int arenas_setup(void **state);
int arenas_teardown(void **state);

/* The pages are zeroed, and filled then. */
char *make_share(uint32_t count, bool in_arena);
/* For so many that this would take long. */
char *make_large_share(uint32_t count);
void end_share(void *pages, uint32_t count);
/* And so many grants that were added. */
void end_share_with_peers(void *pages, uint32_t count, uint32_t added);

#endif
