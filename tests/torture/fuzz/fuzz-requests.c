// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taking a step: the call, what it must come to, and what the model makes of
 * it. Here those about descriptors; the requests.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "xen-gntalloc.h"

uint32_t step_index(const struct step *step)
{
	return fuzz->m.labels[step->label].base + (uint32_t)step->off;
}

uint64_t device_index(uint32_t index)
{
	if (is_place(index))
		return GNTALLOC_ARENA + (uint64_t)(index - FIRST_PLACE) * PAGE;
	return (uint64_t)(int32_t)index * PAGE;
}

/* The first deviation ends the episode. */
void deviation(const char *format, ...)
{
	va_list args;

	if (fuzz->failed)
		return;
	va_start(args, format);
	vsnprintf(fuzz->what, sizeof(fuzz->what), format, args);
	va_end(args);
	fuzz->failed = true;
}

/* There is something to check; @done: it came to something. */
void step_called(bool done)
{
	fuzz->called = true;
	fuzz->list[fuzz->step].done = done;
}

/* What a call came to: 0 or errno. */
bool came_to(int want, int got)
{
	if (got != want)
		deviation("result: %s, not %s", strerror(got), strerror(want));
	step_called(!want);
	return !fuzz->failed && !want;
}

int failure(long result)
{
	return result < 0 ? errno : 0;
}

/* ---- descriptors ---- */

void step_open(const struct step *step)
{
	struct fd *fd = &self()->fds[step->fd];
	int flags = step->how & 2 ? O_RDONLY : O_RDWR;
	int file = model_free_file();
	struct file *f;

	if (fd->open || file < 0)
		return;
	fd->number = open("/dev/xen/gntalloc",
			  flags | (step->how & 1 ? O_CLOEXEC : 0));
	if (!came_to(0, failure(fd->number)))
		return;
	fd->open = true;
	fd->cloexec = step->how & 1;
	fd->file = (uint8_t)file;
	f = &fuzz->m.files[file];
	memset(f->pages, 0, sizeof(f->pages));
	f->next = 0;
	f->lost = 0;
	f->owner = 0;
	f->max = 0;
	f->news = f->unsure = false;
	f->returned = 0;
	f->forked = false;
	f->readonly = step->how & 2;
	model_ref(fd->file);
}

void step_close(const struct step *step)
{
	struct fd *fd = &self()->fds[step->fd];

	if (!fd->open || !came_to(0, failure(close(fd->number))))
		return;
	fd->open = false;
	model_unref(fd->file);
}

void step_dup(const struct step *step)
{
	struct fd *from = &self()->fds[step->fd];
	struct fd *to = &self()->fds[step->to];

	if (!from->open || to->open)
		return;
	*to = *from;
	to->number =
		fcntl(from->number, step->how ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	to->cloexec = step->how;
	to->open = came_to(0, failure(to->number));
	if (to->open)
		model_ref(to->file);
}

/* ---- requests ---- */

enum {
	ALLOC_FLAGS = 1,
	ALLOC_DOMID,
	ALLOC_ZERO,
	ALLOC_FAULT,
	ALLOC_TAIL,
	ALLOC_FOREIGN,
	ALLOC_HUGE
};

/* The argument, so that behind @room references no memory is. */
static struct ioctl_gntalloc_alloc_gref *alloc_argument(unsigned int room)
{
	static unsigned char *pages;
	const size_t size = 2 * PAGE;

	if (!pages) {
		pages = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(pages + size, PAGE, PROT_NONE);
	}
	return (void *)(pages + size -
			(offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids) +
			 (room + 1u) / 2 * 2 * sizeof(uint32_t)));
}

static int alloc_error(const struct step *step, unsigned int file, int got)
{
	const struct file *f = &fuzz->m.files[file];
	int error;

	switch (step->how >> 1) {
	case ALLOC_FLAGS:
	case ALLOC_DOMID:
	case ALLOC_ZERO:
		return EINVAL;
	case ALLOC_FAULT:
		return EFAULT;
	case ALLOC_HUGE:
		return ENOSPC;
	}
	if (f->max && f->only != (step->how >> 1 == ALLOC_FOREIGN))
		return EACCES;
	error = model_room_error(file, step->n, got);
	if (error)
		return error;
	return step->how >> 1 == ALLOC_TAIL ? EFAULT : 0;
}

