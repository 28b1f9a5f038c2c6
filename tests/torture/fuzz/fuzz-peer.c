// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The other side: what is granted is mapped by this very domain, where Xen lets
 * it, or by the program peer in dom0, which is slow. And what the module tells
 * by its counters.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xengnttab.h>

#include "fuzz.h"
#include "mute.h"
#include "remote.h"

/* Waited for in full only when something is wrong, which is known by then when
 * steps are taken again. */
#define COUNTER_MS (fuzz->replay ? 200 : 20000)

static xengnttab_handle *gnttab;

void peer_open(const char *kind)
{
	const char *own = getenv("XEN_DOMID");

	fuzz->domid = (uint16_t)(own ? atoi(own) : 0);
	if (!strcmp(kind, "remote")) {
		fuzz->domid = (uint16_t)remote_domid();
		return;
	}
	if (!strcmp(kind, "none")) {
		fuzz->peer_every = 0;
		return;
	}
	gnttab = xengnttab_open(&mute, 0);
	if (!gnttab)
		err(1, "cannot open gntdev");
}

/* A mapping's handle, or NULL. */
static void *map(uint32_t *refs, unsigned int count, bool writable)
{
	int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	long slot;

	if (gnttab)
		return xengnttab_map_domain_grant_refs(gnttab, count,
						       fuzz->domid, refs, prot);
	slot = remote_map(writable ? "rw" : "ro", refs, count);
	return slot < 0 ? NULL : (void *)(slot + 1);
}

/* What the peer sees of the cells, page by page. */
static void read_cells(const struct peer_slot *slot, long *bytes)
{
	int n = 0;

	for (unsigned int i = 0; i < slot->count; i++)
		for (int c = 0; c < CELLS; c++, n++) {
			size_t at = i * PAGE + cells[c];

			if (gnttab)
				bytes[n] = ((volatile unsigned char *)
						    slot->handle)[at];
			else
				remote_later("byte %ld %zu",
					     (long)slot->handle - 1, at);
		}
	if (!gnttab && remote_now(bytes, n) != n)
		deviation("peer's byte: %s", strerror(errno));
}

static void compare(const struct peer_slot *slot)
{
	long bytes[PEER_PAGES * CELLS], *byte = bytes;

	read_cells(slot, bytes);
	for (unsigned int i = 0; i < slot->count && !fuzz->failed; i++) {
		const struct page *page = slot->pages[i];

		for (int c = 0; c < CELLS; c++, byte++)
			if (*byte != page_bytes(page)[c])
				deviation(
					"peer's byte: page %u of its mapping, byte %u is %ld, not %u",
					i, cells[c], *byte,
					page_bytes(page)[c]);
	}
}

/* Whether the peer can map a page: 1, 0, or -1 for who knows. */
static int can_map(const struct page *page, bool writable)
{
	bool over = (!page->live || page->nobody) && !page->peer_maps;

	/* Another page may have the reference now, which is granted otherwise.
	 */
	if (!page->ref || (over && fuzz->m.owned[page->ref]))
		return -1;
	if (page->foreign || (writable && !page->writable))
		return 0;
	if (!over)
		return 1;
	/* It may linger still. */
	return fuzz->m.maybe ? -1 : 0;
}

void step_peer_map(const struct step *step)
{
	struct peer_slot *slot = &fuzz->m.peer[step->to];
	const struct label *label = &fuzz->m.labels[step->label];
	const struct file *file = &fuzz->m.files[label->file];
	uint32_t index = step_index(step), refs[PEER_PAGES];
	int want = 1, can;

	uint32_t end = is_place(index) ? LAST_INDEX : file->next;

	if (slot->used || !label->set || index >= end || index + step->n > end)
		return;
	for (unsigned int i = 0; i < step->n; i++) {
		refs[i] = file->pages[index + i].ref;
		can = can_map(&file->pages[index + i], step->how);
		if (can < 0 || file->pages[index + i].peer_maps > 100)
			return;
		want &= can;
	}
	*slot = (struct peer_slot){ .writable = step->how,
				    .file = label->file,
				    .count = (uint8_t)step->n };
	for (unsigned int i = 0; i < step->n; i++)
		slot->pages[i] = &fuzz->m.files[label->file].pages[index + i];
	slot->handle = map(refs, step->n, step->how);
	step_called(want);
	if (!slot->handle != !want) {
		deviation("peer's mapping: %s, although %s",
			  want ? "refused" : "made",
			  want ? "all pages are granted to it"
			       : "a page is not, or not any more");
		return;
	}
	if (!want)
		return;
	slot->used = true;
	model_peer_map(step->to);
	compare(slot);
}

