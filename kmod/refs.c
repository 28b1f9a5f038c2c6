// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grant references: claimed in batches, and kept back for a while after use.
 *
 * The kernel hands the reference that was freed last out first. A peer that is
 * late would then map a page of somebody else. So references that come back
 * rest here for ref_delay before the kernel gets them back.
 *
 * The grant table belongs to the whole domain, and a disk's request fails when
 * the kernel has no reference for it, whatever rests here. So few rest, and
 * only while the kernel has a reserve, in free references or in frames that the
 * table can grow by. Where it has not, none rest: what we need is taken from
 * those that do, and the others go back.
 */

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/xen.h>
#include <asm/xen/hypercall.h>

#include "compat.h"
#include "gntalloc.h"

static unsigned int ref_delay = 1000;
module_param(ref_delay, uint, 0644);
MODULE_PARM_DESC(ref_delay,
		 "Milliseconds before a grant reference is used again");

/*
 * Parts of what the grant table holds at most: so many rest, and so many the
 * kernel has left for others. The least reserve is one frame; a network card
 * asks for 256 references at once. Nobody can wait for more than U16_MAX.
 */
#define RESTING_PART 8
#define RESERVE_PART 8
#define RESERVE_MIN 512u
#define RESERVE_MAX 32768u
#define RESTING_MAX 4096u
/* How long others may have to wait for what rests. */
#define LOOK_AFTER msecs_to_jiffies(10)

/* The oldest is at @oldest. All below is guarded by refs_lock. */
static DEFINE_MUTEX(refs_lock);
static struct {
	grant_ref_t ref;
	u32 since; /* jiffies */
} ring[RESTING_MAX];
static unsigned int oldest, resting;

/*
 * How many references the table holds at most, of which so many are for others,
 * and how many it could get by growing; asked of Xen at @asked. Those of
 * version 2 take twice the place.
 */
static unsigned int table_size, reserve, table_growth;
static unsigned long asked;

static void look_after(struct work_struct *work);
static DECLARE_DELAYED_WORK(look_after_work, look_after);

static void ask_table(void)
{
	struct gnttab_query_size query = { .dom = DOMID_SELF };
	unsigned int max = gnttab_max_grant_frames();

	if (HYPERVISOR_grant_table_op(GNTTABOP_query_size, &query, 1) ||
	    query.status != GNTST_okay || query.nr_frames > max)
		query.nr_frames = max;
	table_size = max * (PAGE_SIZE / sizeof(struct grant_entry_v1));
	reserve = clamp(table_size / RESERVE_PART, RESERVE_MIN, RESERVE_MAX);
	table_growth = (max - query.nr_frames) *
		       (PAGE_SIZE / sizeof(union grant_entry_v2));
	asked = jiffies;
}

/* With the kernel's lock of references, off whose list the callback is then. */
static void set_flag(void *flag)
{
	WRITE_ONCE(*(bool *)flag, true);
}

/*
 * The kernel does not say how many references are free. It calls back once they
 * are as many as somebody waits for, and at once when they are already.
 */
static bool kernel_has(unsigned int count)
{
	static struct gnttab_free_callback callback;
	bool has = false;

	BUILD_BUG_ON(RESERVE_MAX + GNTALLOC_BLOCK_MAX > U16_MAX);

	gnttab_request_free_callback(&callback, set_flag, &has, count);
	if (!READ_ONCE(has))
		gnttab_cancel_free_callback(&callback);
	return READ_ONCE(has);
}

/*
 * Whether others have their reserve when we get @count new references. While
 * the table can grow nobody has to wait; else those free now are what counts:
 * who waits for more must get what we free.
 */
static bool enough(unsigned int count)
{
	if (!table_size || time_before(asked, jiffies))
		ask_table();
	count += reserve;
	return table_growth >= count || kernel_has(count);
}

/* Whether the @n-th may be used again, of those that rest and are older. */
static bool rested(unsigned int n)
{
	return (u32)jiffies - ring[(oldest + n) % RESTING_MAX].since >=
	       msecs_to_jiffies(READ_ONCE(ref_delay));
}

static grant_ref_t take_oldest(void)
{
	grant_ref_t ref = ring[oldest].ref;

	oldest = (oldest + 1) % RESTING_MAX;
	resting--;
	return ref;
}

/* The kernel hands out first what it got last. */
static noinline void let_some_go(unsigned int leave)
{
	unsigned int i;

	for (i = resting - leave; i; i--)
		gnttab_free_grant_reference(
			ring[(oldest + i - 1) % RESTING_MAX].ref);
	oldest = (oldest + resting - leave) % RESTING_MAX;
	resting = leave;
}

/* Let all but @leave go. */
static inline void let_go(unsigned int leave)
{
	if (unlikely(resting > leave))
		let_some_go(leave);
}

static unsigned int resting_max(void)
{
	return min(table_size / RESTING_PART, RESTING_MAX);
}

/*
 * Up to @want that rest, the oldest first: those that may be used again, and
 * all that are more than half of what may rest.
 */
