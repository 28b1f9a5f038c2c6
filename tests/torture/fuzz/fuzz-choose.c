// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is tried next: mostly what makes sense, as the model tells. */

#include "fuzz.h"

/* How often each is tried, beside the others. */
static const unsigned int weights[OPS] = {
	[OP_OPEN] = 20,	      [OP_CLOSE] = 14,	    [OP_DUP] = 8,
	[OP_ALLOC] = 90,      [OP_DEALLOC] = 90,    [OP_NOTIFY] = 70,
	[OP_ADD_PEER] = 60,   [OP_MEMORY] = 40,	    [OP_RENEW] = 40,
	[OP_REVOKE] = 30,     [OP_STATUS] = 20,	    [OP_RESTRICT] = 2,
	[OP_MAP] = 110,	      [OP_ARENA] = 30,	    [OP_SHARE] = 130,
	[OP_UNSHARE] = 70,    [OP_UNSHARE_AT] = 50, [OP_UNMAP] = 90,
	[OP_MOVE] = 40,	      [OP_PROTECT] = 35,    [OP_DONTNEED] = 45,
	[OP_DONTFORK] = 12,   [OP_WRITE] = 60,	    [OP_CHECK] = 25,
	[OP_FORK] = 6,	      [OP_EXEC] = 1,	    [OP_END] = 5,
	[OP_SPAWN] = 6,	      [OP_REAP] = 6,	    [OP_PEER_MAP] = 30,
	[OP_PEER_UNMAP] = 25, [OP_PEER_FILL] = 10,
};

static unsigned int draw(void)
{
	fuzz->random =
		fuzz->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(fuzz->random >> 33);
}

