/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of fuzz-module share.
 *
 * A run is a number of episodes. Each has a seed of its own and a fresh set of
 * processes; its steps are one after another, whichever process takes them:
 * there is one turn, and who has it takes steps until one is for somebody else.
 * All that is known, the model too, is in memory that all of them map.
 *
 * Process 0 is the peer, looks after the others and never opens the device.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096u
#define PROCS 5
#define FDS 4
#define FILES 12
/* Pages that a file can have in its life; then it gets no more. */
#define INDICES 1536
/* The model's index of the first place of its arena, and how many are used. */
#define FIRST_PLACE (INDICES + 64u)
#define PLACES 192
#define LAST_INDEX (FIRST_PLACE + PLACES)
/* Where each process maps pages: so many, from ROOM_ADDR on. */
#define ROOM 1280
#define ROOM_ADDR UINT64_C(0x300000000000)
#define LABELS 256
#define PEER_SLOTS 8
#define PEER_PAGES 4
#define MAX_COUNT 520
#define MAX_STEPS 4096
#define REFS 65536
/* The module's parameter; small enough to be met. */
#define LIMIT 1500

/* The bytes of a page that are looked at. */
#define CELLS 4
extern const uint16_t cells[CELLS];

enum op {
	OP_OPEN,
	OP_CLOSE,
	OP_DUP,
	OP_ALLOC,
	OP_DEALLOC,
	OP_NOTIFY,
	OP_MAP,
	OP_ARENA,
	OP_UNSHARE,
	OP_SHARE,
	OP_UNSHARE_AT,
	OP_UNMAP,
	OP_MOVE,
	OP_PROTECT,
	OP_DONTNEED,
	OP_DONTFORK,
	OP_WRITE,
	OP_CHECK,
	OP_FORK,
	OP_EXEC,
	OP_END,
	OP_SPAWN,
	OP_REAP,
	OP_PEER_MAP,
	OP_PEER_UNMAP,
	OP_PEER_FILL,
	OPS
};

/*
 * A step means the same when others are taken out before it: indices are told
 * by the allocation that made them (@label) and what is added to its first one
 * (@off), places in the room and descriptors by their number. What cannot be
 * done any more is skipped.
 *
 * @how	variants of the operation: see where it is taken
 * @done	it came to something, and was not refused or skipped
 */
struct step {
	uint8_t op, proc, fd, label;
	int16_t off;
	uint16_t at, n, to;
	uint32_t how;
	bool done;
};

/*
 * Page by page of an allocation, or the page of a place. @spare: it may be, or
 * be gone; @copied: so a share has another page there.
 */
struct page {
	uint32_t ref;
	uint16_t maps; /* by all processes */
	uint8_t peer_maps;
	bool spare, copied, live, listed, writable, foreign, clear, send;
	uint8_t clear_cell;
	uint8_t bytes[CELLS];
};

/* The pages of an open descriptor and its copies, by index. */
struct file {
	unsigned int users; /* descriptors and mapped places; 0: not in use */
	bool readonly;
	unsigned int owner; /* of the arena: an address space, or 0 */
	bool forked;	    /* a child had places of it */
	/* @held: released, but the peer maps them; @lost: since @next */
	uint32_t next, held, lost;
	struct page pages[LAST_INDEX];
};

struct fd {
	bool open, cloexec;
	uint8_t file;
	int number;
};

/* A place in the room. @first: a mapping begins here. */
struct place {
	bool mapped, first, present, dontfork;
	uint8_t file, prot;
	uint32_t index;
};

struct proc {
	bool alive;
	unsigned int mm; /* number of its address space */
	pid_t pid;
	struct fd fds[FDS];
	unsigned int mapped;
	struct place room[ROOM];
};

struct label {
	bool set;
	uint8_t file;
	uint16_t count;
	uint32_t base;
};

struct peer_slot {
	bool used, writable;
	uint8_t file, count;
	struct page *pages[PEER_PAGES];
	void *handle;
};

struct fuzz {
	/* for the whole run */
	uint64_t seed;
	unsigned int length, peer_every;
	bool arenas, counters, trace, valid;
	int used_fd, lingering_fd, spare_fd, device_fd, event_fd;
	uint32_t port, event_port, fence_port, fence_event_port;
	uint16_t domid;

	/* whose turn it is */
	uint32_t go[PROCS], turn;
	bool failed, over, pending, called; /* @called: not skipped */
	unsigned long calls, refused;
	int dying; /* who ends in this step, or -1 */
	char what[512];

	/* the steps of this episode */
	uint64_t random;
	bool replay;
	unsigned int step, steps;
	struct step list[MAX_STEPS];

