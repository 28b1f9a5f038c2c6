// SPDX-License-Identifier: GPL-2.0-only
/*
 * Another driver of the domain, for tests: it asks for grant references every
 * few milliseconds, as a disk or a network card does for its requests, gives
 * them back some milliseconds later, and waits for a callback when it gets
 * none. It counts what came of it; the counts are to be read in its parameters.
 */

#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#define TAKERS_MAX 8
#define PERIOD msecs_to_jiffies(4)

static unsigned int count[TAKERS_MAX], takers;
module_param_array(count, uint, &takers, 0444);
MODULE_PARM_DESC(count, "References that each taker asks for");

static unsigned int asked[TAKERS_MAX], failed[TAKERS_MAX];
static unsigned int called[TAKERS_MAX], in_vain[TAKERS_MAX];
module_param_array(asked, uint, NULL, 0444);
MODULE_PARM_DESC(asked, "How often each asked on its own");
module_param_array(failed, uint, NULL, 0444);
MODULE_PARM_DESC(failed, "How often it got none then");
module_param_array(called, uint, NULL, 0444);
MODULE_PARM_DESC(called, "How often it was called back");
module_param_array(in_vain, uint, NULL, 0444);
MODULE_PARM_DESC(in_vain, "How often it got none then");

/* @lock guards what it has, and that it waits, asks or ends. */
static struct taker {
	struct mutex lock;
	struct delayed_work ask;
	struct work_struct answer;
	struct gnttab_free_callback callback;
	grant_ref_t chain;
	bool has, waits, ends;
} taker[TAKERS_MAX];

static bool take(struct taker *t)
{
	t->has = !gnttab_alloc_grant_references(count[t - taker], &t->chain);
	return t->has;
}

static void give(struct taker *t)
{
	if (t->has)
		gnttab_free_grant_references(t->chain);
	t->has = false;
}

/* The table is locked: as disks do, only have it done. */
static void call_back(void *arg)
{
	struct taker *t = arg;

	queue_work(system_unbound_wq, &t->answer);
}

static void wait(struct taker *t)
{
	if (t->ends)
		return;
	t->waits = true;
	gnttab_request_free_callback(&t->callback, call_back, t,
				     count[t - taker]);
}

static void ask(struct work_struct *work)
{
	struct taker *t = container_of(work, struct taker, ask.work);

	mutex_lock(&t->lock);
	if (t->has) {
		give(t);
	} else if (!t->waits) {
		asked[t - taker]++;
		if (!take(t)) {
			failed[t - taker]++;
			wait(t);
		}
	}
	mutex_unlock(&t->lock);
	schedule_delayed_work(&t->ask, PERIOD);
}

static void answer(struct work_struct *work)
{
	struct taker *t = container_of(work, struct taker, answer);

	mutex_lock(&t->lock);
	t->waits = false;
	called[t - taker]++;
	if (!take(t)) {
		in_vain[t - taker]++;
		wait(t);
	}
	mutex_unlock(&t->lock);
}

static int __init taker_init(void)
{
	unsigned int i;

	if (!xen_domain())
		return -ENODEV;
	if (!takers)
		return -EINVAL;
	for (i = 0; i < takers; i++) {
		mutex_init(&taker[i].lock);
		INIT_DELAYED_WORK(&taker[i].ask, ask);
		INIT_WORK(&taker[i].answer, answer);
		schedule_delayed_work(&taker[i].ask, PERIOD);
	}
	return 0;
}

static void __exit taker_exit(void)
{
	unsigned int i;

	for (i = 0; i < takers; i++) {
		mutex_lock(&taker[i].lock);
		taker[i].ends = true;
		mutex_unlock(&taker[i].lock);
		cancel_delayed_work_sync(&taker[i].ask);
		gnttab_cancel_free_callback(&taker[i].callback);
		cancel_work_sync(&taker[i].answer);
		give(&taker[i]);
	}
}

module_init(taker_init);
module_exit(taker_exit);

MODULE_AUTHOR("The libgntshr authors");
MODULE_DESCRIPTION("Takes grant references, for tests");
MODULE_LICENSE("GPL");