static unsigned int take_rested(grant_ref_t *refs, unsigned int want)
{
	unsigned int half = resting_max() / 2, got = 0;
	unsigned int many = min(want, resting - min(resting, half));

	while (got < many)
		refs[got++] = take_oldest();
	while (got < want && resting && rested(0))
		refs[got++] = take_oldest();
	return got;
}

static int take_new(grant_ref_t *refs, unsigned int want)
{
	grant_ref_t chain;
	unsigned int i;

	if (!want)
		return 0;
	if (gnttab_alloc_grant_references(want, &chain))
		return -ENOSPC;
	for (i = 0; i < want; i++)
		refs[i] = gnttab_claim_grant_reference(&chain);
	table_growth -= min(table_growth, want);
	return 0;
}

static int claim_some(grant_ref_t *refs, unsigned int count)
{
	int err = -ENOSPC;
	unsigned int got;

	mutex_lock(&refs_lock);
	got = take_rested(refs, count);
	if (got == count || !resting || enough(count - got))
		err = take_new(refs + got, count - got);
	/* Rather those than none: a table that can grow may have no memory. */
	if (err && resting) {
		while (got < count && resting)
			refs[got++] = take_oldest();
		let_go(0);
		err = take_new(refs + got, count - got);
	}
	mutex_unlock(&refs_lock);
	if (err)
		refs_release(refs, got);
	return err;
}

/* Give back references that were claimed and not used. */
void refs_release(const grant_ref_t *refs, unsigned int count)
{
	while (count)
		gnttab_free_grant_reference(refs[--count]);
}

/* Claim all @count references or none; they grant nothing yet. */
int refs_claim(grant_ref_t *refs, unsigned int count)
{
	unsigned int got = 0, some;
	bool reaped = false;

	for (;;) {
		some = min_t(unsigned int, count - got, GNTALLOC_BLOCK_MAX);
		if (likely(!claim_some(refs + got, some))) {
			got += some;
			if (got == count)
				return 0;
			continue;
		}
		if (reaped)
			break;
		reaped = true;
		linger_reap();
	}
	refs_release(refs, got);
	pr_info_ratelimited("the grant table is full\n");
	return -ENOSPC;
}

/*
 * Let @count references rest, which the kernel has just got from us: before it
 * gets others, as it gives out what it got last.
 */
static void rest(unsigned int count)
{
	u32 since = (u32)jiffies;
	unsigned int i, at;
	grant_ref_t chain;

	if (gnttab_alloc_grant_references(count, &chain))
		return;
	let_go(resting_max() - count);
	if (!resting)
		queue_delayed_work(system_percpu_wq, &look_after_work,
				   LOOK_AFTER);
	/* The first to go is the last in the chain, and the first to rest. */
	at = oldest + resting + count;
	for (i = 0; i < count; i++) {
		at = (at - 1) % RESTING_MAX;
		ring[at].ref = gnttab_claim_grant_reference(&chain);
		ring[at].since = since;
	}
	resting += count;
}

/*
 * End the grants of those of @count references whose bit is set in @which, but
 * not where the peer maps the page; the bits of the others are set in what is
 * returned. One operation asks and ends (XSA-396), and is a full barrier: what
 * is done to the page next comes after the peer's last write. 0 and REF_NOBODY
 * are no references, and have ended.
 *
 * It also frees the reference to the kernel, which gives out the last freed
 * first: so they are taken back from there, which another driver could only
 * prevent within some hundred instructions. What ends a grant and leaves the
 * reference alone, gnttab_end_foreign_access_ref(), writes a line to the log
 * for each page that a peer still maps, which is no more than usual here.
 */
u32 refs_end(const grant_ref_t *refs, unsigned int count, u32 which)
{
	unsigned int i, granted = 0;
	u32 ended = 0, bit = 1;
	bool may_rest;

	mutex_lock(&refs_lock);
	may_rest = READ_ONCE(ref_delay) && enough(0);
	if (!may_rest)
		let_go(0);
	for (i = 0; i < count; i++, bit <<= 1) {
		if (!(which & bit))
			continue;
		if (refs[i] > REF_NOBODY) {
			if (!gnttab_try_end_foreign_access(refs[i]))
				continue;
			granted++;
		}
		ended |= bit;
	}
	if (granted && may_rest)
		rest(granted);
	mutex_unlock(&refs_lock);
	return ended;
}

/* Others need references, too: all that we have, when they are few. */
static void look_after(struct work_struct *work)
{
	unsigned int n = 0;

	mutex_lock(&refs_lock);
	if (enough(0))
		while (n < resting && rested(n))
			n++;
	else
		n = resting;
	let_go(resting - n);
	if (resting)
		queue_delayed_work(system_percpu_wq, &look_after_work,
				   LOOK_AFTER);
	mutex_unlock(&refs_lock);
}

void refs_exit(void)
{
	cancel_delayed_work_sync(&look_after_work);
	let_go(0);
}
