/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where kernels differ, all look like the newest here. Kbuild looks into the
 * headers and defines HAVE_*.
 */
#ifndef GNTALLOC_COMPAT_H
#define GNTALLOC_COMPAT_H

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>

/*
 * Nothing can stand in for it: what there was before tests and ends a grant in
 * two steps, and the peer may map the page between them.
 */
#ifndef HAVE_TRY_END_ACCESS
#error "no gnttab_try_end_foreign_access (XSA-396): Linux 5.10 has it since 5.10.105"
#endif

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/*
 * How many entries of page tables have a page, also one of a chunk. Kernels
 * have different names for it, and do not want drivers to ask; where they count
 * for whole chunks only there are none here.
 */
static inline int map_count(struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

/* Kernels may clear all variables, those that are written first, too. */
#if __has_attribute(uninitialized)
#define __not_cleared __attribute__((uninitialized))
#else
#define __not_cleared
#endif

#ifdef CONFIG_NO_PAGE_MAPCOUNT
#define CHUNKS_HAVE_MAP_COUNTS 0
#else
#define CHUNKS_HAVE_MAP_COUNTS 1
#endif

#ifndef HAVE_KMAP_LOCAL_PAGE
#define kmap_local_page(page) kmap_atomic(page)
#define kunmap_local(addr) kunmap_atomic(addr)
#endif

#ifndef HAVE_LAZY_MMU_MODE_ENABLE
#define lazy_mmu_mode_enable() arch_enter_lazy_mmu_mode()
#define lazy_mmu_mode_disable() arch_leave_lazy_mmu_mode()
#endif

/* Where there are both, system_wq writes a warning to the log. */
#ifndef HAVE_SYSTEM_PERCPU_WQ
#define system_percpu_wq system_wq
#endif

/*
 * Pin some of @count pages, with mmap_lock held for reading. Those that need no
 * fault are found in a sixth of the time where that can be had without what
 * takes mmap_lock itself for the others, as pin_user_pages_fast() does.
 */
static inline long pin_pages(unsigned long addr, unsigned long count,
			     unsigned int flags, struct page **pages)
{
#ifdef HAVE_PIN_FAST_ONLY
	int got = pin_user_pages_fast_only(addr, count, flags, pages);

	if (got > 0)
		return got;
#endif
#ifdef HAVE_PIN_VMAS
	return pin_user_pages(addr, count, flags, pages, NULL);
#else
	return pin_user_pages(addr, count, flags, pages);
#endif
}

/* Before that, mprotect() alone could part a process from a page it pinned. */
#ifdef HAVE_ANON_EXCLUSIVE
#define PRIVATE_STAYS_PINNED 1
#else
#define PRIVATE_STAYS_PINNED 0
#endif

static inline bool page_is_swap_backed(struct page *page)
{
#ifdef HAVE_PAGE_SWAP_BACKED
	return PageSwapBacked(compound_head(page));
#else
	return folio_test_swapbacked(page_folio(page));
#endif
}

/* An argument "readonly" went: nothing had used it for a long time. */
#ifndef HAVE_END_ACCESS_PAGE
#define gnttab_end_foreign_access(ref, page) \
	gnttab_end_foreign_access(ref, 0, (unsigned long)page_address(page))
#endif

#endif
