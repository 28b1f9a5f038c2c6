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

/*
 * The pages of a piece can serve: zero them, and grant them, with the wmb() of
 * block_grant().
 */
static void grant_piece(const struct ioctl_gntalloc_share *op,
			struct gntalloc_pos pos, u32 count,
			const grant_ref_t *refs)
{
	u32 listed = op->flags & GNTALLOC_FLAG_UNLISTED ? 0 : NOTIFY_LISTED;
	bool readonly = !(op->flags & GNTALLOC_FLAG_WRITABLE);
	grant_ref_t *ref = block_refs(pos.block) + pos.i;
	u32 *notify = block_notify(pos.block) + pos.i;
	domid_t *domids = block_domids(pos.block) + pos.i;
	struct page **pages = pos.block->pages + pos.i;
	u32 i;

	for (i = 0; i < count; i++) {
		if (notify[i] != NOTIFY_FRESH)
			clear_highpage(pages[i]);
		notify[i] = listed;
	}
	for (i = 0; i < count; i++) {
		ref[i] = refs[i];
		domids[i] = op->domid;
		gnttab_grant_foreign_access_ref(refs[i], op->domid,
						xen_page_to_gfn(pages[i]),
						readonly);
	}
}

/* All of them, with the first of which @pos and @some begin. */
static void grant(struct gntalloc_file *file,
		  const struct ioctl_gntalloc_share *op,
		  struct gntalloc_pos pos, u32 some, const grant_ref_t *refs)
{
	u64 index = op->index >> PAGE_SHIFT;
	u32 count = op->count;

