// SPDX-License-Identifier: GPL-2.0-only
/* The end of a page: notification, end of the grant, memory given back. */

#include <linux/bitfield.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <xen/events.h>
#include <xen/gntalloc.h>
#include <xen/interface/event_channel.h>

#include "compat.h"
#include "gntalloc.h"

/*
 * Forget the event channels of @block that are closed: a restore of the domain
 * closes them, and their numbers go to others. The kernel keeps what it had for
 * the old ones: it could be given back by that number only.
 */
static void forget_lost_events(struct gntalloc_block *block)
{
	unsigned int i;

	if (block->restores == domain_restores)
		return;
	for (i = 0; i < block->count; i++)
		block_notify(block)[i] &= ~NOTIFY_SEND_EVENT;
	block->restores = domain_restores;
}

/*
 * Replace the notification of a page. The new event channel is got before the
 * old one is put: they may be the same one, and that its last reference.
 */
int page_set_notify(struct gntalloc_block *block, unsigned int i, u32 offset,
		    u32 action, u32 port)
{
	u32 *notify = &block_notify(block)[i];
	u32 old;

	BUILD_BUG_ON(EVTCHN_FIFO_NR_CHANNELS - 1 > FIELD_MAX(NOTIFY_PORT));

	if (action & ~(UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT))
		return -EINVAL;
	if (action & UNMAP_NOTIFY_CLEAR_BYTE && block->whose.sealed)
		return -EACCES;

	forget_lost_events(block);
	old = *notify;
	*notify = NOTIFY_LISTED;
	if (action & UNMAP_NOTIFY_SEND_EVENT) {
		if (port >= EVTCHN_FIFO_NR_CHANNELS || evtchn_get(port)) {
			*notify = old;
			return -EINVAL;
		}
		*notify |= NOTIFY_SEND_EVENT | FIELD_PREP(NOTIFY_PORT, port);
	}
	if (action & UNMAP_NOTIFY_CLEAR_BYTE)
		*notify |=
			NOTIFY_CLEAR_BYTE | FIELD_PREP(NOTIFY_OFFSET, offset);

	if (old & NOTIFY_SEND_EVENT)
		evtchn_put(FIELD_GET(NOTIFY_PORT, old));
	return 0;
}

/*
 * The peer that finds the byte cleared must find what was written before, as
 * that this is no crash: hence the release, whose other half is its acquire. A
 * kernel for one processor needs it, too: the peer is on another one.
 *
 * The peer that gets the event must find the byte cleared: byte first. A
 * hypercall is no barrier on ARM, but how Xen marks the channel is: an atomic
 * operation of this processor with release semantics, also where the mark was
 * set before.
 *
 *	here, and on into Xen		the peer
 *	W byte = 0			RMW mark = 0
 *	RMW mark = 1, release		locks of evtchn, up to read()
 *					R byte
 *
 * If the peer's RMW finds this mark, R finds 0; if it comes before, the mark
 * brings one more event.
 */
static void notify_peer(struct page *page, u32 notify)
{
	if (notify & NOTIFY_CLEAR_BYTE) {
		u8 *bytes = kmap_local_page(page);

		/* All that was written before, for the peer that reads it. */
		virt_store_release(&bytes[FIELD_GET(NOTIFY_OFFSET, notify)], 0);
		kunmap_local(bytes);
	}
	if (notify & NOTIFY_SEND_EVENT) {
		unsigned int port = FIELD_GET(NOTIFY_PORT, notify);

		notify_remote_via_evtchn(port);
		evtchn_put(port);
	}
}

/* Page @i of @block is not listed any more, and its peer hears of that. */
void page_unlist(struct gntalloc_block *block, unsigned int i)
{
	u32 notify;

	forget_lost_events(block);
	notify = block_notify(block)[i];
	block_notify(block)[i] = 0;
	notify_peer(block->pages[i], notify);
}

/* Inline where pages leave by the thousand. */
static __always_inline void end_page(struct gntalloc_ending *ending,
				     const struct gntalloc_whose *whose,
				     struct page *page, grant_ref_t ref)
{
	if (ending->from != whose) {
		if (ending->count && !same_whose(&ending->whose, whose))
			page_flush(ending);
		ending->whose = *whose;
		ending->from = whose;
	}
	ending->refs[ending->count] = ref;
	ending->pages[ending->count++] = page;
	if (ending->count == GNTALLOC_ENDING_MAX)
		page_flush(ending);
}

