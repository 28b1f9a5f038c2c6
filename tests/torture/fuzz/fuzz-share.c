// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sharing places of an arena. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fuzz.h"
#include "xen-gntalloc.h"

enum {
	SHARE_FLAGS = 1,
	SHARE_DOMID,
	SHARE_ZERO,
	SHARE_FAULT,
	SHARE_REFS,
	SHARE_CROOKED,
	SHARE_FOREIGN
};

#define UNLISTED 16

static uint32_t refs[MAX_COUNT];

static unsigned int kind_of(const struct step *step)
{
	return step->how >> 1 & 7;
}

/* Has this process a place mapped, with a page that can be seen there? */
static bool has_page(const struct fd *fd, uint32_t index)
{
	bool any = false;

	for (unsigned int at = 0; at < ROOM; at++) {
		const struct place *place = &self()->room[at];

		if (!place->present || place->file != fd->file ||
		    place->index != index)
			continue;
		see_whether_gone(at);
		any = any || place->present;
	}
	return any;
}

/* Whether the places are mapped there. */
static bool are_mapped(const struct step *step, const struct fd *fd,
		       uint32_t index)
{
	for (unsigned int i = 0; i < step->n; i++) {
		const struct place *place = &self()->room[step->at + i];

		if (!place->mapped || place->file != fd->file ||
		    place->index != index + i)
			return false;
	}
	return true;
}

/*
 * 0 or errno. Where a spare page is used the address does not matter; whether
 * it is only the module knows (@any).
 */
static int share_error(const struct step *step, const struct fd *fd,
		       uint32_t index, bool *any)
{
	const struct file *f = &fuzz->m.files[fd->file];
	const struct page *page = &fuzz->m.files[fd->file].pages[index];
	bool mapped = are_mapped(step, fd, index), fill = false;
	unsigned int kind = kind_of(step);
	int error;

	*any = false;
	if (!fuzz->arenas)
		return ENOTTY;
	if (kind == SHARE_FAULT)
		return EFAULT;
	if (kind == SHARE_FLAGS || kind == SHARE_DOMID || kind == SHARE_ZERO ||
	    kind == SHARE_CROOKED)
		return EINVAL;
	if (f->max && f->only != (kind == SHARE_FOREIGN))
		return EACCES;
	if (!model_owns(fd->file))
		return EPERM;
	for (unsigned int i = 0; i < step->n; i++) {
		if (page[i].live)
			return EBUSY;
		fill = fill || page[i].copied || !has_page(fd, index + i);
	}
	if (kind == SHARE_REFS)
		return EFAULT;
	error = model_room_error(fd->file, step->n, 0);
	/* What it had before it was restricted it may share again. */
	if (error && (error != EDQUOT || fill))
		return error;
	*any = !mapped && !fill;
	return mapped || !fill ? 0 : EINVAL;
}

/* One of the mappings of a place has the page, and it holds zeros. */
static void new_page(const struct fd *fd, uint32_t index)
{
	unsigned int there = 0;

	model_refill(fd->file, index);
	for (unsigned int at = 0; at < ROOM; at++) {
		struct place *place = &self()->room[at];

		if (!place->mapped || place->file != fd->file ||
		    place->index != index || !is_there(at))
			continue;
		model_enter(place);
		there++;
		check_zeros(at);
	}
	if (there != 1)
		deviation("share: the page is mapped at %u places", there);
}

static void new_share(const struct step *step, const struct fd *fd,
		      uint32_t index)
{
	for (unsigned int i = 0; i < step->n && !fuzz->failed; i++) {
		struct page *page = &fuzz->m.files[fd->file].pages[index + i];

		if (!refs[i] || refs[i] >= REFS || fuzz->m.owned[refs[i]]) {
			deviation("share: reference %u is used by another page",
				  refs[i]);
			return;
		}
		fuzz->m.owned[refs[i]] = true;
		new_page(fd, index + i);
		page->ref = refs[i];
		page->listed = !(step->how & UNLISTED);
		page->writable = step->how & 1;
		page->foreign = kind_of(step) == SHARE_FOREIGN;
	}
	fuzz->m.labels[step->label] =
		(struct label){ true, fd->file, step->n, index };
	fuzz->m.labels_used = (uint8_t)(step->label + 1);
}

void step_share(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	uint32_t index = self()->room[step->at].index + (uint32_t)step->off;
	struct ioctl_gntalloc_share op = { .flags = step->how & 1 };
	unsigned int kind = kind_of(step);
	int want, got;
	bool any;

	if (!fd->open || !is_place(index) || index + step->n > LAST_INDEX ||
	    step->at + step->n > ROOM || !model_has_contents(step->n))
		return;
	op.index = device_index(index);
	op.addr =
		ROOM_ADDR + (uint64_t)step->at * PAGE + (kind == SHARE_CROOKED);
	op.refs = kind == SHARE_REFS ? 8 : (uintptr_t)refs;
	op.count = kind == SHARE_ZERO ? 0 : step->n;
	op.domid = kind == SHARE_DOMID	   ? 0x7FF0
		   : kind == SHARE_FOREIGN ? STRANGER
					   : fuzz->domid;
	if (kind == SHARE_FLAGS)
		op.flags |= 2;
	if (step->how & UNLISTED)
		op.flags |= GNTALLOC_FLAG_UNLISTED;
	/* Which of its pages are there must be looked at before. */
	want = share_error(step, fd, index, &any);
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_SHARE,
			    kind == SHARE_FAULT ? NULL : &op));
	if (want != EBUSY && got == EDQUOT &&
	    model_room_error(fd->file, step->n, got) == EDQUOT)
		want = EDQUOT;
	if (any && got == EINVAL)
		want = EINVAL;
	if (want != EBUSY && got == ENOSPC && model_no_room(step->n, got))
		want = ENOSPC;
	if (came_to(want, got))
		new_share(step, fd, index);
}

/* Are the places there as a new mapping would have them? */
static bool are_unchanged(const struct step *step)
{
	for (unsigned int i = 0; i < step->n; i++) {
		const struct place *place = &self()->room[step->at + i];

		if (place->prot != 3 || place->dontfork)
			return false;
	}
	return true;
}

/* @got decides where a child had some places, but perhaps not these. */
static int unshare_error(const struct step *step, const struct fd *fd,
			 uint32_t index, int got)
{
	const struct page *page = &fuzz->m.files[fd->file].pages[index];
	bool live = true, copied = false;

	if (!fuzz->arenas)
		return ENOTTY;
	if (!model_owns(fd->file))
		return EPERM;
	if (!are_mapped(step, fd, index) || !are_unchanged(step))
		return EINVAL;
	for (unsigned int i = 0; i < step->n; i++) {
		live = live && page[i].live;
		copied = copied || page[i].copied;
	}
	if (got == EBUSY && fuzz->m.files[fd->file].forked)
		return EBUSY;
	if (!live)
		return EINVAL;
	return copied ? EBUSY : 0;
}

void step_unshare_at(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	uint32_t index = self()->room[step->at].index + (uint32_t)step->off;
	struct ioctl_gntalloc_unshare op = { .count = step->n };
	int got;

	if (!fd->open || !is_place(index) || index + step->n > LAST_INDEX ||
	    step->at + step->n > ROOM)
		return;
	op.index = device_index(index);
	op.addr = ROOM_ADDR + (uint64_t)step->at * PAGE;
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_UNSHARE, &op));
	if (came_to(unshare_error(step, fd, index, got), got))
		model_unshare(fd->file, index, step->n);
}
