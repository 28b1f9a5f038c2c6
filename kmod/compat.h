/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the newest kernels offer and older ones lack, under its new name. Kbuild
 * looks into the headers and defines HAVE_*.
 */
#ifndef GNTALLOC_COMPAT_H
#define GNTALLOC_COMPAT_H

#include <linux/mm.h>

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

#endif
