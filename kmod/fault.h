/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failures on request, in a build with GNTALLOC_FAULTS=1 for tests; otherwise
 * this file is empty.
 *
 * The kernel makes memory allocations and copies fail (its documentation:
 * fault-injection), but not the calls here. Each of them asks first, too, and
 * so counts for the caller's /proc/self/fail-nth. With /proc/self/make-it-fail
 * those behind the n-th fail as well.
 *
 * Included behind all headers, whose own calls are left alone.
 */
#ifdef GNTALLOC_FAULTS

#include <linux/fault-inject.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <xen/events.h>
#include <xen/grant_table.h>

static struct fault_attr __maybe_unused gntalloc_faults = {
	.probability = 100,
	.task_filter = true,
	.interval = 1,
	.times = ATOMIC_INIT(-1),
	.require_end = ULONG_MAX,
	.ratelimit_state = RATELIMIT_STATE_INIT_DISABLED,
	.verbose = 2,
};

#define fault() should_fail(&gntalloc_faults, 1)

/* The grant table is full. */
#define gnttab_alloc_grant_references(count, chain) \
	(fault() ? -ENOSPC : gnttab_alloc_grant_references(count, chain))
/* The peer maps the page. */
#define gnttab_try_end_foreign_access(ref) \
	(!fault() && gnttab_try_end_foreign_access(ref))
/* Nobody has the event channel, or it has too many users. */
#define evtchn_get(port) (fault() ? -ENOENT : evtchn_get(port))
/* Memory that cannot be pinned. */
#define pin_pages(addr, count, flags, pages) \
	(fault() ? -ENOMEM : (pin_pages)(addr, count, flags, pages))
/* The process is being killed. */
#define fatal_signal_pending(task) (fault() || fatal_signal_pending(task))
#define mmap_write_lock_killable(mm) \
	(fault() ? -EINTR : mmap_write_lock_killable(mm))
#define mmap_read_lock_killable(mm) \
	(fault() ? -EINTR : mmap_read_lock_killable(mm))
/* No memory for page tables. */
#define vm_insert_page(vma, addr, page) \
	(fault() ? -ENOMEM : vm_insert_page(vma, addr, page))
#define vm_insert_pages(vma, addr, pages, num) \
	(fault() ? -ENOMEM : vm_insert_pages(vma, addr, pages, num))

/* Unlike put_user(), the kernel can make copy_to_user() fail. */
#undef put_user
#define put_user(x, to) \
	({ \
		__auto_type where = (to); \
		__typeof__(*where) put = (x); \
		copy_to_user(where, &put, sizeof(put)) ? -EFAULT : 0; \
	})

/* It keeps failures out of the log, where the tests see which calls failed. */
#undef __GFP_NOWARN
#define __GFP_NOWARN 0

#endif
