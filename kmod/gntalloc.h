/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of xen-gntalloc.
 *
 * A program opens the device (a file), has pages allocated and granted (blocks
 * of the file) and maps them. A page is listed while its file offers it under
 * an index, live while it is listed or mapped by a process of this domain. When
 * it stops being live it is released: its notification fires and its grant is
 * ended. A page that cannot be given back yet, because the peer maps it or the
 * kernel is still doing I/O on it, lingers until it can.
 *
 * A block may also grant pages that it did not allocate: those of another
 * block, to one more peer, or memory of the caller. They are live while listed.
 *
 * Who maps a page is not counted here but asked of the page itself: the memory
 * manager takes a reference and a map count for each page-table entry, in fork,
 * mremap and every error path.
 *
 * Locks, outermost first:
 *	mmap_lock of the caller	held by the kernel around mmap() and vm_ops;
 *				read while memory of the caller is pinned
 *	files lock		the list of files with arenas (spare.c)
 *	gntalloc_file::lock	one file's blocks
 *	i_mmap_rwsem		of its mapping, by unmap_mapping_range()
 *	reap lock		who tries the lingering pages again (linger.c)
 *	refs lock		references that rest (refs.c)
 *	list lock		the list of lingering pages, a spinlock
 * Inside of a file's lock the kernel takes that of a page, to unpin it, and
 * that of event channels; inside of the list lock that of a queue of who waits.
 * User memory is touched with none of ours held, for a fault takes mmap_lock,
 * and as long as whoever serves it likes; or without faults: claim_refs().
 * Memory is allocated with the lock of a file held, so a shrinker may only try
 * for it.
 */
#ifndef GNTALLOC_H
#define GNTALLOC_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <xen/grant_table.h>
#include <xen/interface/xen.h>

#include "xen-gntalloc.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/*
 * One open descriptor and its copies. It lives from open to release, and on
 * while pages of it linger; mappings hold the struct file, so release comes
 * after the last of them is gone.
 *
 * @lock	guards all up to @kept, and every block in @blocks.
 * @blocks	ordered by index.
 * @newest	the last of them, or NULL: most calls are about it.
 * @next	the index, in pages, that the next block gets. It only grows, so
 *		that a stale index finds nothing.
 * @mm		of the process that has the arena, or NULL; only compared
 * @spare	pages in all blocks that are spare
 * @least_spare	the fewest that were since they were last looked at
 * @restores	of the domain that whoever has it was told of; he is told again
 *		where that could not be copied, which is put back under no lock
 *
 * @kept	a small block without its pages, or NULL; under no lock, but
 *		with xchg(), a full barrier, as @kept_page
 * @kept_page	one page that nothing uses, or NULL
 * @mapping	all mappings of this file, so that pages can be taken out of
 *		them: it stands in for that of the inode, which all files share
 * @link	in the list of files with arenas, under its lock
 *
 * @users	the descriptor, and each record of lingering pages
 * @count	pages and grants that count against limit because of it
 * @chunks	may be among them, each of which counts as long as one of its
 *		pages does; set once
 * @max		how many that may be: once it is restricted less than UINT_MAX
 * @only	the one domid that it may grant to then
 *
 * Under the list lock:
 * @lingering	how many of @count linger
 * @returned	how many did, and came back
 * @released	the last one came back since this was last asked
 * @news	who waits for that
 */
struct gntalloc_file {
	struct mutex lock;
	struct rb_root blocks;
	struct gntalloc_block *newest;
	u64 next;
	struct mm_struct *mm;
	unsigned int spare, least_spare;
	u32 restores;

	struct gntalloc_block *kept;
	struct page *kept_page;
	struct address_space mapping;
	struct list_head link;

	refcount_t users;
	atomic_t count;
	bool chunks;
	u32 max;
	domid_t only;

	unsigned int lingering;
	u64 returned;
	bool released;
	wait_queue_head_t news;
};

/*
 * Whose pages are. Those that are lent have a reference of their own for each
 * grant. Memory of a process is pinned.
 *
 * @file	that they count for
 * @mm		whose memory they are, or NULL
 * @sealed	memory, or lent by it, that its owner may only read: nobody may
 *		write because of us
 */
struct gntalloc_whose {
	struct gntalloc_file *file;
	struct mm_struct *mm;
	bool lent, sealed;
};