	/* the model: from here on zero at the start of an episode */
	struct {
		/* @maybe: the peer let go; @counted: what was compared last */
		uint32_t live, held, maybe, counted, spare;
		unsigned int mms;
		long base, base_linger;
		bool event;
		uint8_t labels_used, tag;
		struct proc procs[PROCS];
		struct label labels[LABELS];
		struct peer_slot peer[PEER_SLOTS];
		bool owned[REFS]; /* a page has this reference */
		struct file files[FILES];
		/* Of places, which have another page by now; the peer's */
		struct page left[PEER_SLOTS * PEER_PAGES];
	} m;
};

/* At the same address in every process. */
extern struct fuzz *fuzz;
/* Which process this is. */
extern unsigned int me;

/* fuzz-model.c: what must be true */
int model_free_file(void);
void model_ref(unsigned int file);
void model_unref(unsigned int file);
bool model_lists(unsigned int file, int64_t index, unsigned int count);
void model_alloc(unsigned int file, uint32_t index, uint32_t count);
void model_dealloc(unsigned int file, uint32_t index, unsigned int count);
void model_map(unsigned int at, unsigned int n, unsigned int file,
	       uint32_t index, uint8_t prot, bool present);
void model_unmap(unsigned int proc, unsigned int at, unsigned int n);
void model_move(unsigned int at, unsigned int n, unsigned int to);
void model_split(unsigned int at);
void model_leave(struct place *place);
void model_enter(struct place *place);
unsigned int model_end(unsigned int at);
bool model_all_mapped(unsigned int at, unsigned int n);
bool model_all_free(unsigned int at, unsigned int n);
void model_fork(unsigned int parent, unsigned int child);
void model_close(unsigned int proc, bool cloexec_only);
void model_peer_map(unsigned int slot);
void model_peer_unmap(unsigned int slot);
struct page *model_page(const struct place *place);
bool model_owns(unsigned int file);
void model_refill(unsigned int file, uint32_t index);
uint32_t model_companions(void);
bool model_no_room(uint32_t count, int got);
void model_unshare(unsigned int file, uint32_t index, unsigned int count);
/* A page that was spare is not any more. */
void model_not_spare(struct page *page);

static inline bool is_place(uint32_t index)
{
	return index >= FIRST_PLACE && (int32_t)index >= 0;
}

static inline struct proc *self(void)
{
	return &fuzz->m.procs[me];
}

/* fuzz-choose.c: the next step */
void choose_step(struct step *step);

/* fuzz-print.c: how it is told */
void print_step(char *to, size_t size, const struct step *step);

/* fuzz-requests.c, fuzz-memory.c, fuzz-share.c: taking it */
__attribute__((format(printf, 1, 2))) void deviation(const char *format, ...);
/* Whether a call succeeded as it must; want and got are 0 or errno. */
bool came_to(int want, int got);
/* 0 or errno. */
int failure(long result);
uint32_t step_index(const struct step *step);
/* Of the device. */
uint64_t device_index(uint32_t index);
void step_called(bool done);
void step_open(const struct step *step);
void step_close(const struct step *step);
void step_dup(const struct step *step);
void step_alloc(const struct step *step);
void step_dealloc(const struct step *step);
void step_notify(const struct step *step);
void step_map(const struct step *step);
void step_share(const struct step *step);
void step_unshare(const struct step *step);
void step_unshare_at(const struct step *step);
void step_unmap(const struct step *step);
void step_move(const struct step *step);
void step_protect(const struct step *step);
void step_dontneed(const struct step *step);
void step_dontfork(const struct step *step);
void step_write(const struct step *step);
void step_check(const struct step *step);
/* The page at a place of this process's room. */
void check_place(unsigned int at);
void check_zeros(unsigned int at);
void catch_faults(void);
bool is_there(unsigned int at);
void see_whether_gone(unsigned int at);

/* fuzz-peer.c: the other domain, and the module's counters */
void peer_open(const char *kind);
void step_peer_map(const struct step *step);
void step_peer_unmap(const struct step *step);
void step_peer_fill(const struct step *step);
void peer_close(void);
long read_counter(int fd);
void reap(void);
void step_reap(const struct step *step);
void check_counters(void);

/* fuzz-events.c */
void open_events(void);
/* Whether the module has sent one since the last time. */
bool read_events(void);
void check_event(void);

/* fuzz-turns.c: processes */
void pass_turn(unsigned int to);
void take_turns(void);
/* In a process of its own, so that nothing of it is left. */
void run_episode(void);
/* In the process that calls it, and in one that has called execve(). */
void make_shared(void);
void attach_shared(const char *number);

#endif
