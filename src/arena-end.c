// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How arenas begin and end. The stock driver has none, see xen-gntalloc.h:
 * there, and wherever an arena cannot be had, each share has a mapping of its
 * own.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"
#include "xen-gntalloc.h"

/* Of the first arena: 4 MiB of addresses, two page tables. */
#define PLACES 1024u
/* A held handle that wants more begins anew: most may be out of date. */
#define HELD_MAX 65536u
/* Where there was no room for an arena, so many shares do not try again. */
#define ALONE 64u

static void note_refusal(struct gntshr_handle *h, int error)
{
	if (error == ENOMEM || error == EAGAIN)
		h->alone = ALONE;
	else
		h->no_arenas = true;
}

/* An arena with so many places that has no mapping yet. */
static struct gntshr_arena *alloc_arena(uint64_t places)
{
	struct gntshr_arena *arena =
		calloc(1, sizeof(*arena) + places * (sizeof(*arena->tags) +
						     sizeof(*arena->links)));

	if (!arena)
		return NULL;
	arena->places = (uint32_t)places;
	arena->links = (struct gntshr_links *)&arena->tags[places];
	return arena;
}

/*
 * A new arena for @slot and others. The end of one costs something for each
 * page table that it spans, so the first is small, and each next one three
 * times as large as those that take shares together: so there are few, however
 * much is shared.
 */
bool gntshr_arena_make(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	uint64_t places = PLACES, all = 0, place;
	struct gntshr_arena *arena;

	if (h->alone) {
		h->alone--;
		return false;
	}
	for (arena = h->arenas; arena; arena = arena->next) {
		all += arena->places;
		if (gntshr_arena_takes(arena))
			places += 3ull * arena->places;
	}
	if (h->held && all > HELD_MAX) {
		gntshr_arenas_leave(h);
		places = PLACES;
	}
	if (places < slot->count)
		places = slot->count;
	if (places > GNTSHR_PLACES_MAX)
		places = GNTSHR_PLACES_MAX;
	arena = alloc_arena(places);
	if (!arena) {
		h->alone = ALONE;
		return false;
	}
	place = h->held ? gntshr_held_places(places) : h->next_place;
	arena->index = GNTALLOC_ARENA + place * GNTSHR_PAGE_SIZE;
	arena->addr = gntshr_map(h, gntshr_arena_size(arena), arena->index);
	if (arena->addr == MAP_FAILED) {
		note_refusal(h, errno);
		free(arena);
		return false;
	}
	gntshr_end_stale(h, arena->addr, gntshr_arena_size(arena));
	h->next_place += places;
	arena->next = h->arenas;
	h->arenas = arena;
	h->has_shared = true;
	slot->arena = arena;
	slot->first = 0;
	return true;
}

/*
 * A child has copies of these pages, and what it has shall stay as it is:
 * they are not unshared, but go from here.
 */
static int dealloc_slot(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	if (gntshr_places_run(slot) != GNTSHR_UNLISTED && !h->held &&
	    gntshr_dealloc(h, gntshr_slot_index(slot), slot->count))
		return -1;
	gntshr_places_mark(slot, GNTSHR_UNLISTED);
	if (gntshr_sys_munmap(gntshr_slot_addr(slot), gntshr_slot_size(slot)))
		return -1;
	gntshr_places_mark(slot, GNTSHR_GONE);
	return 0;
}

/* If that fails it is tried once more, as some memory may be there again. */
int gntshr_unmap(char *begin, const char *end)
{
	size_t size = (size_t)(end - begin);
	int error;

	if (!size || !gntshr_sys_munmap(begin, size))
		return 0;
	error = errno;
	gntshr_sys_munmap(begin, size);
	errno = error;
	return -1;
}

/*
 * What is still mapped of an arena goes, but for runs of this and later kinds.
 * Returns 0 or an errno.
 */
int gntshr_arena_unmap_rest(struct gntshr_arena *arena, enum gntshr_kind stays)
{
	struct gntshr_slot slot = { .arena = arena };
	char *begin = arena->addr;
	int error = 0;

	for (; slot.first < arena->used; slot.first += slot.count) {
		if (gntshr_places_run(&slot) < stays)
			continue;
		if (gntshr_unmap(begin, gntshr_slot_addr(&slot)))
			error = errno;
		begin = gntshr_slot_addr(&slot) + gntshr_slot_size(&slot);
	}
	if (gntshr_unmap(begin, arena->addr + gntshr_arena_size(arena)))
		error = errno;
	return error;
}

/*
 * An arena without shares goes, at close if the program unmapped a part of it.
 * Returns 0 or an errno.
 */
