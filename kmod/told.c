// SPDX-License-Identifier: GPL-2.0-only
/* What whoever has a descriptor is told, and to what it can be bounded. */

#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <xen/interface/xen.h>

#include "gntalloc.h"

/* How often this domain was restored from an image. */
u32 domain_restores;

static DECLARE_WAIT_QUEUE_HEAD(restored);

/* No process runs meanwhile. */
void domain_restored(void)
{
	domain_restores++;
	wake_up_all(&restored);
}

/*
 * Who has news writes them, then wakes; who polls is in the queue, then looks.
 * Both take the lock of the queue in between, so none are missed.
 */
__poll_t gntalloc_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct gntalloc_file *file = filp->private_data;
	__poll_t ready = 0;

	poll_wait(filp, &file->news, wait);
	poll_wait(filp, &restored, wait);
	if (lingering_released(file))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(file->restores) != domain_restores)
		ready |= EPOLLPRI;
	return ready;
}

static u32 count_listed(struct gntalloc_file *file)
{
	struct gntalloc_pos pos = file_find(file, 0);
	u32 count = 0;

	for (; pos.block; pos.block = block_next(pos.block)) {
		for (pos.i = 0; pos.i < pos.block->count; pos.i++)
			if (block_notify(pos.block)[pos.i] & NOTIFY_LISTED)
				count++;
		cond_resched();
	}
	return count;
}

/* What is told is told once, unless it cannot be written down. */
long ioctl_status(struct gntalloc_file *file,
		  struct ioctl_gntalloc_status __user *arg)
{
	struct ioctl_gntalloc_status status;
	u32 restores, flags;
	bool released;

	if (copy_from_user(&status, arg, sizeof(status)))
		return -EFAULT;
	if (status.flags & ~GNTALLOC_STATUS_QUIET || status.pad)
		return -EINVAL;
	flags = status.flags;

	mutex_lock(&file->lock);
	status.listed = count_listed(file);
	status.spare = file->spare;
	restores = file->restores;
	status.restores = domain_restores;
	if (flags & GNTALLOC_STATUS_QUIET)
		WRITE_ONCE(file->restores, status.restores);
	released = lingering_status(file, &status);
	mutex_unlock(&file->lock);
	if (!copy_to_user(arg, &status, sizeof(status)))
		return 0;
	if (flags & GNTALLOC_STATUS_QUIET) {
		WRITE_ONCE(file->restores, restores);
		if (released)
			lingering_tell_again(file);
	}
	return -EFAULT;
}

/* Whoever began to share before it may still come to the end of that. */
long ioctl_restrict(struct gntalloc_file *file,
		    struct ioctl_gntalloc_restrict __user *arg)
{
	struct ioctl_gntalloc_restrict op;
	int err = -EACCES;

	if (copy_from_user(&op, arg, sizeof(op)))
		return -EFAULT;
	if (!op.pages || op.pad || op.domid >= DOMID_FIRST_RESERVED)
		return -EINVAL;

	mutex_lock(&file->lock);
	if (file->only == DOMID_INVALID) {
		WRITE_ONCE(file->max, op.pages);
		WRITE_ONCE(file->only, op.domid);
		err = 0;
	}
	mutex_unlock(&file->lock);
	return err;
}
