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
 * This library is for the frontend. It allocates pages, grants them to one
 * peer and maps them into this program; all of it lasts until
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
 * That is so even if madvise(pages, count * 4096, MADV_DONTFORK) kept the pages
 * out of the child, for it has the descriptor. What the parent shares after
 * fork the child does not see. Children of vfork(), clone() and _Fork() may
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
 * library shares to the library. It is close-on-exec. poll has nothing to
 * tell of it.
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
 * @param h	a handle, not NULL
 * @param addr	what gntshr_share_pages() or gntshr_share_page_notify() returned
 * @param count	as it was there; 1 for the latter
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

#ifdef __cplusplus
}
#endif

#endif
