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

struct ioctl_gntalloc_alloc_gref;
struct ioctl_gntalloc_add_peer;

#define GNTSHR_PAGE_SIZE 4096u
/* The last domid that is a domain: those from 0x7FF0 on have other meanings. */
#define GNTSHR_DOMID_LAST 0x7FEFu

/*
 * One share with a mapping of its own, or of the caller's memory. It is made
 * whole before it enters a table of its handle, or found whole there, as all of
 * it is guarded by the lock of the handle.
 *
 * @index	what the driver knows it by, for mmap the offset
 * @unlisted	the driver was told to end it, only the mapping is left
 */
struct gntshr_share {
	char *addr;
	uint32_t count;
	uint64_t index;
	bool unlisted;
};

/*
 * A domain that pages were granted to once they were shared with another one;
 * there while it has such grants.
 *
 * @grants	a tree of tsearch(3), see grants.c
 */
struct gntshr_peer {
	struct gntshr_peer *next;
	uint32_t domid;
	void *grants;
};

/* A place's number plus 1; 0 for none. */
struct gntshr_links {
	uint32_t prev, next;
};

/* Free runs of places are sorted by their length, more finely up to 15. */
#define GNTSHR_CLASSES 224u
#define GNTSHR_CLASS_WORDS ((GNTSHR_CLASSES + 63) / 64)

/*
 * One mapping with places for many shares; guarded by the lock of the handle.
 * The places up to @used are runs, each one share or free; see arena.c.
 *
 * @index	of the first place
 * @places	how many it has
 * @used	places from here on had no share yet
 * @shares	how many are in it
 * @resting	the first place of the share that ended last, if
 *		@resting_count is not 0
 * @forked	a child has a copy of it: it takes no new shares
 * @holed	nor does this one, as the program unmapped a part, where
 *		something else may be by now
 * @filled	a bit for each class that has runs
 * @runs	a list for each class: a place's number plus 1, or 0
 * @links	of the first place of each free run
 * @tags	what each place is
 */
struct gntshr_arena {
	struct gntshr_arena *next;
	char *addr;
	uint64_t index;
	uint32_t places, used, shares;
	uint32_t resting, resting_count;
	bool forked, holed;
	uint64_t filled[GNTSHR_CLASS_WORDS];
	uint32_t runs[GNTSHR_CLASSES];
	struct gntshr_links *links;
	uint32_t tags[];
};

/* A share in an arena, or places for one. */
struct gntshr_slot {
	struct gntshr_arena *arena;
	uint32_t first, count;
};

/* The longest run that a tag can tell of. */
#define GNTSHR_PLACES_MAX ((1u << 29) - 1)

/* What a place is; a tag has it above the length of the run, or the way. */
enum gntshr_kind {
	GNTSHR_NOTHING,
	GNTSHR_FREE,	 /* the first or the last place of a free run */
	GNTSHR_RESTING,	 /* the first place of a share that just ended */
	GNTSHR_INSIDE,	 /* a place of a share, so far behind its first one */
	GNTSHR_SHARED,	 /* the first place of a share */
	GNTSHR_UNLISTED, /* the first place of a share that is only mapped */
	GNTSHR_GONE,	 /* the first place of a run that was unmapped */
};

/* So many peers are kept in mind, if their numbers do not lie far apart. */
#define GNTSHR_OTHERS 64u

/*
 * @lock	guards the table, what is in it, and the arenas
 * @shares	those with a mapping of their own, a tree of tsearch(3)
 * @memory	those of the caller's memory, another one; they last until they
 *		are named, for the program may have unmapped the memory
 * @peers	added ones, in no order
 * @arenas	the newest first
 * @next_place	in the next arena, unless held
 * @no_arenas	the driver has none, or they are not wanted
 * @held	a share is its mapping, whatever ends that: the driver does not
 *		list it, and there is no table; for compat/
 * @strays	pages of a held handle may be spare that no arena of it has:
 *		children keep them, or a request that failed left them
 * @alone	so many shares try to get no new arena
 * @watched	memcheck or MemorySanitizer wants to know of what is written
 * @has_shared	there was a share before
 * @forked	this is a child's copy of the handle; set by fork, then constant
 * @others	domids, plus 1, that were found not to be that of this domain:
 *		the last one of each remainder; without the lock, and relaxed,
 *		as nothing else is read because of one
 * @next, @prev	the list of all handles, guarded by its own lock (handle.c)
 */
