// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls: arguments in, checks, results out. */

#include <linux/compat.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <xen/interface/xen.h>

#include "gntalloc.h"

#define ALLOC_HEAD offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids)

/* Drop blocks that no file has, with all that they hold. */
void blocks_abort(struct list_head *blocks)
{
	struct gntalloc_block *block, *next;

	list_for_each_entry_safe(block, next, blocks, link)
		block_abort(block);
	INIT_LIST_HEAD(blocks);
}

/*
 * Blocks with references for @count pages from index @first on, or none. The
 * pages are counted ahead.
 */
int blocks_alloc(const struct gntalloc_whose *whose, u64 first, u32 count,
		 struct list_head *blocks)
{
	struct gntalloc_block *block;
	u32 some;
	int err;

	err = pages_charge(whose->file, count);
	if (err)
		return err;
	for (; count; count -= some, first += some) {
		some = min_t(u32, count, GNTALLOC_BLOCK_MAX);
		block = block_alloc(whose, first, some);
		if (IS_ERR(block)) {
			blocks_abort(blocks);
			pages_uncharge(whose->file, count);
			return PTR_ERR(block);
		}
		list_add_tail(&block->link, blocks);
		cond_resched();
	}
	return 0;
}

/* Make all blocks for @op, or none. */
static int make_blocks(struct gntalloc_file *file,
		       const struct ioctl_gntalloc_alloc_gref *op,
		       struct list_head *blocks)
{
	const struct gntalloc_whose whose = { .file = file };
	struct gntalloc_block *block;
	int err;

	err = blocks_alloc(&whose, op->index >> PAGE_SHIFT, op->count, blocks);
	list_for_each_entry(block, blocks, link) {
		err = block_fill(block);
		if (err) {
			blocks_abort(blocks);
			return err;
		}
		block_grant(block, op->domid, op->flags);
		cond_resched();
	}
	return err;
}

/* A single one, which is what most programs share, is put there at once. */
bool copy_refs_out(u32 __user *to, const grant_ref_t *refs, u32 count)
{
	if (count == 1)
		return put_user(*refs, to);
	return copy_to_user(to, refs, count * sizeof(*refs));
}

int copy_block_refs(struct list_head *blocks, u32 __user *to)
{
	struct gntalloc_block *block;

	list_for_each_entry(block, blocks, link) {
		if (copy_refs_out(to, block_refs(block), block->count))
			return -EFAULT;
		to += block->count;
	}
	return 0;
}

/* With the lock of the file. */
void blocks_insert(struct gntalloc_file *file, struct list_head *blocks)
{
	struct gntalloc_block *block, *next;

	list_for_each_entry_safe(block, next, blocks, link)
		file_insert(file, block);
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

/* Indices for @count pages. A failure takes some, too: they can all be gone. */
int take_indices(struct gntalloc_file *file, u32 count, __u64 *index)
{
	int err = 0;

	mutex_lock(&file->lock);
	*index = file->next << PAGE_SHIFT;
	if (count > ARENA_FIRST - file->next)
		err = -ENOSPC;
	else
		file->next += count;
	mutex_unlock(&file->lock);
	return err;
}

static long ioctl_alloc(struct gntalloc_file *file,
			struct ioctl_gntalloc_alloc_gref __user *arg)
{
	struct ioctl_gntalloc_alloc_gref op;
	LIST_HEAD(blocks);
	int err;

	if (copy_from_user(&op, arg, ALLOC_HEAD))
		return -EFAULT;
	if (!op.count || op.flags & ~GNTALLOC_FLAG_WRITABLE ||
	    op.domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	if (!fits_grant_table(op.count))
		return -ENOSPC;
	err = may_grant(file, op.domid);
	if (err)
		return err;
	err = take_indices(file, op.count, &op.index);
	if (err)
		return err;

	do
		err = make_blocks(file, &op, &blocks);
	while (err == -ENOMEM && spare_take_own(file, UINT_MAX));
	if (err)
		return err;

	/*
	 * The caller learns the result before the file lists the pages: until
	 * then nobody can use them and they can be taken back.
	 */
	if (copy_block_refs(&blocks, arg->gref_ids) ||
	    put_user(op.index, &arg->index)) {
		blocks_abort(&blocks);
		return -EFAULT;
	}

	mutex_lock(&file->lock);
	blocks_insert(file, &blocks);
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

/* What is seldom asked for. */
static noinline long other_ioctl(struct gntalloc_file *file, unsigned int cmd,
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
	case IOCTL_GNTALLOC_ADD_PEER:
		return ioctl_add_peer(file, (void __user *)arg);
	case IOCTL_GNTALLOC_SHARE_MEMORY:
		return ioctl_share_memory(file, (void __user *)arg);
	case IOCTL_GNTALLOC_RENEW:
		return ioctl_renew(file, (void __user *)arg);
	case IOCTL_GNTALLOC_REVOKE:
		return ioctl_revoke(file, (void __user *)arg);
	case IOCTL_GNTALLOC_STATUS:
		return ioctl_status(file, (void __user *)arg);
	case IOCTL_GNTALLOC_RESTRICT:
		return ioctl_restrict(file, (void __user *)arg);
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
		return other_ioctl(file, cmd, arg);
	}
}
