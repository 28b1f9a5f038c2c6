// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the module promises, as simple as it can be told: no system call here.
 */

#include <errno.h>
#include <string.h>

#include "fuzz.h"

const uint16_t cells[CELLS] = { 0, 1, 2047, 4095 };

struct page *model_page(const struct place *place)
{
	return &fuzz->m.files[place->file].pages[place->index];
}

/* A file whose number can be used again: nobody has it, nor its pages. */
int model_free_file(void)
{
	for (int i = 0; i < FILES; i++)
		if (!fuzz->m.files[i].users && !fuzz->m.files[i].held &&
		    !fuzz->m.files[i].kept)
			return i;
	return -1;
}

bool model_owns(unsigned int file)
{
	return fuzz->m.files[file].owner == self()->mm;
}

void model_not_spare(struct page *page)
{
	if (page->spare)
		fuzz->m.spare--;
	page->spare = false;
}

void model_notify(struct page *page)
{
	if (page->clear)
		page_bytes(page)[page->clear_cell] = 0;
	if (page->send)
		fuzz->m.event = true;
	page->clear = page->send = false;
}

/* Its notification; then its grant is over, or it lingers. */
static void end_page(unsigned int file, uint32_t index)
{
	struct page *page = &fuzz->m.files[file].pages[index];

	page->live = page->listed = false;
	fuzz->m.live--;
	model_notify(page);
	if (!page->peer_maps) {
		if (!page->nobody)
			fuzz->m.owned[page->ref] = false;
		model_give_back(page, file);
		return;
	}
	fuzz->m.held++;
	fuzz->m.files[file].news = true;
	/* Another page will be in its place; the peer keeps this one. */
	if (is_place(index))
		model_leave_behind(page, file);
	else
		fuzz->m.files[file].held++;
}

/* Neither listed nor mapped. */
static void settle(unsigned int file, uint32_t index)
{
	struct page *page;

	/* A mapping can be of places that no page will ever have. */
	if (index >= LAST_INDEX)
		return;
	page = &fuzz->m.files[file].pages[index];
	if (page->listed || page->maps)
		return;
	model_not_spare(page);
	if (page->live)
		end_page(file, index);
}

/* It is in no page table any more. */
static void take_out(unsigned int file, uint32_t index)
{
	const struct page *page = &fuzz->m.files[file].pages[index];

	for (int i = 0; i < PROCS; i++)
		for (int at = 0; at < ROOM && page->maps; at++) {
			struct place *place = &fuzz->m.procs[i].room[at];

			if (place->present && place->file == file &&
			    place->index == index)
				model_leave(place);
		}
}

/* Nobody has seen the page that is at a place from now on. */
void model_refill(unsigned int file, uint32_t index)
{
	struct page *page = &fuzz->m.files[file].pages[index];

	take_out(file, index);
	model_not_spare(page);
	*page = (struct page){ .content = model_content(),
			       .place = true,
			       .live = true,
			       .listed = true };
	fuzz->m.live++;
}

uint32_t model_beside(void)
{
	return fuzz->m.maybe + fuzz->m.slack;
}

/*
 * How many pages may count beside those that are there: up to eight places get
 * theirs in one piece, which counts until the last of them is given back.
 */
uint32_t model_companions(void)
{
	uint32_t pages = model_beside();

	for (int i = 0; i < FILES; i++)
		for (unsigned int n = FIRST_PLACE; n < LAST_INDEX; n++)
			pages += fuzz->m.files[i].pages[n].live ||
				 fuzz->m.files[i].pages[n].spare;
	for (int i = 0; i < PEER_SLOTS * PEER_PAGES; i++)
		pages += fuzz->m.left[i].peer_maps > 0;
	return 7 * pages;
}

/* Are @count more pages too many? Where that is not known it is as @got says.
 */
bool model_no_room(uint32_t count, int got)
{
	long room = LIMIT - fuzz->m.base - fuzz->m.live - fuzz->m.held - count;

	if (room < 0)
		fuzz->m.maybe = 0;
	return room < 0 ||
	       (got == ENOSPC &&
		room < (long)model_companions() + (long)model_beside());
}

/* What the peer or more than one mapping has cannot stay, the others may. */
void model_unshare(unsigned int file, uint32_t index, unsigned int count)
{
	for (; count--; index++) {
		struct page *page = &fuzz->m.files[file].pages[index];
		bool stays = page->maps == 1 && !page->peer_maps &&
			     !fuzz->m.contents[page->content].lent;

		end_page(file, index);
		if (!stays) {
			take_out(file, index);
			continue;
		}
		page->spare = true;
		fuzz->m.spare++;
	}
}

void model_ref(unsigned int file)
{
	fuzz->m.files[file].users++;
}

void model_unref(unsigned int file)
{
	struct file *f = &fuzz->m.files[file];

	if (--f->users)
		return;
	for (uint32_t i = 0; i < LAST_INDEX; i++) {
		f->pages[i].listed = false;
		settle(file, i);
	}
}

bool model_lists(unsigned int file, int64_t index, unsigned int count)
{
	const struct file *f = &fuzz->m.files[file];

	if (index < 0 ||
	    index + count > (is_place((uint32_t)index) ? LAST_INDEX : f->next))
		return false;
	while (count--)
		if (!f->pages[index + count].listed)
			return false;
	return true;
}

void model_alloc(unsigned int file, uint32_t index, uint32_t count)
{
	fuzz->m.files[file].next = index + count;
	fuzz->m.files[file].lost = 0;
	fuzz->m.live += count;
	/* The rest of a page is known by its maker. */
	while (count--) {
		struct page *page = &fuzz->m.files[file].pages[index++];

		page->live = page->listed = true;
		page->content = model_content();
	}
}

