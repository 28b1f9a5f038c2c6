// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Arenas of handles that are held, for compat/: how they go while shares stay.
 * There programs and libraries rely on munmap(), and what ended may be ended so
 * once more. Then others may have mappings where it was.
 */

#include <errno.h>
#include <sys/ioctl.h>

#include "internal.h"
#include "xen-gntalloc.h"

/* Far behind those of handles that are not held; the driver has 2^50. */
#define FIRST_PLACE (UINT64_C(1) << 40)
/* They are given out in units of so many. */
#define UNIT UINT64_C(1024)

/*
 * The first of so many places that no handle of this process had before: shares
 * stay when nobody knows any more whose they were, so that it must take no more
 * than index and address of a mapping to know whether it is of an arena.
 */
uint64_t gntshr_held_places(uint64_t count)
{
	static _Atomic uint32_t units;

	return FIRST_PLACE +
	       UNIT * atomic_fetch_add_explicit(
			      &units, (uint32_t)((count + UNIT - 1) / UNIT),
			      memory_order_relaxed);
}

/*
 * Whether everything that ended is still in its place. The driver knows how
 * many pages are spare: without a look at all mappings of the process that
 * tells, unless it took some back, or others may make up for what is missing.
 * Of a child's copies it knows nothing.
 */
bool gntshr_arenas_are_whole(struct gntshr_handle *h)
{
	struct ioctl_gntalloc_status op = { .flags = 0 };
	struct gntshr_arena *arena;
	uint64_t left = 0;

	if (!h->arenas)
		return true;
	if (h->forked)
		return false;
	for (arena = h->arenas; arena; arena = arena->next) {
		struct gntshr_slot slot = { .arena = arena };

		if (arena->holed)
			return false;
		for (; slot.first < arena->used; slot.first += slot.count)
			if (gntshr_places_run(&slot) < GNTSHR_SHARED)
				left += slot.count;
	}
	if (gntshr_sys_ioctl(h->fd, IOCTL_GNTALLOC_STATUS, &op))
		return false;
	if (!op.spare)
		h->strays = false;
	return !h->strays && op.spare == left;
}

/*
 * Whether these places are of an arena that still has all that ended there, as
 * far as is known, and no share is in them.
 */
bool gntshr_arena_has_ended(struct gntshr_handle *h, const char *addr,
			    uint32_t count)
{
	struct gntshr_mapping places = { (char *)addr,
					 (size_t)count * GNTSHR_PAGE_SIZE, 0 };
	struct gntshr_slot slot;
	uint32_t place, end;

	if (!count || (uintptr_t)addr % GNTSHR_PAGE_SIZE)
		return false;
	for (slot.arena = h->arenas; slot.arena;
	     slot.arena = slot.arena->next) {
		places.offset =
			slot.arena->index + (uint64_t)(addr - slot.arena->addr);
		if (gntshr_arena_has(slot.arena, &places))
			break;
	}
	if (!slot.arena || slot.arena->holed)
		return false;
	place = gntshr_place_at(slot.arena, addr);
	for (end = place + count; place < end; place++)
		if (place < slot.arena->used &&
		    gntshr_places_kind(&slot, place) >= GNTSHR_SHARED)
			return false;
	return true;
}

/* What is mapped there goes, but for shares. */
static void leave_part(struct gntshr_arena *arena,
		       const struct gntshr_mapping *mapping)
{
	struct gntshr_slot slot = { .arena = arena };
	char *begin = mapping->addr, *end = begin + mapping->size;
	uint32_t place = gntshr_place_at(arena, begin);
	uint32_t last = gntshr_place_at(arena, end);

	if (last > arena->used)
		last = arena->used;
	while (place < last) {
		if (gntshr_places_kind(&slot, place++) < GNTSHR_SHARED)
			continue;
		gntshr_unmap(begin, gntshr_place_addr(arena, place - 1));
		place = slot.first + slot.count;
		begin = gntshr_place_addr(arena, place);
	}
	if (begin < end)
		gntshr_unmap(begin, end);
}

static int leave_mapping(void *handle, const struct gntshr_mapping *mapping)
{
	struct gntshr_handle *h = handle;
	struct gntshr_arena *arena = h->arenas;

	while (arena && !gntshr_arena_has(arena, mapping))
		arena = arena->next;
	if (arena)
		leave_part(arena, mapping);
	return 0;
}

/*
 * Leave the shares of a held handle to their mappings, and unmap what else is
 * left of its arenas; nothing, if it cannot be known what that is. A thread
 * that was cancelled while it reads /proc would leave locks behind.
 */
void gntshr_arenas_leave(struct gntshr_handle *h)
{
	int before = errno, cancel;
	bool whole = gntshr_arenas_are_whole(h);
	struct gntshr_arena *arena;

	for (arena = h->arenas; arena && whole; arena = arena->next)
		gntshr_arena_unmap_rest(arena, GNTSHR_SHARED);
	if (!whole) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
		gntshr_sys_mappings(h->fd, leave_mapping, h);
		pthread_setcancelstate(cancel, NULL);
	}
	h->strays = h->strays || h->arenas;
	gntshr_arenas_forget(h);
	errno = before;
}
