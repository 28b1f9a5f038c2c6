// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Arenas: shares that lie in one mapping, whose pages stay when they end and
 * serve those that come next. To make pages and mappings costs several times
 * what all else about a share does.
 *
 * What was unshared most likely left its pages in their places, so a share goes
 * where the last one ended, if that was as large; to the shortest free run that
 * has room, to its begin; to the free run at the end of what was used, and what
 * lies behind; and only then to places that had no page yet. That the driver
 * may have taken pages back in the meantime makes a share dearer, never wrong.
 *
 * The first place of a run has a tag with its length. The last place of a free
 * one has it, too: what becomes free finds its neighbours and is one run with
 * them. Of a share the last place, and one of each MILESTONE places, has the
 * way to the first. What all other tags say is out of date, but that a share
 * begins there they do not say.
 */

#include <errno.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "xen-gntalloc.h"

/* The first share of a handle is often the only one. */
#define SMALL 64u
/* Of a class where not every run is long enough only so many are looked at. */
#define LOOK 8
#define KIND_SHIFT 29
#define MILESTONE 16u

static uint32_t tag_of(enum gntshr_kind kind, uint32_t n)
{
	return (uint32_t)kind << KIND_SHIFT | n;
}

static enum gntshr_kind kind_of(uint32_t tag)
{
	return (enum gntshr_kind)(tag >> KIND_SHIFT);
}

static uint32_t length_of(uint32_t tag)
{
	return tag & GNTSHR_PLACES_MAX;
}

/* Eight classes for each power of two. */
static unsigned int class_of(uint32_t length)
{
	unsigned int log;

	if (length < 8)
		return length;
	log = 31 - (unsigned int)__builtin_clz(length);
	return 8 * (log - 3) + (length >> (log - 3));
}

static inline void insert(struct gntshr_arena *arena, uint32_t first,
			  uint32_t length)
{
	unsigned int class = class_of(length);
	uint32_t next = arena->runs[class];

	arena->tags[first] = tag_of(GNTSHR_FREE, length);
	arena->tags[first + length - 1] = tag_of(GNTSHR_FREE, length);
	arena->links[first] = (struct gntshr_links){ .next = next };
	if (next)
		arena->links[next - 1].prev = first + 1;
	arena->runs[class] = first + 1;
	arena->filled[class / 64] |= 1ull << class % 64;
}

static inline void take_out(struct gntshr_arena *arena, uint32_t first,
			    uint32_t length)
{
	struct gntshr_links links = arena->links[first];
	unsigned int class = class_of(length);

	if (links.next)
		arena->links[links.next - 1].prev = links.prev;
	if (links.prev)
		arena->links[links.prev - 1].next = links.next;
	else
		arena->runs[class] = links.next;
	if (!arena->runs[class])
		arena->filled[class / 64] &= ~(1ull << class % 64);
}

/* The first class from @class on that has runs. */
static unsigned int filled_from(const struct gntshr_arena *arena,
				unsigned int class)
{
	unsigned int word = class / 64;
	uint64_t bits;

	if (class >= GNTSHR_CLASSES)
		return GNTSHR_CLASSES;
	bits = arena->filled[word] & ~0ull << class % 64;
	while (!bits && ++word < GNTSHR_CLASS_WORDS)
		bits = arena->filled[word];
	return bits ? word * 64 + (unsigned int)__builtin_ctzll(bits)
		    : GNTSHR_CLASSES;
}

/* A free run of @count places at least: its first place plus 1, or 0. */
static uint32_t find_run(const struct gntshr_arena *arena, uint32_t count)
{
	unsigned int class = class_of(count), look = LOOK;
	uint32_t run;

	for (run = arena->runs[class]; run && look;
	     run = arena->links[run - 1].next, look--)
		if (length_of(arena->tags[run - 1]) >= count)
			return run;
	class = filled_from(arena, class + 1);
	return class < GNTSHR_CLASSES ? arena->runs[class] : 0;
}

/* The places of a share that ended become free. */
void gntshr_places_leave(const struct gntshr_slot *slot)
{
	struct gntshr_arena *arena = slot->arena;
	uint32_t first = slot->first, end = first + slot->count, length;

	arena->tags[first] = 0;
	if (end < arena->used && kind_of(arena->tags[end]) == GNTSHR_FREE) {
		length = length_of(arena->tags[end]);
		take_out(arena, end, length);
		end += length;
	}
	if (first && kind_of(arena->tags[first - 1]) == GNTSHR_FREE) {
		length = length_of(arena->tags[first - 1]);
		first -= length;
		take_out(arena, first, length);
	}
	insert(arena, first, end - first);
}

