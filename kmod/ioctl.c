// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls: arguments in, checks, results out. */

#include <linux/compat.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <xen/interface/xen.h>

#include "gntalloc.h"

#define ALLOC_HEAD offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids)

/* Drop blocks that no file has, with all that they hold. */
static void abort_blocks(struct list_head *blocks)
{
	struct gntalloc_block *block, *next;

	list_for_each_entry_safe(block, next, blocks, link)
		block_abort(block);
	INIT_LIST_HEAD(blocks);
}

/* Make all blocks for @op, or none. The pages are charged already. */
static int make_blocks(struct gntalloc_file *file,
		       const struct ioctl_gntalloc_alloc_gref *op,
		       struct list_head *blocks)
{
	bool readonly = !(op->flags & GNTALLOC_FLAG_WRITABLE);
	u64 first = op->index >> PAGE_SHIFT;
	u32 left = op->count;
	struct gntalloc_block *block;
	int err;

	while (left) {
		u32 count = min_t(u32, left, GNTALLOC_BLOCK_MAX);

		block = block_alloc(file, first, count, op->domid, readonly);
		if (IS_ERR(block)) {
			err = PTR_ERR(block);
			goto undo;
		}
		list_add_tail(&block->link, blocks);
		first += count;
		left -= count;
		cond_resched();
	}

	list_for_each_entry(block, blocks, link) {
		err = block_fill(file, block);
		if (err)
			goto undo;
		cond_resched();
	}
	return 0;

undo:
	abort_blocks(blocks);
	pages_uncharge(left);
	return err;
}

/* A single one, which is what most programs share, is put there at once. */
bool copy_refs_out(u32 __user *to, const grant_ref_t *refs, u32 count)
{
	if (count == 1)
		return put_user(*refs, to);
	return copy_to_user(to, refs, count * sizeof(*refs));
}

static int copy_refs(struct list_head *blocks, u32 __user *to)
{
	struct gntalloc_block *block;

	list_for_each_entry(block, blocks, link) {
		if (copy_refs_out(to, block_refs(block), block->count))
			return -EFAULT;
		to += block->count;
	}
	return 0;
}

/*
 * Whether the grant table, grown as far as it may be, could hold so many. That
 * asks Xen, which is not worth it where to find out is little work.
 */
bool fits_grant_table(u32 count)
{
	if (count <= 32 * GNTALLOC_BLOCK_MAX ||
	    count <= gnttab_max_grant_frames() *
			     (PAGE_SIZE / sizeof(struct grant_entry_v1)))
		return true;
	pr_info_ratelimited("%u pages are more than the grant table holds\n",
			    count);
	return false;
}

static long ioctl_alloc(struct gntalloc_file *file,
			struct ioctl_gntalloc_alloc_gref __user *arg)
{
	struct ioctl_gntalloc_alloc_gref op;
	struct gntalloc_block *block, *next;
	LIST_HEAD(blocks);
	int err = 0;

	if (copy_from_user(&op, arg, ALLOC_HEAD))
		return -EFAULT;
	if (!op.count || op.flags & ~GNTALLOC_FLAG_WRITABLE ||
	    op.domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (!fits_grant_table(op.count))
		return -ENOSPC;

	/* A failure takes indices, too: they can all be gone. */
	mutex_lock(&file->lock);
	op.index = file->next << PAGE_SHIFT;
	if (op.count > ARENA_FIRST - file->next)
		err = -ENOSPC;
	else
		file->next += op.count;
	mutex_unlock(&file->lock);
	if (err)
		return err;

	do {
		err = pages_charge(op.count);
		if (!err)
			err = make_blocks(file, &op, &blocks);
	} while (err == -ENOMEM && spare_drop(file));
	if (err)
		return err;

	/*
	 * The caller learns the result before the file lists the pages: until
	 * then nobody can use them and they can be taken back.
	 */
	if (copy_refs(&blocks, arg->gref_ids) ||
	    put_user(op.index, &arg->index)) {
		abort_blocks(&blocks);
		return -EFAULT;
	}

	mutex_lock(&file->lock);
	list_for_each_entry_safe(block, next, &blocks, link)
		file_insert(file, block);
	mutex_unlock(&file->lock);
	return 0;
}

static long ioctl_dealloc(struct gntalloc_file *file,
			  struct ioctl_gntalloc_dealloc_gref __user *arg)
{
	struct {
		u64 index;
		u32 count;
	} __packed op;
	struct gntalloc_pos pos;

	BUILD_BUG_ON(sizeof(op) >
		     offsetofend(struct ioctl_gntalloc_dealloc_gref, count));

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.index & ~PAGE_MASK)
		return -EINVAL;

	mutex_lock(&file->lock);
	pos = file_find_run(file, op.index >> PAGE_SHIFT, op.count);
	if (pos.block)
		file_unlist(file, pos, op.count);
	mutex_unlock(&file->lock);
	return pos.block ? 0 : -EINVAL;
}

static long
ioctl_set_unmap_notify(struct gntalloc_file *file,
		       struct ioctl_gntalloc_unmap_notify __user *arg)
{
	struct ioctl_gntalloc_unmap_notify op;
	struct gntalloc_pos pos;
	int err = -ENOENT;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;

	mutex_lock(&file->lock);
	pos = file_find_run(file, op.index >> PAGE_SHIFT, 1);
	if (pos.block)
		err = page_set_notify(pos.block, pos.i, op.index & ~PAGE_MASK,
				      op.action, op.event_channel_port);
	mutex_unlock(&file->lock);
	return err;
}

/*
 * The number of an ioctl has the size of its struct in it. A 32-bit program's
 * structs end sooner, with all members in the same place.
 */
#ifdef CONFIG_COMPAT
#define COMPAT_SIZE(nr, size) _IOC(_IOC_NONE, 'G', nr, size)
#define COMPAT_ALLOC_GREF COMPAT_SIZE(5, ALLOC_HEAD + sizeof(u32))
#define COMPAT_DEALLOC_GREF COMPAT_SIZE(6, sizeof(u64) + sizeof(u32))
#endif

/* What the stock driver has. */
static noinline long stock_ioctl(struct gntalloc_file *file, unsigned int cmd,
				 unsigned long arg)
{
	switch (cmd) {
#ifdef COMPAT_ALLOC_GREF
	case COMPAT_ALLOC_GREF:
#endif
	case IOCTL_GNTALLOC_ALLOC_GREF:
		return ioctl_alloc(file, (void __user *)arg);
#ifdef COMPAT_DEALLOC_GREF
	case COMPAT_DEALLOC_GREF:
#endif
	case IOCTL_GNTALLOC_DEALLOC_GREF:
		return ioctl_dealloc(file, (void __user *)arg);
	case IOCTL_GNTALLOC_SET_UNMAP_NOTIFY:
		return ioctl_set_unmap_notify(file, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

long gntalloc_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct gntalloc_file *file = filp->private_data;

	switch (cmd) {
	case IOCTL_GNTALLOC_SHARE:
		return ioctl_share(file, (void __user *)arg);
	case IOCTL_GNTALLOC_UNSHARE:
		return ioctl_unshare(file, (void __user *)arg);
	default:
		return stock_ioctl(file, cmd, arg);
	}
}