static inline bool same_whose(const struct gntalloc_whose *a,
			      const struct gntalloc_whose *b)
{
	return a->file == b->file && a->mm == b->mm && a->lent == b->lent &&
	       a->sealed == b->sealed;
}

static inline bool is_own(const struct gntalloc_whose *whose)
{
	return !whose->mm && !whose->lent;
}

/*
 * Up to GNTALLOC_BLOCK_MAX pages with consecutive indices; a larger request is
 * made of several, so that bookkeeping never needs more than one page in a
 * piece. While it is being made only its maker sees it (@link); then it belongs
 * to its file (@node), under the lock of the file, until its last page is
 * released. That frees it.
 *
 * @first	index of the first page, in pages
 * @count	number of pages
 * @live	how many of them are not released; 0 frees the block
 * @restores	of the domain that its notifications know of
 * @spare	how many pages are spare; always 0 if not of an arena
 * @whose	they are; mm is held
 *
 * @pages is followed by @count references, @count notifications and @count
 * domids: see block_refs(), block_notify() and block_domids(). A released page
 * is NULL. A spare one has the reference 0, one that is granted to nobody
 * REF_NOBODY: references that are reserved.
 *
 * Blocks of an arena begin at multiples of their size, behind ARENA_FIRST.
 */
struct gntalloc_block {
	union {
		struct rb_node node;
		struct list_head link;
	};
	u64 first;
	u16 count;
	u16 live;
	u16 spare;
	u32 restores;
	struct gntalloc_whose whose;
	struct page *pages[];
};

#define REF_NOBODY 1

/* What is kept of each page: its pointer, reference, notification and domid. */
#define GNTALLOC_PAGE_COST \
	(sizeof(struct page *) + 2 * sizeof(u32) + sizeof(domid_t))
#define GNTALLOC_BLOCK_MAX \
	((PAGE_SIZE - sizeof(struct gntalloc_block)) / GNTALLOC_PAGE_COST)

/*
 * One comes with each descriptor, in the same memory, for as many pages as most
 * that are opened for a few share.
 */
#define FIRST_BLOCK_MAX 8
#define FIRST_BLOCK_SIZE \
	(sizeof(struct gntalloc_block) + FIRST_BLOCK_MAX * GNTALLOC_PAGE_COST)

static inline struct gntalloc_block *
file_first_block(struct gntalloc_file *file)
{
	return (struct gntalloc_block *)(file + 1);
}

static inline grant_ref_t *block_refs(struct gntalloc_block *block)
{
	return (grant_ref_t *)&block->pages[block->count];
}

/*
 * The state of a page besides its pointer, one word: which byte to clear, what
 * to do, whether the file still lists the page, and the event channel to
 * signal. A port has 17 bits at most: EVTCHN_FIFO_NR_CHANNELS.
 */
#define NOTIFY_OFFSET GENMASK(11, 0)
#define NOTIFY_CLEAR_BYTE BIT(12)
#define NOTIFY_SEND_EVENT BIT(13)
#define NOTIFY_LISTED BIT(14)
#define NOTIFY_PORT GENMASK(31, 15)

static inline u32 *block_notify(struct gntalloc_block *block)
{
	return block_refs(block) + block->count;
}

static inline domid_t *block_domids(struct gntalloc_block *block)
{
	return (domid_t *)(block_notify(block) + block->count);
}

/* Of a page that was just put into its place, where nobody wrote to it yet. */
#define NOTIFY_FRESH BIT(0)

static inline bool is_spare(struct gntalloc_block *block, unsigned int i)
{
	return block->pages[i] && !block_refs(block)[i];
}

/* Indices in pages, as vm_pgoff, which does not reach them where it is short.
 */
#define ARENA_FIRST (GNTALLOC_ARENA >> PAGE_SHIFT)
#define ARENA_END (2 * ARENA_FIRST)

static inline bool is_arena(u64 index, u64 count)
{
	return index >= ARENA_FIRST && index < ARENA_END &&
	       count <= ARENA_END - index;
}

/*
 * A page of a file: the @i-th of @block, which is NULL for none. It is good as
 * long as the lock of the file is held.
 */
struct gntalloc_pos {
	struct gntalloc_block *block;
	unsigned int i;
};

/*
 * Pages that nothing here uses any more, on their way out together: no lock and
 * no atomic operation a page. On the stack of whoever ends them, who flushes
 * it. Those that were spare have the reference 0.
 *
 * @whose	all of them are
 * @from	where that was copied from: for most it is the same place. It
 *may be gone, and is only compared.
 */
