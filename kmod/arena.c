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
 * Does nobody but the owner have anything of the chunk from @head to @end, and
 * do all its places map theirs? They do so once at the most, as only an empty
 * place gets a page. It may cost a page that could be used, if another one of
 * the chunk is held: what began as I/O on the last share would go on in the
 * next one.
 */
static bool chunk_is_ours(struct page *head, struct page *end)
{
	int held = page_count(head), count = page_private(head);
	int mapped = 0, most = 0, wrong = 0;
	struct page *page;

	/*
	 * A page that is unmapped meanwhile loses its reference last, by what
	 * is a full barrier: asked the other way round, what else holds the
	 * chunk could pass for it.
	 */
	smp_rmb();
	/* Nearly always all are in places: then each has to be mapped once. */
	if (count == end - head) {
		for (page = head; page < end; page++)
			wrong |= map_count(page) - 1;
		return !wrong && held == 1 + count;
	}
	for (page = head; page < end; page++) {
		mapped += map_count(page);
		most |= map_count(page);
	}
	return mapped == count && most == 1 && held == 1 + count;
}

/* Whoever got copies may come to be the only one that maps pages of it. */
void chunk_copied(struct page *page)
{
	struct page *head = compound_head(page);
	unsigned long old;

	do
		old = READ_ONCE(head->private);
	while (cmpxchg(&head->private, old, old | CHUNK_COPIED) != old);
}

/*
 * Pages of a block, from @i up to @end, that lie in the chunk of the first one:
 * may they be granted anew, or stay to be granted later? The first one behind
 * them goes to *@next.
 */
static __always_inline bool chunk_can_serve(struct gntalloc_block *block,
					    unsigned int i, unsigned int end,
					    unsigned int *next)
{
	struct page **pages = block->pages;
	struct page *head = compound_head(pages[i]);
	unsigned long size = compound_nr(head);
	struct page *behind = head + size;
	unsigned long last = i + size - 1;

	if (size == 1) {
		*next = i + 1;
		if (page_count(head) != 2 || page_private(head) != 1)
			return false;
		smp_rmb(); /* as in chunk_is_ours() */
		return map_count(head) == 1;
	}
	/*
	 * If none has left since they went into places, in their order, then
	 * the others lie between the first and the last.
	 */
	if (last < end && page_private(head) == size && pages[i] == head &&
	    pages[last] == behind - 1)
		i = last;
	while (++i < end && pages[i] >= head && pages[i] < behind)
		;
	*next = i;
	return chunk_is_ours(head, behind);
}

/* Which of up to 32 pages from @first on of @block can serve. */
u32 pages_that_serve(struct gntalloc_block *block, unsigned int first,
		     unsigned int count)
{
	unsigned int i, next, end = first + count;
	u32 which = 0;

	for (i = first; i < end; i = next)
		if (chunk_can_serve(block, i, end, &next))
			which |= GENMASK(next - first - 1, i - first);
	return which;
}

/*
 * How many of the places of a piece, @pos to @end, cannot be used as they are.
 * EBUSY: one is taken.
 */
static noinline int needed_of_piece(struct gntalloc_pos pos, unsigned int end)
{
	grant_ref_t *refs = block_refs(pos.block);
	grant_ref_t taken = 0;
	unsigned int i, next;
	int needed = 0;

	for (i = pos.i; i < end; i = next) {
		if (!pos.block->pages[i]) {
			next = i + 1;
			needed++;
			continue;
		}
		if (!chunk_can_serve(pos.block, i, end, &next))
			needed += next - i;
		for (; i < next; i++)
			taken |= refs[i];
	}
	return taken ? -EBUSY : needed;
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
		cond_resched();
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
		err = pages_charge(fresh->file, count - fresh->charged);
		if (err)
			return err;
		fresh->charged = count;
	}
	while (fresh->count < count) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = pages_alloc(count - fresh->count,
				   pages_plenty(fresh->file) ? CHUNK_ORDER_MAX
							     : 0,
				   __GFP_COMP, &order);
		if (!page)
			return -ENOMEM;
		if (order)
			WRITE_ONCE(fresh->file->chunks, true);
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
	unsigned long n = page_private(head);

	fresh->count--;
	fresh->charged--;
	set_page_private(head, n + 1);
	if (n + 1 == 1ul << compound_order(head))
		list_del(&head->lru);
	return head + n;
}

