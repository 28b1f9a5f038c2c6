/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The requests of the device itself, without a library. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdint.h>

#include "xen-gntalloc.h"

#define PAGE 4096u
#define MAX_REFS 16384u
/* The index of a place in the descriptor's arena. */
#define PLACE(n) (GNTALLOC_ARENA + (uint64_t)(n)*PAGE)

/* Those of the last call that granted something. */
extern uint32_t refs[MAX_REFS];

/* A descriptor, or -1 with errno; so the result of each of these. */
int open_device(void);
/*
 * The device gets @index and refs as they are: a call that fails leaves what
 * was there.
 */
int alloc_for(int fd, uint32_t domid, uint32_t count, uint32_t flags,
	      uint64_t *index);
int dealloc(int fd, uint64_t index, uint32_t count);
int notify(int fd, uint64_t index, uint32_t action, uint32_t port);
/* Readable and writable pages or places, or MAP_FAILED. */
void *map(int fd, uint64_t index, uint32_t count);
/* At most MAX_REFS places. */
int share_for(int fd, uint32_t domid, uint64_t index, const void *addr,
	      uint32_t count, uint32_t flags);
/* NULL for those that are listed. */
int unshare_places(int fd, uint64_t index, const void *addr, uint32_t count);

/* The same for pages that are there; at most MAX_REFS. */
int add_peer_for(int fd, uint32_t domid, uint64_t index, uint32_t count,
		 uint32_t flags, uint64_t *peer_index);
int share_memory_for(int fd, uint32_t domid, const void *addr, uint32_t count,
		     uint32_t flags, uint64_t *index);
int renew_for(int fd, uint32_t domid, uint64_t index, uint32_t count,
	      uint32_t flags);
int revoke_for(int fd, uint32_t domid, uint64_t index, uint32_t count);

int get_status(int fd, uint32_t flags, struct ioctl_gntalloc_status *status);
int restrict_to(int fd, uint32_t domid, uint32_t pages);

#endif
