// SPDX-License-Identifier: LGPL-2.1-or-later
/* Handles: opening, closing, and what fork does to them. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <xen/gntalloc.h>

#include "internal.h"

#define DEVICE "/dev/xen/gntalloc"

/*
 * All handles of the process, so that fork finds their locks free and their
 * tables whole. handles_lock comes before the lock of any handle.
 */
static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;
static struct gntshr_handle *handles;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static bool fork_handlers;

static void before_fork(void)
{
	struct gntshr_handle *h;

	pthread_mutex_lock(&handles_lock);
	for (h = handles; h; h = h->next)
		pthread_mutex_lock(&h->lock);
}

static void after_fork(bool child)
{
	struct gntshr_handle *h;

	for (h = handles; h; h = h->next) {
		if (child)
			h->forked = true;
		else if (!h->forked)
			gntshr_arenas_retire(h);
		pthread_mutex_unlock(&h->lock);
	}
	pthread_mutex_unlock(&handles_lock);
}

static void after_fork_in_parent(void)
{
	after_fork(false);
}

/* The parent may have been about to say that they are there. */
static void after_fork_in_child(void)
{
	fork_handlers = true;
	after_fork(true);
}

static void register_fork_handlers(void)
{
	if (!fork_handlers)
		fork_handlers = !pthread_atfork(
			before_fork, after_fork_in_parent, after_fork_in_child);
}

/*
 * At load, before other constructors of a static program, not with the first
 * handle: fork calls what was registered last first, so a program's own
 * handlers find our locks free. Its locks come before ours. A library whose
 * constructor comes yet earlier may open a handle there.
 */
__attribute__((constructor(101))) static void at_load(void)
{
	pthread_once(&fork_once, register_fork_handlers);
}

/* With handles_lock held. */
static void list_handle(struct gntshr_handle *h)
{
	h->next = handles;
	if (handles)
		handles->prev = h;
	handles = h;
}

/* The handle at this address, locked; or NULL if none is open there. */
struct gntshr_handle *gntshr_lock_if_open(const void *handle)
{
	struct gntshr_handle *h;

	pthread_mutex_lock(&handles_lock);
	for (h = handles; h && h != handle; h = h->next)
		;
	if (h)
		pthread_mutex_lock(&h->lock);
	pthread_mutex_unlock(&handles_lock);
	return h;
}

/* With handles_lock held. */
static void unlist_handle(struct gntshr_handle *h)
{
	if (h->next)
		h->next->prev = h->prev;
	if (h->prev)
		h->prev->next = h->next;
	else
		handles = h->next;
}

static struct gntshr_handle *alloc_handle(struct xentoollog_logger *logger,
					  unsigned int open_flags)
{
	struct gntshr_handle *h;
	int error;

	if (open_flags & ~GNTSHR_OPEN_UNMAP) {
		gntshr_fail(logger, EINVAL, "open flags %#x are not known",
			    open_flags);
		return NULL;
	}
	if (gntshr_sys_page_size() != GNTSHR_PAGE_SIZE) {
		gntshr_fail(logger, ENOTSUP,
			    "pages of %ld bytes are not supported, only of %u",
			    gntshr_sys_page_size(), GNTSHR_PAGE_SIZE);
		return NULL;
	}

	pthread_once(&fork_once, register_fork_handlers);
	h = fork_handlers ? calloc(1, sizeof(*h)) : NULL;
	if (!h) {
		gntshr_fail(logger, ENOMEM, "no memory for a handle");
		return NULL;
	}
	h->logger = logger;
	h->watched = gntshr_is_watched();
	h->no_arenas = open_flags & GNTSHR_OPEN_UNMAP;
	error = pthread_mutex_init(&h->lock, NULL);
	if (error) {
		free(h);
		gntshr_fail(logger, error, "no lock for a handle");
		return NULL;
	}
	return h;
}

static void free_handle(struct gntshr_handle *h)
{
	pthread_mutex_destroy(&h->lock);
	free(h);
}

gntshr_handle *gntshr_open(struct xentoollog_logger *logger,
			   unsigned int open_flags)
{
	struct gntshr_handle *h = alloc_handle(logger, open_flags);
	int error;

	if (!h)
		return NULL;
	h->fd = gntshr_sys_open(DEVICE, O_RDWR | O_CLOEXEC);
	if (h->fd < 0) {
		error = errno;
		free_handle(h);
		gntshr_explain_open(logger, error);
		return NULL;
	}
	pthread_mutex_lock(&handles_lock);
	list_handle(h);
	pthread_mutex_unlock(&handles_lock);
	return h;
}

