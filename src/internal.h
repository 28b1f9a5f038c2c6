/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library know of each other. */
#ifndef GNTSHR_INTERNAL_H
#define GNTSHR_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All else is hidden by -fvisibility=hidden. */
#pragma GCC visibility push(default)
#include "gntshr.h"
#pragma GCC visibility pop

#define GNTSHR_PAGE_SIZE 4096u
/* The last domid that is a domain: those from 0x7FF0 on have other meanings. */
#define GNTSHR_DOMID_LAST 0x7FEFu

/*
 * One share. It is made whole before it enters the table of its handle, and
 * from then on guarded by the lock of the handle.
 *
 * @index	what the driver knows it by: the offset for mmap
 * @window	where it is mapped; NULL: it has a mapping of its own
 * @ending	a thread is in gntshr_unshare() with it
 * @unlisted	the driver was told to end it, only the mapping is left
 */
struct gntshr_share {
	char *addr;
	uint32_t count;
	uint64_t index;
	struct gntshr_window *window;
	bool ending;
	bool unlisted;
};

/* 4 MiB of addresses, and two page tables at the most. */
#define GNTSHR_WINDOW_PAGES 1024u
#define GNTSHR_WINDOW_SIZE ((size_t)GNTSHR_WINDOW_PAGES * GNTSHR_PAGE_SIZE)

/*
 * A mapping with places for many shares. It lives as long as it is the one of
 * its handle that takes new shares, and after that until the last of them ends;
 * guarded by the lock of the handle.
 *
 * @all		what it spans, as if that were one share
 * @shares	how many are in it
 * @taken	how many ever were
 * @holed	the program unmapped a part, where something else is by now
 * @at		the share that has this page of it, or NULL
 */
struct gntshr_window {
	struct gntshr_share all;
	unsigned int shares, taken;
	bool holed;
	struct gntshr_share *at[GNTSHR_WINDOW_PAGES];
};

/* So many peers are kept in mind, if their numbers do not lie far apart. */
#define GNTSHR_OTHERS 64u

/*
 * @lock	guards the table, what is in it, and what is said of windows
 * @shares	those with a mapping of their own, a tree of tsearch(3)
 * @window	the newest window, which takes new shares, or NULL
 * @windows	the others, another such tree
 * @no_windows	the driver has none, or they are not wanted
 * @alone	so many small shares get no window
 * @has_shared	there was a share before
 * @forked	this is a child's copy of the handle; set by fork, then constant
 * @others	domids, plus 1, that were found not to be that of this domain:
 *		the last one of each remainder; without the lock
 * @next, @prev	the list of all handles, guarded by its own lock (handle.c)
 */
struct gntshr_handle {
	int fd;
	struct xentoollog_logger *logger;
	pthread_mutex_t lock;
	void *shares, *windows;
	struct gntshr_window *window;
	bool no_windows, has_shared;
	unsigned int alone;
	bool forked;
	_Atomic uint16_t others[GNTSHR_OTHERS];
	struct gntshr_handle *next, *prev;
};

/* A mapping of the device, or what is left of one. */
struct gntshr_mapping {
	char *addr;
	size_t size;
	uint64_t offset;
};
typedef int gntshr_mapping_fn(void *arg, const struct gntshr_mapping *mapping);

static inline size_t gntshr_share_size(const struct gntshr_share *share)
{
	return (size_t)share->count * GNTSHR_PAGE_SIZE;
}

/* table.c: which addresses belong to which share; with the lock held */
int gntshr_table_add(struct gntshr_handle *h, struct gntshr_share *share);
void gntshr_table_remove(struct gntshr_handle *h, struct gntshr_share *share);
struct gntshr_share *gntshr_table_find(struct gntshr_handle *h,
				       const void *addr);
struct gntshr_share *gntshr_table_overlap(struct gntshr_handle *h,
					  const struct gntshr_share *key);
struct gntshr_share *gntshr_table_any(struct gntshr_handle *h);
int gntshr_table_add_window(struct gntshr_handle *h,
			    struct gntshr_window *window);
void gntshr_table_remove_window(struct gntshr_handle *h,
				struct gntshr_window *window);
struct gntshr_window *gntshr_table_find_window(struct gntshr_handle *h,
					       const char *addr);
struct gntshr_window *gntshr_table_any_window(struct gntshr_handle *h);

/* window.c: with the lock held */
int gntshr_window_take(struct gntshr_handle *h, struct gntshr_share *share);
int gntshr_window_map(struct gntshr_handle *h, struct gntshr_window *window,
		      struct gntshr_share *share);
void gntshr_window_leave(struct gntshr_handle *h, struct gntshr_share *share);
int gntshr_window_end(struct gntshr_handle *h, struct gntshr_window *window);

/* domid.c */
bool gntshr_cpuid_domid(uint32_t *domid);

/* handle.c */
int gntshr_check_owner(struct gntshr_handle *h);

/* unshare.c */
int gntshr_dealloc(struct gntshr_handle *h, const struct gntshr_share *share);
void gntshr_end_stale(struct gntshr_handle *h,
		      const struct gntshr_share *share);
int gntshr_drop_shares(struct gntshr_handle *h);

/* reason.c: errors in words */
int gntshr_fail(struct xentoollog_logger *logger, int error, const char *format,
		...) __attribute__((format(printf, 3, 4)));
const char *gntshr_hint(int error);
void gntshr_explain_open(struct xentoollog_logger *logger, int error);
void gntshr_explain_notify(struct gntshr_handle *h, int error,
			   unsigned int action, uint32_t port);
void gntshr_explain_alloc(struct gntshr_handle *h, int error, uint32_t count,
			  unsigned int action, uint32_t port);

/*
 * sys.c: all that leaves the process. They return as the system calls do;
 * unit tests put others in their place.
 */
int gntshr_sys_open(const char *path, int flags);
int gntshr_sys_close(int fd);
int gntshr_sys_ioctl(int fd, unsigned long request, void *arg);
void *gntshr_sys_mmap(int fd, size_t size, uint64_t offset);
int gntshr_sys_munmap(void *addr, size_t size);
int gntshr_sys_empty(void *addr, size_t size);
int gntshr_sys_mappings(int fd, gntshr_mapping_fn *found, void *arg);
long gntshr_sys_page_size(void);
bool gntshr_sys_exists(const char *path);
int gntshr_sys_parameter(const char *name, unsigned long *value);
int gntshr_sys_grant_frames(uint32_t *used, uint32_t *max);
bool gntshr_sys_cpuid(uint32_t leaf, uint32_t regs[4]);
bool gntshr_sys_is_pv(void);

#endif