static int end_arena(struct gntshr_handle *h, struct gntshr_arena *arena)
{
	struct gntshr_arena **link = &h->arenas;
	int error = 0;

	if (!h->forked) {
		if (arena->holed)
			return 0;
		error = gntshr_arena_unmap_rest(arena, GNTSHR_GONE);
	}
	while (*link != arena)
		link = &(*link)->next;
	*link = arena->next;
	free(arena);
	return error;
}

static int end_share(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	if (gntshr_arena_is_parted(slot->arena))
		return dealloc_slot(h, slot);
	return gntshr_arena_end_share(h, slot);
}

/* A share ends by unmapping it; its arena may go then, or at the end. */
int gntshr_arena_part(struct gntshr_handle *h, struct gntshr_slot *slot)
{
	if (dealloc_slot(h, slot))
		return -1;
	if (!--slot->arena->shares && (!h->held || gntshr_arenas_are_whole(h)))
		end_arena(h, slot->arena);
	return 0;
}

/*
 * Something that was mapped just now lies in an arena, so the program must have
 * unmapped a part of that.
 */
static void make_hole(struct gntshr_handle *h, struct gntshr_arena *arena,
		      uint32_t first, uint32_t end)
{
	struct gntshr_slot slot = { .arena = arena };

	for (; first < end; first++) {
		enum gntshr_kind kind = gntshr_places_kind(&slot, first);

		if (kind == GNTSHR_GONE)
			continue;
		arena->holed = true;
		if (kind != GNTSHR_SHARED && kind != GNTSHR_UNLISTED)
			continue;
		gntshr_grants_end_stale(h, gntshr_slot_index(&slot),
					slot.count);
		if (kind == GNTSHR_SHARED)
			gntshr_arena_end_share(h, &slot);
		gntshr_places_leave(&slot);
		arena->shares--;
	}
}

void gntshr_arenas_end_stale(struct gntshr_handle *h, const char *addr,
			     size_t size)
{
	struct gntshr_arena *arena;

	for (arena = h->arenas; arena; arena = arena->next) {
		const char *end = arena->addr + gntshr_arena_size(arena);
		const char *first = addr > arena->addr ? addr : arena->addr;
		const char *behind = addr + size < end ? addr + size : end;

		if (first < behind)
			make_hole(h, arena, gntshr_place_at(arena, first),
				  gntshr_place_at(arena, behind));
	}
}

bool gntshr_arena_has(const struct gntshr_arena *arena,
		      const struct gntshr_mapping *mapping)
{
	size_t before = (size_t)(mapping->addr - arena->addr);

	return before < gntshr_arena_size(arena) &&
	       mapping->size <= gntshr_arena_size(arena) - before &&
	       mapping->offset == arena->index + before;
}

bool gntshr_arenas_have(struct gntshr_handle *h,
			const struct gntshr_mapping *mapping)
{
	struct gntshr_arena *arena;

	for (arena = h->arenas; arena; arena = arena->next)
		if (gntshr_arena_has(arena, mapping))
			return true;
	return false;
}

/* After a fork, in the parent. */
void gntshr_arenas_retire(struct gntshr_handle *h)
{
	struct gntshr_arena *arena, *next;

	if (h->held)
		gntshr_arenas_leave(h);
	for (arena = h->arenas; arena; arena = next) {
		next = arena->next;
		arena->forked = true;
		if (!arena->shares)
			end_arena(h, arena);
	}
}

/* The shares of an arena end, and it goes. Returns 0 or the first errno. */
static int drop(struct gntshr_handle *h, struct gntshr_arena *arena)
{
	struct gntshr_slot slot = { .arena = arena };
	int first_error = 0, error;

	for (; slot.first < arena->used; slot.first += slot.count) {
		enum gntshr_kind kind = gntshr_places_run(&slot);

		if (h->forked ||
		    (kind != GNTSHR_SHARED && kind != GNTSHR_UNLISTED))
			continue;
		if (end_share(h, &slot) && !first_error)
			first_error = errno;
	}
	error = end_arena(h, arena);
	return first_error ? first_error : error;
}

/*
 * For gntshr_close(): only those stay that the program unmapped a part of.
 * Returns 0 or the first errno.
 */
int gntshr_arenas_end(struct gntshr_handle *h)
{
	struct gntshr_arena *arena, *next;
	int first_error = 0, error;

	for (arena = h->arenas; arena; arena = next) {
		next = arena->next;
		error = drop(h, arena);
		if (!first_error)
			first_error = error;
	}
	return first_error;
}

void gntshr_arenas_forget(struct gntshr_handle *h)
{
	struct gntshr_arena *arena;

	while ((arena = h->arenas)) {
		h->arenas = arena->next;
		free(arena);
	}
}