void model_dealloc(unsigned int file, uint32_t index, unsigned int count)
{
	for (; count--; index++) {
		fuzz->m.files[file].pages[index].listed = false;
		settle(file, index);
	}
}

/* A page in a page table, or out of it: nothing is released by that alone. */
void model_enter(struct place *place)
{
	place->present = true;
	model_page(place)->maps++;
}

void model_leave(struct place *place)
{
	if (!place->present)
		return;
	place->present = false;
	model_page(place)->maps--;
}

void model_map(unsigned int at, unsigned int n, unsigned int file,
	       uint32_t index, uint8_t prot, bool present)
{
	struct place *place = &fuzz->m.procs[me].room[at];

	for (unsigned int i = 0; i < n; i++, place++) {
		*place = (struct place){ .mapped = true,
					 .first = !i,
					 .file = (uint8_t)file,
					 .prot = prot,
					 .index = index + i };
		model_ref(file);
		self()->mapped++;
		if (present)
			model_enter(place);
	}
}

/* A mapping of this process begins at @at, if it has one there. */
void model_split(unsigned int at)
{
	if (at < ROOM && fuzz->m.procs[me].room[at].mapped)
		fuzz->m.procs[me].room[at].first = true;
}

void model_unmap(unsigned int proc, unsigned int at, unsigned int n)
{
	struct place *room = fuzz->m.procs[proc].room;

	for (unsigned int i = at; i < at + n; i++)
		if (room[i].mapped)
			model_leave(&room[i]);
	for (unsigned int i = at; i < at + n; i++) {
		struct place was = room[i];

		room[i] = (struct place){ 0 };
		if (!was.mapped)
			continue;
		fuzz->m.procs[proc].mapped--;
		settle(was.file, was.index);
		model_unref(was.file);
	}
	if (at + n < ROOM && room[at + n].mapped)
		room[at + n].first = true;
}

/* Within one mapping. The old place closes when the new one is there. */
void model_move(unsigned int at, unsigned int n, unsigned int to)
{
	struct place *room = fuzz->m.procs[me].room;

	model_unmap(me, to, n);
	for (unsigned int i = 0; i < n; i++) {
		room[to + i] = room[at + i];
		room[to + i].first = !i;
		room[at + i] = (struct place){ 0 };
	}
	for (unsigned int i = 0; i < n; i++)
		settle(room[to + i].file, room[to + i].index);
	model_split(at + n);
}

/* Where the mapping that @at belongs to ends. */
unsigned int model_end(unsigned int at)
{
	const struct place *room = fuzz->m.procs[me].room;

	do
		at++;
	while (at < ROOM && room[at].mapped && !room[at].first);
	return at;
}

bool model_all_mapped(unsigned int at, unsigned int n)
{
	if (at + n > ROOM)
		return false;
	while (n--)
		if (!fuzz->m.procs[me].room[at + n].mapped)
			return false;
	return true;
}

bool model_all_free(unsigned int at, unsigned int n)
{
	if (at + n > ROOM)
		return false;
	while (n--)
		if (fuzz->m.procs[me].room[at + n].mapped)
			return false;
	return true;
}

void model_fork(unsigned int parent, unsigned int child)
{
	struct proc *from = &fuzz->m.procs[parent];
	struct proc *to = &fuzz->m.procs[child];

	to->mapped = 0;
	memcpy(to->fds, from->fds, sizeof(to->fds));
	for (int i = 0; i < FDS; i++)
		if (to->fds[i].open)
			model_ref(to->fds[i].file);
	for (int i = 0; i < ROOM; i++) {
		struct place *place = &to->room[i];

		*place = (struct place){ 0 };
		if (!from->room[i].mapped || from->room[i].dontfork)
			continue;
		*place = from->room[i];
		if (is_place(place->index))
			fuzz->m.files[place->file].forked = true;
		to->mapped++;
		model_ref(place->file);
		if (place->present) {
			model_page(place)->maps++;
			model_page(place)->copied = true;
		}
	}
	to->mm = ++fuzz->m.mms;
}

void model_close(unsigned int proc, bool cloexec_only)
{
	struct fd *fds = fuzz->m.procs[proc].fds;

	for (int i = 0; i < FDS; i++) {
		if (!fds[i].open || (cloexec_only && !fds[i].cloexec))
			continue;
		fds[i].open = false;
		model_unref(fds[i].file);
	}
}

void model_peer_map(unsigned int slot)
{
	const struct peer_slot *s = &fuzz->m.peer[slot];

	for (uint32_t i = 0; i < s->count; i++)
		s->pages[i]->peer_maps++;
}

/* What lingered only for this peer may now go at any time. */
void model_peer_unmap(unsigned int slot)
{
	struct peer_slot *s = &fuzz->m.peer[slot];

	s->used = false;
	for (uint32_t i = 0; i < s->count; i++) {
		struct page *page = s->pages[i];

		if (--page->peer_maps || page->live)
			continue;
		fuzz->m.held--;
		if (page < fuzz->m.left)
			fuzz->m.files[s->file].held--;
		else
			fuzz->m.files[s->file].kept--;
		fuzz->m.maybe++;
		fuzz->m.owned[page->ref] = false;
		/* Whether it is over already only the module knows. */
		if (fuzz->m.contents[page->content].lent)
			page->ref = 0;
		model_give_back(page, s->file);
	}
}
