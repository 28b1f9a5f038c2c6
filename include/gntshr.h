/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file gntshr.h
 * Share memory of this program with another Xen domain.
 *
 * Ideas
 * -----
 * A *domain* is a virtual machine on Xen, known by its *domid*. A domain that
 * offers pages *grants* them: for each page Xen gets an entry in the domain's
 * grant table that says who may map the page, and whether for writing. The
 * number of that entry is the *grant reference*. The program that offers pages
 * is the *frontend*, the one that maps them the *backend*, or *peer* here.
 *
 * This library is for the frontend. It allocates pages, grants them to a peer
 * and maps them into this program; all of it lasts until
 * gntshr_unshare(), gntshr_close() or the end of the process. The frontend
 * tells the peer the references by other means, most often xenstore, and the
 * peer maps them, with libxengnttab for example. The mapping here belongs to
 * the library: do not munmap, mremap or map over it, and take back an mprotect
 * before the pages are unshared.
 *
 * Life of a share
 * ---------------
 *	gntshr_open()			a handle
 *	gntshr_share_pages()		pages, zeroed, and their references
 *	gntshr_set_unmap_notify()	what the peer gets to see when they go
 *	... both sides read and write ...
 *	gntshr_unshare()		the share ends; the peer is notified
 *	gntshr_close()			whatever is still shared goes
 *
 * Nothing here can take a page away from a peer that maps it. Such a page
 * leaves this program at once, but the kernel keeps it, and counts it against
 * the driver's limit, until the peer lets go.
 *
 * A page that nobody else has any more stays here for some seconds, as a spare
 * page: shares that come soon get such pages, zeroed, for a fraction of what
 * new ones cost. They give way to whoever needs memory, or room below the
 * driver's limit.
 *
 * More than that
 * --------------
 *	gntshr_share_memory()		memory that the program has already
 *	gntshr_add_peer()		the same pages for one more domain
 *	gntshr_remove_peer()		and for one less
 *	gntshr_renew()			and for another one, or for the same
 *					one after a restore of this domain
 *	gntshr_wait_released()		until peers have let go of what ended
 *	gntshr_status()			what a handle has
 *	gntshr_restrict()		bounds for good, for a program that
 *	gntshr_fdopen()			gets the descriptor from a launcher
 * These need the driver of libgntshr. With the stock one of Linux each but
 * gntshr_fdopen() fails with ENOTSUP.
 *
 * Notification
 * ------------
 * Each page can carry one: when nobody in this domain uses the page any more
 * the kernel clears a byte of it, signals an event channel, or both, in this
 * order. It does so on gntshr_unshare() and gntshr_close(), and just as well
 * when the process is killed, crashes or calls exec.
 *
 * Threads
 * -------
 * Every call may be made on one handle by many threads at once, gntshr_close()
 * excepted: it must be the last. None may be made in a signal handler, and no
 * thread be cancelled in one (pthread_cancel()). A signal handler that may
 * interrupt one must not call fork(), which waits for the calls. The logger is
 * called by the thread whose call fails, so one handle in many threads wants a
 * logger that many may call.
 *
 * fork and exec
 * -------------
 * exec ends what the process shared: the descriptor is close-on-exec.
 * A child made by fork has a copy of the mappings and the descriptor. It should
 * call gntshr_close(): that drops the copies, as many as it has, and leaves the
 * parent's shares alone. But for gntshr_fd() all other calls on the handle fail
 * with EPERM there; it may open a handle of its own.
 * As long as a child neither closes, execs nor exits, it keeps the pages
 * alive, and the peer is not notified when the parent unshares them or dies.
 * If madvise(pages, count * 4096, MADV_DONTFORK) kept the pages out of the
 * child, that is so when the parent dies, for the child has the descriptor, but
 * not when the parent unshares them. What the parent shares after fork the
 * child does not see. Children of vfork(), clone() and _Fork() may
 * make no call on the handle at all, and lose what the parent unshares.
 *
 * Limits
 * ------
 * The driver bounds how many pages may be shared in the whole domain
 * (/sys/module/xen_gntalloc/parameters/limit), and the grant table has room
 * for so many references (gnttab_max_frames= on Xen's command line). Pages
 * have 4096 bytes; kernels with larger ones are refused.
 *
 * Example
 * -------
 *	uint32_t ref;
 *	gntshr_handle *h = gntshr_open(NULL, 0);
 *	char *page = gntshr_share_pages(h, 0, 1, &ref, GNTSHR_WRITABLE);
 *
 *	strcpy(page, "hello");		// and tell domain 0 the number ref
 *	...
 *	gntshr_unshare(h, page, 1);
 *	gntshr_close(h);
 *
 * From libxengnttab
 * -----------------
 * These calls have the names, the order of arguments and the meaning of
 * xengntshr_*: "sed s/xengntshr_/gntshr_/g" and this header port a program.
 * What differs: gntshr_close() ends what is still shared, a wrong argument
 * fails with EINVAL, gntshr_unshare() wants the very address and count of a
 * share, and nothing is printed unless a logger is given. libgntshr(7) says
 * more.
 */
#ifndef GNTSHR_H
#define GNTSHR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The caller's logger: see <xentoollog.h>. */
struct xentoollog_logger;

/** What a program has open of the driver, and what it shares through it. */
typedef struct gntshr_handle gntshr_handle;

/**
 * Unmap pages as soon as they are unshared, so that whoever touches them then
 * gets SIGSEGV. Shares cost several times as much: for finding such errors.
 */
#define GNTSHR_OPEN_UNMAP 1u

/** The peer may write to the pages, not only read them. */
#define GNTSHR_WRITABLE 1u

/** Clear, that is zero, one byte. */
#define GNTSHR_NOTIFY_CLEAR_BYTE 1u
/** Signal an event channel. */
#define GNTSHR_NOTIFY_SEND_EVENT 2u

/**
 * Open the grant allocation device, /dev/xen/gntalloc.
 *
 * @param logger	who is told, once and in words, why a call failed, this
 *			one or a later one on the handle, gntshr_close()
 *			excepted; or NULL for nobody. It is borrowed: it must
 *			outlive the handle.
 * @param open_flags	GNTSHR_OPEN_UNMAP, or 0
 * @return a handle, which gntshr_close() releases; or NULL with errno, and
 *	nothing is open:
 *	- EINVAL: there is no such flag
 *	- ENOENT, ENODEV, ENXIO: there is no such device: this is not a Xen
 *	  domain, or the module xen-gntalloc is not loaded
 *	- EACCES, EPERM: this user may not open it
 *	- EMFILE, ENFILE: too many open files, in the process or the system
 *	- ENOMEM: out of memory
 *	- ENOTSUP: pages of this kernel are larger than 4096 bytes
 *
 * @since 0.1
 */
gntshr_handle *gntshr_open(struct xentoollog_logger *logger,
			   unsigned int open_flags);

/**
 * Release a handle, and unshare everything that it still shares.
 *
 * In a child made by fork only the child's copies go. It asks /proc which of
 * them are there.
 *
 * @param h	a handle, not used any more afterwards; NULL does nothing
 * @return 0; or -1 with the errno of what the kernel refused first, after all
 *	else was done. The handle is gone in any case:
 *	- EBADF: the descriptor was closed by somebody else. In a child the
 *	  copies stay mapped.
 *	- ENOMEM: out of memory in the kernel, while unmapping. If it was so a
 *	  second time, or in a child, some pages stay mapped until the process
 *	  ends.
 *	- ENOENT, EACCES, EMFILE, ENFILE, EIO: /proc/thread-self/maps cannot be
 *	  read, in a child or in a program that unmapped pages itself. What the
 *	  library cannot be sure of stays mapped.
 *
 * @since 0.1
 */
int gntshr_close(gntshr_handle *h);

/**
 * The descriptor behind a handle, for an ioctl of xen-gntalloc(4), or fcntl.
 *
 * It belongs to the handle: do not close it, and leave the pages that the
 * library shares to the library. It is close-on-exec.
 *
 * With the driver of libgntshr it can be polled: POLLIN says that something
 * lingered and nothing does any more, POLLPRI that the domain was restored, so
 * that all references are dead. Both last until gntshr_status().
 *
 * @param h	a handle, not NULL
 * @return the descriptor, good until gntshr_close(). Cannot fail.
 *
 * @since 0.1
 */
int gntshr_fd(gntshr_handle *h);

/**
 * Allocate pages, share them with another domain and map them here.
 *
 * The pages are zeroed, lie next to each other in this program, and can be read
 * and written here. They stay until gntshr_unshare() or gntshr_close().
 *
 * @param h	a handle, not NULL
 * @param domid	who may map them: 0 to 0x7FEF
 * @param count	how many pages, 1 at least
 * @param refs	out: count grant references, refs[i] for page i; not NULL.
 *		Untouched after a failure.
 * @param flags	GNTSHR_WRITABLE, or 0 for a peer that may only read
 * @return the address of the first page, for gntshr_unshare(); or NULL with
 *	errno, and nothing is shared:
 *	- EINVAL: a wrong domid, count (0, or more than a process can map),
 *	  refs (NULL) or flags; or domid is this domain itself and it is an x86
 *	  PVH or HVM domain, where whoever maps its own pages gets other memory
 *	- ENOSPC: more than the driver's limit allows, or the grant table is
 *	  full. The logger tells which, as far as it can be known.
 *	- ENOMEM: out of memory, in the system or the process's control group;
 *	  or the process has too many mappings, or no room for this one
 *	- EAGAIN: the process may not lock so much memory (mlockall, and
 *	  RLIMIT_MEMLOCK)
 *	- EINTR: the process is being killed
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- EACCES: the descriptor is restricted to another domain
 *	- EDQUOT: more than the descriptor is restricted to
 *	- ENOTTY: a 32-bit program under a 64-bit kernel with the stock driver
 *
 * @since 0.1
 */
void *gntshr_share_pages(gntshr_handle *h, uint32_t domid, uint32_t count,
			 uint32_t *refs, unsigned int flags);

/**
 * Share one page, with a notification from the start.
 *
 * As gntshr_share_pages() with a count of 1 and gntshr_set_unmap_notify().
 *
 * @param h		a handle, not NULL
 * @param domid		who may map the page: 0 to 0x7FEF
 * @param ref		out: the grant reference; not NULL. Untouched after a
 *			failure.
 * @param flags		GNTSHR_WRITABLE, or 0
 * @param notify_offset	which byte of the page to clear, 0 to 4095; (uint32_t)-1
 *			for none
 * @param notify_port	local port of the event channel to signal, which a
 *			program of this domain has open; (uint32_t)-1 for none
 * @return the address of the page, for gntshr_unshare(); or NULL with errno,
 *	and nothing is shared: as gntshr_share_pages(), and
 *	- EINVAL: a wrong notify_offset, or a notify_port that is not open or
 *	  that some 32,700 pages name already
 *
 * @since 0.1
 */
void *gntshr_share_page_notify(gntshr_handle *h, uint32_t domid, uint32_t *ref,
			       unsigned int flags, uint32_t notify_offset,
			       uint32_t notify_port);

/**
 * Set, change or cancel the notification of a page.
 *
 * It replaces the one that the page has. Any page of a share can have its own,
 * at any time.
 *
 * @param h	a handle, not NULL
 * @param addr	any byte in a page that this handle shares; with
 *		GNTSHR_NOTIFY_CLEAR_BYTE the one to clear
 * @param action GNTSHR_NOTIFY_CLEAR_BYTE, GNTSHR_NOTIFY_SEND_EVENT, both, or 0
 *		to cancel
 * @param port	local port of the event channel to signal, which a program of
 *		this domain has open; not looked at without
 *		GNTSHR_NOTIFY_SEND_EVENT. The kernel holds the channel open as
 *		long as the notification lasts.
 * @return 0; or -1 with errno, and the notification is what it was:
 *	- EINVAL: a wrong action, a port that is not open or that some 32,700
 *	  pages name already, or an addr that this handle does not share
 *	- EACCES: a byte in memory that this program may only read
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *
 * @since 0.1
 */
int gntshr_set_unmap_notify(gntshr_handle *h, void *addr, unsigned int action,
			    uint32_t port);

/**
 * End a share: notify the peer, end the grants, give the pages back.
 *
 * What the peer still maps stays mapped there, as it was, until it lets go.
 * Nobody may touch the pages here any more. They may still be mapped, and the
 * kernel zeroes them when they serve the next share, which another domain sees;
 * or touching them raises SIGBUS or SIGSEGV. With GNTSHR_OPEN_UNMAP they are
 * unmapped at once.
 *
 * What was granted by gntshr_add_peer() ends first. Memory of the caller, see
 * gntshr_share_memory(), stays mapped and as it is.
 *
 * @param h	a handle, not NULL
 * @param addr	what gntshr_share_pages() or gntshr_share_page_notify()
 *		returned, or gntshr_share_memory() was told
 * @param count	as it was there; 1 for gntshr_share_page_notify()
 * @return 0; or -1 with errno:
 *	- EINVAL: addr and count are not those of a share of this handle, or
 *	  another thread has unshared it. Nothing happened.
 *	- EPERM: the handle was inherited through fork. Nothing happened.
 *	- ENOMEM: out of memory in the kernel, while unmapping. The pages are
 *	  still mapped, and their notification stands but cannot be changed any
 *	  more; make the call again.
 *	- EBADF: the descriptor was closed by somebody else. The pages are still
 *	  shared and mapped; gntshr_close() ends the share.
 *
 * @since 0.1
 */
int gntshr_unshare(gntshr_handle *h, void *addr, uint32_t count);

/**
 * Share memory that this program has already.
 *
 * It may be anonymous, of a memfd, of shared memory or of huge pages; it is
 * not copied, and stays mapped where it is. It is pinned, and counts against
 * RLIMIT_MEMLOCK, until gntshr_unshare() or gntshr_close(), and the peer lets
 * go. What is shared is the pages that are there now, not the addresses:
 * munmap and mremap change nothing for the peer. But after MADV_DONTNEED,
 * ftruncate to a smaller size, or a hole that fallocate punches, the peer
 * keeps the old pages, the program gets others, and nobody is told. See
 * libgntshr(7).
 *
 * @param h	a handle, not NULL
 * @param domid	who may map it: 0 to 0x7FEF
 * @param addr	of the first page, a multiple of 4096, for gntshr_unshare().
 *		No part of it may be shared through this handle as memory
 *		already, even if it was unmapped since.
 * @param count	how many pages of 4096 bytes, 1 at least
 * @param refs	out: count grant references, refs[i] for page i; not NULL.
 *		Untouched after a failure.
 * @param flags	GNTSHR_WRITABLE, or 0 for a peer that may only read
 * @return 0; or -1 with errno, and nothing is shared:
 *	- EINVAL: a wrong domid (see gntshr_share_pages()), addr, count, refs
 *	  or flags
 *	- EEXIST: a part is shared through this handle already
 *	- EFAULT: a part is not mapped; or this program may not write to it,
 *	  and the peer should, or it is private
 *	- ENODEV: a part belongs to a device, another domain or a file on disk;
 *	  or it is private, before Linux 5.19
 *	- ENOMEM: out of memory, or more than RLIMIT_MEMLOCK allows
 *	- ENOSPC: more than the driver's limit allows, or the grant table is
 *	  full
 *	- EACCES: the descriptor is restricted to another domain
 *	- EDQUOT: more than the descriptor is restricted to
 *	- EINTR: the process is being killed
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_share_memory(gntshr_handle *h, uint32_t domid, void *addr,
			uint32_t count, uint32_t *refs, unsigned int flags);

/**
 * Let one more domain map pages that are shared.
 *
 * It gets references of its own, and its own right to write. That lasts until
 * gntshr_remove_peer(), or the share ends. What it then still maps it keeps,
 * and the page lingers for it alone.
 *
 * @param h	a handle, not NULL
 * @param addr	of a page of a share of any kind; pages from here on
 * @param count	how many, 1 at least, all of them of this one share
 * @param domid	who may map them, too: 0 to 0x7FEF
 * @param refs	out: count grant references, refs[i] for page i; not NULL.
 *		Untouched after a failure.
 * @param flags	GNTSHR_WRITABLE, or 0 for a peer that may only read
 * @return 0; or -1 with errno, and nothing was granted:
 *	- EINVAL: a wrong domid (see gntshr_share_pages()), count, refs or
 *	  flags; or these are not pages of one share of this handle
 *	- EEXIST: one of them is shared with this domain already
 *	- ENOMEM: out of memory
 *	- ENOSPC: more than the driver's limit allows, or the grant table is
 *	  full
 *	- EACCES: the descriptor is restricted to another domain; or the peer
 *	  should write to memory that this program may only read
 *	- EDQUOT: more than the descriptor is restricted to
 *	- EINTR: the process is being killed
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_add_peer(gntshr_handle *h, void *addr, uint32_t count,
		    uint32_t domid, uint32_t *refs, unsigned int flags);

/**
 * Take pages from one of the domains that they are shared with.
 *
 * It is notified, if that was set for it, and its grants end; what it still
 * maps it keeps until it lets go. The pages stay as they are here and for the
 * other domains. Taken from the domain that the share was made for, or renewed
 * for, they belong to nobody but added ones until gntshr_renew().
 *
 * @param h	a handle, not NULL
 * @param addr	of a page of a share; pages from here on
 * @param count	how many, 1 at least, all of them of this one share
 * @param domid	from whom: 0 to 0x7FEF. It must have all of them, and all from
 *		gntshr_add_peer() or none.
 * @return 0; or -1 with errno, and nothing happened, unless said below:
 *	- EINVAL: a wrong domid or count; or these are not pages of one share of
 *	  this handle; or the domain does not have all of them, or some of them
 *	  in another way
 *	- ENOMEM: out of memory
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else. Of pages that came
 *	  to the domain by several calls, those of some may be taken.
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_remove_peer(gntshr_handle *h, void *addr, uint32_t count,
		       uint32_t domid);

/**
 * Set, change or cancel the notification of an added peer.
 *
 * As gntshr_set_unmap_notify(), but for the grant that a domain has from
 * gntshr_add_peer(): it is notified by gntshr_remove_peer(), or when the share
 * ends. Each peer of a page can have its own. A byte is cleared in the page,
 * which all peers see.
 *
 * @param h	a handle, not NULL
 * @param addr	any byte in a page that the domain was added to; with
 *		GNTSHR_NOTIFY_CLEAR_BYTE the one to clear
 * @param domid	the added domain
 * @param action GNTSHR_NOTIFY_CLEAR_BYTE, GNTSHR_NOTIFY_SEND_EVENT, both, or 0
 *		to cancel
 * @param port	local port of the event channel to signal, as in
 *		gntshr_set_unmap_notify()
 * @return 0; or -1 with errno, and the notification is what it was:
 *	- EINVAL: a wrong domid or action, a port that is not open or that some
 *	  32,700 pages name already, or an addr in no page that this domain was
 *	  added to
 *	- EACCES: a byte in memory that this program may only read
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *
 * @since 0.2
 */
int gntshr_set_peer_notify(gntshr_handle *h, void *addr, uint32_t domid,
			   unsigned int action, uint32_t port);

/**
 * Grant pages of a share anew, in place: same pages, address and contents.
 *
 * For a backend that comes back as another domain, or for any after this
 * domain was restored, where all references are dead. The old grants of the
 * domain that the share was made for end without notifying it, and what it
 * still maps it keeps until it lets go. Notifications stay. So do the grants
 * of gntshr_add_peer(): after a restore remove these and add them again. The
 * library never does any of this by itself: the number of the old peer can be
 * a stranger's by then.
 *
 * The new grants count before the old ones end: leave room for as many pages as
 * a call renews, below the driver's limit, in the grant table and in what the
 * descriptor is restricted to, or renew in parts.
 *
 * @param h	a handle, not NULL
 * @param addr	of a page of a share of any kind; pages from here on. They may
 *		have been taken from their domain by gntshr_remove_peer().
 * @param count	how many, 1 at least, all of them of this one share
 * @param domid	who may map them from now on: 0 to 0x7FEF
 * @param refs	out: count grant references, refs[i] for page i; not NULL.
 *		Untouched after a failure.
 * @param flags	GNTSHR_WRITABLE, or 0 for a peer that may only read
 * @return 0; or -1 with errno, and the old grants are as they were:
 *	- EINVAL: a wrong domid (see gntshr_share_pages()), count, refs or
 *	  flags; or these are not pages of one share of this handle
 *	- EEXIST: this domain was added to one of them by gntshr_add_peer()
 *	- ENOMEM: out of memory
 *	- ENOSPC: more than the driver's limit allows, or the grant table is
 *	  full
 *	- EACCES: the descriptor is restricted to another domain; or the peer
 *	  should write to memory that this program may only read
 *	- EDQUOT: more than the descriptor is restricted to
 *	- EINTR: the process is being killed
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_renew(gntshr_handle *h, void *addr, uint32_t count, uint32_t domid,
		 uint32_t *refs, unsigned int flags);

/**
 * What a handle has, in pages; one with added peers counts once more for each.
 *
 * Members that a later version adds take the place of reserved ones, which are
 * 0, so that programs that know them run with a library that does not.
 *
 * @param returned	that lingered and came back, since the device was opened
 * @param shared	that are shared now
 * @param spare		that are kept for the next share
 * @param lingering	that are not shared any more, but that a peer has still
 * @param restores	no pages: how often the domain was restored since the
 *			driver was loaded
 * @param reserved	0
 */
struct gntshr_status {
	uint64_t returned;
	uint32_t shared;
	uint32_t spare;
	uint32_t lingering;
	uint32_t restores;
	uint64_t reserved[5];
};

/**
 * What a handle has now; and poll on gntshr_fd() is not ready any more until
 * there is news.
 *
 * It is that of the descriptor: if other processes have it, theirs counts, too.
 *
 * @param h	a handle, not NULL
 * @param status out: the counts; not NULL. Untouched after a failure.
 * @return 0; or -1 with errno:
 *	- EINVAL: status is NULL
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_status(gntshr_handle *h, struct gntshr_status *status);

/**
 * Wait until peers have let go of all that this handle gave up.
 *
 * So a frontend knows that its memory is back. Other threads can share
 * meanwhile. It takes no news from those who poll gntshr_fd().
 *
 * @param h	a handle, not NULL
 * @param timeout_ms for how many milliseconds at most; 0 only looks, and a
 *		negative number waits for ever
 * @return 0 when nothing of the handle lingers; or -1 with errno:
 *	- ETIMEDOUT: something lingers still
 *	- EINTR: a signal handler ran
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_wait_released(gntshr_handle *h, int timeout_ms);

/**
 * Bound what can be shared through a descriptor from now on, by whoever has it.
 *
 * Neither this program nor one that inherits or is sent the descriptor can take
 * that back. A launcher opens the device, restricts the descriptor, and starts
 * a frontend that is not trusted, and may not open the device itself.
 *
 * @param h	a handle, not NULL
 * @param domid	the only domain that pages can be shared with: 0 to 0x7FEF.
 *		Calls that grant fail for others.
 * @param pages	how many pages there may be at once, 1 at least; lingering ones
 *		count as well, and again for each added peer. Calls that grant
 *		fail beyond.
 * @return 0, and what is shared already stays; or -1 with errno, and nothing
 *	changed:
 *	- EINVAL: a wrong domid, or pages is 0
 *	- EACCES: it is restricted already
 *	- EPERM: the handle was inherited through fork
 *	- EBADF: the descriptor was closed by somebody else
 *	- ENOTSUP: the stock driver cannot do this
 *
 * @since 0.2
 */
int gntshr_restrict(gntshr_handle *h, uint32_t domid, uint32_t pages);

/**
 * Make a handle of a descriptor that somebody else opened.
 *
 * It may be inherited, or sent through a socket. No other handle of this
 * process may use it, nor a duplicate of it. If another process has shared
 * through it, shares cost as much as with the stock driver.
 *
 * @param logger	as for gntshr_open()
 * @param fd		a descriptor of /dev/xen/gntalloc, open for reading and
 *			writing. It belongs to the handle, and becomes
 *			close-on-exec; after a failure it is the caller's, as it
 *			was.
 * @param open_flags	as for gntshr_open()
 * @return a handle, which gntshr_close() releases, and closes fd; or NULL with
 *	errno, and there is no handle:
 *	- EINVAL: there is no such flag
 *	- EBADF: the descriptor is not open
 *	- ENOTTY: it is not one of this device; or this is a 32-bit program
 *	  under a 64-bit kernel with the stock driver
 *	- EACCES: it is not open for reading and writing
 *	- EEXIST: another handle of this process has it
 *	- ENOMEM: out of memory
 *	- ENOTSUP: pages of this kernel are larger than 4096 bytes
 *
 * @since 0.2
 */
gntshr_handle *gntshr_fdopen(struct xentoollog_logger *logger, int fd,
			     unsigned int open_flags);

#ifdef __cplusplus
}
#endif

#endif
