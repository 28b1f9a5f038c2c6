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
/* Memory of the fuzzing processes, the same for all: so many pages. */
#define MEMORY 24u
#define MEMORY_ADDR UINT64_C(0x280000000000)
#define CONTENTS 65536
/* A domain that need not be there. */
#define STRANGER 77
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
	OP_ADD_PEER,
	OP_MEMORY,
	OP_RENEW,
	OP_REVOKE,
	OP_STATUS,
	OP_RESTRICT,
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
 * What is in a page of memory, whoever has grants of it.
 *
 * @lent	grants besides that of its maker, listed or lingering
 * @waits	its maker's ended, and it lingers until the others have
 * @place, @file	whose it was
 */
struct content {
	uint8_t bytes[CELLS];
	uint16_t lent;
	bool waits, place;
	uint8_t file;
};

/*
 * Page by page of an allocation, the page of a place, or a grant of one more
 * peer or of memory. @spare: it may be, or be gone; @copied: so a share has
 * another page there; @sealed: nobody may write because of us.
 */
enum kind { OWN, LENT, PINNED };
struct page {
	uint32_t ref, content;
	uint16_t mm; /* of memory */
	uint8_t kind;
	bool place, nobody, sealed;
	uint16_t maps; /* by all processes */
	uint8_t peer_maps;
	bool spare, copied, live, listed, writable, foreign, clear, send;
	uint8_t clear_cell;
};

/* The pages of an open descriptor and its copies, by index. */
struct file {
	unsigned int users; /* descriptors and mapped places; 0: not in use */
	bool readonly;
	unsigned int owner; /* of the arena: an address space, or 0 */
	bool forked;	    /* a child had places of it */
	/*
	 * @held: released, but the peer maps them; @kept: grants that it still
	 * maps, and the pages went on; @lost: since @next
	 */
	uint32_t next, held, kept, lost;
	/* @max: 0 until it is restricted; @only: to the stranger */
	uint32_t max;
	bool only;
	/* @news: something lingered; @unsure: or may have */
	bool news, unsure;
	uint64_t returned;
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
		/* Places that linger, or left a chunk that does not. */
		uint32_t slack;
		uint32_t contents_used;
		struct content contents[CONTENTS];
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

static inline uint8_t *page_bytes(const struct page *page)
{
	return fuzz->m.contents[page->content].bytes;
}

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
/* How many pages may be beside those that are sure to count. */
uint32_t model_beside(void);
/* The byte and the event of a page, once. */
void model_notify(struct page *page);
/* A page that was spare is not any more. */
void model_not_spare(struct page *page);

/* fuzz-grants.c: pages with several grants, and what a descriptor may have */
bool model_has_contents(uint32_t count);
uint32_t model_content(void);
void model_give_back(struct page *page, unsigned int file);
struct page *model_leave_behind(struct page *page, unsigned int file);
void model_new_grant(unsigned int file, uint32_t index,
		     const struct page *page);
void model_renew(unsigned int file, uint32_t index, const struct page *grant);
void model_revoke(unsigned int file, uint32_t index);
bool model_sealed(unsigned int file, uint32_t index, unsigned int count);
/* 0, ENOSPC or EDQUOT; as @got says where that is not known. */
int model_room_error(unsigned int file, uint32_t count, int got);
uint32_t model_file_has(unsigned int file);
uint32_t model_pinned(void);

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
void step_add_peer(const struct step *step);
void step_memory(const struct step *step);
void step_renew(const struct step *step);
void step_revoke(const struct step *step);
void step_status(const struct step *step);
void step_restrict(const struct step *step);
void check_memory(void);
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

/*
 * What is wrong with a request about grants or a descriptor: bits of @how. The
 * first is for writable ones, another for those to a stranger.
 */
enum {
	GRANT_FLAGS = 1,
	GRANT_DOMID,
	GRANT_ZERO,
	GRANT_FAULT,
	GRANT_REFS,
	GRANT_CROOKED,
	GRANT_PAD
};
#define GRANT_FOREIGN 16

static inline unsigned int grant_kind(const struct step *step)
{
	return step->how >> 1 & 7;
}

static inline uint16_t grant_domid(const struct step *step)
{
	if (grant_kind(step) == GRANT_DOMID)
		return 0x7FF0;
	return step->how & GRANT_FOREIGN ? STRANGER : fuzz->domid;
}

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
/* The memory that all of them may share; from READ_ONLY on the same again. */
#define READ_ONLY (2 * MEMORY)
unsigned char *memory_page(unsigned int at);

#endif