/*
 * End the grant of a page that nothing here maps, when @ending is flushed: the
 * page is given back then, or lingers.
 */
void page_end(struct gntalloc_ending *ending,
	      const struct gntalloc_whose *whose, struct page *page,
	      grant_ref_t ref)
{
	end_page(ending, whose, page, ref);
}

/*
 * Pages of a chunk have one reference together, and the private of its first
 * page says how many of them are in places or linger. One leaves, unless it is
 * the last, which takes the chunk along. Those that linger leave without the
 * lock of the file: cmpxchg() is a full barrier, so that the last one comes
 * after all that was done to the others.
 */
bool leave_chunk(struct page *page)
{
	struct page *head = compound_head(page);
	unsigned long old;

	if (!PageCompound(page))
		return false;
	do {
		old = READ_ONCE(head->private);
		if ((old & ~CHUNK_COPIED) == 1)
			return false;
	} while (cmpxchg(&head->private, old, old - 1) != old);
	return true;
}

void page_flush(struct gntalloc_ending *ending)
{
	u32 ended;

	if (!ending->count)
		return;
	ended = refs_end(ending->refs, ending->count, UINT_MAX);
	pages_linger(ending, pages_put(ending, ended));
	ending->count = 0;
}

/* Of others: all that had to end was the grant. */
static u32 return_others(struct gntalloc_ending *ending, u32 which)
{
	struct page *some[GNTALLOC_ENDING_MAX] __not_cleared;
	u32 left = ~which & GENMASK(ending->count - 1, 0);
	struct page **pages = ending->pages;
	unsigned int i, count = ending->count;

	if (left) {
		pages = some;
		count = 0;
		for (i = 0; i < ending->count; i++)
			if (which & BIT(i))
				some[count++] = ending->pages[i];
	}
	if (ending->whose.mm)
		pages_unpin(&ending->whose, pages, count);
	else
		release_pages(pages, count);
	pages_uncharge(ending->whose.file, count);
	return left;
}

/*
 * Give back those pages of @ending whose bit is set in @which, and whose grant
 * has ended; but not what some kernel code still does I/O on, or another peer
 * has. Returns the bits of all that are still to be kept.
 */
u32 pages_put(struct gntalloc_ending *ending, u32 which)
{
	struct page *heads[GNTALLOC_ENDING_MAX] __not_cleared;
	unsigned int i, put = 0, count = 0;
	struct page *head;
	u32 left = 0;

	if (!is_own(&ending->whose))
		return return_others(ending, which);
	for (i = 0; i < ending->count; i++) {
		if (!(which & BIT(i))) {
			left |= BIT(i);
			continue;
		}
		ending->refs[i] = 0;
		if (leave_chunk(ending->pages[i]))
			continue;
		head = compound_head(ending->pages[i]);
		if (page_count(head) != 1) {
			left |= BIT(i);
			continue;
		}
		set_page_private(head, 0);
		count += 1u << compound_order(head);
		heads[put++] = head;
	}
	if (put) {
		release_pages(heads, put);
		pages_uncharge(ending->whose.file, count);
	}
	return left;
}

/* Page @i of @block leaves its place, mapped by nobody here. */
static __always_inline void take_page_out(struct gntalloc_ending *ending,
					  struct gntalloc_file *file,
					  struct gntalloc_block *block,
					  unsigned int i)
{
	struct page *page = block->pages[i];
	grant_ref_t ref = block_refs(block)[i];

	block->pages[i] = NULL;
	block->live--;
	if (!ref)
		spare_sub(file, block, 1);
	/* Of a spare one nothing is left to end, unless it is the last. */
	if (ref || !leave_chunk(page))
		end_page(ending, &block->whose, page, ref);
}

void block_take_out(struct gntalloc_ending *ending, struct gntalloc_file *file,
		    struct gntalloc_block *block, unsigned int i)
{
	take_page_out(ending, file, block, i);
}

/*
 * Release page @i of @block unless something still needs it. A page that is
 * listed is kept by its file, one of our own that is mapped by the process that
 * maps it: close of that mapping comes back here. The map count cannot rise
 * from zero, as only mmap() of a listed page maps it anew.
 */
