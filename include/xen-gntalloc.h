/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * The whole interface of /dev/xen/gntalloc, for programs that use the device
 * without a library, and for both halves of ours: <xen/gntalloc.h> of Linux has
 * what the stock driver knows, the rest is here. See xen-gntalloc(4).
 *
 * To make a page and its mapping costs far more than to grant it. An arena is
 * one large mapping with places for pages. What is unshared there stays where
 * it is, as a spare page, and serves the next share of its place.
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
 * Place n of the descriptor's arena has the index GNTALLOC_ARENA + n * 4096. As
 * the offset for mmap() it makes a mapping of the places from there on, which
 * is empty. The process that does so first has the arena; others get EPERM. The
 * stock driver refuses the offset with ENOENT.
 */
#define GNTALLOC_ARENA (1ull << 62)

/*
 * As if DEALLOC_GREF came right after SHARE: the pages are shared for as long
 * as a process maps them.
 */
#define GNTALLOC_FLAG_UNLISTED 0x8000

/*
 * Fill places and grant their pages, all or none of them. A page that a place
 * gets, new or spare, is zeroed before. The stock driver refuses it with
 * ENOTTY.
 *
 * @index	the first place, as above
 * @addr	where this process has it mapped
 * @refs	address of @count __u32 for the references; after a failure they
 *		may hold anything
 * @count	how many places
 * @domid	who may map the pages
 * @flags	GNTALLOC_FLAG_WRITABLE, GNTALLOC_FLAG_UNLISTED, both, or 0
 */
struct ioctl_gntalloc_share {
	__u64 index;
	__u64 addr;
	__u64 refs;
	__u32 count;
	__u16 domid;
	__u16 flags;
};
#define IOCTL_GNTALLOC_SHARE \
	_IOC(_IOC_NONE, 'G', 0x40, sizeof(struct ioctl_gntalloc_share))

/*
 * Notify the peer and end the grants of places that are shared, all of them or
 * none. Their pages stay as spare ones, or leave their places. The stock driver
 * refuses it with ENOTTY.
 *
 * @index	the first place
 * @addr	0, and the pages must be listed. Or where this process has them
 *		mapped, and they need not: then it does what munmap() of them
 *		would, and refuses what that would leave shared, or the next
 *		share would not expect: with EBUSY if fork copied them, with
 *		EINVAL if the mapping was moved, protected or kept from children
 * @count	how many places
 * @pad		0
 */
struct ioctl_gntalloc_unshare {
	__u64 index;
	__u64 addr;
	__u32 count;
	__u32 pad;
};
#define IOCTL_GNTALLOC_UNSHARE \
	_IOC(_IOC_NONE, 'G', 0x41, sizeof(struct ioctl_gntalloc_unshare))

#endif
