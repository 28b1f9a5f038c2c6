// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that cannot be given back yet, and the count of all pages.
 *
 * A page lingers while its peer maps it, or while something in this kernel
 * holds it (direct I/O). It is retried in the background, and at once when a
 * caller would be refused otherwise.
 */

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "gntalloc.h"

#define RETRY_FIRST msecs_to_jiffies(10)
#define RETRY_LAST msecs_to_jiffies(1000)
/* Pages that one run in the background tries at the most: about a millisecond.
 */
#define RETRY_BATCH 8192u

/* So often others may be faster to use what is spare. */
#define TAKE_TRIES 100

/* One 4K framebuffer is 8,100 pages; two of them, as with page flipping. */
static unsigned int limit = 16384;
module_param(limit, uint, 0644);
MODULE_PARM_DESC(limit, "Pages that may be shared or lingering at once");

/*
 * All pages of all files, and the lingering ones. This and the counts of files
 * order nothing: no page goes to somebody else by them.
 */
static atomic_t used;

/* Whoever loads the module may name any parameter; a set must be there. */
int only_read(const char *value, const struct kernel_param *kp)
{
	pr_err("%s can only be read\n", kp->name);
	return -EPERM;
}

static int get_used(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%u\n", atomic_read(&used));
}
module_param_call(used, only_read, get_used, NULL, 0444);
MODULE_PARM_DESC(used, "Pages that count against limit now");

/*
 * Pages that linger. It lives until the last of them is given back, and holds
 * the file and the mm that they belong to.
 *
 * @some	at least one of them, GNTALLOC_ENDING_MAX at most
 */
struct lingering {
	struct list_head link;
	struct gntalloc_ending some;
};

/* Held by whoever tries pages, which are off the list meanwhile. */
static DEFINE_MUTEX(reap_lock);
/* Guards the list, its count and the time to the next try; our innermost. */
static DEFINE_SPINLOCK(list_lock);
static LIST_HEAD(list);
static unsigned long delay;
static unsigned int lingering;
module_param_call(lingering, only_read, param_get_uint, &lingering, 0444);
MODULE_PARM_DESC(lingering, "Pages given up here that the peer still maps");

static void retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(retry_work, retry);

static struct lingering *record_new(const struct gntalloc_whose *whose)
{
	struct lingering *record;

	record = kmalloc(sizeof(*record), GFP_KERNEL | __GFP_NOFAIL);
	record->some.count = 0;
	record->some.whose = *whose;
	refcount_inc(&whose->file->users);
	if (whose->mm)
		mmgrab(whose->mm);
	return record;
}

static void record_free(struct lingering *record)
{
	if (record->some.whose.mm)
		mmdrop(record->some.whose.mm);
	file_put(record->some.whose.file);
	kfree(record);
}

static struct lingering *take_first(void)
{
	struct lingering *first;

	spin_lock(&list_lock);
	first = list_first_entry_or_null(&list, struct lingering, link);
	if (first)
		list_del(&first->link);
	spin_unlock(&list_lock);
	return first;
}

/* Leave those in @some whose bit is set in @which. */
static void keep(struct gntalloc_ending *some, u32 which)
{
	unsigned int i, count = 0;

	for (i = 0; i < some->count; i++) {
		if (!(which & BIT(i)))
			continue;
		some->refs[count] = some->refs[i];
		some->pages[count++] = some->pages[i];
	}
	some->count = count;
}

/* With the list lock. */
static void count_returned(struct gntalloc_file *file, unsigned int count)
{
	if (!count)
		return;
	file->lingering -= count;
	file->returned += count;
	if (!file->lingering) {
		file->released = true;
		wake_up_all(&file->news);
	}
}

/*
 * Try about the first @max pages of the list. Returns how many were given back.
 */
