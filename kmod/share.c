// SPDX-License-Identifier: GPL-2.0-only
/* Sharing and unsharing places of an arena. */

#include <linux/bits.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <xen/page.h>

#include "compat.h"
#include "gntalloc.h"

/* So many references have room on the stack. */
#define FEW_REFS 64

/* All places have a page that can serve: zero them, and grant them. */
static void grant(struct gntalloc_file *file,
		  const struct ioctl_gntalloc_share *op,
		  const grant_ref_t *refs)
{
	bool readonly = !(op->flags & GNTALLOC_FLAG_WRITABLE);
	u64 index = op->index >> PAGE_SHIFT;
	u32 left = op->count, some, end;
	struct gntalloc_pos pos;

	for (; left; left -= some, index += some) {
		some = left;
		pos = arena_piece(file, index, &some);
		spare_add(file, pos.block, -(int)some);
		for (end = pos.i + some; pos.i < end; pos.i++) {
			struct page *page = pos.block->pages[pos.i];

			if (block_notify(pos.block)[pos.i] != NOTIFY_FRESH)
				clear_highpage(page);
			block_refs(pos.block)[pos.i] = *refs;
			block_notify(pos.block)[pos.i] = NOTIFY_LISTED;
			gnttab_grant_foreign_access_ref(*refs++, op->domid,
							xen_page_to_gfn(page),
							readonly);
		}
		cond_resched();
	}
}

/* What a failure left behind may have been written to when it is used. */
static void not_fresh(struct gntalloc_file *file, u64 index, u32 count)
{
	struct gntalloc_pos pos;
	u32 some, end;

	for (; count; count -= some, index += some) {
		some = count;
		pos = arena_piece(file, index, &some);
		for (end = pos.i + some; pos.block && pos.i < end; pos.i++)
			if (pos.block->pages[pos.i] &&
			    is_spare(pos.block, pos.i))
				block_notify(pos.block)[pos.i] = 0;
	}
}

/*
 * Grant all places if there is nothing to fill, or @vma is given and enough is
 * at hand to do so. Otherwise returns how many pages it takes, or an error.
 */
static long try_share(struct gntalloc_file *file,
		      const struct ioctl_gntalloc_share *op,
		      const grant_ref_t *refs, bool may_fill,
		      struct gntalloc_fresh *fresh)
{
	u64 index = op->index >> PAGE_SHIFT;
	struct vm_area_struct *vma;
	long needed;
	int err;

	lockdep_assert_held(&file->lock);
	if (file->mm != current->mm)
		return -EPERM;
	needed = places_needed(file, index, op->count);
	if (needed < 0 || (needed && (!may_fill || needed > fresh->count)))
		return needed;
	if (needed) {
		vma = find_places(file, op->addr, index, op->count);
		if (!vma)
			return -EINVAL;
		err = places_fill(file, vma, op->addr, index, op->count, fresh);
		if (err) {
			not_fresh(file, index, op->count);
			return err == -EAGAIN ? op->count : err;
		}
	}
	grant(file, op, refs);
	return 0;
}

static long fill_and_share(struct gntalloc_file *file,
			   const struct ioctl_gntalloc_share *op,
			   const grant_ref_t *refs,
			   struct gntalloc_fresh *fresh)
{
	long needed;

	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	mutex_lock(&file->lock);
	needed = try_share(file, op, refs, true, fresh);
	mutex_unlock(&file->lock);
	mmap_write_unlock(current->mm);
	return needed;
}

/*
 * Pages are got with no lock held, so that it may turn out later that more are
 * needed. Memory that others keep spare is ours before there is none.
 */
static long share(struct gntalloc_file *file,
		  const struct ioctl_gntalloc_share *op,
		  const grant_ref_t *refs)
{
	struct gntalloc_fresh fresh = {
		.chunks = LIST_HEAD_INIT(fresh.chunks),
	};
	long needed;

	mutex_lock(&file->lock);
	needed = try_share(file, op, refs, false, &fresh);
	mutex_unlock(&file->lock);
	if (needed <= 0)
		return needed;

	do {
		int err = fresh_get(&fresh, needed);

		if (err)
			needed = err;
		else
			needed = fill_and_share(file, op, refs, &fresh);
		if (needed == -ENOMEM && spare_take(U32_MAX))
			needed = max_t(u32, fresh.count, 1);
	} while (needed > 0);
	fresh_put(&fresh);
	return needed;
}