	for (;;) {
		spare_sub(file, pos.block, some);
		grant_piece(op, pos, some, refs);
		refs += some;
		count -= some;
		if (!count)
			return;
		cond_resched();
		index += some;
		some = count;
		pos = arena_piece(file, index, &some);
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

/* Returns 0, an error, or how many pages it takes after all. */
static noinline long fill(struct gntalloc_file *file,
			  const struct ioctl_gntalloc_share *op,
			  struct gntalloc_fresh *fresh)
{
	u64 index = op->index >> PAGE_SHIFT;
	int err = places_fill(file, op->addr, index, op->count, fresh);

	if (err)
		not_fresh(file, index, op->count);
	if (err == -EAGAIN)
		return op->count;
	return err;
}

/*
 * Claim references for all places and copy them to the caller, while they grant
 * nothing yet. Pages that count are there or at hand for all of them by now,
 * and nobody else claims any for these. So they may not wait for user memory:
 * EFAULT is also what would have to.
 */
static long claim_refs(struct gntalloc_file *file,
		       const struct ioctl_gntalloc_share *op, grant_ref_t *refs)
{
	long err;

	lockdep_assert_held(&file->lock);
	err = refs_claim(refs, op->count);
	if (err)
		return err;
	pagefault_disable();
	if (copy_refs_out((u32 __user *)(unsigned long)op->refs, refs,
			  op->count))
		err = -EFAULT;
	pagefault_enable();
	if (err)
		refs_release(refs, op->count);
	return err;
}

/*
 * Grant all places if there is nothing to fill, or if @fresh has enough to do
 * so. Otherwise returns how many pages it takes, or an error.
 */
static long try_share(struct gntalloc_file *file,
		      const struct ioctl_gntalloc_share *op, grant_ref_t *refs,
		      struct gntalloc_fresh *fresh)
{
	u64 index = op->index >> PAGE_SHIFT;
	struct gntalloc_pos pos;
	u32 some = op->count;
	long needed, err;

	lockdep_assert_held(&file->lock);
	if (file->mm != current->mm)
		return -EPERM;
	pos = arena_piece(file, index, &some);
	needed = places_needed(file, pos, some, index, op->count);
	if (needed) {
		if (needed < 0 || !fresh || needed > fresh->count)
			return needed;
		if (!has_places(file, op->addr, index, op->count))
			return -EINVAL;
	}
	err = claim_refs(file, op, refs);
	if (err)
		return err;
	if (needed) {
		err = fill(file, op, fresh);
		if (err) {
			refs_release(refs, op->count);
			return err;
		}
		pos = arena_piece(file, index, &some);
	}
	grant(file, op, pos, some, refs);
	return 0;
}

static long fill_and_share(struct gntalloc_file *file,
			   const struct ioctl_gntalloc_share *op,
			   grant_ref_t *refs, struct gntalloc_fresh *fresh)
{
	long needed;

	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	mutex_lock(&file->lock);
	needed = try_share(file, op, refs, fresh);
	mutex_unlock(&file->lock);
	mmap_write_unlock(current->mm);
	return needed;
}

/* Wait for what is missing where the references go. */
static int touch_refs(const struct ioctl_gntalloc_share *op)
{
	u32 __user *to = (u32 __user *)(unsigned long)op->refs;
	u32 i;

	if (fatal_signal_pending(current))
		return -EINTR;
	for (i = 0; i < op->count; i += PAGE_SIZE / sizeof(*to))
		if (put_user(0, to + i))
			return -EFAULT;
	return put_user(0, to + op->count - 1);
}

/*
 * Pages are got with no lock held, so that it may turn out later that more are
 * needed. Memory that others keep spare is ours before there is none; not more
 * than once, for some of it may be what was put into its places just now.
 */
static noinline long get_and_share(struct gntalloc_file *file,
				   const struct ioctl_gntalloc_share *op,
				   grant_ref_t *refs, long needed)
{
	struct gntalloc_fresh fresh = {
		.file = file,
		.chunks = LIST_HEAD_INIT(fresh.chunks),
	};
	bool taken = false;
	int err;

	err = touch_refs(op);
	if (err)
		return err;
	do {
		err = fresh_get(&fresh, needed);
		if (err)
			needed = err;
		else
			needed = fill_and_share(file, op, refs, &fresh);
		if (needed == -EFAULT) {
			needed = touch_refs(op);
			if (!needed)
				needed = fresh.count;
		}
		if (needed == -ENOMEM && !taken &&
		    spare_take_own(file, UINT_MAX)) {
			taken = true;
			needed = max_t(u32, fresh.count, 1);
		}
	} while (needed > 0);
	fresh_put(&fresh);
	return needed;
}

static long share(struct gntalloc_file *file,
		  const struct ioctl_gntalloc_share *op, grant_ref_t *refs)
{
	long needed;

	mutex_lock(&file->lock);
	needed = try_share(file, op, refs, NULL);
	mutex_unlock(&file->lock);
	return needed > 0 ? get_and_share(file, op, refs, needed) : needed;
}

/* Memory for @count references: @few if they have room there. */
static __always_inline int room_for_refs(grant_ref_t **refs, grant_ref_t *few,
					 u32 count)
{
	*refs = few;
	if (likely(count <= FEW_REFS))
		return 0;
	if (!fits_grant_table(count))
		return -ENOSPC;
	*refs = kvmalloc_array(count, sizeof(**refs),
			       GFP_KERNEL | __GFP_NOWARN);
	return *refs ? 0 : -ENOMEM;
}

/*
 * Claim @count references, in @few if they have room there, and copy them to
 * @to while they grant nothing yet. They are counted ahead.
 */
int refs_for_user(grant_ref_t **refs, grant_ref_t *few, u32 count, u64 to)
{
	int err;

	err = room_for_refs(refs, few, count);
	if (err)
		return err;
	err = refs_claim(*refs, count);
	if (err)
		goto free;
	if (!copy_refs_out((u32 __user *)(unsigned long)to, *refs, count))
		return 0;
	err = -EFAULT;
	refs_release(*refs, count);
free:
	if (*refs != few)
		kvfree(*refs);
	return err;
}

long ioctl_share(struct gntalloc_file *file,
		 struct ioctl_gntalloc_share __user *arg)
{
	grant_ref_t few[FEW_REFS] __not_cleared;
	struct ioctl_gntalloc_share op;
	grant_ref_t *refs;
	long err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count ||
	    op.flags & ~(GNTALLOC_FLAG_WRITABLE | GNTALLOC_FLAG_UNLISTED) ||
	    op.domid >= DOMID_FIRST_RESERVED ||
	    (op.index | op.addr) & ~PAGE_MASK ||
	    op.addr != (unsigned long)op.addr ||
	    op.refs != (unsigned long)op.refs ||
	    !is_arena(op.index >> PAGE_SHIFT, op.count))
		return -EINVAL;
	err = may_grant(file, op.domid);
	if (!err)
		err = room_for_refs(&refs, few, op.count);
	if (err)
		return err;

	err = share(file, &op, refs);
	while (unlikely(err == -EFAULT)) {
		err = touch_refs(&op);
		if (err)
			break;
		err = share(file, &op, refs);
	}
	if (refs != few)
		kvfree(refs);
	return err;
}

/*
 * Unlist pages of a block and end their grants. Those that can serve, and as
 * many as there is room for, are spare then. Returns how many are not: they are
 * left in their places, granted or not.
 */
static u32 unlist_piece(struct gntalloc_file *file, struct gntalloc_pos pos,
			u32 count)
{
	struct gntalloc_block *block = pos.block;
	grant_ref_t *refs = block_refs(block) + pos.i;
	u32 *notify = block_notify(block) + pos.i;
	u32 i, room, some, which, kept = 0;

	for (i = 0; i < count; i++) {
		if (likely(!(notify[i] & ~NOTIFY_LISTED)))
			notify[i] = 0;
		else
			page_unlist(block, pos.i + i);
	}
	room = min(count, spare_room(file));
	for (; room; room -= some, refs += some, pos.i += some) {
		some = min_t(u32, room, GNTALLOC_ENDING_MAX);
		which = pages_that_serve(block, pos.i, some);
		which = refs_end(refs, some, which);
		if (likely(which == GENMASK(some - 1, 0)))
			memset(refs, 0, some * sizeof(*refs));
		else
			for (i = 0; i < some; i++)
				if (which & BIT(i))
					refs[i] = 0;
		kept += hweight32(which);
	}
	if (kept)
		spare_add(file, block, kept);
	return count - kept;
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

/* @count places from @pos on are listed; blocks follow each other. */
static void unshare(struct gntalloc_file *file, struct gntalloc_pos pos,
		    u32 count)
{
	u32 some;

	for (;;) {
		some = min_t(u32, count, pos.block->count - pos.i);
		if (unlist_piece(file, pos, some))
			take_rest_out(file, pos, some);
		count -= some;
		if (!count && pos.block->live)
			return;
		pos.block = settle_block(file, pos.block);
		if (!count)
			return;
		pos.i = 0;
	}
}

/* Do all these places, mapped at @addr, have pages that are granted? */
static int can_unshare_at(struct gntalloc_file *file, unsigned long addr,
			  u64 index, u32 count)
{
	struct gntalloc_pos pos;
	u32 some, end;

	if (!has_places_unchanged(file, addr, index, count))
		return -EINVAL;
	for (; count; count -= some, index += some) {
		some = count;
		pos = arena_piece(file, index, &some);
		if (!pos.block)
			return -EINVAL;
		for (end = pos.i + some; pos.i < end; pos.i++) {
			if (!pos.block->pages[pos.i] ||
			    is_spare(pos.block, pos.i))
				return -EINVAL;
			if (is_copied(pos.block->pages[pos.i]))
				return -EBUSY;
		}
	}
	return 0;
}

/* The first place of @op, if all can be unshared; or an error. */
static int find_shared(struct gntalloc_file *file,
		       const struct ioctl_gntalloc_unshare *op,
		       struct gntalloc_pos *pos)
{
	u64 index = op->index >> PAGE_SHIFT;
	int err;

	if (file->mm != current->mm)
		return -EPERM;
	if (!op->addr) {
		*pos = file_find_run(file, index, op->count);
		return pos->block ? 0 : -EINVAL;
	}
	err = can_unshare_at(file, op->addr, index, op->count);
	if (!err)
		*pos = file_find(file, index);
	return err;
}

long ioctl_unshare(struct gntalloc_file *file,
		   struct ioctl_gntalloc_unshare __user *arg)
{
	struct ioctl_gntalloc_unshare op;
	struct gntalloc_pos pos;
	long err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.pad || (op.index | op.addr) & ~PAGE_MASK ||
	    op.addr != (unsigned long)op.addr ||
	    !is_arena(op.index >> PAGE_SHIFT, op.count))
		return -EINVAL;

	/* Against fork, and whatever changes the mapping. */
	if (op.addr)
		mmap_read_lock(current->mm);
	mutex_lock(&file->lock);
	err = find_shared(file, &op, &pos);
	if (!err)
		unshare(file, pos, op.count);
	mutex_unlock(&file->lock);
	if (op.addr)
		mmap_read_unlock(current->mm);
	return err;
}
