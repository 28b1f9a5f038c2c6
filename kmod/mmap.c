// SPDX-License-Identifier: GPL-2.0-only
/* Mapping pages into a process, and noticing when they leave it. */

#include <linux/minmax.h>
#include <linux/mm.h>

#include "compat.h"
#include "gntalloc.h"

/*
 * Called for every piece that goes: munmap of all or part, mremap (for the old
 * place), exit, in each process that has a copy. By then the piece's entries
 * are out of the page table and no longer count.
 */
static void vma_close(struct vm_area_struct *vma)
{
	struct gntalloc_file *file = vma->vm_file->private_data;

	mutex_lock(&file->lock);
	file_settle(file, vma->vm_pgoff, vma_pages(vma));
	mutex_unlock(&file->lock);
}

static const struct vm_operations_struct vm_ops = {
	.close = vma_close,
};

static int insert_run(struct vm_area_struct *vma, struct gntalloc_pos pos)
{
	unsigned long addr = vma->vm_start;

	while (addr < vma->vm_end) {
		unsigned long want = min(pos.block->count - pos.i + 0ul,
					 (vma->vm_end - addr) >> PAGE_SHIFT);
		unsigned long left = want;

		if (vm_insert_pages(vma, addr, pos.block->pages + pos.i, &left))
			return -ENOMEM;
		addr += want << PAGE_SHIFT;
		pos.block = block_next(pos.block);
		pos.i = 0;
	}
	return 0;
}

/*
 * After a failure the kernel takes the entries made so far out again, after the
 * lock is dropped and without a close. A page that is unlisted just then waits
 * for the descriptor to be closed.
 */
int gntalloc_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct gntalloc_file *file = filp->private_data;
	struct gntalloc_pos pos;
	int err = -ENOENT;

	/* VM_SHARED goes when the descriptor cannot be written. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	mutex_lock(&file->lock);
	pos = file_find_run(file, vma->vm_pgoff, vma_pages(vma));
	if (pos.block)
		err = insert_run(vma, pos);
	mutex_unlock(&file->lock);
	if (err)
		return err;

	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &vm_ops;
	return 0;
}
