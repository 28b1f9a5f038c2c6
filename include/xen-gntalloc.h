/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * The whole interface of /dev/xen/gntalloc, for programs that use the device
 * without a library, and for both halves of ours: <xen/gntalloc.h> of Linux has
 * what the stock driver knows, the rest is here. See xen-gntalloc(4).
 *
 * A mapping costs far more than the page in it. A window is a mapping made
 * before its pages: programs then put pages into it, and take them out with
 * madvise(MADV_DONTNEED), without making and removing mappings.
 */
#ifndef XEN_GNTALLOC_H
#define XEN_GNTALLOC_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <xen/gntalloc.h>

/*
 * Which names are here. A release that adds some adds 1, and says beside them
 * since which version they are there. None goes or changes: a request keeps its
 * number, structure and meaning, and what is to be different gets a new name.
 * Numbers of requests begin at 0x40, far from those that Linux gives out. What
 * the driver that is loaded has tells only the errno of those that do not.
 */
#define XEN_GNTALLOC_VERSION 1

/*
 * Added to an index as the offset for mmap(): a mapping for the pages with that
 * index and those after it, whether they exist yet or not. It is empty. The
 * stock driver refuses it with ENOENT.
 */
#define GNTALLOC_WINDOW (1ull << 62)

/*
 * Map pages where they belong in a window, all or none of them. The stock
 * driver refuses it with ENOTTY.
 *
 * @index	the first page, as of IOCTL_GNTALLOC_ALLOC_GREF
 * @addr	its place in a mapping of this descriptor by this process
 * @count	how many pages
 * @pad		0
 */
struct ioctl_gntalloc_map_gref {
	__u64 index;
	__u64 addr;
	__u32 count;
	__u32 pad;
};
#define IOCTL_GNTALLOC_MAP_GREF \
	_IOC(_IOC_NONE, 'G', 0x40, sizeof(struct ioctl_gntalloc_map_gref))

#endif