/* What came back: an index that was never used, references nobody has. */
static void new_pages(const struct step *step, unsigned int file,
		      const struct ioctl_gntalloc_alloc_gref *op)
{
	struct file *f = &fuzz->m.files[file];
	uint64_t index = op->index / PAGE;

	if (op->index % PAGE || index < f->next || index + step->n > INDICES) {
		deviation("alloc: index %#llx, used so far are %#llx",
			  (unsigned long long)op->index,
			  (unsigned long long)f->next * PAGE);
		return;
	}
	for (uint32_t i = 0; i < step->n; i++) {
		uint32_t ref = op->gref_ids[i];

		if (!ref || ref >= REFS || fuzz->m.owned[ref]) {
			deviation("alloc: reference %u is used by another page",
				  ref);
			return;
		}
		fuzz->m.owned[ref] = true;
		f->pages[index + i] =
			(struct page){ .ref = ref,
				       .writable = step->how & 1,
				       .foreign = step->how >> 1 ==
						  ALLOC_FOREIGN };
	}
	fuzz->m.labels[step->label] =
		(struct label){ true, (uint8_t)file, step->n, (uint32_t)index };
	fuzz->m.labels_used = (uint8_t)(step->label + 1);
	model_alloc(file, (uint32_t)index, step->n);
}

void step_alloc(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	unsigned int kind = step->how >> 1;
	struct ioctl_gntalloc_alloc_gref *op;
	int want, got;

	if (!fd->open || !model_has_contents(step->n) ||
	    fuzz->m.files[fd->file].next + fuzz->m.files[fd->file].lost +
			    step->n >
		    INDICES)
		return;
	op = alloc_argument(kind == ALLOC_TAIL ? step->n / 4 * 2u : step->n);
	op->domid = fuzz->domid;
	op->flags = step->how & 1;
	op->count = step->n;
	if (kind == ALLOC_FLAGS)
		op->flags |= 2;
	if (kind == ALLOC_DOMID)
		op->domid = 0x7FF0;
	if (kind == ALLOC_ZERO)
		op->count = 0;
	if (kind == ALLOC_FOREIGN)
		op->domid = STRANGER;
	if (kind == ALLOC_HUGE)
		op->count = 1u << 31;
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_ALLOC_GREF,
			    kind == ALLOC_FAULT ? NULL : op));
	want = alloc_error(step, fd->file, got);
	if (came_to(want, got))
		new_pages(step, fd->file, op);
	/* These indices are lost, or not. */
	if (want == ENOSPC || want == EDQUOT || kind == ALLOC_TAIL)
		fuzz->m.files[fd->file].lost += step->n;
}

void step_dealloc(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	struct ioctl_gntalloc_dealloc_gref op;
	uint32_t index = step_index(step);
	int want = 0;

	if (!fd->open)
		return;
	op.index = device_index(index) + (step->how == 1);
	op.count = step->how == 2 ? 0 : step->n;
	if (step->how == 3)
		want = EFAULT;
	else if (step->how || !model_lists(fd->file, (int32_t)index, step->n))
		want = EINVAL;
	if (came_to(want, failure(ioctl(fd->number, IOCTL_GNTALLOC_DEALLOC_GREF,
					step->how == 3 ? NULL : &op))))
		model_dealloc(fd->file, index, step->n);
}

void step_notify(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	struct ioctl_gntalloc_unmap_notify op;
	uint32_t index = step_index(step);
	struct page *page;
	int want = 0;

	if (!fd->open)
		return;
	op.index = device_index(index) + cells[step->to];
	op.action = step->how & 3;
	op.event_channel_port = fuzz->port;
	if (step->how >> 2 == 1)
		op.action |= 4;
	if (step->how >> 2 == 2)
		op.event_channel_port = 100000;
	if (!model_lists(fd->file, (int32_t)index, 1))
		want = ENOENT;
	else if (step->how >> 2 == 1)
		want = EINVAL;
	else if (op.action & UNMAP_NOTIFY_CLEAR_BYTE &&
		 fuzz->m.files[fd->file].pages[index].sealed)
		want = EACCES;
	else if (step->how >> 2 == 2 && op.action & UNMAP_NOTIFY_SEND_EVENT)
		want = EINVAL;
	if (!came_to(want,
		     failure(ioctl(fd->number, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY,
				   &op))))
		return;
	page = &fuzz->m.files[fd->file].pages[index];
	page->clear = op.action & UNMAP_NOTIFY_CLEAR_BYTE;
	page->send = op.action & UNMAP_NOTIFY_SEND_EVENT;
	page->clear_cell = (uint8_t)step->to;
}

void step_unshare(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	struct ioctl_gntalloc_unshare op = { 0 };
	uint32_t index = step_index(step);
	int want = 0;

	if (!fd->open)
		return;
	op.index = device_index(index) + (step->how == 1);
	op.count = step->how == 2 ? 0 : step->n;
	op.pad = step->how == 4;
	if (!fuzz->arenas)
		want = ENOTTY;
	else if (step->how == 3)
		want = EFAULT;
	else if (step->how || !is_place(index))
		want = EINVAL;
	else if (!model_owns(fd->file))
		want = EPERM;
	else if (!model_lists(fd->file, index, step->n))
		want = EINVAL;
	if (came_to(want, failure(ioctl(fd->number, IOCTL_GNTALLOC_UNSHARE,
					step->how == 3 ? NULL : &op))))
		model_unshare(fd->file, index, step->n);
}
