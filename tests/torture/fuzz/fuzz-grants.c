// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The model of pages with several grants, and of what a descriptor may have. A
 * grant has an entry like a page, which shares its content with others. What
 * the peer still maps when a grant ends, and the entry goes on, is kept in
 * fuzz->m.left, as a page is whose place gets another one.
 */

#include <errno.h>

#include "fuzz.h"

bool model_has_contents(uint32_t count)
{
	return fuzz->m.contents_used + MEMORY + count + 1 < CONTENTS;
}

/* Zeros that nobody has seen. The first are those of memory. */
uint32_t model_content(void)
{
	return MEMORY + 1 + fuzz->m.contents_used++;
}

/* One of the grants that others had of it is gone. */
static void lent_less(struct content *content)
{
	if (--content->lent || !content->waits)
		return;
	content->waits = false;
	fuzz->m.maybe++;
	if (content->place) {
		fuzz->m.slack--;
		return;
	}
	fuzz->m.held--;
	fuzz->m.files[content->file].held--;
}

/*
 * The grant of an entry is over. The page goes, too, if it was allocated for
 * it; a place may have it as part of a chunk, which lingers only as a whole.
 */
void model_give_back(struct page *page, unsigned int file)
{
	struct content *content = &fuzz->m.contents[page->content];

	if (page->kind == LENT)
		lent_less(content);
	if (page->kind != OWN || !content->lent)
		return;
	content->waits = true;
	content->place = page->place;
	content->file = (uint8_t)file;
	if (page->place) {
		fuzz->m.slack++;
		fuzz->m.files[file].unsure = true;
		return;
	}
	fuzz->m.held++;
	fuzz->m.files[file].held++;
	fuzz->m.files[file].news = true;
}

/* The peer keeps what it maps; it is not of this entry any more. */
struct page *model_leave_behind(struct page *page, unsigned int file)
{
	struct page *to = fuzz->m.left;

	while (to->peer_maps)
		to++;
	*to = *page;
	to->live = to->listed = false;
	fuzz->m.files[file].kept++;
	for (int i = 0; i < PEER_SLOTS; i++)
		for (int n = 0; n < fuzz->m.peer[i].count; n++)
			if (fuzz->m.peer[i].used &&
			    fuzz->m.peer[i].pages[n] == page)
				fuzz->m.peer[i].pages[n] = to;
	page->peer_maps = 0;
	return to;
}

/* A listed entry of its own: of one more peer, or of memory. */
void model_new_grant(unsigned int file, uint32_t index, const struct page *page)
{
	struct page *to = &fuzz->m.files[file].pages[index];

	*to = *page;
	to->live = to->listed = true;
	fuzz->m.live++;
	fuzz->m.owned[to->ref] = true;
	fuzz->m.files[file].next = index + 1;
	fuzz->m.files[file].lost = 0;
	if (to->kind == LENT)
		fuzz->m.contents[to->content].lent++;
}

/* The grant of an entry that stays ends, or lingers as one that is lent. */
static void end_grant(unsigned int file, struct page *page)
{
	if (page->nobody)
		return;
	if (!page->peer_maps) {
		fuzz->m.owned[page->ref] = false;
		return;
	}
	fuzz->m.held++;
	fuzz->m.files[file].news = true;
	fuzz->m.contents[page->content].lent++;
	model_leave_behind(page, file)->kind = LENT;
	page->ref = 0;
}

void model_renew(unsigned int file, uint32_t index, const struct page *grant)
{
	struct page *page = &fuzz->m.files[file].pages[index];

	end_grant(file, page);
	page->ref = grant->ref;
	page->writable = grant->writable;
	page->foreign = grant->foreign;
	page->nobody = false;
	fuzz->m.owned[page->ref] = true;
}

/* The reference stays known, to be tried. */
void model_revoke(unsigned int file, uint32_t index)
{
	struct page *page = &fuzz->m.files[file].pages[index];

	model_notify(page);
	end_grant(file, page);
	page->nobody = true;
}

bool model_sealed(unsigned int file, uint32_t index, unsigned int count)
{
	while (count--)
		if (fuzz->m.files[file].pages[index + count].sealed)
			return true;
	return false;
}

/* What surely counts for a descriptor. */
uint32_t model_file_has(unsigned int file)
{
	const struct file *f = &fuzz->m.files[file];
	uint32_t has = f->held + f->kept;

	for (uint32_t i = 0; i < LAST_INDEX; i++)
		has += f->pages[i].live;
	return has;
}

int model_room_error(unsigned int file, uint32_t count, int got)
{
	uint32_t max = fuzz->m.files[file].max;
	uint32_t need = max ? model_file_has(file) + count : 0;

	if (need > max || (max && got == EDQUOT &&
			   need + model_beside() + model_companions() > max))
		return EDQUOT;
	return model_no_room(count, got) ? ENOSPC : 0;
}

/* Memory of this process, as its owner sees it. */
uint32_t model_pinned(void)
{
	uint32_t pinned = 0;

	for (int i = 0; i < FILES; i++)
		for (uint32_t n = 0; n < FIRST_PLACE; n++) {
			const struct page *page = &fuzz->m.files[i].pages[n];

			pinned += page->kind == PINNED &&
				  page->mm == self()->mm &&
				  (page->live || page->peer_maps);
		}
	return pinned;
}