static void settle_page(struct gntalloc_ending *ending,
			struct gntalloc_file *file,
			struct gntalloc_block *block, unsigned int i)
{
	struct page *page = block->pages[i];

	if (!page || block_notify(block)[i] & NOTIFY_LISTED ||
	    (is_own(&block->whose) && map_count(page)))
		return;
	if (block_notify(block)[i] && !is_spare(block, i))
		page_unlist(block, i);
	take_page_out(ending, file, block, i);
}

/* Free @block if its pages are all released. Returns the one after it. */
struct gntalloc_block *settle_block(struct gntalloc_file *file,
				    struct gntalloc_block *block)
{
	struct gntalloc_block *next = block_next(block);

	if (!block->live) {
		file_remove(file, block);
		block_free(block);
	}
	cond_resched();
	return next;
}

/*
 * Flush what was settled. A single page that is no chunk's, which is what most
 * programs share, is not worth the work for many. It is kept for the next one
 * of the file: to get and pay for it anew is what share and unshare would cost
 * most for.
 */
static void flush_settled(struct gntalloc_file *file,
			  struct gntalloc_ending *ending)
{
	struct page *page;

	if (ending->count != 1 || !is_own(&ending->whose) ||
	    PageCompound(ending->pages[0])) {
		page_flush(ending);
		return;
	}
	page = ending->pages[0];
	set_page_private(page, 0);
	if (refs_end(ending->refs, 1, 1))
		ending->refs[0] = 0;
	if (ending->refs[0] || page_count(page) != 1) {
		pages_linger(ending, 1);
		return;
	}
	page = xchg(&file->kept_page, page);
	if (page)
		__free_page(page);
	pages_uncharge(file, 1);
}

/*
 * The same while pages of it may be on their way out: those of a process still
 * need its mm, which may go with the block.
 */
static struct gntalloc_block *settle_ending(struct gntalloc_ending *ending,
					    struct gntalloc_file *file,
					    struct gntalloc_block *block)
{
	if (!block->live && block->whose.mm)
		page_flush(ending);
	return settle_block(file, block);
}

/* The file stops listing @count pages from @pos on, a run of file_find_run().
 */
void file_unlist(struct gntalloc_file *file, struct gntalloc_pos pos, u64 count)
{
	struct gntalloc_ending ending __not_cleared;

	lockdep_assert_held(&file->lock);
	ending.count = 0;
	ending.from = NULL;
	while (count) {
		for (; pos.i < pos.block->count && count; pos.i++, count--) {
			block_notify(pos.block)[pos.i] &= ~NOTIFY_LISTED;
			settle_page(&ending, file, pos.block, pos.i);
		}
		pos.block = settle_ending(&ending, file, pos.block);
		pos.i = 0;
	}
	flush_settled(file, &ending);
}

/*
 * A mapping of @count pages from @index on is gone: release those that it kept
 * alive. Holes are fine, what was released stays so.
 */
void file_settle(struct gntalloc_file *file, u64 index, u64 count)
{
	struct gntalloc_pos pos = file_find(file, index);
	struct gntalloc_ending ending __not_cleared;
	u64 end = index + count;

	ending.count = 0;
	ending.from = NULL;
	while (pos.block && pos.block->first + pos.i < end) {
		for (; pos.i < pos.block->count; pos.i++) {
			if (pos.block->first + pos.i >= end)
				break;
			settle_page(&ending, file, pos.block, pos.i);
		}
		pos.block = settle_ending(&ending, file, pos.block);
		pos.i = 0;
	}
	flush_settled(file, &ending);
}

/*
 * The descriptor is closed for good. No mapping is left, since each one holds
 * the struct file.
 */
void file_release(struct gntalloc_file *file)
{
	struct gntalloc_pos pos = file_find(file, 0);
	struct gntalloc_ending ending = { 0 };

	while (pos.block) {
		for (pos.i = 0; pos.i < pos.block->count; pos.i++) {
			block_notify(pos.block)[pos.i] &= ~NOTIFY_LISTED;
			settle_page(&ending, file, pos.block, pos.i);
		}
		pos.block = settle_ending(&ending, file, pos.block);
	}
	page_flush(&ending);
}
