// SPDX-License-Identifier: GPL-2.0-only
/* Who has the grant of a page: another domain, or nobody. */

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <xen/page.h>

#include "compat.h"
#include "gntalloc.h"

/*
 * The page stays, its grant ends, or lingers with a reference of its own. It
 * was counted ahead.
 */
static void end_grant(struct gntalloc_ending *ending,
		      const struct gntalloc_whose *lent,
		      struct gntalloc_block *block, unsigned int i)
{
	get_page(block->pages[i]);
	page_end(ending, lent, block->pages[i], block_refs(block)[i]);
}

/* Does a run have pages where nobody may write because of us? */
static bool has_sealed(struct gntalloc_pos pos, u32 count)
{
	struct gntalloc_block *block = pos.block;
	u64 end = block->first + pos.i + count;

	for (; block && block->first < end; block = block_next(block))
		if (block->whose.sealed)
			return true;
	return false;
}

static int renew(struct gntalloc_file *file,
		 const struct ioctl_gntalloc_renew *op, const grant_ref_t *refs)
{
	bool readonly = !(op->flags & GNTALLOC_FLAG_WRITABLE);
	const struct gntalloc_whose lent = { .file = file, .lent = true };
	struct gntalloc_ending ending = { 0 };
	u32 count = op->count, nobody = 0;
	struct gntalloc_pos pos;

	lockdep_assert_held(&file->lock);
	pos = file_find_run(file, op->index >> PAGE_SHIFT, count);
	if (!pos.block)
		return -EINVAL;
	if (!readonly && has_sealed(pos, count))
		return -EACCES;
	for (; count; pos.block = block_next(pos.block), pos.i = 0) {
		for (; pos.i < pos.block->count && count; pos.i++, count--) {
			if (block_refs(pos.block)[pos.i] == REF_NOBODY)
				nobody++;
			else
				end_grant(&ending, &lent, pos.block, pos.i);
			block_refs(pos.block)[pos.i] = *refs;
			block_domids(pos.block)[pos.i] = op->domid;
			gnttab_grant_foreign_access_ref(
				*refs++, op->domid,
				xen_page_to_gfn(pos.block->pages[pos.i]),
				readonly);
		}
		cond_resched();
	}
	page_flush(&ending);
	pages_uncharge(file, nobody);
	return 0;
}

long ioctl_renew(struct gntalloc_file *file,
		 struct ioctl_gntalloc_renew __user *arg)
{
	grant_ref_t few[FEW_REFS] __not_cleared;
	struct ioctl_gntalloc_renew op;
	grant_ref_t *refs;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.flags & ~GNTALLOC_FLAG_WRITABLE ||
	    op.domid >= DOMID_FIRST_RESERVED || op.index & ~PAGE_MASK ||
	    op.refs != (unsigned long)op.refs)
		return -EINVAL;
	if (!fits_grant_table(op.count))
		return -ENOSPC;
	err = may_grant(file, op.domid);
	if (!err)
		err = pages_charge(file, op.count);
	if (err)
		return err;
	err = refs_for_user(&refs, few, op.count, op.refs);
	if (err)
		goto uncharge;
	mutex_lock(&file->lock);
	err = renew(file, &op, refs);
	mutex_unlock(&file->lock);
	if (err)
		refs_release(refs, op.count);
	if (refs != few)
		kvfree(refs);
uncharge:
	if (err)
		pages_uncharge(file, op.count);
	return err;
}

/* Are all pages of a run granted to this domain? */
static bool all_have(struct gntalloc_pos pos, u32 count, domid_t domid)
{
	for (; count; pos.block = block_next(pos.block), pos.i = 0) {
		for (; pos.i < pos.block->count && count; pos.i++, count--)
			if (block_refs(pos.block)[pos.i] == REF_NOBODY ||
			    block_domids(pos.block)[pos.i] != domid)
				return false;
		cond_resched();
	}
	return true;
}