static void wake(struct gntshr_arena *arena)
{
	struct gntshr_slot slot = { arena, arena->resting,
				    arena->resting_count };

	gntshr_places_leave(&slot);
	arena->resting_count = 0;
}

/* A share ended, and its places wait for one that is just as large. */
static inline void rest(const struct gntshr_slot *slot)
{
	struct gntshr_arena *arena = slot->arena;

	if (arena->resting_count)
		wake(arena);
	arena->resting = slot->first;
	arena->resting_count = slot->count;
	arena->tags[slot->first] = tag_of(GNTSHR_RESTING, slot->count);
	arena->shares--;
}

/* A place for @slot where pages are likely. */
static inline bool find_free(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	struct gntshr_arena *arena;
	uint32_t run;

	for (arena = h->arenas; arena; arena = arena->next) {
		if (!gntshr_arena_takes(arena))
			continue;
		slot->arena = arena;
		slot->first = arena->resting;
		if (arena->resting_count == slot->count)
			return true;
		if (arena->resting_count)
			wake(arena);
		run = find_run(arena, slot->count);
		slot->first = run - 1;
		if (run)
			return true;
	}
	return false;
}

/*
 * A place for @slot in what was not used yet, together with the free run before
 * that, if there is one.
 */
static bool find_unused(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	struct gntshr_arena *arena;
	uint32_t first;

	for (arena = h->arenas; arena; arena = arena->next) {
		if (!gntshr_arena_takes(arena))
			continue;
		first = arena->used;
		if (first && kind_of(arena->tags[first - 1]) == GNTSHR_FREE)
			first -= length_of(arena->tags[first - 1]);
		if (slot->count > arena->places - first)
			continue;
		slot->arena = arena;
		slot->first = first;
		return true;
	}
	return false;
}

/* Take places of @slot's out of the free runs, and say what they are. */
static void carve(const struct gntshr_slot *slot)
{
	struct gntshr_arena *arena = slot->arena;
	uint32_t first = slot->first, end = first + slot->count, i;

	if (first < arena->used) {
		uint32_t length = length_of(arena->tags[first]);

		take_out(arena, first, length);
		if (length > slot->count)
			insert(arena, end, length - slot->count);
	}
	if (end > arena->used)
		arena->used = end;
	for (i = (first | (MILESTONE - 1)) + 1; i < end; i += MILESTONE)
		arena->tags[i] = tag_of(GNTSHR_INSIDE, i - first);
	arena->tags[end - 1] = tag_of(GNTSHR_INSIDE, end - 1 - first);
}

/* Enter a share in places that were found for it. */
static inline void take(const struct gntshr_slot *slot)
{
	struct gntshr_arena *arena = slot->arena;

	if (arena->resting_count)
		arena->resting_count = 0;
	else
		carve(slot);
	arena->tags[slot->first] = tag_of(GNTSHR_SHARED, slot->count);
	arena->shares++;
}

/* The run that begins at @slot->first. */
enum gntshr_kind gntshr_places_run(struct gntshr_slot *slot)
{
	uint32_t tag = slot->arena->tags[slot->first];

	slot->count = length_of(tag);
	return kind_of(tag);
}

/* Nothing goes to places next to those that are marked so. */
void gntshr_places_mark(const struct gntshr_slot *slot, enum gntshr_kind kind)
{
	slot->arena->tags[slot->first] = tag_of(kind, slot->count);
}

/* The run in @slot->arena that has this place, if that is or was a share. */
enum gntshr_kind gntshr_places_kind(struct gntshr_slot *slot, uint32_t place)
{
	const uint32_t *tags = slot->arena->tags;
	uint32_t first = place;
	enum gntshr_kind kind;

	while ((kind = kind_of(tags[first])) < GNTSHR_SHARED &&
	       first % MILESTONE)
		first--;
	if (kind == GNTSHR_INSIDE)
		first -= length_of(tags[first]);
	slot->first = first;
	kind = gntshr_places_run(slot);
	return place - first < slot->count ? kind : GNTSHR_NOTHING;
}

static bool wants_arena(const struct gntshr_handle *h, uint32_t count)
{
	return !h->no_arenas && (h->has_shared || count > SMALL) &&
	       count <= GNTSHR_PLACES_MAX;
}