#define GNTALLOC_ENDING_MAX 32
struct gntalloc_ending {
	unsigned int count;
	const struct gntalloc_whose *from;
	struct gntalloc_whose whose;
	grant_ref_t refs[GNTALLOC_ENDING_MAX];
	struct page *pages[GNTALLOC_ENDING_MAX];
};

/*
 * In the private of a chunk's first page, beside the number of its pages that
 * are in their places or linger: another process may map some of them, by fork.
 */
#define CHUNK_COPIED BIT(16)

static inline bool is_copied(struct page *page)
{
	return page_private(compound_head(page)) & CHUNK_COPIED;
}

/*
 * Pages on their way into places, zeroed; on the stack of whoever shares.
 *
 * @file	that they count for
 * @chunks	linked by the first page's lru; a part of the first may be gone
 * @count	how many there are
 * @charged	how many pages are counted ahead
 */
struct gntalloc_fresh {
	struct gntalloc_file *file;
	struct list_head chunks;
	u32 count, charged;
};

/* block.c: making blocks and finding them */
struct page *pages_alloc(unsigned int max, unsigned int order_max, gfp_t gfp,
			 unsigned int *order);
struct gntalloc_block *block_new(const struct gntalloc_whose *whose, u64 first,
				 unsigned int count);
struct gntalloc_block *block_alloc(const struct gntalloc_whose *whose,
				   u64 first, unsigned int count);
int block_fill(struct gntalloc_block *block);
void block_grant(struct gntalloc_block *block, domid_t domid, u16 flags);
void block_abort(struct gntalloc_block *block);
void block_drop(struct gntalloc_block *block);
void block_free(struct gntalloc_block *block);
void file_insert(struct gntalloc_file *file, struct gntalloc_block *block);
void file_remove(struct gntalloc_file *file, struct gntalloc_block *block);
struct gntalloc_pos file_find(struct gntalloc_file *file, u64 index);
struct gntalloc_pos file_find_run(struct gntalloc_file *file, u64 index,
				  u64 count);
struct gntalloc_block *block_next(struct gntalloc_block *block);

/* page.c: the end of a page */
int page_set_notify(struct gntalloc_block *block, unsigned int i, u32 offset,
		    u32 action, u32 port);
void page_unlist(struct gntalloc_block *block, unsigned int i);
void page_end(struct gntalloc_ending *ending,
	      const struct gntalloc_whose *whose, struct page *page,
	      grant_ref_t ref);
void page_flush(struct gntalloc_ending *ending);
bool leave_chunk(struct page *page);
u32 pages_put(struct gntalloc_ending *ending, u32 which);
void block_take_out(struct gntalloc_ending *ending, struct gntalloc_file *file,
		    struct gntalloc_block *block, unsigned int i);
struct gntalloc_block *settle_block(struct gntalloc_file *file,
				    struct gntalloc_block *block);
void file_unlist(struct gntalloc_file *file, struct gntalloc_pos pos,
		 u64 count);
void file_settle(struct gntalloc_file *file, u64 index, u64 count);
void file_release(struct gntalloc_file *file);

/* linger.c: pages that cannot be given back yet, and what all pages count */
int only_read(const char *value, const struct kernel_param *kp);
int pages_charge(struct gntalloc_file *file, u32 count);
void pages_count_again(struct gntalloc_file *file, u32 count);
bool pages_plenty(const struct gntalloc_file *file);
void pages_uncharge(struct gntalloc_file *file, u32 count);
void file_put(struct gntalloc_file *file);
void pages_linger(const struct gntalloc_ending *ending, u32 which);
void linger_reap(void);
bool lingering_released(struct gntalloc_file *file);
bool lingering_status(struct gntalloc_file *file,
		      struct ioctl_gntalloc_status *status);
void lingering_tell_again(struct gntalloc_file *file);
void linger_exit(void);

/* memory.c: memory of the caller */
long ioctl_share_memory(struct gntalloc_file *file,
			struct ioctl_gntalloc_share_memory __user *arg);
void pages_unpin(const struct gntalloc_whose *whose, struct page **pages,
		 unsigned int count);

/* peers.c: who has grants of a page */
long ioctl_add_peer(struct gntalloc_file *file,
		    struct ioctl_gntalloc_add_peer __user *arg);
long ioctl_renew(struct gntalloc_file *file,
		 struct ioctl_gntalloc_renew __user *arg);
