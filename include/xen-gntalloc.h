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

/*
 * Grant pages of this descriptor to one more domain, all of them or none. The
 * new grants have indices of their own, which cannot be mapped: with them
 * SET_UNMAP_NOTIFY sets a notification for this peer, and DEALLOC_GREF ends all
 * or a part, and only that does, or the last close of the descriptor: a page
 * that is unshared meanwhile lingers for this peer. The stock driver refuses it
 * with ENOTTY.
 *
 * @index	the first page, which must be listed, as all the others
 * @refs	address of @count __u32 for the references; after a failure they
 *		may hold anything
 * @peer_index	out: the index of the first new grant; likewise
 * @count	how many pages
 * @domid	who may map them; EEXIST if one was shared with it, or
 *		renewed for it
 * @flags	GNTALLOC_FLAG_WRITABLE or 0; EACCES if one is memory that the
 *		caller of SHARE_MEMORY might only read
 */
struct ioctl_gntalloc_add_peer {
	__u64 index;
	__u64 refs;
	__u64 peer_index;
	__u32 count;
	__u16 domid;
	__u16 flags;
};
#define IOCTL_GNTALLOC_ADD_PEER \
	_IOC(_IOC_NONE, 'G', 0x42, sizeof(struct ioctl_gntalloc_add_peer))

/*
 * Grant memory of the caller: anonymous, of a memfd, of shm or of hugetlbfs. It
 * is pinned, and counts against RLIMIT_MEMLOCK, until DEALLOC_GREF of the index
 * or the last close of the descriptor, and the peer lets go. It cannot be
 * mapped here. The stock driver refuses it with ENOTTY.
 *
 * EFAULT: a part is not mapped; or the caller may not write to it, and the peer
 * should, or it is private. ENODEV: a part is a device's, another domain's or
 * of a file on disk; or private, before Linux 5.19. ENOMEM: no memory, or more
 * than RLIMIT_MEMLOCK allows. Where the caller may only read, EACCES tells that
 * neither a notification nor another peer may write.
 *
 * @addr	of the first page
 * @refs	as in ADD_PEER
 * @index	out: of the first page
 * @count	how many pages
 * @domid	who may map them
 * @flags	GNTALLOC_FLAG_WRITABLE or 0
 */
struct ioctl_gntalloc_share_memory {
	__u64 addr;
	__u64 refs;
	__u64 index;
	__u32 count;
	__u16 domid;
	__u16 flags;
};
#define IOCTL_GNTALLOC_SHARE_MEMORY \
	_IOC(_IOC_NONE, 'G', 0x43, sizeof(struct ioctl_gntalloc_share_memory))

/*
 * End the grants of listed pages and grant them anew, all of them or none; the
 * pages keep their contents and notifications, and nobody is notified. What the
 * old peer still maps lingers. Grants of ADD_PEER are not touched. The stock
 * driver refuses it with ENOTTY.
 *
 * @index	the first page
 * @refs	as in ADD_PEER
 * @count	how many pages
 * @domid	who may map them from now on
 * @flags	as in ADD_PEER
 */
struct ioctl_gntalloc_renew {
	__u64 index;
	__u64 refs;
	__u32 count;
	__u16 domid;
	__u16 flags;
};
#define IOCTL_GNTALLOC_RENEW \
	_IOC(_IOC_NONE, 'G', 0x44, sizeof(struct ioctl_gntalloc_renew))

/*
 * Notify a peer and end its grants of listed pages, which stay as they are but
 * for that: granted to nobody until RENEW. For grants of ADD_PEER there is
 * DEALLOC_GREF. The stock driver refuses it with ENOTTY.
 *
 * @index	the first page
 * @count	how many pages
 * @domid	the peer; EINVAL if one is not granted to it
 * @pad		0
 */
struct ioctl_gntalloc_revoke {
	__u64 index;
	__u32 count;
	__u16 domid;
	__u16 pad;
};
#define IOCTL_GNTALLOC_REVOKE \
	_IOC(_IOC_NONE, 'G', 0x45, sizeof(struct ioctl_gntalloc_revoke))

/*
 * What this descriptor has. A descriptor can be polled: POLLIN when something
 * lingered and nothing does any more, POLLPRI when the domain was restored. The
 * stock driver refuses it with ENOTTY.
 *
 * @returned	pages and grants that lingered and came back since it was opened
 * @listed	pages and grants that it lists
 * @spare	spare pages
 * @lingering	pages and grants that linger
 * @restores	how often the domain was restored since the module was loaded
 * @flags	in: GNTALLOC_STATUS_QUIET, and poll() is not ready any more
 *		until there is news; or 0
 * @pad		0
 */
struct ioctl_gntalloc_status {
	__u64 returned;
	__u32 listed;
	__u32 spare;
	__u32 lingering;
	__u32 restores;
	__u32 flags;
	__u32 pad;
};
#define GNTALLOC_STATUS_QUIET 1
#define IOCTL_GNTALLOC_STATUS \
	_IOC(_IOC_NONE, 'G', 0x46, sizeof(struct ioctl_gntalloc_status))

/*
 * From now on this descriptor, whoever has it, grants to one domain only (what
 * grants to another fails with EACCES), and has so many pages and grants at the
 * most, those that linger with them (what would exceed that fails with EDQUOT).
 * What it has already stays. It cannot be taken back, nor done a second time:
 * EACCES. The stock driver refuses it with ENOTTY.
 *
 * @pages	how many, 1 at least
 * @domid	the domain
 * @pad		0
 */
struct ioctl_gntalloc_restrict {
	__u32 pages;
	__u16 domid;
	__u16 pad;
};
#define IOCTL_GNTALLOC_RESTRICT \
	_IOC(_IOC_NONE, 'G', 0x47, sizeof(struct ioctl_gntalloc_restrict))

#endif
