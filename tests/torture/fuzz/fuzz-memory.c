// SPDX-License-Identifier: LGPL-2.1-or-later
/* Steps about mappings, and what is seen through them. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static const int prots[] = { PROT_NONE, PROT_READ, PROT_WRITE,
			     PROT_READ | PROT_WRITE };
/* The bits of such a number. */
#define WRITE 2

static unsigned char *address(unsigned int at)
{
	return (unsigned char *)(uintptr_t)(ROOM_ADDR + (uint64_t)at * PAGE);
}

/* Some pages or places that have a label, or any places. */
static uint32_t map_index(const struct step *step)
{
	return step->op == OP_ARENA ? FIRST_PLACE + step->to : step_index(step);
}

static int map_error(const struct step *step, const struct fd *fd)
{
	if (step->how >> 2 == 2)
		return EINVAL;
	if (step->how & WRITE && step->how >> 2 != 1 &&
	    fuzz->m.files[fd->file].readonly)
		return EACCES;
	if (step->how >> 2 == 1)
		return EINVAL;
	if (is_place(map_index(step)))
		return !fuzz->m.files[fd->file].owner || model_owns(fd->file)
			       ? 0
			       : EPERM;
	if (!model_lists(fd->file, (int32_t)map_index(step), step->n))
		return ENOENT;
	for (unsigned int i = 0; i < step->n; i++)
		if (fuzz->m.files[fd->file].pages[map_index(step) + i].kind !=
		    OWN)
			return ENOENT;
	return 0;
}

void step_map(const struct step *step)
{
	const struct fd *fd = &self()->fds[step->fd];
	uint32_t index = map_index(step);
	bool over = step->how >> 2 == 3, places = is_place(index);
	uint64_t offset = device_index(index);
	void *got;
	int want;

	/* A failing call over others leaves more or less of them. */
	if (!fd->open || (int32_t)index < 0 || step->at + step->n > ROOM ||
	    (places && !fuzz->arenas) ||
	    (over ? map_error(step, fd) != 0
		  : !model_all_free(step->at, step->n)))
		return;
	want = map_error(step, fd);
	got = mmap(address(step->at), step->n * (size_t)PAGE,
		   prots[step->how & 3],
		   (step->how >> 2 == 1 ? MAP_PRIVATE : MAP_SHARED) |
			   (over ? MAP_FIXED : MAP_FIXED_NOREPLACE),
		   fd->number, (off_t)(offset + (step->how >> 2 == 2)));
	if (!came_to(want, got == MAP_FAILED ? errno : 0))
		return;
	if (places)
		fuzz->m.files[fd->file].owner = self()->mm;
	/* The file must not go in between. */
	model_ref(fd->file);
	model_unmap(me, step->at, step->n);
	model_map(step->at, step->n, fd->file, index, step->how & 3, !places);
	model_unref(fd->file);
}

void step_unmap(const struct step *step)
{
	if (came_to(0,
		    failure(munmap(address(step->at), step->n * (size_t)PAGE))))
		model_unmap(me, step->at, step->n);
}

/* Only what fails without a trace, if it fails. */
void step_move(const struct step *step)
{
	unsigned int at = step->at, to = step->to, n = step->n;
	const struct place *place = &self()->room[at];
	size_t size = n * (size_t)PAGE, new_size = size, old_size = size;
	bool whole = place->mapped && at + n <= model_end(at);
	bool overlap = to < at + n && at < to + n;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED, want = 0;
	void *got;

	if (to + n > ROOM || (!whole && !model_all_free(to, n)))
		return;
	if (step->how) {
		flags = MREMAP_MAYMOVE;
		new_size += step->how == 1 ? -(size_t)PAGE : PAGE;
		if (step->how == 3)
			old_size = 0;
		if (!new_size || (step->how == 1 && !whole))
			return;
		want = step->how == 1 ? 0 : EFAULT;
	} else if (overlap) {
		want = EINVAL;
	} else if (!whole) {
		want = EFAULT;
	}
	if (step->how > 1 && !place->mapped)
		want = EFAULT;
	if (!place->mapped)
		want = EFAULT;
	got = mremap(address(at), old_size, new_size, flags, address(to));
	if (!came_to(want, got == MAP_FAILED ? errno : 0))
		return;
	if (step->how == 1)
		model_unmap(me, at + n - 1, 1);
	else
		model_move(at, n, to);
}

static void protect(unsigned int at, unsigned int n, uint8_t prot)
{
	if (self()->room[at].prot == prot)
		return;
	model_split(at);
	model_split(at + n);
	for (unsigned int i = 0; i < n; i++)
		self()->room[at + i].prot = prot;
}

void step_protect(const struct step *step)
{
	unsigned int at = step->at, end = at + step->n, next;
	int want = 0, got;

	if (!model_all_mapped(at, step->n))
		return;
	got = failure(mprotect(address(at), step->n * (size_t)PAGE,
			       prots[step->how & 3]));
	for (; at < end && !want; at = next) {
		const struct place *place = &self()->room[at];

		next = model_end(at) < end ? model_end(at) : end;
		if (step->how & WRITE && fuzz->m.files[place->file].readonly)
			want = EACCES;
		else
			protect(at, next - at, step->how & 3);
	}
	came_to(want, got);
}

