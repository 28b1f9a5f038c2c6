// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spare pages of all files: how many there may be, and who gets them back. They
 * cost nobody an error: whoever would be refused memory or the limit takes
 * them, the kernel does when it is short, and those that were not needed for a
 * while go by themselves.
 */

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "gntalloc.h"

/* With so many nearly all that X servers draw meets spare pages. */
unsigned int spare_max = 4096;
module_param(spare_max, uint, 0644);
MODULE_PARM_DESC(spare_max, "Spare pages that a descriptor keeps at the most");

static void look_after(struct work_struct *work);
static DECLARE_DELAYED_WORK(look_after_work, look_after);

static unsigned int spare_idle = 2000;

/* All files with an arena; whoever has it keeps each from its release. */
static DEFINE_MUTEX(files_lock);
static LIST_HEAD(files);

/* The next look may be a long while off. */
static int set_idle(const char *value, const struct kernel_param *kp)
{
	int err = param_set_uint(value, kp);

	/* Without a file the module may be about to go. */
	mutex_lock(&files_lock);
	if (!err && !list_empty(&files) &&
	    delayed_work_pending(&look_after_work))
		mod_delayed_work(system_percpu_wq, &look_after_work, 0);
	mutex_unlock(&files_lock);
	return err;
}
module_param_call(spare_idle, set_idle, param_get_uint, &spare_idle, 0644);
MODULE_PARM_DESC(spare_idle,
		 "Milliseconds after which spare pages go that nobody needed");

/* Of all files. */
atomic_t spare_pages;

static int get_spare(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%u\n", atomic_read(&spare_pages));
}
module_param_call(spare, only_read, get_spare, NULL, 0444);
MODULE_PARM_DESC(spare, "Pages that wait for their next share");

static void look_later(void)
{
	queue_delayed_work(system_percpu_wq, &look_after_work,
			   max(msecs_to_jiffies(READ_ONCE(spare_idle)), 1ul));
}

/*
 * @count more pages of @block are spare. They are counted first: look_after()
 * stops to be pending, with a barrier, before it asks for the count at its end.
 * So one of the two finds what the other did.
 */
void spare_add(struct gntalloc_file *file, struct gntalloc_block *block,
	       unsigned int count)
{
	lockdep_assert_held(&file->lock);
	block->spare += count;
	file->spare += count;
	atomic_add(count, &spare_pages);
	smp_mb__after_atomic(); /* the work's: when it begins */
	if (!delayed_work_pending(&look_after_work))
		look_later();
}

/*
 * Take spare pages from @pos on out of their places, those that lie in a row
 * and @max at the most. Returns how many.
 */
static unsigned int take_row(struct gntalloc_file *file,
			     struct gntalloc_pos pos, unsigned int max)
{
	unsigned int count = 0;

	while (pos.i + count < pos.block->count && count < max &&
	       is_spare(pos.block, pos.i + count))
		count++;
	if (count)
		take_out(file, pos, count);
	return count;
}

/* Up to @want spare pages go, those that are used last first. */
static unsigned int take(struct gntalloc_file *file, unsigned int want)
{
	struct rb_node *node, *before;
	struct gntalloc_pos pos;
	unsigned int got = 0;

	lockdep_assert_held(&file->lock);
	for (node = rb_last(&file->blocks); node && got < want && file->spare;
	     node = before) {
		before = rb_prev(node);
		pos.block = rb_entry(node, struct gntalloc_block, node);
		for (pos.i = 0;
		     pos.block->spare && pos.i < pos.block->count && got < want;
		     pos.i++)
			got += take_row(file, pos, want - got);
		settle_block(file, pos.block);
	}
	return got;
}

/* Take up to @want spare pages from whoever has them. Returns how many. */
unsigned int spare_take(unsigned int want)
{
	struct gntalloc_file *file;
	unsigned int got = 0;

	mutex_lock(&files_lock);
	list_for_each_entry(file, &files, link) {
		if (got >= want || !atomic_read(&spare_pages))
			break;
		mutex_lock(&file->lock);
		got += take(file, want - got);
		mutex_unlock(&file->lock);
	}
	mutex_unlock(&files_lock);
	return got;
}

/* Take up to @want of this file's. */
unsigned int spare_take_own(struct gntalloc_file *file, unsigned int want)
{
	unsigned int got;

	mutex_lock(&file->lock);
	got = take(file, want);
	mutex_unlock(&file->lock);
	return got;
}

/*
 * What was spare all the time since the last look was not needed. A file that
 * nobody uses has none after the second.
 */
static void look_after(struct work_struct *work)
{
	struct gntalloc_file *file;

	mutex_lock(&files_lock);
	list_for_each_entry(file, &files, link) {
		/* Whoever has it needs them now. */
		if (!mutex_trylock(&file->lock))
			continue;
		take(file, file->least_spare);
		file->least_spare = file->spare;
		mutex_unlock(&file->lock);
	}
	mutex_unlock(&files_lock);
	if (atomic_read(&spare_pages))
		look_later();
}

static unsigned long count_spare(struct shrinker *shrinker,
				 struct shrink_control *sc)
{
	return atomic_read(&spare_pages);
}

/* The kernel may be short of memory for somebody who holds a lock of ours. */
static unsigned long shrink(struct shrinker *shrinker,
			    struct shrink_control *sc)
{
	struct gntalloc_file *file;
	unsigned long got = 0;

	if (!(sc->gfp_mask & __GFP_FS) || !mutex_trylock(&files_lock))
		return SHRINK_STOP;
	list_for_each_entry(file, &files, link) {
		if (got >= sc->nr_to_scan)
			break;
		if (!mutex_trylock(&file->lock))
			continue;
		got += take(file, sc->nr_to_scan - got);
		mutex_unlock(&file->lock);
	}
	mutex_unlock(&files_lock);
	return got ? got : SHRINK_STOP;
}

/*
 * Only those with an arena are there. Not from open(): all devices like this
 * one wait for each other's open, and the list may wait for whoever shares.
 */
void file_list(struct gntalloc_file *file)
{
	mutex_lock(&files_lock);
	if (list_empty(&file->link))
		list_add_tail(&file->link, &files);
	mutex_unlock(&files_lock);
}

/* At release: what mmap() did comes before, by the count of the struct file. */
void file_delist(struct gntalloc_file *file)
{
	if (list_empty(&file->link))
		return;
	mutex_lock(&files_lock);
	list_del(&file->link);
	mutex_unlock(&files_lock);
}

#ifdef HAVE_SHRINKER_ALLOC
static struct shrinker *shrinker;

int spare_init(void)
{
	shrinker = shrinker_alloc(0, KBUILD_MODNAME);
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = count_spare;
	shrinker->scan_objects = shrink;
	shrinker_register(shrinker);
	return 0;
}

static void stop_shrinker(void)
{
	shrinker_free(shrinker);
}
#else
static struct shrinker shrinker = {
	.count_objects = count_spare,
	.scan_objects = shrink,
	.seeks = DEFAULT_SEEKS,
};

int spare_init(void)
{
#ifdef HAVE_SHRINKER_NAMES
	return register_shrinker(&shrinker, KBUILD_MODNAME);
#else
	return register_shrinker(&shrinker);
#endif
}

static void stop_shrinker(void)
{
	unregister_shrinker(&shrinker);
}
#endif

void spare_exit(void)
{
	stop_shrinker();
	cancel_delayed_work_sync(&look_after_work);
}
