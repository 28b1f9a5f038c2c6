// SPDX-License-Identifier: LGPL-2.1-or-later

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "device.h"

uint32_t refs[MAX_REFS];

int open_device(void)
{
	return open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
}

int alloc_for(int fd, uint32_t domid, uint32_t count, uint32_t flags,
	      uint64_t *index)
{
	union {
		struct ioctl_gntalloc_alloc_gref op;
		char room[sizeof(struct ioctl_gntalloc_alloc_gref) +
			  sizeof(refs)];
	} u;
	size_t size = sizeof(*refs) * (count < MAX_REFS ? count : MAX_REFS);
	int result;

	u.op.domid = (uint16_t)domid;
	u.op.flags = (uint16_t)flags;
	u.op.count = count;
	u.op.index = *index;
	memcpy(u.op.gref_ids, refs, size);
	result = ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &u.op);
	*index = u.op.index;
	memcpy(refs, u.op.gref_ids, size);
	return result;
}

int dealloc(int fd, uint64_t index, uint32_t count)
{
	struct ioctl_gntalloc_dealloc_gref op = { index, count };

	return ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
}

int notify(int fd, uint64_t index, uint32_t action, uint32_t port)
{
	struct ioctl_gntalloc_unmap_notify op = { index, action, port };

	return ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &op);
}

void *map(int fd, uint64_t index, uint32_t count)
{
	return mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, (off_t)index);
}

int share_for(int fd, uint32_t domid, uint64_t index, const void *addr,
	      uint32_t count, uint32_t flags)
{
	struct ioctl_gntalloc_share op = { .index = index,
					   .addr = (uintptr_t)addr,
					   .refs = (uintptr_t)refs,
					   .count = count,
					   .domid = (uint16_t)domid,
					   .flags = (uint16_t)flags };

	return ioctl(fd, IOCTL_GNTALLOC_SHARE, &op);
}

int unshare_places(int fd, uint64_t index, const void *addr, uint32_t count)
{
	struct ioctl_gntalloc_unshare op = { .index = index,
					     .addr = (uintptr_t)addr,
					     .count = count };

	return ioctl(fd, IOCTL_GNTALLOC_UNSHARE, &op);
}

int add_peer_for(int fd, uint32_t domid, uint64_t index, uint32_t count,
		 uint32_t flags, uint64_t *peer_index)
{
	struct ioctl_gntalloc_add_peer op = { .index = index,
					      .refs = (uintptr_t)refs,
					      .peer_index = *peer_index,
					      .count = count,
					      .domid = (uint16_t)domid,
					      .flags = (uint16_t)flags };
	int result = ioctl(fd, IOCTL_GNTALLOC_ADD_PEER, &op);

	*peer_index = op.peer_index;
	return result;
}

int share_memory_for(int fd, uint32_t domid, const void *addr, uint32_t count,
		     uint32_t flags, uint64_t *index)
{
	struct ioctl_gntalloc_share_memory op = { .addr = (uintptr_t)addr,
						  .refs = (uintptr_t)refs,
						  .index = *index,
						  .count = count,
						  .domid = (uint16_t)domid,
						  .flags = (uint16_t)flags };
	int result = ioctl(fd, IOCTL_GNTALLOC_SHARE_MEMORY, &op);

	*index = op.index;
	return result;
}

int renew_for(int fd, uint32_t domid, uint64_t index, uint32_t count,
	      uint32_t flags)
{
	struct ioctl_gntalloc_renew op = { .index = index,
					   .refs = (uintptr_t)refs,
					   .count = count,
					   .domid = (uint16_t)domid,
					   .flags = (uint16_t)flags };

	return ioctl(fd, IOCTL_GNTALLOC_RENEW, &op);
}

int revoke_for(int fd, uint32_t domid, uint64_t index, uint32_t count)
{
	struct ioctl_gntalloc_revoke op = { .index = index,
					    .count = count,
					    .domid = (uint16_t)domid };

	return ioctl(fd, IOCTL_GNTALLOC_REVOKE, &op);
}

int get_status(int fd, uint32_t flags, struct ioctl_gntalloc_status *status)
{
	*status = (struct ioctl_gntalloc_status){ .flags = flags };
	return ioctl(fd, IOCTL_GNTALLOC_STATUS, status);
}

int restrict_to(int fd, uint32_t domid, uint32_t pages)
{
	struct ioctl_gntalloc_restrict op = { .pages = pages,
					      .domid = (uint16_t)domid };

	return ioctl(fd, IOCTL_GNTALLOC_RESTRICT, &op);
}