void step_dontneed(const struct step *step)
{
	if (!model_all_mapped(step->at, step->n) ||
	    !came_to(0,
		     failure(madvise(address(step->at), step->n * (size_t)PAGE,
				     MADV_DONTNEED))))
		return;
	for (unsigned int i = 0; i < step->n; i++)
		model_leave(&self()->room[step->at + i]);
}

void step_dontfork(const struct step *step)
{
	unsigned int at = step->at, end = at + step->n, next;
	bool dontfork = step->how;

	if (!model_all_mapped(at, step->n) ||
	    !came_to(0,
		     failure(madvise(address(at), step->n * (size_t)PAGE,
				     dontfork ? MADV_DONTFORK : MADV_DOFORK))))
		return;
	for (; at < end; at = next) {
		next = model_end(at) < end ? model_end(at) : end;
		if (self()->room[at].dontfork == dontfork)
			continue;
		model_split(at);
		model_split(next);
		for (unsigned int i = at; i < next; i++)
			self()->room[i].dontfork = dontfork;
	}
}

/* ---- bytes ---- */

static sigjmp_buf fault;

static void on_fault(int number)
{
	siglongjmp(fault, number);
}

void catch_faults(void)
{
	struct sigaction action = { .sa_handler = on_fault,
				    .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* The signal that a look, or a write, comes to; 0 for none. */
static int try_byte(volatile unsigned char *byte, unsigned char *value,
		    bool write)
{
	int number = sigsetjmp(fault, 0);

	if (number)
		return number;
	if (write)
		*byte = *value;
	else
		*value = *byte;
	return 0;
}

/* Which of @n places have a page, whatever protects it. */
static void look_for_pages(unsigned int at, unsigned int n, uint64_t *entries)
{
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t from = (off_t)(ROOM_ADDR / PAGE + at) * 8;

	if (file < 0 || pread(file, entries, n * 8, from) != (ssize_t)n * 8)
		deviation("pagemap: %s", strerror(errno));
	close(file);
	while (n--)
		entries[n] >>= 63;
}

bool is_there(unsigned int at)
{
	uint64_t entry = 0;

	look_for_pages(at, 1, &entry);
	return entry;
}

/* What is spare may have gone; then it does not come back by itself. */
void see_whether_gone(unsigned int at)
{
	struct place *place = &self()->room[at];

	if (!place->present || !model_page(place)->spare || is_there(at))
		return;
	model_leave(place);
	if (!model_page(place)->maps)
		model_not_spare(model_page(place));
}

/* Writable memory can be read on this architecture. */
static int place_signal(const struct place *place, bool write)
{
	if (!place->mapped || (write ? !(place->prot & WRITE) : !place->prot))
		return SIGSEGV;
	return place->present ? 0 : SIGBUS;
}

void check_place(unsigned int at)
{
	const struct place *place = &self()->room[at];
	int want;

	see_whether_gone(at);
	want = place_signal(place, false);
	for (int i = 0; i < CELLS && !fuzz->failed; i++) {
		unsigned char byte = 0;
		int got = try_byte(address(at) + cells[i], &byte, false);

		if (got != want)
			deviation("memory: page at %u: signal %d, not %d", at,
				  got, want);
		else if (!got && byte != page_bytes(model_page(place))[i])
			deviation("bytes: page at %u, byte %u is %u, not %u",
				  at, cells[i], byte,
				  page_bytes(model_page(place))[i]);
		if (want)
			break;
	}
}

/* All of a page, if it can be read. */
void check_zeros(unsigned int at)
{
	const struct place *place = &self()->room[at];
	volatile unsigned char *bytes = address(at);

	if (place_signal(place, false))
		return;
	for (unsigned int i = 0; i < PAGE; i++)
		if (bytes[i])
			deviation("share: byte %u of the page at %u is %u", i,
				  at, bytes[i]);
}

void step_check(const struct step *step)
{
	static uint64_t there[ROOM];

	(void)step;
	look_for_pages(0, ROOM, there);
	for (unsigned int at = 0; at < ROOM && !fuzz->failed; at++) {
		const struct place *place = &self()->room[at];

		see_whether_gone(at);
		if (place->mapped && place->present != there[at])
			deviation("memory: page at %u is%s there", at,
				  there[at] ? "" : " not");
		else if (!place_signal(place, false))
			check_place(at);
	}
	if (!fuzz->failed)
		check_memory();
}

void step_write(const struct step *step)
{
	for (unsigned int i = 0; i < step->n && i < 4 && !fuzz->failed; i++) {
		const struct place *place = &self()->room[step->at + i];
		unsigned char value = ++fuzz->m.tag;
		int want, got, c = i % CELLS;

		see_whether_gone(step->at + i);
		want = place_signal(place, true);
		got = try_byte(address(step->at + i) + cells[c], &value, true);

		if (got != want)
			deviation("memory: write at %u: signal %d, not %d",
				  step->at + i, got, want);
		if (!got && !want) {
			page_bytes(model_page(place))[c] = value;
			step_called(true);
		}
	}
}
