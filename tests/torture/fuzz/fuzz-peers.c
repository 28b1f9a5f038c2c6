// SPDX-License-Identifier: LGPL-2.1-or-later
/* Steps about who has grants of a page, and about memory of the processes. */

#include <errno.h>
#include <string.h>

#include "asks.h"
#include "fuzz.h"

static uint32_t refs[MAX_COUNT];

static uint16_t flags_of(const struct step *step)
{
	return (uint16_t)((step->how & 1) |
			  (grant_kind(step) == GRANT_FLAGS ? 2 : 0));
}

static uint64_t refs_of(const struct step *step)
{
	return grant_kind(step) == GRANT_REFS ? 8 : (uintptr_t)refs;
}

static uint32_t count_of(const struct step *step)
{
	return grant_kind(step) == GRANT_ZERO ? 0 : step->n;
}

/* Of what is looked at before anything is tried. */
static int argument_error(const struct step *step, const struct file *file)
{
	if (!fuzz->arenas)
		return ENOTTY;
	switch (grant_kind(step)) {
	case GRANT_FAULT:
		return EFAULT;
	case GRANT_FLAGS:
	case GRANT_DOMID:
	case GRANT_ZERO:
	case GRANT_CROOKED:
		return EINVAL;
	}
	if (file->max && file->only != !!(step->how & GRANT_FOREIGN))
		return EACCES;
	return 0;
}

/* References that no other page has. */
static bool are_new(const struct step *step)
{
	for (unsigned int i = 0; i < step->n; i++)
		if (!refs[i] || refs[i] >= REFS || fuzz->m.owned[refs[i]]) {
			deviation("grant: reference %u is used by another page",
				  refs[i]);
			return false;
		}
	return true;
}

static struct page grant_of(const struct step *step, unsigned int i)
{
	return (struct page){ .ref = refs[i],
			      .writable = step->how & 1,
			      .foreign = !!(step->how & GRANT_FOREIGN) };
}

/* ---- indices of their own ---- */

static bool has_indices(const struct step *step, const struct fd *fd)
{
	const struct file *file = &fuzz->m.files[fd->file];

	return fd->open && file->next + file->lost + step->n <= INDICES &&
	       step->n <= MAX_COUNT;
}

static bool is_new_index(const struct step *step, const struct file *file,
			 uint64_t index)
{
	if (!(index % PAGE) && index / PAGE >= file->next &&
	    index / PAGE + step->n <= INDICES)
		return true;
	deviation("grant: index %#llx, used so far are %#llx",
		  (unsigned long long)index,
		  (unsigned long long)file->next * PAGE);
	return false;
}

/* They have the number @step->at. */
static void new_label(const struct step *step, const struct fd *fd,
		      uint32_t index)
{
	fuzz->m.labels[step->at % LABELS] =
		(struct label){ true, fd->file, step->n, index };
	fuzz->m.labels_used = (uint8_t)(step->at + 1);
}

/* One that failed may have taken indices. */
static void finish_new(const struct step *step, const struct fd *fd, int got)
{
	if (got && got != ENOTTY)
		fuzz->m.files[fd->file].lost += step->n;
}

static int add_peer_error(const struct step *step, const struct fd *fd,
			  uint32_t index, int got)
{
	const struct file *file = &fuzz->m.files[fd->file];
	int error = argument_error(step, file);

	if (error)
		return error;
	error = model_room_error(fd->file, step->n, got);
	if (error)
		return error;
	if (grant_kind(step) == GRANT_REFS)
		return EFAULT;
	if (!model_lists(fd->file, (int32_t)index, step->n))
		return EINVAL;
	if (step->how & 1 && model_sealed(fd->file, index, step->n))
		return EACCES;
	for (unsigned int i = 0; i < step->n; i++) {
		const struct page *page = &file->pages[index + i];

		if (!page->nobody &&
		    page->foreign == !!(step->how & GRANT_FOREIGN))
			return EEXIST;
	}
	return 0;
}

void step_add_peer(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	struct file *file = &fuzz->m.files[fd->file];
	uint32_t index = step_index(step), to;
	struct ioctl_gntalloc_add_peer op = {
		.index = device_index(index) +
			 (grant_kind(step) == GRANT_CROOKED),
		.refs = refs_of(step),
		.count = count_of(step),
		.domid = grant_domid(step),
		.flags = flags_of(step),
	};
	bool sealed;
	int got;

	if (!has_indices(step, fd))
		return;
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_ADD_PEER,
			    grant_kind(step) == GRANT_FAULT ? NULL : &op));
	if (!came_to(add_peer_error(step, fd, index, got), got))
		return finish_new(step, fd, got);
	if (!are_new(step) || !is_new_index(step, file, op.peer_index))
		return;
	to = (uint32_t)(op.peer_index / PAGE);
	sealed = model_sealed(fd->file, index, step->n);
	for (unsigned int i = 0; i < step->n; i++) {
		struct page page = grant_of(step, i);

		page.kind = LENT;
		page.sealed = sealed;
		page.content = file->pages[index + i].content;
		model_new_grant(fd->file, to + i, &page);
	}
	new_label(step, fd, to);
}

/* ---- memory ---- */

static int memory_error(const struct step *step, const struct fd *fd, int got)
{
	int error = argument_error(step, &fuzz->m.files[fd->file]);

	if (!error)
		error = model_room_error(fd->file, step->n, got);
	if (!error &&
	    (grant_kind(step) == GRANT_REFS || step->to + step->n > MEMORY))
		error = EFAULT;
	return error;
}

