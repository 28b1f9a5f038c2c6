// SPDX-License-Identifier: GPL-2.0-only
/* Mapping pages into a process, and noticing when they leave it. */

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <xen/xen.h>

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

/*
 * Called for every piece that comes: of a child in fork, which has the pages
 * copied just before or after, with the parent locked out; of mremap; where one
 * is split. What a child may map serves no share again. It gets that when the
 * owner forks: what it does itself, later, brings it nothing new. An owner has
 * the mmap_lock here under which file->mm was set.
 */
static void vma_open(struct vm_area_struct *vma)
{
	struct gntalloc_file *file = vma->vm_file->private_data;
	struct gntalloc_pos pos;

	if (current->mm != READ_ONCE(file->mm) || vma->vm_mm == current->mm ||
	    !is_arena(vma->vm_pgoff, vma_pages(vma)))
		return;
	mutex_lock(&file->lock);
	for (pos = file_find(file, vma->vm_pgoff);
	     pos.block && pos.block->first < vma->vm_pgoff + vma_pages(vma);
	     pos.block = block_next(pos.block))
		for (pos.i = 0; pos.i < pos.block->count; pos.i++)
			if (pos.block->pages[pos.i])
				chunk_copied(pos.block->pages[pos.i]);
	mutex_unlock(&file->lock);
}

static const struct vm_operations_struct vm_ops = {
	.open = vma_open,
	.close = vma_close,
};

static int must_be_free(pte_t *pte, unsigned long addr, void *data)
{
	return pte_none(ptep_get(pte)) ? 0 : -EBUSY;
}

/*
 * Insert a run of pages, from @vma on. A PV domain collects what it writes into
 * page tables, in lazy MMU mode: otherwise Xen is called for each write. There
 * nothing may sleep, so that the page tables are made first. One page is less
 * work without all that.
 *
 * Who finds an entry, in another thread, finds the page zeroed: in between the
 * kernel raises its map count, which is a full barrier.
 */
int insert_run(struct vm_area_struct *vma, unsigned long addr,
	       struct gntalloc_pos pos, unsigned long count)
{
	bool lazy = xen_pv_domain();
	int err = 0;

	if (count == 1)
		return vm_insert_page(vma, addr, pos.block->pages[pos.i]);

	if (lazy)
		err = apply_to_page_range(vma->vm_mm, addr, count << PAGE_SHIFT,
					  must_be_free, NULL);
	while (count && !err) {
		unsigned long some = min3(count, pos.block->count - pos.i + 0ul,
					  (vma->vm_end - addr) >> PAGE_SHIFT);
		unsigned long left = some;

		if (lazy)
			lazy_mmu_mode_enable();
		err = vm_insert_pages(vma, addr, pos.block->pages + pos.i,
				      &left);
		if (lazy)
			lazy_mmu_mode_disable();

		addr += some << PAGE_SHIFT;
		count -= some;
		pos.i += some;
		if (pos.i == pos.block->count) {
			pos.block = block_next(pos.block);
			pos.i = 0;
		}
		if (count && addr == vma->vm_end)
			vma = find_vma(vma->vm_mm, addr);
	}
	/* So it says that it got no memory for upper page tables. */
	return err == -EFAULT ? -ENOMEM : err;
}

/* The first process that maps an arena has it. */
static int map_arena(struct gntalloc_file *file)
{
	if (!file->mm) {
		mmgrab(current->mm);
		WRITE_ONCE(file->mm, current->mm);
	}
	return file->mm == current->mm ? 0 : -EPERM;
}

/* Only what was allocated here can be mapped. */
static bool run_is_own(struct gntalloc_pos pos, unsigned long count)
{
	struct gntalloc_block *block = pos.block;
	u64 end = block->first + pos.i + count;

	for (; block && block->first < end; block = block_next(block))
		if (!is_own(&block->whose))
			return false;
	return true;
}

/*
 * After a failure the kernel takes out what was made so far, after the lock is
 * dropped and without a close. A page that is unlisted just then waits for the
 * descriptor to be closed.
 */
int gntalloc_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct gntalloc_file *file = filp->private_data;
	struct gntalloc_pos pos;
	int err = -ENOENT;

	/* VM_SHARED goes when the descriptor cannot be written. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	/* Else vm_insert_pages() sets the last one, which may sleep. */
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_MIXEDMAP);
	if (vma->vm_pgoff >= ARENA_FIRST)
		file_list(file);
	mutex_lock(&file->lock);
	if (vma->vm_pgoff >= ARENA_FIRST) {
		if (is_arena(vma->vm_pgoff, vma_pages(vma)))
			err = map_arena(file);
	} else {
		pos = file_find_run(file, vma->vm_pgoff, vma_pages(vma));
		if (pos.block && run_is_own(pos, vma_pages(vma)))
			err = insert_run(vma, vma->vm_start, pos,
					 vma_pages(vma));
	}
	mutex_unlock(&file->lock);
	if (!err)
		vma->vm_ops = &vm_ops;
	return err;
}

/* The mapping of this process that has the page with @index of @file at @addr.
 */
static struct vm_area_struct *find_place(struct gntalloc_file *file,
					 unsigned long addr, u64 index)
{
	struct vm_area_struct *vma = find_vma(current->mm, addr);

	if (!vma || addr < vma->vm_start || vma->vm_ops != &vm_ops ||
	    vma->vm_file->private_data != file ||
	    index != vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT))
		return NULL;
	return vma;
}

/*
 * Has this process @count pages of @file from @index on at @addr? What was
 * protected in part, or mapped again, is several mappings. They are locked
 * against all else, as in mmap(): what lazy MMU mode holds back would not be
 * seen there. Setting flags, which they have already, is what locks out the
 * madvise() of newer kernels, which takes no mmap_lock.
 */
bool has_places(struct gntalloc_file *file, unsigned long addr, u64 index,
		unsigned long count)
{
	struct vm_area_struct *vma;
	unsigned long some;

	for (; count;
	     count -= some, index += some, addr += some << PAGE_SHIFT) {
		vma = find_place(file, addr, index);
		if (!vma)
			return false;
		vm_flags_set(vma, VM_MIXEDMAP);
		some = min(count, (vma->vm_end - addr) >> PAGE_SHIFT);
	}
	return true;
}

/*
 * Has it them there just as it mapped them? Whoever shares them next expects
 * that of a new mapping. Reading mmap_lock is enough.
 */
bool has_places_unchanged(struct gntalloc_file *file, unsigned long addr,
			  u64 index, unsigned long count)
{
	struct vm_area_struct *vma;
	unsigned long some;

	for (; count;
	     count -= some, index += some, addr += some << PAGE_SHIFT) {
		vma = find_place(file, addr, index);
		if (!vma || (vma->vm_flags &
			     (VM_READ | VM_WRITE | VM_EXEC | VM_DONTCOPY)) !=
				    (VM_READ | VM_WRITE))
			return false;
		some = min(count, (vma->vm_end - addr) >> PAGE_SHIFT);
	}
	return true;
}