long ioctl_revoke(struct gntalloc_file *file,
		  struct ioctl_gntalloc_revoke __user *arg);

/* told.c: what whoever has a descriptor may know, and do */
extern u32 domain_restores;
/* May this descriptor grant to @domid? 0, or an error. */
static inline int may_grant(const struct gntalloc_file *file, domid_t domid)
{
	domid_t only = READ_ONCE(file->only);

	return likely(only == DOMID_INVALID) || only == domid ? 0 : -EACCES;
}
__poll_t gntalloc_poll(struct file *filp, struct poll_table_struct *wait);
void domain_restored(void);
long ioctl_status(struct gntalloc_file *file,
		  struct ioctl_gntalloc_status __user *arg);
long ioctl_restrict(struct gntalloc_file *file,
		    struct ioctl_gntalloc_restrict __user *arg);

/* spare.c: pages that wait for their next share */
extern atomic_t spare_pages;
extern unsigned int spare_max;
/* How many more pages may be spare. */
static inline unsigned int spare_room(struct gntalloc_file *file)
{
	unsigned int max = READ_ONCE(spare_max);

	return max > file->spare ? max - file->spare : 0;
}
void spare_add(struct gntalloc_file *file, struct gntalloc_block *block,
	       unsigned int count);
/* @count pages of @block are not spare any more. */
static inline void spare_sub(struct gntalloc_file *file,
			     struct gntalloc_block *block, unsigned int count)
{
	lockdep_assert_held(&file->lock);
	block->spare -= count;
	file->spare -= count;
	if (file->least_spare > file->spare)
		file->least_spare = file->spare;
	atomic_sub(count, &spare_pages);
}
unsigned int spare_take(unsigned int want);
unsigned int spare_take_own(struct gntalloc_file *file, unsigned int want);
void file_list(struct gntalloc_file *file);
void file_delist(struct gntalloc_file *file);
int spare_init(void);
void spare_exit(void);

/* refs.c: grant references */
int refs_claim(grant_ref_t *refs, unsigned int count);
void refs_release(const grant_ref_t *refs, unsigned int count);
u32 refs_end(const grant_ref_t *refs, unsigned int count, u32 which);
void refs_exit(void);

/* ioctl.c, arena.c, share.c, mmap.c: the device */
long gntalloc_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);
bool fits_grant_table(u32 count);
bool copy_refs_out(u32 __user *to, const grant_ref_t *refs, u32 count);
void blocks_abort(struct list_head *blocks);
int blocks_alloc(const struct gntalloc_whose *whose, u64 first, u32 count,
		 struct list_head *blocks);
int copy_block_refs(struct list_head *blocks, u32 __user *to);
void blocks_insert(struct gntalloc_file *file, struct list_head *blocks);
int take_indices(struct gntalloc_file *file, u32 count, __u64 *index);
/* So many references have room on the stack. */
#define FEW_REFS 64
int refs_for_user(grant_ref_t **refs, grant_ref_t *few, u32 count, u64 to);
long ioctl_share(struct gntalloc_file *file,
		 struct ioctl_gntalloc_share __user *arg);
long ioctl_unshare(struct gntalloc_file *file,
		   struct ioctl_gntalloc_unshare __user *arg);
int gntalloc_mmap(struct file *filp, struct vm_area_struct *vma);
bool has_places(struct gntalloc_file *file, unsigned long addr, u64 index,
		unsigned long count);
bool has_places_unchanged(struct gntalloc_file *file, unsigned long addr,
			  u64 index, unsigned long count);
int insert_run(struct vm_area_struct *vma, unsigned long addr,
	       struct gntalloc_pos pos, unsigned long count);

/* arena.c: the places of an arena */
struct gntalloc_pos arena_piece(struct gntalloc_file *file, u64 index,
				u32 *count);
void chunk_copied(struct page *page);
u32 pages_that_serve(struct gntalloc_block *block, unsigned int i,
		     unsigned int count);
long places_needed(struct gntalloc_file *file, struct gntalloc_pos pos,
		   u32 some, u64 index, u32 count);
int places_fill(struct gntalloc_file *file, unsigned long addr, u64 index,
		u32 count, struct gntalloc_fresh *fresh);
void take_out(struct gntalloc_file *file, struct gntalloc_pos pos, u32 count);
int fresh_get(struct gntalloc_fresh *fresh, u32 count);
void fresh_put(struct gntalloc_fresh *fresh);

#include "fault.h"

#endif