/*
 * Is it the device, and may both be done that the library does? Both drivers
 * know these two requests, and refuse them so: there are no pages with these
 * indices. gntdev knows the first one as well.
 */
static int check_device(int fd)
{
	struct ioctl_gntalloc_unmap_notify notify = { .index = UINT64_MAX };
	struct ioctl_gntalloc_dealloc_gref dealloc = { .index = 1, .count = 1 };
	int flags = gntshr_sys_fcntl(fd, F_GETFL, 0);

	if (flags < 0)
		return errno;
	if (!gntshr_sys_ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &notify) ||
	    errno != ENOENT)
		return ENOTTY;
	if (!gntshr_sys_ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc) ||
	    errno != EINVAL)
		return ENOTTY;
	return (flags & O_ACCMODE) == O_RDWR ? 0 : EACCES;
}

/* With handles_lock. Returns 0 or an errno. */
static int adopt(struct gntshr_handle *h, int fd)
{
	struct gntshr_handle *other;
	int error;

	for (other = handles; other; other = other->next)
		if (other->fd == fd)
			return EEXIST;
	error = check_device(fd);
	if (error)
		return error;
	if (gntshr_sys_fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return errno;
	h->fd = fd;
	list_handle(h);
	return 0;
}

gntshr_handle *gntshr_fdopen(struct xentoollog_logger *logger, int fd,
			     unsigned int open_flags)
{
	struct gntshr_handle *h = alloc_handle(logger, open_flags);
	int error;

	if (!h)
		return NULL;
	pthread_mutex_lock(&handles_lock);
	error = adopt(h, fd);
	pthread_mutex_unlock(&handles_lock);
	if (!error)
		return h;
	free_handle(h);
	gntshr_explain_fdopen(logger, error, fd);
	return NULL;
}

int gntshr_refuse_child(struct gntshr_handle *h)
{
	return gntshr_fail(
		h->logger, EPERM,
		"this handle came through fork and can only be closed");
}

static bool is_part(const struct gntshr_mapping *mapping,
		    const struct gntshr_share *share)
{
	size_t before = (uintptr_t)mapping->addr - (uintptr_t)share->addr;
	size_t size = gntshr_share_size(share);

	return before < size && mapping->size <= size - before &&
	       mapping->offset == share->index + before;
}

static bool has_mapping(struct gntshr_handle *h,
			const struct gntshr_mapping *mapping)
{
	struct gntshr_share *share =
		gntshr_table_find(&h->shares, mapping->addr);

	return (share && is_part(mapping, share)) ||
	       gntshr_arenas_have(h, mapping);
}

/*
 * Unmap a copy that a child has, or what is left of an arena that the program
 * unmapped a part of. Some, or all, of a child's were never there if the parent
 * kept them out of it with MADV_DONTFORK. Another handle may have pages in that
 * place, even with the same index.
 */
static int drop_mapping(void *handle, const struct gntshr_mapping *mapping)
{
	struct gntshr_handle *h = handle, *other;
	bool ours = has_mapping(h, mapping);

	for (other = handles; other && ours; other = other->next) {
		if (other == h)
			continue;
		pthread_mutex_lock(&other->lock);
		ours = !has_mapping(other, mapping);
		pthread_mutex_unlock(&other->lock);
	}
	return ours ? gntshr_sys_munmap(mapping->addr, mapping->size) : 0;
}

/*
 * With handles_lock, so that no child gets a handle that is half closed, and
 * copies of shares that it could not end. A thread that was cancelled here, in
 * close() or while it reads /proc, would leave it locked to every later fork.
 */
int gntshr_close(gntshr_handle *h)
{
	int before = errno, error = 0, dropped, cancel;

	if (!h)
		return 0;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&handles_lock);
	if (h->forked && gntshr_sys_mappings(h->fd, drop_mapping, h))
		error = errno;
	dropped = gntshr_drop_shares(h);
	if (!error)
		error = dropped;
	if (h->arenas && gntshr_sys_mappings(h->fd, drop_mapping, h) && !error)
		error = errno;
	gntshr_arenas_forget(h);
	if (gntshr_sys_close(h->fd) && !error)
		error = errno;
	unlist_handle(h);
	pthread_mutex_unlock(&handles_lock);
	free_handle(h);
	pthread_setcancelstate(cancel, NULL);

	errno = error ? error : before;
	return error ? -1 : 0;
}

int gntshr_fd(gntshr_handle *h)
{
	return h->fd;
}
