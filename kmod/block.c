// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of pages: making them, granting them, finding them by index. */

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <xen/page.h>

#include "gntalloc.h"

/*
 * Zeroed, so that no stale data reaches the peer; paid by the caller's cgroup.
 * Where the mark of a paid page stands in place of its map count it could not
 * be mapped, so nobody pays there.
 */
#ifdef HAVE_PAGE_KMEMCG
#define PAGES_GFP (GFP_USER | __GFP_ZERO | __GFP_NOWARN)
#else
#define PAGES_GFP (GFP_USER | __GFP_ZERO | __GFP_NOWARN | __GFP_ACCOUNT)
#endif
/*
 * Whoever asks for too much gets ENOMEM: nobody is killed for pages that would
 * not show in the size of any process.
 */
#define NO_KILL __GFP_RETRY_MAYFAIL
/*
 * Pages are asked for in chunks while those are cheap to get. Before
 * split_page_memcg() split_page() left the charge of all pages on the first.
 */
#ifdef HAVE_SPLIT_PAGE_MEMCG
#define CHUNK_ORDER_MAX 5
#else
#define CHUNK_ORDER_MAX 0
#endif

/* Pages of a block that is kept, at the most. */
#define KEPT_MAX 16

/* An empty block. */
struct gntalloc_block *block_new(const struct gntalloc_whose *whose, u64 first,
				 unsigned int count)
{
	struct gntalloc_block *block;

	block = kzalloc(sizeof(*block) + count * GNTALLOC_PAGE_COST,
			GFP_KERNEL_ACCOUNT | NO_KILL);
	if (block) {
		block->first = first;
		block->count = count;
		block->whose = *whose;
		if (whose->mm)
			mmgrab(whose->mm);
	}
	return block;
}

/*
 * The kept block of @file for @count pages from @first on. Its pages were all
 * released, which left it as a new one is. The one that comes with the file is
 * for as many as its first use takes.
 */
static struct gntalloc_block *kept_block(struct gntalloc_file *file, u64 first,
					 unsigned int count)
{
	struct gntalloc_block *block = xchg(&file->kept, NULL);

	if (block && !block->count && count <= FIRST_BLOCK_MAX)
		block->count = count;
	if (block && block->count == count) {
		block->first = first;
		return block;
	}
	block_drop(block);
	return NULL;
}

/*
 * A block with references but without pages, which grants nothing: the grant
 * table is the scarce thing, so it is asked before memory is.
 */
struct gntalloc_block *block_alloc(const struct gntalloc_whose *whose,
				   u64 first, unsigned int count)
{
	struct gntalloc_block *block = NULL;
	int err;

	if (is_own(whose))
		block = kept_block(whose->file, first, count);
	if (!block)
		block = block_new(whose, first, count);
	if (!block)
		return ERR_PTR(-ENOMEM);

	err = refs_claim(block_refs(block), count);
	if (err) {
		block_drop(block);
		return ERR_PTR(err);
	}
	return block;
}

/*
 * Up to @max pages in one piece, and 2^@order_max at the most; their number is
 * 2^@order.
 */
struct page *pages_alloc(unsigned int max, unsigned int order_max, gfp_t gfp,
			 unsigned int *order)
{
	struct page *page = NULL;

	for (*order = min_t(unsigned int, ilog2(max), order_max);
	     *order && !page; *order -= !page)
		page = alloc_pages(PAGES_GFP | __GFP_NORETRY | gfp, *order);
	return page ? page : alloc_page(PAGES_GFP | NO_KILL);
}

/* Up to @max pages, each of them freed on its own later. */
static unsigned int alloc_chunk(struct page **pages, unsigned int max)
{
	unsigned int order, i;
	struct page *page = pages_alloc(max, CHUNK_ORDER_MAX, 0, &order);

	if (!page)
		return 0;
	if (order)
		split_page(page, order);
	for (i = 0; i < 1u << order; i++)
		pages[i] = page + i;
	return 1u << order;
}

static void take_kept_page(struct gntalloc_block *block)
{
	struct page *page = xchg(&block->whose.file->kept_page, NULL);

	if (!page)
		return;
	clear_highpage(page);
	block->pages[0] = page;
	block->live = 1;
}

/* Get the pages of @block. After a failure it holds those that it got. */
int block_fill(struct gntalloc_block *block)
{
	unsigned int got;

	if (block->count == 1)
		take_kept_page(block);
	while (block->live < block->count) {
		if (fatal_signal_pending(current))
			return -EINTR;
		got = alloc_chunk(block->pages + block->live,
				  block->count - block->live);
		if (!got)
			return -ENOMEM;
		block->live += got;
	}
	return 0;
}

/*
 * Grant the pages of @block, which has them all. From here on the peer can map
 * them by guessing a reference. It finds them zeroed: the kernel has a wmb()
 * before it writes the flags of a grant.
 */
