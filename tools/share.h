/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What "gntshr share" is asked to do. */
#ifndef SHARE_H
#define SHARE_H

#include <stdio.h>

#include "tool.h"

#define MAX_DOMIDS 64
#define NONE UINT64_MAX

/*
 * @domids	the first one is whom the share is made for, the others are
 *		added to it
 * @count	0: as many pages as @memory has, or 1
 * @file	what to fill the pages with, or NULL
 * @memory	the file to share itself, or NULL
 */
struct request {
	uint64_t domids[MAX_DOMIDS], count, notify_byte, notify_port;
	size_t number_of_domids;
	unsigned int flags;
	const char *file, *memory;
	bool json;
};

/* hold.c: is the byte of the notification in so many pages? */
bool has_byte(const struct request *r, uint32_t count);
/* Share until a signal comes; @file is @r->file, open */
int share_and_hold(gntshr_handle *h, const struct request *r, FILE *file);

/* memory.c: map that file, all of it or as many pages as there shall be */
char *map_memory(const char *name, bool writable, uint32_t *count);

#endif