static unsigned int first_cell(unsigned int at)
{
	return at % CELLS;
}

/* What the owner writes before, the peer sees. */
static void write_memory(unsigned int at)
{
	unsigned int c = first_cell(at);

	if (at >= MEMORY)
		return;
	fuzz->m.contents[1 + at].bytes[c] = ++fuzz->m.tag;
	memory_page(at)[cells[c]] = fuzz->m.tag;
}

void step_memory(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	struct file *file = &fuzz->m.files[fd->file];
	unsigned int at = step->to + (step->how & 1 ? 0 : READ_ONLY);
	struct ioctl_gntalloc_share_memory op = {
		.addr = (uintptr_t)memory_page(at) +
			(grant_kind(step) == GRANT_CROOKED),
		.refs = refs_of(step),
		.count = count_of(step),
		.domid = grant_domid(step),
		.flags = flags_of(step),
	};
	uint32_t index;
	int got;

	if (!has_indices(step, fd))
		return;
	write_memory(step->to);
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_SHARE_MEMORY,
			    grant_kind(step) == GRANT_FAULT ? NULL : &op));
	if (!came_to(memory_error(step, fd, got), got))
		return finish_new(step, fd, got);
	if (!are_new(step) || !is_new_index(step, file, op.index))
		return;
	index = (uint32_t)(op.index / PAGE);
	for (unsigned int i = 0; i < step->n; i++) {
		struct page page = grant_of(step, i);

		page.kind = PINNED;
		page.mm = (uint16_t)self()->mm;
		/* It is asked for where it may only be read, then. */
		page.sealed = !page.writable;
		page.content = 1 + step->to + i;
		model_new_grant(fd->file, index + i, &page);
	}
	new_label(step, fd, index);
}

void check_memory(void)
{
	uint32_t pinned = model_pinned();
	long got = pinned_pages();

	for (unsigned int at = 0; at < MEMORY && !fuzz->failed; at++)
		for (int c = 0; c < CELLS; c++)
			if (memory_page(at)[cells[c]] !=
			    fuzz->m.contents[1 + at].bytes[c])
				deviation(
					"bytes: memory %u, byte %u is %u, not %u",
					at, cells[c], memory_page(at)[cells[c]],
					fuzz->m.contents[1 + at].bytes[c]);
	if (got < (long)pinned || got > (long)(pinned + fuzz->m.maybe))
		deviation("pinned: %ld pages, not %u to %u", got, pinned,
			  pinned + fuzz->m.maybe);
}

/* ---- grants that end while the page stays ---- */

static int renew_error(const struct step *step, const struct fd *fd,
		       uint32_t index, int got)
{
	int error = argument_error(step, &fuzz->m.files[fd->file]);

	if (!error)
		error = model_room_error(fd->file, step->n, got);
	if (!error && grant_kind(step) == GRANT_REFS)
		error = EFAULT;
	if (!error && !model_lists(fd->file, (int32_t)index, step->n))
		error = EINVAL;
	if (!error && step->how & 1 && model_sealed(fd->file, index, step->n))
		error = EACCES;
	return error;
}

void step_renew(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	uint32_t index = step_index(step);
	struct ioctl_gntalloc_renew op = {
		.index = device_index(index) +
			 (grant_kind(step) == GRANT_CROOKED),
		.refs = refs_of(step),
		.count = count_of(step),
		.domid = grant_domid(step),
		.flags = flags_of(step),
	};
	int got;

	if (!fd->open || step->n > MAX_COUNT)
		return;
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_RENEW,
			    grant_kind(step) == GRANT_FAULT ? NULL : &op));
	if (!came_to(renew_error(step, fd, index, got), got) || !are_new(step))
		return;
	for (unsigned int i = 0; i < step->n; i++) {
		struct page grant = grant_of(step, i);

		model_renew(fd->file, index + i, &grant);
	}
}

static int revoke_error(const struct step *step, const struct fd *fd,
			uint32_t index)
{
	const struct file *file = &fuzz->m.files[fd->file];
	unsigned int kind = grant_kind(step);

	if (!fuzz->arenas)
		return ENOTTY;
	if (kind == GRANT_FAULT)
		return EFAULT;
	if (kind == GRANT_ZERO || kind == GRANT_CROOKED || kind == GRANT_PAD ||
	    kind == GRANT_DOMID ||
	    !model_lists(fd->file, (int32_t)index, step->n))
		return EINVAL;
	for (unsigned int i = 0; i < step->n; i++)
		if (file->pages[index + i].nobody ||
		    file->pages[index + i].foreign !=
			    !!(step->how & GRANT_FOREIGN))
			return EINVAL;
	return 0;
}

void step_revoke(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	uint32_t index = step_index(step);
	struct ioctl_gntalloc_revoke op = {
		.index = device_index(index) +
			 (grant_kind(step) == GRANT_CROOKED),
		.count = count_of(step),
		.domid = grant_domid(step),
		.pad = grant_kind(step) == GRANT_PAD,
	};
	int got;

	if (!fd->open)
		return;
	got = failure(ioctl(fd->number, IOCTL_GNTALLOC_REVOKE,
			    grant_kind(step) == GRANT_FAULT ? NULL : &op));
	if (!came_to(revoke_error(step, fd, index), got))
		return;
	for (unsigned int i = 0; i < step->n; i++)
		model_revoke(fd->file, index + i);
}