void block_grant(struct gntalloc_block *block, domid_t domid, u16 flags)
{
	bool readonly = !(flags & GNTALLOC_FLAG_WRITABLE);
	domid_t *domids = block_domids(block);
	grant_ref_t *refs = block_refs(block);
	u32 *notify = block_notify(block);
	unsigned int i;

	for (i = 0; i < block->count; i++) {
		gnttab_grant_foreign_access_ref(
			refs[i], domid, xen_page_to_gfn(block->pages[i]),
			readonly);
		notify[i] = NOTIFY_LISTED;
		domids[i] = domid;
	}
}

/* Undo what was done to a block that no file has. */
void block_abort(struct gntalloc_block *block)
{
	struct gntalloc_ending ending = { 0 };
	grant_ref_t *refs = block_refs(block);
	unsigned int i;

	if (block_notify(block)[0] & NOTIFY_LISTED) {
		for (i = 0; i < block->count; i++)
			page_end(&ending, &block->whose, block->pages[i],
				 refs[i]);
		page_flush(&ending);
	} else {
		refs_release(refs, block->count);
		if (block->whose.mm)
			pages_unpin(&block->whose, block->pages, block->live);
		else
			for (i = 0; i < block->live; i++)
				__free_page(block->pages[i]);
		pages_uncharge(block->whose.file, block->count);
	}
	block_drop(block);
}

void block_drop(struct gntalloc_block *block)
{
	if (!block)
		return;
	if (block->whose.mm)
		mmdrop(block->whose.mm);
	if (block != file_first_block(block->whose.file))
		kfree(block);
}

/*
 * Free a block whose pages are all released. A small one is kept for the next
 * of its size: to pay for it anew costs much of what its pages do.
 */
void block_free(struct gntalloc_block *block)
{
	if (is_own(&block->whose) && block->count <= KEPT_MAX)
		block = xchg(&block->whose.file->kept, block);
	block_drop(block);
}

/*
 * Its index is the highest, unless a thread that began later was faster: then
 * its place is looked for from the root.
 */
void file_insert(struct gntalloc_file *file, struct gntalloc_block *block)
{
	struct rb_node **where = &file->blocks.rb_node;
	struct rb_node *parent = NULL;
	struct gntalloc_block *other;

	lockdep_assert_held(&file->lock);
	if (file->newest && file->newest->first < block->first) {
		parent = &file->newest->node;
		where = &parent->rb_right;
	}
	while (*where) {
		parent = *where;
		other = rb_entry(parent, struct gntalloc_block, node);
		where = block->first < other->first ? &parent->rb_left
						    : &parent->rb_right;
	}
	rb_link_node(&block->node, parent, where);
	rb_insert_color(&block->node, &file->blocks);
	if (!file->newest || file->newest->first < block->first)
		file->newest = block;
}

void file_remove(struct gntalloc_file *file, struct gntalloc_block *block)
{
	struct rb_node *before;

	lockdep_assert_held(&file->lock);
	if (block == file->newest) {
		before = rb_prev(&block->node);
		file->newest =
			rb_entry_safe(before, struct gntalloc_block, node);
	}
	rb_erase(&block->node, &file->blocks);
}

struct gntalloc_block *block_next(struct gntalloc_block *block)
{
	struct rb_node *node = rb_next(&block->node);

	return node ? rb_entry(node, struct gntalloc_block, node) : NULL;
}

/*
 * The page with @index, in pages, or else the first page of the next block;
 * the page need not be listed, nor live.
 */
struct gntalloc_pos file_find(struct gntalloc_file *file, u64 index)
{
	struct rb_node *node = file->blocks.rb_node;
	struct gntalloc_pos pos = { NULL, 0 };
	struct gntalloc_block *block;

	lockdep_assert_held(&file->lock);
	/* The last one, or behind it: nothing to look for. */
	if (file->newest && index >= file->newest->first)
		node = &file->newest->node;
	while (node) {
		block = rb_entry(node, struct gntalloc_block, node);
		if (index < block->first) {
			pos.block = block;
			node = node->rb_left;
		} else if (index - block->first >= block->count) {
			node = node->rb_right;
		} else {
			pos.block = block;
			pos.i = index - block->first;
			break;
		}
	}
	return pos;
}

/* The first of @count pages from @index on that the file lists without a gap.
 */
struct gntalloc_pos file_find_run(struct gntalloc_file *file, u64 index,
				  u64 count)
{
	static const struct gntalloc_pos none;
	struct gntalloc_pos start = file_find(file, index);
	struct gntalloc_pos pos = start;
	const u32 *notify;
	u32 some, i;

	for (;;) {
		if (!pos.block || pos.block->first + pos.i != index)
			return none;
		notify = block_notify(pos.block) + pos.i;
		some = min_t(u64, count, pos.block->count - pos.i);
		for (i = 0; i < some; i++)
			if (!(notify[i] & NOTIFY_LISTED))
				return none;
		count -= some;
		if (!count)
			return start;
		index += some;
		pos.block = block_next(pos.block);
		pos.i = 0;
	}
}
