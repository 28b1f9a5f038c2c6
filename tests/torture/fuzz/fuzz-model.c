// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the module promises, as simple as it can be told: no system call here.
 */

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
		if (!fuzz->m.files[i].users && !fuzz->m.files[i].held)
			return i;
	return -1;
}

/* Neither listed nor mapped: notify, end the grant, or let it linger. */
static void settle(unsigned int file, uint32_t index)
{
	struct page *page;

	/* A window can be over indices that no page will ever have. */
	if (index >= INDICES)
		return;
	page = &fuzz->m.files[file].pages[index];
	if (!page->live || page->listed || page->maps)
		return;
	page->live = false;
	fuzz->m.live--;
	if (page->clear)
		page->bytes[page->clear_cell] = 0;
	if (page->send)
		fuzz->m.event = true;
	if (page->peer_maps) {
		fuzz->m.held++;
		fuzz->m.files[file].held++;
	} else {
		fuzz->m.owned[page->ref] = false;
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
	for (uint32_t i = 0; i < f->next; i++) {
		f->pages[i].listed = false;
		settle(file, i);
	}
}

bool model_lists(unsigned int file, int64_t index, unsigned int count)
{
	const struct file *f = &fuzz->m.files[file];

	if (index < 0 || index + count > f->next)
		return false;
	while (count--)
		if (!f->pages[index + count].listed)
			return false;
	return true;
}

void model_alloc(unsigned int file, uint32_t index, uint32_t count)
{
	fuzz->m.files[file].next = index + count;
	fuzz->m.live += count;
	/* The rest of a page is known by its maker. */
	while (count--) {
		struct page *page = &fuzz->m.files[file].pages[index++];

		page->live = page->listed = true;
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
	struct place *place = &fuzz->m.procs[me].arena[at];

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
	if (at < ARENA && fuzz->m.procs[me].arena[at].mapped)
		fuzz->m.procs[me].arena[at].first = true;
}

void model_unmap(unsigned int proc, unsigned int at, unsigned int n)
{
	struct place *arena = fuzz->m.procs[proc].arena;

	for (unsigned int i = at; i < at + n; i++)
		if (arena[i].mapped)
			model_leave(&arena[i]);
	for (unsigned int i = at; i < at + n; i++) {
		struct place was = arena[i];

		arena[i] = (struct place){ 0 };
		if (!was.mapped)
			continue;
		fuzz->m.procs[proc].mapped--;
		settle(was.file, was.index);
		model_unref(was.file);
	}
	if (at + n < ARENA && arena[at + n].mapped)
		arena[at + n].first = true;
}

/* Within one mapping. The old place closes when the new one is there. */
void model_move(unsigned int at, unsigned int n, unsigned int to)
{
	struct place *arena = fuzz->m.procs[me].arena;

	model_unmap(me, to, n);
	for (unsigned int i = 0; i < n; i++) {
		arena[to + i] = arena[at + i];
		arena[to + i].first = !i;
		arena[at + i] = (struct place){ 0 };
	}
	for (unsigned int i = 0; i < n; i++)
		settle(arena[to + i].file, arena[to + i].index);
	model_split(at + n);
}

/* Where the mapping that @at belongs to ends. */
unsigned int model_end(unsigned int at)
{
	const struct place *arena = fuzz->m.procs[me].arena;

	do
		at++;
	while (at < ARENA && arena[at].mapped && !arena[at].first);
	return at;
}

bool model_all_mapped(unsigned int at, unsigned int n)
{
	if (at + n > ARENA)
		return false;
	while (n--)
		if (!fuzz->m.procs[me].arena[at + n].mapped)
			return false;
	return true;
}

bool model_all_free(unsigned int at, unsigned int n)
{
	if (at + n > ARENA)
		return false;
	while (n--)
		if (fuzz->m.procs[me].arena[at + n].mapped)
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
	for (int i = 0; i < ARENA; i++) {
		struct place *place = &to->arena[i];

		*place = (struct place){ 0 };
		if (!from->arena[i].mapped || from->arena[i].dontfork)
			continue;
		*place = from->arena[i];
		to->mapped++;
		model_ref(place->file);
		if (place->present)
			model_page(place)->maps++;
	}
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
		fuzz->m.files[s->file].pages[s->index + i].peer_maps++;
}

/* What lingered only for this peer may now go at any time. */
void model_peer_unmap(unsigned int slot)
{
	struct peer_slot *s = &fuzz->m.peer[slot];

	s->used = false;
	for (uint32_t i = 0; i < s->count; i++) {
		struct file *f = &fuzz->m.files[s->file];
		struct page *page = &f->pages[s->index + i];

		if (--page->peer_maps || page->live)
			continue;
		fuzz->m.held--;
		f->held--;
		fuzz->m.maybe++;
		fuzz->m.owned[page->ref] = false;
	}
}