/*
 * Share @op->count pages in an arena: returns where, with index and references
 * in @op. If not, it cannot be if that is left @alone, else errno says what
 * failed.
 */
char *gntshr_arena_share(struct gntshr_handle *h,
			 struct ioctl_gntalloc_alloc_gref *op, bool unlisted,
			 bool *alone)
{
	struct gntshr_slot slot = { .count = op->count };
	struct ioctl_gntalloc_share share = {
		.refs = (uintptr_t)op->gref_ids,
		.count = op->count,
		.domid = op->domid,
		.flags = op->flags | (unlisted ? GNTALLOC_FLAG_UNLISTED : 0),
	};
	int tries = wants_arena(h, op->count) ? 2 : 0;

	*alone = false;
	for (; tries; tries--) {
		if (!find_free(h, &slot) && !find_unused(h, &slot) &&
		    !gntshr_arena_make(h, &slot))
			break;
		share.index = gntshr_slot_index(&slot);
		share.addr = (uintptr_t)gntshr_slot_addr(&slot);
		if (!gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_SHARE, &share)) {
			take(&slot);
			op->index = share.index;
			return gntshr_slot_addr(&slot);
		}
		/* This is a child, by clone(), with a handle of its parent. */
		if (h->held && errno == EPERM)
			break;
		if (errno != EINVAL && errno != EBUSY) {
			h->strays = true;
			return NULL;
		}
		/* The program unmapped these places, or filled them. */
		slot.arena->holed = true;
	}
	*alone = true;
	return NULL;
}

/*
 * The share that has this byte. It may lie where an arena had places before, so
 * more than one can span it.
 */
bool gntshr_arena_find(struct gntshr_handle *h, const char *addr,
		       struct gntshr_slot *slot)
{
	struct gntshr_arena *arena;

	for (arena = h->arenas; arena; arena = arena->next) {
		size_t before = (uintptr_t)addr - (uintptr_t)arena->addr;
		enum gntshr_kind kind;

		if (before >= gntshr_arena_size(arena))
			continue;
		slot->arena = arena;
		kind = gntshr_places_kind(
			slot, (uint32_t)(before / GNTSHR_PAGE_SIZE));
		if (kind == GNTSHR_SHARED || kind == GNTSHR_UNLISTED)
			return true;
	}
	return false;
}

int gntshr_arena_end_share(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	struct ioctl_gntalloc_unshare op = {
		.index = gntshr_slot_index(slot),
		.addr = h->held ? (uintptr_t)gntshr_slot_addr(slot) : 0,
		.count = slot->count,
	};

	return gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_UNSHARE, &op);
}

/* The share that is just this. */
static inline bool find_exact(struct gntshr_handle *h, const char *addr,
			      uint32_t count, struct gntshr_slot *slot)
{
	struct gntshr_arena *arena;

	/* No tag has it. */
	if (count > GNTSHR_PLACES_MAX)
		return false;
	for (arena = h->arenas; arena; arena = arena->next) {
		size_t before = (uintptr_t)addr - (uintptr_t)arena->addr;
		uint32_t tag;

		if (before >= gntshr_arena_size(arena) ||
		    before % GNTSHR_PAGE_SIZE)
			continue;
		*slot = (struct gntshr_slot){
			arena, (uint32_t)(before / GNTSHR_PAGE_SIZE), count
		};
		tag = arena->tags[slot->first];
		if (tag == tag_of(GNTSHR_SHARED, count) ||
		    tag == tag_of(GNTSHR_UNLISTED, count))
			return true;
	}
	return false;
}

bool gntshr_arena_find_exact(struct gntshr_handle *h, const char *addr,
			     uint32_t count, struct gntshr_slot *slot)
{
	return find_exact(h, addr, count, slot);
}

/* Returns 0 or an errno, EINVAL if there is no such share. */
int gntshr_arena_unshare(struct gntshr_handle *h, const char *addr,
			 uint32_t count)
{
	struct gntshr_slot slot;
	bool parted;

	if (!find_exact(h, addr, count, &slot))
		return EINVAL;
	parted = gntshr_arena_is_parted(slot.arena);
	if (!parted && !gntshr_arena_end_share(h, &slot)) {
		rest(&slot);
		return 0;
	}
	if (!parted && !h->held)
		return errno;
	return gntshr_arena_part(h, &slot) ? errno : 0;
}
