// SPDX-License-Identifier: GPL-2.0-only
/* Granting memory of the caller, which is pinned for as long as that lasts. */

#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "gntalloc.h"

/*
 * Give back pinned pages that nobody has a grant of any more: one that became
 * a page table while the peer could write to it would break this kernel.
 */
void pages_unpin(const struct gntalloc_whose *whose, struct page **pages,
		 unsigned int count)
{
	unpin_user_pages_dirty_lock(pages, count, !whose->sealed);
	atomic64_sub(count, &whose->mm->pinned_vm);
}

/* As other drivers that pin do it; mlock() counts on its own. */
static int charge_pinned(struct mm_struct *mm, unsigned int count)
{
	u64 max = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(count, &mm->pinned_vm) <= max ||
	    capable(CAP_IPC_LOCK))
		return 0;
	atomic64_sub(count, &mm->pinned_vm);
	return -ENOMEM;
}

/*
 * Not a device's, nor another domain's; nor a file's on disk, whose pages come
 * and go as its filesystem likes, which wants to know when they are written.
 */
static bool may_pin(const struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return false;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return PRIVATE_STAYS_PINNED;
	return vma->vm_ops && !vma->vm_ops->page_mkwrite;
}

/* Filesystems have more kinds of pages than that. */
static bool is_memory(const struct vm_area_struct *vma, struct page *page)
{
	return PageAnon(page) || page_is_swap_backed(page) ||
	       vma->vm_flags & VM_HUGETLB;
}

/*
 * Pin pages from @addr on, in one mapping and up to @max. Returns how many, or
 * an error, and then none. A device's or another domain's pages must be refused
 * by their mapping before they are pinned, so it may not change meanwhile.
 */
static int pin_some(struct gntalloc_block *block, struct page **pages,
		    unsigned long addr, unsigned long max, bool writable)
{
	struct vm_area_struct *vma = find_vma(current->mm, addr);
	unsigned int flags = FOLL_LONGTERM;
	long got, i;

	if (!vma || addr < vma->vm_start)
		return -EFAULT;
	if (!may_pin(vma))
		return -ENODEV;
	/*
	 * A private page may be that of a file, or of zeros, until it is
	 * written to: the peer would never see what the owner writes. What the
	 * owner may write it may also let others write later.
	 */
	if (writable || vma->vm_flags & VM_WRITE ||
	    !(vma->vm_flags & VM_MAYSHARE))
		flags |= FOLL_WRITE;

	max = min(max, (vma->vm_end - addr) >> PAGE_SHIFT);
	got = pin_pages(addr, max, flags, pages);
	if (got <= 0)
		return got ? got : -EFAULT;
	for (i = 0; i < got && is_memory(vma, pages[i]); i++)
		;
	if (i < got) {
		unpin_user_pages(pages, got);
		return -ENODEV;
	}
	if (!(flags & FOLL_WRITE))
		block->whose.sealed = true;
	return got;
}

/* Pin all pages of @block, which has none, from @addr on; or none of them. */
static int block_pin(struct gntalloc_block *block, unsigned long addr,
		     bool writable)
{
	struct mm_struct *mm = current->mm;
	unsigned int done = 0;
	int got;

	got = charge_pinned(mm, block->count);
	if (got)
		return got;
	if (mmap_read_lock_killable(mm)) {
		got = -EINTR;
	} else {
		do {
			got = pin_some(block, block->pages + done,
				       addr + ((done + 0ul) << PAGE_SHIFT),
				       block->count - done, writable);
			if (got > 0)
				done += got;
		} while (got > 0 && done < block->count);
		mmap_read_unlock(mm);
	}
	if (got > 0) {
		block->live = done;
		return 0;
	}
	unpin_user_pages(block->pages, done);
	atomic64_sub(block->count, &mm->pinned_vm);
	return got;
}

static int pin_blocks(struct list_head *blocks,
		      const struct ioctl_gntalloc_share_memory *op)
{
	bool writable = op->flags & GNTALLOC_FLAG_WRITABLE;
	unsigned long addr = op->addr;
	struct gntalloc_block *block;
	int err;

	list_for_each_entry(block, blocks, link) {
		err = block_pin(block, addr, writable);
		if (err)
			return err;
		addr += (block->count + 0ul) << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

long ioctl_share_memory(struct gntalloc_file *file,
			struct ioctl_gntalloc_share_memory __user *arg)
{
	const struct gntalloc_whose whose = { .file = file, .mm = current->mm };
	struct ioctl_gntalloc_share_memory op;
	struct gntalloc_block *block;
	LIST_HEAD(blocks);
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.flags & ~GNTALLOC_FLAG_WRITABLE ||
	    op.domid >= DOMID_FIRST_RESERVED || op.addr & ~PAGE_MASK ||
	    op.addr != (unsigned long)op.addr ||
	    op.refs != (unsigned long)op.refs)
		return -EINVAL;
	if (!fits_grant_table(op.count))
		return -ENOSPC;
	err = may_grant(file, op.domid);
	if (!err)
		err = take_indices(file, op.count, &op.index);
	if (!err)
		err = blocks_alloc(&whose, op.index >> PAGE_SHIFT, op.count,
				   &blocks);
	if (err)
		return err;
	err = pin_blocks(&blocks, &op);
	if (!err &&
	    (copy_block_refs(&blocks, (void __user *)(unsigned long)op.refs) ||
	     copy_to_user(&arg->index, &op.index, sizeof(op.index))))
		err = -EFAULT;
	if (err) {
		blocks_abort(&blocks);
		return err;
	}
	list_for_each_entry(block, &blocks, link)
		block_grant(block, op.domid, op.flags);
	mutex_lock(&file->lock);
	blocks_insert(file, &blocks);
	mutex_unlock(&file->lock);
	return 0;
}