struct gntshr_handle {
	int fd;
	struct xentoollog_logger *logger;
	pthread_mutex_t lock;
	void *shares, *memory;
	struct gntshr_peer *peers;
	struct gntshr_arena *arenas;
	uint64_t next_place;
	bool no_arenas, held, strays, watched, has_shared;
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

static inline size_t gntshr_slot_size(const struct gntshr_slot *slot)
{
	return (size_t)slot->count * GNTSHR_PAGE_SIZE;
}

static inline char *gntshr_slot_addr(const struct gntshr_slot *slot)
{
	return slot->arena->addr + (size_t)slot->first * GNTSHR_PAGE_SIZE;
}

static inline uint64_t gntshr_slot_index(const struct gntshr_slot *slot)
{
	return slot->arena->index + (uint64_t)slot->first * GNTSHR_PAGE_SIZE;
}

/* table.c: which addresses belong to which share; with the lock held */
int gntshr_table_add(void **table, struct gntshr_share *share);
void gntshr_table_remove(void **table, struct gntshr_share *share);
struct gntshr_share *gntshr_table_find(void **table, const void *addr);
struct gntshr_share *gntshr_table_overlap(void **table, char *addr,
					  size_t size);
struct gntshr_share *gntshr_table_any(void **table);

static inline size_t gntshr_arena_size(const struct gntshr_arena *arena)
{
	return (size_t)arena->places * GNTSHR_PAGE_SIZE;
}

/* Whether it takes new shares. */
static inline bool gntshr_arena_takes(const struct gntshr_arena *arena)
{
	return !arena->forked && !arena->holed;
}

static inline uint32_t gntshr_place_at(const struct gntshr_arena *arena,
				       const char *addr)
{
	return (uint32_t)((size_t)(addr - arena->addr) / GNTSHR_PAGE_SIZE);
}

static inline char *gntshr_place_addr(const struct gntshr_arena *arena,
				      uint32_t place)
{
	return arena->addr + (size_t)place * GNTSHR_PAGE_SIZE;
}

/*
 * Whether shares end by unmapping that part of it: a child has copies of the
 * pages, and what it has shall stay. In a hole is nothing to unmap.
 */
static inline bool gntshr_arena_is_parted(const struct gntshr_arena *arena)
{
	return arena->forked && !arena->holed;
}

/* arena.c: with the lock held */
char *gntshr_arena_share(struct gntshr_handle *h,
			 struct ioctl_gntalloc_alloc_gref *op, bool unlisted,
			 bool *alone);
bool gntshr_arena_find(struct gntshr_handle *h, const char *addr,
		       struct gntshr_slot *slot);
bool gntshr_arena_find_exact(struct gntshr_handle *h, const char *addr,
			     uint32_t count, struct gntshr_slot *slot);
int gntshr_arena_unshare(struct gntshr_handle *h, const char *addr,
			 uint32_t count);
int gntshr_arena_end_share(struct gntshr_handle *h, struct gntshr_slot *slot);
void gntshr_places_leave(const struct gntshr_slot *slot);
enum gntshr_kind gntshr_places_run(struct gntshr_slot *slot);
enum gntshr_kind gntshr_places_kind(struct gntshr_slot *slot, uint32_t place);
void gntshr_places_mark(const struct gntshr_slot *slot, enum gntshr_kind kind);

/* arena-end.c: with the lock held */
bool gntshr_arena_make(struct gntshr_handle *h, struct gntshr_slot *slot);
int gntshr_arena_part(struct gntshr_handle *h, struct gntshr_slot *slot);
void gntshr_arenas_end_stale(struct gntshr_handle *h, const char *addr,
			     size_t size);
bool gntshr_arenas_have(struct gntshr_handle *h,
			const struct gntshr_mapping *mapping);
bool gntshr_arena_has(const struct gntshr_arena *arena,
		      const struct gntshr_mapping *mapping);
int gntshr_unmap(char *begin, const char *end);
int gntshr_arena_unmap_rest(struct gntshr_arena *arena, enum gntshr_kind stays);
void gntshr_arenas_retire(struct gntshr_handle *h);
int gntshr_arenas_end(struct gntshr_handle *h);
void gntshr_arenas_forget(struct gntshr_handle *h);

/* arena-held.c: with the lock held */
uint64_t gntshr_held_places(uint64_t count);
bool gntshr_arenas_are_whole(struct gntshr_handle *h);
bool gntshr_arena_has_ended(struct gntshr_handle *h, const char *addr,
			    uint32_t count);
void gntshr_arenas_leave(struct gntshr_handle *h);

/* domid.c */
bool gntshr_cpuid_domid(uint32_t *domid);

/* handle.c */
struct gntshr_handle *gntshr_lock_if_open(const void *handle);
int gntshr_refuse_child(struct gntshr_handle *h);

/* In a child of the process that opened the handle nothing may be done. */
static inline int gntshr_check_owner(struct gntshr_handle *h)
{
	return h->forked ? gntshr_refuse_child(h) : 0;
}

/* check.c */
int gntshr_check_domid(struct gntshr_handle *h, uint32_t domid);
int gntshr_check_grant_slowly(struct gntshr_handle *h, uint32_t domid,
			      uint32_t count, const uint32_t *refs,
			      unsigned int flags);

/* May this domain be granted pages, as some calls before found out? */
static inline bool gntshr_is_known_peer(struct gntshr_handle *h, uint32_t domid)
{
	return atomic_load_explicit(&h->others[domid % GNTSHR_OTHERS],
				    memory_order_relaxed) ==
	       domid + UINT64_C(1);
}

/* What all calls that grant have in common, at once if nothing is wrong. */
static inline int gntshr_check_grant(struct gntshr_handle *h, uint32_t domid,
				     uint32_t count, const uint32_t *refs,
				     unsigned int flags)
{
	if (!h->forked && gntshr_is_known_peer(h, domid) && count &&
	    (uint64_t)count * GNTSHR_PAGE_SIZE <= PTRDIFF_MAX && refs &&
	    !(flags & ~GNTSHR_WRITABLE))
		return 0;
	return gntshr_check_grant_slowly(h, domid, count, refs, flags);
}

int gntshr_check_action(struct gntshr_handle *h, unsigned int action);

/* share.c */
bool gntshr_is_watched(void);
void gntshr_declare_written(const void *addr, size_t size);
void gntshr_give_refs(struct gntshr_handle *h, uint32_t *refs,
		      const uint32_t *new_refs, uint32_t count);
int gntshr_set_notify(struct gntshr_handle *h, uint64_t index,
		      unsigned int action, uint32_t port);

/* find.c: with the lock held */
bool gntshr_find(struct gntshr_handle *h, const char *addr,
		 struct gntshr_share *share);
bool gntshr_find_exact(struct gntshr_handle *h, const char *addr,
		       uint32_t count, struct gntshr_share *share);
bool gntshr_find_pages(struct gntshr_handle *h, const char *addr,
		       uint32_t count, uint64_t *index);

/* grants.c: of added peers; with the lock held */
bool gntshr_grants_any(struct gntshr_handle *h, uint32_t domid, uint64_t page,
		       uint32_t count);
uint32_t gntshr_grants_count(struct gntshr_handle *h, uint32_t domid,
			     uint64_t page, uint32_t count);
bool gntshr_grants_index(struct gntshr_handle *h, uint32_t domid, uint64_t byte,
			 uint64_t *index);
int gntshr_grants_add(struct gntshr_handle *h,
		      struct ioctl_gntalloc_add_peer *op);
int gntshr_grants_remove(struct gntshr_handle *h, uint32_t domid, uint64_t page,
			 uint32_t count);
int gntshr_grants_end(struct gntshr_handle *h, uint64_t page, uint32_t count);
void gntshr_grants_end_stale(struct gntshr_handle *h, uint64_t page,
			     uint32_t count);
int gntshr_grants_drop(struct gntshr_handle *h);

/* memory.c: with the lock held */
void *gntshr_map(struct gntshr_handle *h, size_t size, uint64_t index);
int gntshr_memory_unshare(struct gntshr_handle *h, const char *addr,
			  uint32_t count);
int gntshr_memory_drop(struct gntshr_handle *h);

/* unshare.c */
int gntshr_dealloc(struct gntshr_handle *h, uint64_t index, uint32_t count);
int gntshr_ask(struct gntshr_handle *h, unsigned long request, void *op);
void gntshr_end_stale(struct gntshr_handle *h, char *addr, size_t size);
int gntshr_drop_shares(struct gntshr_handle *h);

/* reason.c: errors in words */
int gntshr_fail(struct xentoollog_logger *logger, int error, const char *format,
		...) __attribute__((format(printf, 3, 4)));
const char *gntshr_hint(int error);
void gntshr_explain_open(struct xentoollog_logger *logger, int error);
void gntshr_explain_fdopen(struct xentoollog_logger *logger, int error, int fd);
void gntshr_explain_notify(struct gntshr_handle *h, int error,
			   unsigned int action, uint32_t port);
void gntshr_explain_alloc(struct gntshr_handle *h, int error, uint32_t count,
			  unsigned int action, uint32_t port);
void gntshr_explain_memory(struct gntshr_handle *h, int error, uint32_t count,
			   const void *addr);

/*
 * sys.c: all that leaves the process. They return as the system calls do;
 * unit tests put others in their place.
 */
int gntshr_sys_open(const char *path, int flags);
int gntshr_sys_close(int fd);
int gntshr_sys_ioctl(int fd, unsigned long request, void *arg);
int gntshr_sys_fcntl(int fd, int command, int arg);
int gntshr_sys_poll(int fd, short events, int timeout_ms);
int64_t gntshr_sys_now_ms(void);
void *gntshr_sys_mmap(void *hint, int fd, size_t size, uint64_t offset);
int gntshr_sys_munmap(void *addr, size_t size);
int gntshr_sys_mappings(int fd, gntshr_mapping_fn *found, void *arg);
long gntshr_sys_page_size(void);
bool gntshr_sys_exists(const char *path);
int gntshr_sys_parameter(const char *name, unsigned long *value);
int gntshr_sys_grant_frames(uint32_t *used, uint32_t *max);
bool gntshr_sys_cpuid(uint32_t leaf, uint32_t regs[4]);
bool gntshr_sys_is_pv(void);

#endif