long ioctl_share(struct gntalloc_file *file,
		 struct ioctl_gntalloc_share __user *arg)
{
	grant_ref_t few[FEW_REFS], *refs = few;
	struct ioctl_gntalloc_share op;
	long err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.flags & ~GNTALLOC_FLAG_WRITABLE ||
	    op.domid >= DOMID_FIRST_RESERVED ||
	    (op.index | op.addr) & ~PAGE_MASK ||
	    op.addr != (unsigned long)op.addr ||
	    op.refs != (unsigned long)op.refs ||
	    !is_arena(op.index >> PAGE_SHIFT, op.count))
		return -EINVAL;
	if (!fits_grant_table(op.count))
		return -ENOSPC;

	if (op.count > FEW_REFS) {
		refs = kvmalloc_array(op.count, sizeof(*refs),
				      GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!refs)
			return -ENOMEM;
	}
	err = refs_claim(refs, op.count);
	if (err)
		goto out;
	/* While they grant nothing yet. */
	if (copy_to_user((void __user *)(unsigned long)op.refs, refs,
			 op.count * sizeof(*refs)))
		err = -EFAULT;
	else
		err = share(file, &op, refs);
	if (err)
		refs_release(refs, op.count);
out:
	if (refs != few)
		kvfree(refs);
	return err;
}

/*
 * Unlist some pages of a block and end their grants. Those that can serve, and
 * *@room of them at the most, are spare then. Returns how many are not: they
 * are left in their places, granted or not.
 */
static u32 unlist_some(struct gntalloc_file *file, struct gntalloc_pos pos,
		       u32 count)
{
	struct gntalloc_block *block = pos.block;
	struct gntalloc_ending ending;
	u32 n, ended;

	for (n = 0; n < count; n++)
		page_unlist(block, pos.i + n);

	ending.count = min(count, spare_room(file));
	if (!ending.count)
		return count;
	memcpy(ending.refs, block_refs(block) + pos.i,
	       ending.count * sizeof(*ending.refs));
	ended = pages_that_serve(block, pos.i, ending.count);
	ended = refs_end(&ending, ended);
	for (n = 0; n < ending.count; n++)
		if (ended & BIT(n))
			block_refs(block)[pos.i + n] = 0;
	spare_add(file, block, hweight32(ended));
	return count - hweight32(ended);
}

/* Those of @count places from @pos on, in a block, that are not spare go. */
static void take_rest_out(struct gntalloc_file *file, struct gntalloc_pos pos,
			  u32 count)
{
	u32 end = pos.i + count, row;

	for (; pos.i < end; pos.i += row + 1) {
		for (row = 0; pos.i + row < end; row++)
			if (is_spare(pos.block, pos.i + row))
				break;
		if (row)
			take_out(file, pos, row);
	}
}

static void unshare(struct gntalloc_file *file, u64 index, u32 count)
{
	struct gntalloc_pos pos, at;
	u32 some, end, left, n;

	for (; count; count -= some, index += some) {
		some = count;
		pos = arena_piece(file, index, &some);
		left = 0;
		end = pos.i + some;
		for (at = pos; at.i < end; at.i += n) {
			n = min_t(u32, end - at.i, GNTALLOC_ENDING_MAX);
			left += unlist_some(file, at, n);
		}
		if (left)
			take_rest_out(file, pos, some);
		settle_block(file, pos.block);
	}
}

long ioctl_unshare(struct gntalloc_file *file,
		   struct ioctl_gntalloc_unshare __user *arg)
{
	struct ioctl_gntalloc_unshare op;
	u64 index;
	long err = 0;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	index = op.index >> PAGE_SHIFT;
	if (!op.count || op.pad || op.index & ~PAGE_MASK ||
	    !is_arena(index, op.count))
		return -EINVAL;

	mutex_lock(&file->lock);
	if (file->mm != current->mm)
		err = -EPERM;
	else if (!file_find_run(file, index, op.count).block)
		err = -EINVAL;
	else
		unshare(file, index, op.count);
	mutex_unlock(&file->lock);
	return err;
}
