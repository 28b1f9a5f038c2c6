// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that cannot be given back yet, and the count of all pages.
 *
 * A page lingers while its peer maps it, or while something in this kernel
 * holds it (direct I/O). It is on a list here, through its own lru field and
 * with its reference as its private value, so that nothing must be allocated to
 * let a page linger. It is retried in the background, and at once when a caller
 * would be refused otherwise.
 */

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "gntalloc.h"

#define RETRY_FIRST msecs_to_jiffies(10)
#define RETRY_LAST msecs_to_jiffies(1000)
/* Pages that one run in the background tries at the most: about a millisecond.
 */
#define RETRY_BATCH 8192u

/* One 4K framebuffer is 8,100 pages; two of them, as with page flipping. */
static unsigned int limit = 16384;
module_param(limit, uint, 0644);
MODULE_PARM_DESC(limit, "Pages that may be shared or lingering at once");

/* All pages of all files, and the lingering ones. */
static atomic_t used;

/* Whoever loads the module may name any parameter; a set must be there. */
static int only_read(const char *value, const struct kernel_param *kp)
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

/* Held by whoever tries pages, which are off the list meanwhile. */
static DEFINE_MUTEX(reap_lock);
/* Guards the list, its count and the time to the next try; innermost. */
static DEFINE_SPINLOCK(list_lock);
static LIST_HEAD(list);
static unsigned long delay;
static unsigned int lingering;
module_param_call(lingering, only_read, param_get_uint, &lingering, 0444);
MODULE_PARM_DESC(lingering, "Pages given up here that the peer still maps");

static void retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(retry_work, retry);

/* Take pages off the list, as many as go together and @max at the most. */
static void take_some(struct gntalloc_ending *some, unsigned int max)
{
	struct page *page;

	some->count = 0;
	spin_lock(&list_lock);
	while (some->count < min(max, GNTALLOC_ENDING_MAX + 0u)) {
		page = list_first_entry_or_null(&list, struct page, lru);
		if (!page)
			break;
		list_del(&page->lru);
		some->refs[some->count] = page_private(page);
		some->pages[some->count++] = page;
	}
	spin_unlock(&list_lock);
}

/* Try the first @max pages of the list. Returns how many were given back. */
static unsigned int reap(unsigned int max)
{
	struct gntalloc_ending some;
	unsigned int i, count = 0;
	u32 ended;

	lockdep_assert_held(&reap_lock);
	while (max) {
		take_some(&some, max);
		if (!some.count)
			break;
		max -= some.count;
		ended = refs_end(&some);

		spin_lock(&list_lock);
		for (i = 0; i < some.count; i++)
			if (!(ended & BIT(i)))
				list_add_tail(&some.pages[i]->lru, &list);
		lingering -= hweight32(ended);
		spin_unlock(&list_lock);

		pages_put(&some, ended);
		count += hweight32(ended);
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

/* A newcomer is tried soon, however long the others have been waiting. */
void page_linger(struct page *page, grant_ref_t ref)
{
	set_page_private(page, ref);

	spin_lock(&list_lock);
	list_add(&page->lru, &list);
	if (!lingering++ || delay != RETRY_FIRST) {
		delay = RETRY_FIRST;
		mod_delayed_work(system_percpu_wq, &retry_work, delay);
	}
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

/* The module goes; the kernel's own list takes what the peer still maps. */
void linger_exit(void)
{
	struct page *page, *next;

	cancel_delayed_work_sync(&retry_work);
	linger_reap();
	list_for_each_entry_safe(page, next, &list, lru) {
		grant_ref_t ref = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		gnttab_end_foreign_access(ref, page);
	}
}

static bool try_charge(u32 count)
{
	unsigned int max = READ_ONCE(limit);
	int old = atomic_read(&used);

	do {
		if (old > max || count > max - old)
			return false;
	} while (!atomic_try_cmpxchg(&used, &old, old + count));
	return true;
}

/* Count @count pages, if the limit lets them. */
int pages_charge(u32 count)
{
	if (try_charge(count))
		return 0;
	linger_reap();
	if (try_charge(count))
		return 0;

	pr_info_ratelimited(
		"limit of %u pages reached: %u wanted, %u used (%u of them still mapped by peers)\n",
		READ_ONCE(limit), count, atomic_read(&used),
		READ_ONCE(lingering));
	return -ENOSPC;
}

void pages_uncharge(u32 count)
{
	atomic_sub(count, &used);
}