static unsigned int below(unsigned int n)
{
	return draw() % n;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

static unsigned int choose_op(void)
{
	unsigned int sum = 0, at, op;

	for (op = 0; op < OPS; op++)
		sum += weights[op];
	for (;;) {
		at = below(sum);
		for (op = 0; at >= weights[op]; op++)
			at -= weights[op];
		if (op < OP_PEER_MAP ||
		    (fuzz->peer_every && one_in(fuzz->peer_every)))
			return op;
	}
}

/* Mostly the process that took the step before. */
static unsigned int choose_proc(unsigned int last)
{
	unsigned int proc = last;

	if (!proc || one_in(8))
		proc = 1 + below(PROCS - 1);
	for (unsigned int i = 0; i < PROCS; i++) {
		if (proc && fuzz->m.procs[proc].alive)
			return proc;
		proc = proc % (PROCS - 1) + 1;
	}
	return 0;
}

/* A descriptor of the process that is open, or is not; rarely any. */
static uint8_t choose_fd(unsigned int proc, bool open)
{
	unsigned int fd = below(FDS);

	for (int i = 0; i < FDS && !one_in(40); i++) {
		if (fuzz->m.procs[proc].fds[fd].open == open)
			break;
		fd = (fd + 1) % FDS;
	}
	return (uint8_t)fd;
}

static uint16_t choose_unborn(void)
{
	unsigned int proc = 1 + below(PROCS - 1);

	for (int i = 0; i < PROCS && fuzz->m.procs[proc].alive; i++)
		proc = proc % (PROCS - 1) + 1;
	return (uint16_t)proc;
}

static uint16_t choose_peer_slot(bool used)
{
	unsigned int slot = below(PEER_SLOTS);

	for (int i = 0; i < PEER_SLOTS && fuzz->m.peer[slot].used != used; i++)
		slot = (slot + 1) % PEER_SLOTS;
	return (uint16_t)slot;
}

/* Whether it is one of the descriptor's file; the peer is not particular. */
static bool fits(const struct step *step, const struct label *label,
		 bool listed)
{
	const struct fd *fd = &fuzz->m.procs[step->proc].fds[step->fd];

	return label->set &&
	       (step->op != OP_UNSHARE || is_place(label->base)) &&
	       (!step->proc || (fd->open && label->file == fd->file)) &&
	       (!listed ||
		fuzz->m.files[label->file].pages[label->base].listed);
}

/* An allocation that is listed still, at best, or a part of it, or more. */
static bool choose_run(struct step *step)
{
	unsigned int used = fuzz->m.labels_used, tries = 0;
	const struct label *label;

	do {
		step->label = (uint8_t)(used - 1 - below(used ? used : 1));
		label = &fuzz->m.labels[step->label];
	} while (!fits(step, label, tries < 40) && ++tries < 50);

	step->n = label->count ? label->count : 1;
	if (step->n > 1 && one_in(2)) {
		step->off = (int16_t)below(step->n);
		step->n = (uint16_t)(1 + below(step->n - step->off));
	}
	if (one_in(20))
		step->n = (uint16_t)(step->n + 1 + below(4));
	if (one_in(40))
		step->off = (int16_t)(step->off - 1);
	return tries < 50;
}

static uint16_t choose_room(const struct step *step)
{
	unsigned int at = below(ROOM), n = step->n;
	const struct place *room = fuzz->m.procs[step->proc].room;
	unsigned int free = 0;

	for (unsigned int i = 0; i < 2 * ROOM && free < n; i++) {
		if (at + free >= ROOM) {
			at = 0;
			free = 0;
		}
		if (room[at + free].mapped) {
			at += free + 1;
			free = 0;
		} else {
			free++;
		}
	}
	return (uint16_t)at;
}

/* Some mapping, or a part of it, or a bit more. */
static void choose_mapping(struct step *step)
{
	const struct place *room = fuzz->m.procs[step->proc].room;
	unsigned int at = below(ROOM), n = 1;

	for (int i = 0; i < ROOM && !(room[at].mapped && room[at].first); i++)
		at = (at + 1) % ROOM;
	while (at + n < ROOM && room[at + n].mapped && !room[at + n].first)
		n++;
	if (n > 1 && one_in(2)) {
		unsigned int off = below(n);

		at += off;
		n = 1 + below(n - off);
	}
	if (one_in(12))
		n += below(6);
	step->at = (uint16_t)at;
	step->n = (uint16_t)(at + n > ROOM ? ROOM - at : n);
}

/* The descriptor of the file that is mapped there. */
static void choose_fd_of(struct step *step)
{
	const struct proc *proc = &fuzz->m.procs[step->proc];
	const struct place *place = &proc->room[step->at];

	if (!place->mapped || one_in(30))
		return;
	for (uint8_t i = 0; i < FDS; i++)
		if (proc->fds[i].open && proc->fds[i].file == place->file)
			step->fd = i;
}

static unsigned int any_count(void)
{
	switch (below(64)) {
	case 0:
		return 253 * 2 - 2 + below(5);
	case 1:
	case 2:
		return 252 + below(5);
	case 3 ... 10:
		return 1 + below(40);
	default:
		return 1 + below(4);
	}
}

static uint32_t wrong(unsigned int often, unsigned int kinds)
{
	return !fuzz->valid && one_in(often) ? 1 + below(kinds) : 0;
}

static void choose_alloc(struct step *step)
{
	step->op = OP_ALLOC;
	step->off = 0;
	step->n = (uint16_t)any_count();
	step->label = fuzz->m.labels_used;
	step->how = (one_in(4) ? 0 : 1) | wrong(20, 7) << 1;
	/* For a stranger: another domain can be added. */
	if (!fuzz->valid && fuzz->arenas && one_in(6))
		step->how = (step->how & 1) | 6 << 1;
}

/* Mostly where nothing is. */
static void choose_place(struct step *step)
{
	if (step->op == OP_ARENA) {
		step->n = (uint16_t)(1 + below(one_in(4) ? 100 : 24));
		step->to = (uint16_t)below(PLACES - step->n);
	}
	step->at = choose_room(step);
	step->how = one_in(10) ? below(2) : 3;
	step->how |= wrong(20, 2) << 2;
	/* Over something else. */
	if (!(step->how >> 2) && one_in(12)) {
		step->at = (uint16_t)below(ROOM - step->n);
		step->how |= 3 << 2;
	}
}

/* Mostly to the one that it is not granted to, or is. */
static void choose_grants(struct step *step)
{
	const struct label *label = &fuzz->m.labels[step->label];
	bool foreign = label->set &&
		       fuzz->m.files[label->file].pages[label->base].foreign;

	if (step->n > 12 && !one_in(6))
		step->n = (uint16_t)(1 + below(12));
	if (step->op == OP_ADD_PEER)
		foreign = !foreign;
	if (one_in(step->op == OP_RENEW ? 3 : 12))
		foreign = !foreign;
	step->at = fuzz->m.labels_used;
	step->how = (one_in(3) ? 0 : 1) | wrong(20, 7) << 1;
	step->how |= foreign ? 16 : 0;
}

/* About an allocation; where there is none, make one. */
static void choose_request(struct step *step)
{
	if (!choose_run(step) && !one_in(8)) {
		choose_alloc(step);
	} else if (step->op == OP_DEALLOC || step->op == OP_UNSHARE) {
		step->how = wrong(25, step->op == OP_DEALLOC ? 3 : 4);
	} else if (step->op == OP_NOTIFY) {
		step->n = 1;
		step->to = (uint16_t)below(CELLS);
		step->how = below(4) | wrong(20, 2) << 2;
	} else if (step->op == OP_MAP) {
		choose_place(step);
	} else {
		choose_grants(step);
	}
}

/* Of memory, or of a descriptor. */
static void choose_other(struct step *step)
{
	step->how = (one_in(3) ? 0 : 1) | wrong(20, 7) << 1;
	step->how |= one_in(3) ? 16 : 0;
	step->at = fuzz->m.labels_used;
	if (step->op == OP_RESTRICT) {
		step->to = (uint16_t)(1 + below(one_in(2) ? 20 : 300));
	} else {
		step->to = (uint16_t)below(MEMORY);
		step->n = (uint16_t)(1 + below(MEMORY - step->to));
		step->n = (uint16_t)(step->n + one_in(30));
	}
}

/* Places that are mapped; mostly of the descriptor of that mapping. */
static void choose_share(struct step *step)
{
	const struct place *room = fuzz->m.procs[step->proc].room;

	for (int i = 0; i < 20; i++) {
		choose_mapping(step);
		if (room[step->at].mapped && is_place(room[step->at].index))
			break;
	}
	choose_fd_of(step);
	if (one_in(3) && step->n > 4)
		step->n = (uint16_t)(1 + below(4));
	step->off = one_in(30) ? (int16_t)(below(5) - 2) : 0;
	if (step->op == OP_UNSHARE_AT)
		return;
	step->label = fuzz->m.labels_used;
	step->how = (one_in(4) ? 0 : 1) | wrong(20, 7) << 1;
	step->how |= one_in(3) ? 16 : 0;
}

static void choose_peer_map(struct step *step)
{
	choose_run(step);
	step->how = below(2);
	step->to = choose_peer_slot(false);
	step->n = (uint16_t)(1 + step->n % PEER_PAGES);
}

static void choose_details(struct step *step)
{
	switch (step->op) {
	case OP_OPEN:
		step->fd = choose_fd(step->proc, false);
		step->how = below(2) | wrong(12, 1) << 1;
		break;
	case OP_DUP:
		step->to = choose_fd(step->proc, false);
		step->how = below(2);
		break;
	case OP_ALLOC:
		choose_alloc(step);
		break;
	case OP_DEALLOC:
	case OP_NOTIFY:
	case OP_MAP:
	case OP_UNSHARE:
	case OP_ADD_PEER:
	case OP_RENEW:
	case OP_REVOKE:
		choose_request(step);
		break;
	case OP_MEMORY:
	case OP_STATUS:
	case OP_RESTRICT:
		choose_other(step);
		break;
	case OP_ARENA:
		choose_place(step);
		break;
	case OP_SHARE:
	case OP_UNSHARE_AT:
		choose_share(step);
		break;
	case OP_MOVE:
		choose_mapping(step);
		step->to =
			one_in(6) ? (uint16_t)below(ROOM) : choose_room(step);
		step->how = wrong(5, 3);
		break;
	case OP_PROTECT:
		step->how = one_in(3) ? below(2) : 3;
		choose_mapping(step);
		break;
	case OP_DONTFORK:
		step->how = below(2);
		choose_mapping(step);
		break;
	case OP_UNMAP:
	case OP_DONTNEED:
	case OP_WRITE:
		choose_mapping(step);
		break;
	case OP_FORK:
	case OP_SPAWN:
		step->to = choose_unborn();
		break;
	case OP_END:
		step->how = below(2);
		break;
	case OP_PEER_MAP:
		choose_peer_map(step);
		break;
	case OP_PEER_UNMAP:
	case OP_PEER_FILL:
		step->to = choose_peer_slot(true);
		break;
	}
}

/* What has nothing to be tried on makes room for what begins. */
static unsigned int possible(unsigned int op, const struct proc *proc)
{
	bool has_fd = false;

	for (int i = 0; i < FDS; i++)
		has_fd = has_fd || proc->fds[i].open;
	if (op > OP_OPEN && op <= OP_UNSHARE_AT && !has_fd)
		return OP_OPEN;
	if (op >= OP_SHARE && op <= OP_CHECK && !proc->mapped)
		return has_fd ? OP_MAP : OP_OPEN;
	if (((op >= OP_ARENA && op <= OP_UNSHARE_AT) ||
	     (op >= OP_ADD_PEER && op <= OP_RESTRICT)) &&
	    !fuzz->arenas && !one_in(20))
		return OP_MAP;
	return op;
}

void choose_step(struct step *step)
{
	static const struct step none;
	unsigned int last = step > fuzz->list ? step[-1].proc : 0;

	*step = none;
	step->op = (uint8_t)choose_op();
	step->proc = (uint8_t)choose_proc(last);
	if (!step->proc && step->op < OP_SPAWN)
		step->op = OP_SPAWN;
	if (step->op >= OP_SPAWN)
		step->proc = 0;
	else if (!one_in(20))
		step->op =
			(uint8_t)possible(step->op, &fuzz->m.procs[step->proc]);
	step->fd = step->op < OP_SPAWN ? choose_fd(step->proc, true) : 0;
	choose_details(step);
}