static void unmap(const struct peer_slot *slot)
{
	int rc;

	if (gnttab)
		rc = xengnttab_unmap(gnttab, slot->handle, slot->count);
	else
		rc = (int)remote("unmap %ld", (long)slot->handle - 1);
	if (rc)
		deviation("peer's unmapping: %s", strerror(errno));
}

void step_peer_unmap(const struct step *step)
{
	struct peer_slot *slot = &fuzz->m.peer[step->to];

	if (!slot->used)
		return;
	step_called(true);
	compare(slot);
	unmap(slot);
	model_peer_unmap(step->to);
}

void step_peer_fill(const struct step *step)
{
	struct peer_slot *slot = &fuzz->m.peer[step->to];
	uint32_t seed = fuzz->m.tag;

	if (!slot->used)
		return;
	compare(slot);
	if (!slot->writable)
		return;
	step_called(true);
	fuzz->m.tag++;
	if (gnttab)
		fill_pattern(slot->handle, slot->count, seed);
	else
		remote("fill %ld %u", (long)slot->handle - 1, seed);
	for (unsigned int i = 0; i < slot->count; i++)
		for (int c = 0; c < CELLS; c++)
			page_bytes(slot->pages[i])[c] =
				pattern(seed, i * PAGE + cells[c]);
}

/* At the end of an episode. */
void peer_close(void)
{
	for (int i = 0; i < PEER_SLOTS; i++) {
		if (!fuzz->m.peer[i].used)
			continue;
		if (!fuzz->failed)
			compare(&fuzz->m.peer[i]);
		unmap(&fuzz->m.peer[i]);
	}
}

long read_counter(int fd)
{
	char text[16];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	if (length <= 0)
		return -1;
	text[length] = '\0';
	return strtol(text, NULL, 10);
}

/* What is refused for the limit has what lingers tried before. */
void reap(void)
{
	struct ioctl_gntalloc_alloc_gref op = { .domid = fuzz->domid,
						.count = LIMIT + 1 };

	if (!ioctl(fuzz->device_fd, IOCTL_GNTALLOC_ALLOC_GREF, &op))
		deviation("reap: more pages than the limit");
}

/* Then nothing lingers but what the peer maps: gntdev may take a while. */
void step_reap(const struct step *step)
{
	long lingering = 0;

	(void)step;
	for (int i = 0; i < COUNTER_MS; i++) {
		reap();
		step_called(false);
		if (!fuzz->counters)
			break;
		lingering =
			read_counter(fuzz->lingering_fd) - fuzz->m.base_linger;
		if (lingering <= fuzz->m.held + fuzz->m.slack)
			break;
		usleep(1000);
	}
	if (lingering > fuzz->m.held + fuzz->m.slack)
		deviation("reap: %ld pages linger, the peer maps %u", lingering,
			  fuzz->m.held);
	fuzz->m.maybe = 0;
}

/* What the peer let go of may be gone or not; @beside: what else may be. */
static bool between(long value, long least, long beside)
{
	return value >= least && value <= least + model_beside() + beside;
}

/* Companions are looked for where there must be some. */
static bool used_is(long value, long least)
{
	return between(value, least, 0) ||
	       between(value, least, model_companions());
}

/*
 * A look at the counters costs as much as a step: when they ought to have
 * changed, and when they may not have for some steps.
 */
void check_counters(void)
{
	long live = fuzz->m.live, held = fuzz->m.held, used, lingering = 0;
	uint32_t want = fuzz->m.live << 16 ^ fuzz->m.spare << 8 ^ fuzz->m.held;
	long spare = 0;

	if (!fuzz->counters ||
	    (want == fuzz->m.counted && !fuzz->replay && fuzz->step % 4))
		return;
	fuzz->m.counted = want;
	used = read_counter(fuzz->used_fd) - fuzz->m.base;
	if (held + model_beside() || fuzz->replay || fuzz->step % 16 == 0)
		lingering =
			read_counter(fuzz->lingering_fd) - fuzz->m.base_linger;
	if (fuzz->arenas)
		spare = read_counter(fuzz->spare_fd);
	live += spare;
	if (!used_is(used, live + held) || !between(lingering, held, 0) ||
	    spare < 0 || spare > fuzz->m.spare)
		deviation(
			"counters: used is %ld, lingering %ld, spare %ld of at most %u; live are %ld, the peer maps %ld of those released, it let go of %u",
			used, lingering, spare, fuzz->m.spare, live - spare,
			held, fuzz->m.maybe);
	if (used == live + held && lingering == held)
		fuzz->m.maybe = 0;
}
