// SPDX-License-Identifier: GPL-2.0-only
/* The places of an arena: which can be used as they are, and filling others. */

#include <linux/gfp.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "gntalloc.h"

/*
 * Pages come in chunks, which stay whole: they cost one allocation and one
 * release. This is the largest size that the kernel has ready.
 */
#define CHUNK_ORDER_MAX (CHUNKS_HAVE_MAP_COUNTS ? 3 : 0)

/* First index of the block that has place @index. */
static u64 block_first(u64 index)
{
	u64 place = index - ARENA_FIRST;

	return ARENA_FIRST +
	       div_u64(place, GNTALLOC_BLOCK_MAX) * GNTALLOC_BLOCK_MAX;
}

/*
 * A place and those after it in the same block, *@count of them at the most;
 * their number goes to *@count. There may be no block.
 */
struct gntalloc_pos arena_piece(struct gntalloc_file *file, u64 index,
				u32 *count)
{
	struct gntalloc_pos pos = file_find(file, index);
	u64 first = block_first(index);

	if (pos.block && pos.block->first != first)
		pos.block = NULL;
	pos.i = index - first;
	*count = min_t(u32, *count, GNTALLOC_BLOCK_MAX - pos.i);
	return pos;
}

/*
 * Does nobody but the owner have anything of the chunk of @head, which all its
 * places map once? That may cost a page that could be used, if another one of
 * the chunk is held.
 */
static bool chunk_is_ours(struct page *head, struct page *end)
{
	int count = 1, mapped = map_count(head);
	struct page *page;

	if (PageCompound(head)) {
		count = page_private(head);
		for (page = head + 1; page < end; page++)
			mapped += map_count(page);
	}
	return mapped == count && page_count(head) == 1 + count;
}

/* The chunk that was asked about last, from @head to @end, and the answer. */
struct last_chunk {
	struct page *head, *end;
	bool ours;
};

/*
 * May a page, of a block that is not copied, be granted anew, or stay to be
 * granted later? Only its owner may map it, and nothing in this kernel hold it:
 * what began as I/O on the last share would go on in the next one.
 */
static inline bool can_serve(struct page *page, struct last_chunk *last)
{
	if (page < last->head || page >= last->end) {
		last->head = compound_head(page);
		last->end = last->head + (1ul << compound_order(last->head));
		last->ours = chunk_is_ours(last->head, last->end);
	}
	return last->ours && map_count(page) == 1;
}

/* Which of up to 32 pages from @i on of @block can serve. */
u32 pages_that_serve(struct gntalloc_block *block, unsigned int i,
		     unsigned int count)
{
	struct page **pages = block->pages + i;
	struct last_chunk last = { NULL };
	unsigned int n;
	u32 which = 0;

	for (n = 0; n < count && !block->copied; n++)
		if (can_serve(pages[n], &last))
			which |= BIT(n);
	return which;
}

/*
 * How many of the places of a piece, @pos to @end, cannot be used as they are.
 * EBUSY: one is taken.
 */
static int needed_of_piece(struct gntalloc_pos pos, u32 end)
{
	struct page **pages = pos.block->pages;
	grant_ref_t *refs = block_refs(pos.block);
	struct last_chunk last = { NULL };
	int needed = 0;

	for (; pos.i < end; pos.i++) {
		if (!pages[pos.i])
			needed++;
		else if (refs[pos.i])
			return -EBUSY;
		else if (pos.block->copied || !can_serve(pages[pos.i], &last))
			needed++;
	}
	return needed;
}

/* The same for @count places, with the first of which @pos and @some begin. */
long places_needed(struct gntalloc_file *file, struct gntalloc_pos pos,
		   u32 some, u64 index, u32 count)
{
	long needed = 0;
	int of_piece;

	lockdep_assert_held(&file->lock);
	for (;;) {
		of_piece =
			pos.block ? needed_of_piece(pos, pos.i + some) : some;
		if (of_piece < 0)
			return of_piece;
		needed += of_piece;
		count -= some;
		if (!count)
			return needed;
		index += some;
		some = count;
		pos = arena_piece(file, index, &some);
	}
}

/* Have @count pages at hand that are charged. */
int fresh_get(struct gntalloc_fresh *fresh, u32 count)
{
	unsigned int order;
	struct page *page;
	int err;

	if (count > fresh->charged) {
		err = pages_charge(count - fresh->charged);
		if (err)
			return err;
		fresh->charged = count;
	}
	while (fresh->count < count) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = pages_alloc(count - fresh->count, CHUNK_ORDER_MAX,
				   __GFP_COMP, &order);
		if (!page)
			return -ENOMEM;
		list_add_tail(&page->lru, &fresh->chunks);
		fresh->count += 1u << order;
		cond_resched();
	}
	return 0;
}

