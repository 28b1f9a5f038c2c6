// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-gntalloc: lets a program allocate pages and grant them to another Xen
 * domain, through /dev/xen/gntalloc.
 */

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pm_domain.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <xen/interface/xen.h>
#include <xen/xen.h>

#include "gntalloc.h"

static int gntalloc_open(struct inode *inode, struct file *filp)
{
	struct gntalloc_file *file;

	file = kzalloc(sizeof(*file) + FIRST_BLOCK_SIZE, GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->kept = file_first_block(file);
	file->kept->whose.file = file;
	mutex_init(&file->lock);
	file->blocks = RB_ROOT;
	address_space_init_once(&file->mapping);
	file->mapping.host = inode;
	file->mapping.a_ops = inode->i_mapping->a_ops;
	filp->f_mapping = &file->mapping;
	filp->private_data = file;
	INIT_LIST_HEAD(&file->link);
	refcount_set(&file->users, 1);
	init_waitqueue_head(&file->news);
	file->max = UINT_MAX;
	file->only = DOMID_INVALID;
	file->restores = domain_restores;
	return 0;
}

static int gntalloc_release(struct inode *inode, struct file *filp)
{
	struct gntalloc_file *file = filp->private_data;

	file_delist(file);
	mutex_lock(&file->lock);
	file_release(file);
	mutex_unlock(&file->lock);
	if (file->mm)
		mmdrop(file->mm);
	filp->f_mapping = inode->i_mapping;
	block_drop(file->kept);
	if (file->kept_page)
		__free_page(file->kept_page);
	file_put(file);
	return 0;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = gntalloc_open,
	.release = gntalloc_release,
	.unlocked_ioctl = gntalloc_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = gntalloc_mmap,
	.poll = gntalloc_poll,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "xen/gntalloc",
	.fops = &fops,
};

/* Called when the domain runs from a saved image, not when it just goes on. */
static int gntalloc_restore(struct device *dev)
{
	domain_restored();
	return 0;
}

static struct dev_pm_domain pm_domain = {
	.ops = { .restore_noirq = gntalloc_restore },
};

static int __init gntalloc_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	if (PAGE_SIZE != XEN_PAGE_SIZE) {
		pr_err("pages of %lu bytes are not supported, only of %lu\n",
		       PAGE_SIZE, XEN_PAGE_SIZE);
		return -EOPNOTSUPP;
	}
	err = spare_init();
	if (err)
		return err;
	err = misc_register(&device);
	if (err)
		spare_exit();
	else
		dev_pm_domain_set(device.this_device, &pm_domain);
	return err;
}

static void __exit gntalloc_exit(void)
{
	misc_deregister(&device);
	spare_exit();
	linger_exit();
	refs_exit();
}

module_init(gntalloc_init);
module_exit(gntalloc_exit);

MODULE_AUTHOR("The libgntshr authors");
MODULE_DESCRIPTION("Lets programs grant pages to other Xen domains");
MODULE_VERSION("0.2.0");
MODULE_LICENSE("GPL");