static int revoke(struct gntalloc_file *file,
		  const struct ioctl_gntalloc_revoke *op)
{
	const struct gntalloc_whose lent = { .file = file, .lent = true };
	struct gntalloc_ending ending = { 0 };
	struct gntalloc_pos pos;
	u32 count = op->count;

	lockdep_assert_held(&file->lock);
	pos = file_find_run(file, op->index >> PAGE_SHIFT, count);
	if (!pos.block || !all_have(pos, count, op->domid))
		return -EINVAL;
	/* No page more than once: to be renewed it has to be within limits. */
	pages_count_again(file, count);
	for (; count; pos.block = block_next(pos.block), pos.i = 0) {
		for (; pos.i < pos.block->count && count; pos.i++, count--) {
			page_unlist(pos.block, pos.i);
			block_notify(pos.block)[pos.i] = NOTIFY_LISTED;
			end_grant(&ending, &lent, pos.block, pos.i);
			block_refs(pos.block)[pos.i] = REF_NOBODY;
		}
		cond_resched();
	}
	page_flush(&ending);
	return 0;
}

long ioctl_revoke(struct gntalloc_file *file,
		  struct ioctl_gntalloc_revoke __user *arg)
{
	struct ioctl_gntalloc_revoke op;
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.pad || op.index & ~PAGE_MASK)
		return -EINVAL;
	mutex_lock(&file->lock);
	err = revoke(file, &op);
	mutex_unlock(&file->lock);
	return err;
}

/* ---- one more peer ---- */

/* May all pages of a run be granted to this one, too? */
static int may_add(struct gntalloc_pos pos,
		   const struct ioctl_gntalloc_add_peer *op)
{
	u32 count = op->count;

	if (op->flags & GNTALLOC_FLAG_WRITABLE && has_sealed(pos, count))
		return -EACCES;
	for (; count; pos.block = block_next(pos.block), pos.i = 0) {
		for (; pos.i < pos.block->count && count; pos.i++, count--)
			if (block_refs(pos.block)[pos.i] != REF_NOBODY &&
			    block_domids(pos.block)[pos.i] == op->domid)
				return -EEXIST;
		cond_resched();
	}
	return 0;
}

/* Fill blocks, which have references, with the pages of a run. */
static int lend(struct gntalloc_file *file,
		const struct ioctl_gntalloc_add_peer *op,
		struct list_head *blocks)
{
	struct gntalloc_block *block;
	struct gntalloc_pos pos;
	bool sealed;
	int err;

	lockdep_assert_held(&file->lock);
	pos = file_find_run(file, op->index >> PAGE_SHIFT, op->count);
	if (!pos.block)
		return -EINVAL;
	err = may_add(pos, op);
	if (err)
		return err;
	sealed = has_sealed(pos, op->count);
	list_for_each_entry(block, blocks, link) {
		block->whose.sealed = sealed;
		while (block->live < block->count) {
			struct page *page = pos.block->pages[pos.i];

			get_page(page);
			block->pages[block->live++] = page;
			if (++pos.i == pos.block->count) {
				pos.block = block_next(pos.block);
				pos.i = 0;
			}
		}
		block_grant(block, op->domid, op->flags);
		cond_resched();
	}
	blocks_insert(file, blocks);
	return 0;
}

long ioctl_add_peer(struct gntalloc_file *file,
		    struct ioctl_gntalloc_add_peer __user *arg)
{
	const struct gntalloc_whose whose = { .file = file, .lent = true };
	struct ioctl_gntalloc_add_peer op;
	LIST_HEAD(blocks);
	int err;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.count || op.flags & ~GNTALLOC_FLAG_WRITABLE ||
	    op.domid >= DOMID_FIRST_RESERVED || op.index & ~PAGE_MASK ||
	    op.refs != (unsigned long)op.refs)
		return -EINVAL;
	if (!fits_grant_table(op.count))
		return -ENOSPC;
	err = may_grant(file, op.domid);
	if (!err)
		err = take_indices(file, op.count, &op.peer_index);
	if (!err)
		err = blocks_alloc(&whose, op.peer_index >> PAGE_SHIFT,
				   op.count, &blocks);
	if (err)
		return err;
	/* While they grant nothing yet. */
	if (copy_block_refs(&blocks, (void __user *)(unsigned long)op.refs) ||
	    copy_to_user(&arg->peer_index, &op.peer_index,
			 sizeof(op.peer_index))) {
		err = -EFAULT;
	} else {
		mutex_lock(&file->lock);
		err = lend(file, &op, &blocks);
		mutex_unlock(&file->lock);
	}
	if (err)
		blocks_abort(&blocks);
	return err;
}