/* A chunk of which a part has a place is of the places from now on, whole. */
static void fresh_settle(struct gntalloc_fresh *fresh)
{
	struct page *head =
		list_first_entry_or_null(&fresh->chunks, struct page, lru);
	u32 left;

	if (head && page_private(head)) {
		left = (1u << compound_order(head)) - page_private(head);
		fresh->count -= left;
		fresh->charged -= left;
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
	pages_uncharge(fresh->file, fresh->charged);
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
static int fill_row(struct gntalloc_file *file, unsigned long addr,
		    struct gntalloc_pos pos, u32 count,
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

	err = insert_run(find_vma(current->mm, addr), addr, pos, count);
	if (!err)
		return 0;
	fresh_settle(fresh);
	for (; pos.i < end; pos.i++)
		if (!map_count(block->pages[pos.i]))
			take_out(file, pos, 1);
	return err;
}

/*
 * The places from @i to @end of a block that cannot serve and lie in a row; the
 * first behind them is returned. Their pages, if any, set *@any.
 */
static unsigned int row_to_fill(struct gntalloc_block *block, unsigned int i,
				unsigned int end, bool *any)
{
	unsigned int next;

	*any = false;
	for (; i < end; i = next) {
		next = i + 1;
		if (!block->pages[i])
			continue;
		if (chunk_can_serve(block, i, end, &next))
			break;
		*any = true;
	}
	return i;
}

/* Fill those of @count places from @pos on, in a block, that cannot serve. */
static int fill_piece(struct gntalloc_file *file, unsigned long addr,
		      struct gntalloc_pos pos, u32 count,
		      struct gntalloc_fresh *fresh)
{
	unsigned int end = pos.i + count, behind;
	int err = 0;
	bool any;

	addr -= (pos.i + 0ul) << PAGE_SHIFT;
	while (pos.i < end && !err) {
		behind = row_to_fill(pos.block, pos.i, end, &any);
		if (any)
			take_out(file, pos, behind - pos.i);
		if (behind > pos.i)
			err = fill_row(file,
				       addr + ((pos.i + 0ul) << PAGE_SHIFT),
				       pos, behind - pos.i, fresh);
		/* Those that can serve. */
		for (pos.i = behind; pos.i < end && !err; pos.i = behind)
			if (!pos.block->pages[pos.i] ||
			    !chunk_can_serve(pos.block, pos.i, end, &behind))
				break;
	}
	return err;
}

/*
 * Fill the places that places_needed() counted. After a failure some may be
 * spare that were empty.
 */
int places_fill(struct gntalloc_file *file, unsigned long addr, u64 index,
		u32 count, struct gntalloc_fresh *fresh)
{
	const struct gntalloc_whose whose = { .file = file };
	struct gntalloc_pos pos;
	int err = 0;
	u32 some;

	lockdep_assert_held(&file->lock);
	for (; count && !err; count -= some, index += some) {
		some = count;
		pos = arena_piece(file, index, &some);
		if (!pos.block) {
			pos.block = block_new(&whose, block_first(index),
					      GNTALLOC_BLOCK_MAX);
			if (!pos.block) {
				err = -ENOMEM;
				break;
			}
			file_insert(file, pos.block);
		}
		err = fill_piece(file, addr, pos, some, fresh);
		settle_block(file, pos.block);
		addr += (some + 0ul) << PAGE_SHIFT;
	}
	fresh_settle(fresh);
	return err;
}
