// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grant references: claimed in batches, and kept back for a while after use.
 *
 * The kernel hands the reference that was freed last out first. A peer that is
 * late would then map a page of somebody else. So references that come back
 * wait here for ref_delay, and those that came first are used first; but rather
 * those than none, and rather those than more and more of the grant table.
 *
 * They are kept as private chains of the grant table, which link references
 * through its own table. Such a chain is a stack; turned over once, it gives
 * out the first first.
 */

#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "gntalloc.h"

static unsigned int ref_delay = 1000;
module_param(ref_delay, uint, 0644);
MODULE_PARM_DESC(ref_delay,
		 "Milliseconds before a grant reference is used again");

/* References of about the same age. Guarded by refs_lock. */
struct bucket {
	grant_ref_t chain;
	unsigned int count;
	unsigned long opened, last; /* first and last reference came, jiffies */
	bool turned; /* the first to come is in front; nothing may be added */
};

/* A ring, oldest bucket at @oldest; more would only make the delay exacter. */
#define BUCKETS 8
/* When more than so many wait, the oldest is used: half of a default table. */
#define WAIT_MAX 16384
/* So many stay here for us even when they are old; one frame of the table. */
#define KEEP 512
/* The grant table's lock is held, without interrupts, while so many are freed.
 */
#define FREE_BATCH 256

static DEFINE_MUTEX(refs_lock);
static struct bucket buckets[BUCKETS];
static unsigned int oldest, in_use;
static unsigned int waiting;
/* The end of a chain, learned from one that was used up. */
static grant_ref_t chain_end;

static void trim(struct work_struct *work);
static DECLARE_DELAYED_WORK(trim_work, trim);

static unsigned long delay(void)
{
	return msecs_to_jiffies(READ_ONCE(ref_delay));
}

static void push(grant_ref_t *chain, grant_ref_t ref)
{
	gnttab_release_grant_reference(chain, ref);
}

static void turn(struct bucket *bucket)
{
	grant_ref_t chain = chain_end;
	unsigned int i;

	for (i = 0; i < bucket->count; i++)
		push(&chain, gnttab_claim_grant_reference(&bucket->chain));
	bucket->chain = chain;
	bucket->turned = true;
}

/* Up to @want references, the oldest first; young ones only if need be. */
static unsigned int take(grant_ref_t *refs, unsigned int want, bool young)
{
	unsigned int got = 0;

	while (got < want && in_use) {
		struct bucket *bucket = &buckets[oldest];

		if (!young && time_before(jiffies, bucket->last + delay()))
			break;
		if (!bucket->turned)
			turn(bucket);
		for (; got < want && bucket->count; bucket->count--, got++)
			refs[got] =
				gnttab_claim_grant_reference(&bucket->chain);
		if (!bucket->count) {
			oldest = (oldest + 1) % BUCKETS;
			in_use--;
		}
	}
	waiting -= got;
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
	chain_end = chain;
	return 0;
}

/* Where a reference that comes now belongs; NULL if it cannot wait. */
static struct bucket *newest_bucket(void)
{
	struct bucket *bucket = &buckets[(oldest + in_use - 1) % BUCKETS];

	if (in_use && !bucket->turned &&
	    (in_use == BUCKETS ||
	     time_before(jiffies, bucket->opened + delay() / (BUCKETS / 2))))
		return bucket;
	if (in_use == BUCKETS)
		return NULL;

	bucket = &buckets[(oldest + in_use++) % BUCKETS];
	*bucket = (struct bucket){ .chain = chain_end, .opened = jiffies };
	return bucket;
}

/* When the work has something to do again; a changed ref_delay soon counts. */
static unsigned long trim_time(unsigned long time)
{
	return min(time, (unsigned long)HZ) + 1;
}

/* Keep references that grant nothing, for later. The first goes first. */
static void keep(const grant_ref_t *refs, unsigned int count)
{
	struct bucket *bucket;
	unsigned int i;

	if (!count)
		return;
	bucket = newest_bucket();
	for (i = 0; i < count; i++) {
		if (bucket)
			push(&bucket->chain, refs[i]);
		else
			gnttab_free_grant_reference(refs[i]);
	}
	if (!bucket)
		return;
	bucket->count += count;
	bucket->last = jiffies;
	waiting += count;
	if (waiting > KEEP)
		schedule_delayed_work(&trim_work, trim_time(delay()));
}

/* Claim all @count references or none; they grant nothing yet. */
int refs_claim(grant_ref_t *refs, unsigned int count)
{
	unsigned int got;
	int err;

	mutex_lock(&refs_lock);
	got = take(refs, count, waiting > WAIT_MAX);
	err = take_new(refs + got, count - got);
	if (err) {
		got += take(refs + got, count - got, true);
		err = take_new(refs + got, count - got);
	}
	if (err)
		keep(refs, got);
	mutex_unlock(&refs_lock);
	return err;
}

/* Give back references that were claimed and not used. */
void refs_release(const grant_ref_t *refs, unsigned int count)
{
	mutex_lock(&refs_lock);
	keep(refs, count);
	mutex_unlock(&refs_lock);
}

/*
 * End the grants of the pages in @ending, but not those that the peer maps or
 * this kernel still uses; the bits of the others are set in what is returned.
 * One operation asks and ends (XSA-396).
 *
 * It also frees the reference to the kernel, which gives out the last freed
 * first: so they are taken back from there, which another driver could only
 * prevent within some hundred instructions. What ends a grant and leaves the
 * reference alone, gnttab_end_foreign_access_ref(), writes a line to the log
 * for each page that a peer still maps, which is no more than usual here.
 */
u32 refs_end(const struct gntalloc_ending *ending)
{
	grant_ref_t refs[GNTALLOC_ENDING_MAX], chain;
	unsigned int i, count;
	u32 ended = 0;

	mutex_lock(&refs_lock);
	for (i = 0; i < ending->count; i++)
		if (page_count(ending->pages[i]) == 1 &&
		    gnttab_try_end_foreign_access(ending->refs[i]))
			ended |= BIT(i);
	count = hweight32(ended);
	if (count && !gnttab_alloc_grant_references(count, &chain)) {
		for (i = count; i; i--)
			refs[i - 1] = gnttab_claim_grant_reference(&chain);
		keep(refs, count);
	}
	mutex_unlock(&refs_lock);
	return ended;
}

/* Hand references to the kernel, which gives out first what it got last. */
static unsigned int give_back(unsigned int most, bool young)
{
	grant_ref_t refs[FREE_BATCH], chain = chain_end;
	unsigned int given, i;

	given = take(refs, min_t(unsigned int, most, FREE_BATCH), young);
	for (i = given; i; i--)
		push(&chain, refs[i - 1]);
	gnttab_free_grant_references(chain);
	return given;
}

/* Others need references, too: keep few of those that waited long enough. */
static void trim(struct work_struct *work)
{
	unsigned int given;

	do {
		mutex_lock(&refs_lock);
		given = waiting > KEEP ? give_back(waiting - KEEP, false) : 0;
		if (!given && waiting > KEEP)
			schedule_delayed_work(
				&trim_work, trim_time(delay() / (BUCKETS / 2)));
		mutex_unlock(&refs_lock);
		cond_resched();
	} while (given);
}

void refs_exit(void)
{
	cancel_delayed_work_sync(&trim_work);
	while (waiting)
		give_back(waiting, true);
}
