// SPDX-License-Identifier: LGPL-2.1-or-later
/* Steps about what a descriptor is told, and what it may do. */

#include <errno.h>
#include <poll.h>

#include "asks.h"
#include "fuzz.h"

static bool is_ready(int number)
{
	struct pollfd one = { number, POLLIN, 0 };

	return poll(&one, 1, 0) > 0;
}

/* Only where nothing comes back just now. */
static void check_ready(const struct fd *fd)
{
	const struct file *file = &fuzz->m.files[fd->file];
	bool lingers = file->held + file->kept, ready;

	if (file->unsure || (fuzz->m.maybe && !lingers))
		return;
	ready = is_ready(fd->number);
	if (ready != (file->news && !lingers))
		deviation("poll: %s",
			  ready ? "ready without news" : "not ready");
}

static void check_status(const struct fd *fd,
			 const struct ioctl_gntalloc_status *status)
{
	struct file *file = &fuzz->m.files[fd->file];
	uint32_t listed = 0, spare = 0, held = file->held + file->kept;

	for (uint32_t i = 0; i < LAST_INDEX; i++) {
		listed += file->pages[i].listed;
		spare += file->pages[i].spare;
	}
	if (status->listed != listed || status->spare > spare ||
	    status->lingering < held ||
	    status->lingering > held + model_beside() ||
	    status->returned < file->returned || status->restores ||
	    (!file->news && !file->unsure &&
	     status->returned != file->returned))
		deviation(
			"status: listed %u, spare %u, lingering %u, returned %llu; not %u, %u, %u, %llu",
			status->listed, status->spare, status->lingering,
			(unsigned long long)status->returned, listed, spare,
			held, (unsigned long long)file->returned);
}

void step_status(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	unsigned int kind = grant_kind(step);
	struct ioctl_gntalloc_status status = {
		.flags = (step->how & 1 ? GNTALLOC_STATUS_QUIET : 0) |
			 (kind == GRANT_FLAGS ? 2 : 0),
		.pad = kind == GRANT_PAD,
	};
	struct file *file = &fuzz->m.files[fd->file];
	int want = 0;

	if (!fd->open)
		return;
	if (kind == GRANT_FAULT)
		want = EFAULT;
	else if (kind == GRANT_FLAGS || kind == GRANT_PAD)
		want = EINVAL;
	if (!fuzz->arenas)
		want = ENOTTY;
	else
		check_ready(fd);
	if (!came_to(want,
		     failure(ioctl(fd->number, IOCTL_GNTALLOC_STATUS,
				   kind == GRANT_FAULT ? NULL : &status))))
		return;
	check_status(fd, &status);
	if (!(step->how & 1))
		return check_ready(fd);
	/* What lingers is news when it is back. */
	file->news = status.lingering;
	file->unsure = status.lingering != file->held + file->kept;
	file->returned = status.returned;
	if (!file->unsure && !fuzz->failed && is_ready(fd->number))
		deviation("poll: ready when all is told");
}

/* To @step->to pages. */
void step_restrict(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	struct file *file = &fuzz->m.files[fd->file];
	unsigned int kind = grant_kind(step);
	struct ioctl_gntalloc_restrict op = {
		.pages = kind == GRANT_ZERO ? 0 : step->to,
		.domid = grant_domid(step),
		.pad = kind == GRANT_PAD,
	};
	int want = file->max ? EACCES : 0;

	if (!fd->open)
		return;
	if (kind == GRANT_FAULT)
		want = EFAULT;
	else if (kind == GRANT_DOMID || kind == GRANT_ZERO || kind == GRANT_PAD)
		want = EINVAL;
	if (!fuzz->arenas)
		want = ENOTTY;
	if (!came_to(want, failure(ioctl(fd->number, IOCTL_GNTALLOC_RESTRICT,
					 kind == GRANT_FAULT ? NULL : &op))))
		return;
	file->max = step->to;
	file->only = !!(step->how & GRANT_FOREIGN);
}
