/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests about peers, memory, and what a descriptor is told. */
#ifndef ASKS_H
#define ASKS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "xen-gntalloc.h"

/* Each returns 0, or -1 with errno. */
static inline int ask_add_peer(int device, uint32_t to, uint64_t index,
			       uint32_t count, uint32_t flags, uint32_t *got,
			       uint64_t *peer_index)
{
	struct ioctl_gntalloc_add_peer op = { .index = index,
					      .refs = (uintptr_t)got,
					      .count = count,
					      .domid = (uint16_t)to,
					      .flags = (uint16_t)flags };
	int result = ioctl(device, IOCTL_GNTALLOC_ADD_PEER, &op);

	*peer_index = op.peer_index;
	return result;
}

static inline int ask_share_memory(int device, uint32_t to, const void *addr,
				   uint32_t count, uint32_t flags,
				   uint32_t *got, uint64_t *index)
{
	struct ioctl_gntalloc_share_memory op = { .addr = (uintptr_t)addr,
						  .refs = (uintptr_t)got,
						  .count = count,
						  .domid = (uint16_t)to,
						  .flags = (uint16_t)flags };
	int result = ioctl(device, IOCTL_GNTALLOC_SHARE_MEMORY, &op);

	*index = op.index;
	return result;
}

static inline int ask_renew(int device, uint32_t to, uint64_t index,
			    uint32_t count, uint32_t flags, uint32_t *got)
{
	struct ioctl_gntalloc_renew op = { .index = index,
					   .refs = (uintptr_t)got,
					   .count = count,
					   .domid = (uint16_t)to,
					   .flags = (uint16_t)flags };

	return ioctl(device, IOCTL_GNTALLOC_RENEW, &op);
}

static inline int ask_revoke(int device, uint32_t to, uint64_t index,
			     uint32_t count)
{
	struct ioctl_gntalloc_revoke op = { .index = index,
					    .count = count,
					    .domid = (uint16_t)to };

	return ioctl(device, IOCTL_GNTALLOC_REVOKE, &op);
}

static inline int ask_status(int device, uint32_t flags,
			     struct ioctl_gntalloc_status *status)
{
	*status = (struct ioctl_gntalloc_status){ .flags = flags };
	return ioctl(device, IOCTL_GNTALLOC_STATUS, status);
}

static inline int ask_restrict(int device, uint32_t to, uint32_t pages)
{
	struct ioctl_gntalloc_restrict op = { .pages = pages,
					      .domid = (uint16_t)to };

	return ioctl(device, IOCTL_GNTALLOC_RESTRICT, &op);
}

/* Pages that are pinned in this process. */
static inline long pinned_pages(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	long kb = -1;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %ld", &kb) == 1)
			break;
	if (status)
		fclose(status);
	return kb / 4;
}

#endif