static unsigned int reap(unsigned int max)
{
	unsigned int tried, returned, count = 0;
	struct gntalloc_ending gone;
	struct lingering *first;
	u32 left;

	lockdep_assert_held(&reap_lock);
	for (tried = 0; tried < max;) {
		first = take_first();
		if (!first)
			break;
		gone = first->some;
		left = pages_put(&gone,
				 refs_end(gone.refs, gone.count, UINT_MAX));
		first->some = gone;
		keep(&first->some, left);
		returned = gone.count - first->some.count;

		spin_lock(&list_lock);
		lingering -= returned;
		count_returned(gone.whose.file, returned);
		if (first->some.count)
			list_add_tail(&first->link, &list);
		spin_unlock(&list_lock);
		if (!first->some.count)
			record_free(first);

		tried += gone.count;
		count += returned;
		cond_resched();
	}
	return count;
}

static void retry(struct work_struct *work)
{
	unsigned int ended;

	mutex_lock(&reap_lock);
	ended = reap(min(READ_ONCE(lingering), RETRY_BATCH));
	mutex_unlock(&reap_lock);

	spin_lock(&list_lock);
	delay = ended ? RETRY_FIRST : min(2 * delay, RETRY_LAST);
	/* What takes several runs is still tried once in a delay. */
	if (lingering)
		queue_delayed_work(system_percpu_wq, &retry_work,
				   delay / (1 + lingering / RETRY_BATCH));
	spin_unlock(&list_lock);
}

/* Does what lingers since just now have room for these? */
static struct lingering *newest_with_room(const struct gntalloc_ending *more)
{
	struct lingering *first =
		list_first_entry_or_null(&list, struct lingering, link);

	if (first && first->some.count + more->count <= GNTALLOC_ENDING_MAX &&
	    same_whose(&first->some.whose, &more->whose))
		return first;
	return NULL;
}

/*
 * Those pages of @ending whose bit is set in @which linger. That cannot fail:
 * small memory like this is waited for. A newcomer is tried soon, however long
 * the others have been waiting.
 */
void pages_linger(const struct gntalloc_ending *ending, u32 which)
{
	struct lingering *record;
	struct gntalloc_ending some;

	if (!which)
		return;
	some = *ending;
	keep(&some, which);

	spin_lock(&list_lock);
	record = newest_with_room(&some);
	if (!record) {
		spin_unlock(&list_lock);
		record = record_new(&some.whose);
		spin_lock(&list_lock);
		list_add(&record->link, &list);
	}
	memcpy(record->some.refs + record->some.count, some.refs,
	       some.count * sizeof(*some.refs));
	memcpy(record->some.pages + record->some.count, some.pages,
	       some.count * sizeof(*some.pages));
	record->some.count += some.count;
	if (!lingering || delay != RETRY_FIRST) {
		delay = RETRY_FIRST;
		mod_delayed_work(system_percpu_wq, &retry_work, delay);
	}
	lingering += some.count;
	some.whose.file->lingering += some.count;
	some.whose.file->released = false;
	spin_unlock(&list_lock);
}

/*
 * Try all lingering pages now, and wait for who is at it: what was given back,
 * here or there, can be had when this returns.
 */
void linger_reap(void)
{
	mutex_lock(&reap_lock);
	reap(READ_ONCE(lingering));
	mutex_unlock(&reap_lock);
}

/* Something of this file lingered, and nothing does any more. */
bool lingering_released(struct gntalloc_file *file)
{
	bool released;

	spin_lock(&list_lock);
	released = file->released;
	spin_unlock(&list_lock);
	return released;
}

/* Returns whether that was to be told, which it is now, if it is asked for. */
bool lingering_status(struct gntalloc_file *file,
		      struct ioctl_gntalloc_status *status)
{
	bool released;

	spin_lock(&list_lock);
	status->lingering = file->lingering;
	status->returned = file->returned;
	released = file->released;
	if (status->flags & GNTALLOC_STATUS_QUIET)
		file->released = false;
	spin_unlock(&list_lock);
	return released;
}

void lingering_tell_again(struct gntalloc_file *file)
{
	spin_lock(&list_lock);
	file->released = !file->lingering;
	spin_unlock(&list_lock);
	wake_up_all(&file->news);
}

/* Give up a page that lingers with what makes it wait a reference of its own.
 */