/* The next page, for a place. A chunk counts those that it gave. */
static struct page *fresh_next(struct gntalloc_fresh *fresh)
{
	struct page *head = list_first_entry(&fresh->chunks, struct page, lru);
	unsigned long n = 0;

	fresh->count--;
	fresh->charged--;
	if (PageCompound(head)) {
		n = page_private(head);
		set_page_private(head, n + 1);
	}
	if (n + 1 == 1ul << compound_order(head))
		list_del(&head->lru);
	return head + n;
}

/* A chunk of which a part has a place is of the places from now on. */
static void fresh_settle(struct gntalloc_fresh *fresh)
{
	struct page *head =
		list_first_entry_or_null(&fresh->chunks, struct page, lru);

	if (head && PageCompound(head) && page_private(head)) {
		fresh->count -=
			(1u << compound_order(head)) - page_private(head);
		list_del(&head->lru);
	}
}

void fresh_put(struct gntalloc_fresh *fresh)
{
	struct page *head, *next;

	list_for_each_entry_safe(head, next, &fresh->chunks, lru) {
		list_del(&head->lru);
		put_page(head);
	}
	pages_uncharge(fresh->charged);
}

/* Take @count pages from @pos on, those that are there, out of their places. */
void take_out(struct gntalloc_file *file, struct gntalloc_pos pos, u32 count)
{
	struct gntalloc_ending ending = { 0 };
	u32 end = pos.i + count;

	unmap_mapping_range(&file->mapping,
			    (pos.block->first + pos.i) << PAGE_SHIFT,
			    (loff_t)count << PAGE_SHIFT, 1);
	for (; pos.i < end; pos.i++)
		if (pos.block->pages[pos.i])
			block_take_out(&ending, file, pos.block, pos.i);
	page_flush(&ending);
}

/* Put fresh pages into @count places, which are empty, and map them. */
static int fill_row(struct gntalloc_file *file, struct vm_area_struct *vma,
		    unsigned long addr, struct gntalloc_pos pos, u32 count,
		    struct gntalloc_fresh *fresh)
{
	struct gntalloc_block *block = pos.block;
	u32 end = pos.i + count, i;
	int err;

	/* One page was held only now. */
	if (count > fresh->count)
		return -EAGAIN;
	for (i = pos.i; i < end; i++) {
		block->pages[i] = fresh_next(fresh);
		block_refs(block)[i] = 0;
		block_notify(block)[i] = NOTIFY_FRESH;
	}
	block->live += count;
	spare_add(file, block, count);

	err = insert_run(vma, addr, pos, count);
	if (!err)
		return 0;
	fresh_settle(fresh);
	for (; pos.i < end; pos.i++)
		if (!map_count(block->pages[pos.i]))
			take_out(file, pos, 1);
	return err;
}

/* Fill those of @count places from @pos on, in a block, that cannot serve. */
static int fill_piece(struct gntalloc_file *file, struct vm_area_struct *vma,
		      unsigned long addr, struct gntalloc_pos pos, u32 count,
		      struct gntalloc_fresh *fresh)
{
	struct page **pages = pos.block->pages;
	u32 end = pos.i + count, row;
	struct last_chunk last = { NULL };
	struct gntalloc_pos at = pos;
	bool any;
	int err = 0;

	for (; at.i < end && !err; at.i += row) {
		any = false;
		for (row = 0; at.i + row < end; row++) {
			if (!pages[at.i + row])
				continue;
			if (!pos.block->copied &&
			    can_serve(pages[at.i + row], &last))
				break;
			any = true;
		}
		if (!row) {
			row = 1;
			continue;
		}
		if (any) {
			take_out(file, at, row);
			last.end = NULL;
		}
		err = fill_row(file, vma,
			       addr + ((at.i - pos.i + 0ul) << PAGE_SHIFT), at,
			       row, fresh);
	}
	return err;
}

/*
 * Fill the places that places_needed() counted. After a failure some may be
 * spare that were empty.
 */
int places_fill(struct gntalloc_file *file, struct vm_area_struct *vma,
		unsigned long addr, u64 index, u32 count,
		struct gntalloc_fresh *fresh)
{
	struct gntalloc_pos pos;
	int err = 0;
	u32 some;

	lockdep_assert_held(&file->lock);
	for (; count && !err; count -= some, index += some) {
		some = count;
		pos = arena_piece(file, index, &some);
		if (!pos.block) {
			pos.block = block_new(block_first(index));
			if (!pos.block) {
				err = -ENOMEM;
				break;
			}
			file_insert(file, pos.block);
		}
		err = fill_piece(file, vma, addr, pos, some, fresh);
		settle_block(file, pos.block);
		addr += (some + 0ul) << PAGE_SHIFT;
	}
	fresh_settle(fresh);
	return err;
}