static void leave_behind(const struct gntalloc_whose *whose, struct page *page,
			 grant_ref_t ref)
{
	if (whose->mm || (is_own(whose) && leave_chunk(page)))
		get_page(page);
	if (whose->mm)
		pages_unpin(whose, &page, 1);
	if (ref > REF_NOBODY)
		gnttab_end_foreign_access(ref, page);
	else
		put_page(page);
}

/* The module goes; the kernel's own list takes what the peer still maps. */
void linger_exit(void)
{
	struct lingering *record, *next;
	unsigned int i;

	cancel_delayed_work_sync(&retry_work);
	linger_reap();
	list_for_each_entry_safe(record, next, &list, link) {
		for (i = 0; i < record->some.count; i++)
			leave_behind(&record->some.whose, record->some.pages[i],
				     record->some.refs[i]);
		record_free(record);
	}
}

/* Add @count to @counter, unless that would be more than @max. */
static bool add_up_to(atomic_t *counter, u32 count, unsigned int max)
{
	int old = atomic_read(counter);

	do {
		if (old > max || count > max - old)
			return false;
	} while (!atomic_try_cmpxchg(counter, &old, old + count));
	return true;
}

/*
 * A descriptor that is restricted makes room with what it has itself. Where
 * that cannot be enough, it costs the others nothing.
 */
static int charge_file(struct gntalloc_file *file, u32 count)
{
	s64 room;

	if (likely(add_up_to(&file->count, count, READ_ONCE(file->max))))
		return 0;
	room = (s64)READ_ONCE(file->lingering) + READ_ONCE(file->spare);
	/* With its last page the rest of a chunk goes. */
	if (READ_ONCE(file->chunks))
		room = (u32)atomic_read(&file->count);
	if ((u32)atomic_read(&file->count) - room + count >
	    READ_ONCE(file->max))
		return -EDQUOT;
	if (READ_ONCE(file->lingering))
		linger_reap();
	do {
		if (add_up_to(&file->count, count, READ_ONCE(file->max)))
			return 0;
	} while (spare_take_own(file, count));
	return -EDQUOT;
}

static bool charge_all(u32 count)
{
	return add_up_to(&used, count, READ_ONCE(limit));
}

/* Count @count pages or grants of @file, if the limits let them. */
int pages_charge(struct gntalloc_file *file, u32 count)
{
	int err = charge_file(file, count);
	unsigned int tries = TAKE_TRIES;

	if (err || charge_all(count))
		return err;
	if (count <= READ_ONCE(limit))
		linger_reap();
	/* Not in vain. What was spare others may have taken, for us to have. */
	while ((u32)atomic_read(&used) - (s64)atomic_read(&spare_pages) +
		       count <=
	       READ_ONCE(limit)) {
		if (charge_all(count))
			return 0;
		if (!spare_take(count) && !--tries)
			break;
	}
	atomic_sub(count, &file->count);

	pr_info_ratelimited(
		"limit of %u pages reached: %u wanted, %u used (%u of them still mapped by peers)\n",
		READ_ONCE(limit), count, atomic_read(&used),
		READ_ONCE(lingering));
	return -ENOSPC;
}

/*
 * Count what was counted already and now does twice, for to take away a grant
 * must not be refused.
 */
void pages_count_again(struct gntalloc_file *file, u32 count)
{
	atomic_add(count, &file->count);
	atomic_add(count, &used);
}

/*
 * A chunk counts, and stays, as long as one of its pages does, so that a spare
 * one may not be worth anything to others: of more than half of the limit each
 * page is on its own.
 */
bool pages_plenty(const struct gntalloc_file *file)
{
	return READ_ONCE(file->max) == UINT_MAX &&
	       atomic_read(&used) <= READ_ONCE(limit) / 2;
}

void pages_uncharge(struct gntalloc_file *file, u32 count)
{
	atomic_sub(count, &file->count);
	atomic_sub(count, &used);
}

/* The descriptor, or the last page that lingered because of it, is gone. */
void file_put(struct gntalloc_file *file)
{
	if (refcount_dec_and_test(&file->users))
		kfree(file);
}
