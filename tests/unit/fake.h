/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device below the library that keeps to the rules of the driver, knows what
 * is open, listed and mapped, and fails where a test wants it to. A call that
 * the driver would never get from a right library aborts the test.
 */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "../../src/internal.h"

/* The first descriptor; others follow. */
#define FAKE_FD 1000
/* The references of a new share count up from here. */
#define FAKE_FIRST_REF 8
/* And those of what is granted anew from here. */
#define FAKE_FIRST_RENEWED (1u << 20)
/* How many pages can be had from one fake_setup() to the next. */
#define FAKE_PAGES (1u << 18)
/*
 * Descriptors of other files: one that knows no request, gntdev's, which knows
 * one of them, one that says to all that they are wrong, and one that is no
 * descriptor any more.
 */
#define FAKE_OTHER_FD 900
#define FAKE_GNTDEV_FD 901
#define FAKE_RANDOM_FD 902
#define FAKE_CLOSED_FD 903
/* The only event channel that is open in this domain. */
#define FAKE_PORT 5
/* What all that does not fail leaves in errno. */
#define FAKE_ANY_ERRNO EDOTDOT
/* What all steps behind the one that shall fail do with fake.fail_on. */
#define FAKE_LATER_ERRNO ELOOP

/* All that can fail. */
enum fake_step {
	FAKE_NONE,
	FAKE_MEMORY, /* with ENOMEM, whatever the test wants */
	FAKE_OPEN,
	FAKE_ALLOC,
	FAKE_NOTIFY,
	FAKE_DEALLOC,
	FAKE_MMAP,
	FAKE_MUNMAP,
	FAKE_ARENA, /* its mmap */
	FAKE_SHARE,
	FAKE_UNSHARE,
	FAKE_MAPPINGS,
	FAKE_CLOSE,
	FAKE_FCNTL,
	FAKE_POLL,
	FAKE_ADD_PEER,
	FAKE_SHARE_MEMORY,
	FAKE_RENEW,
	FAKE_REVOKE,
	FAKE_STATUS,
	FAKE_RESTRICT,
};

struct fake {
	/* What there is now, of this process; and how many are a parent's. */
	unsigned int open, listed, mapped, arenas, spare, inherited;
	/* How often an arena was asked for, and how many spare pages served. */
	unsigned int arenas_asked, reused;
	/* What happened: pages released, bytes cleared, events sent. */
	unsigned int released, cleared, events;
	/*
	 * Steps that could fail so far; which one shall, with what, and whether
	 * all behind it do too; and which one did.
	 */
	unsigned int steps, fail_at;
	int fail_errno;
	bool fail_on;
	enum fake_step failed;
	/* A descriptor that came through fork is used as any other. */
	bool children_share;
	/* The driver has arenas, as ours; the stock one has not. */
	bool has_arenas;
	/* Another process has that of the descriptor. */
	bool no_arena;
	/* Spare pages go at random, as if idle. */
	bool decays;
	/* The program unmapped something itself. */
	bool meddled;
	/* How often the list of mappings was asked for. */
	unsigned int looks;
	/* If the list of mappings fails: how many it tells before. */
	unsigned int mappings_told;
	/* Grants that were added to pages. */
	unsigned int added;
	/*
	 * What STATUS tells; when all comes back by the clock, which goes on
	 * while somebody waits; whether it was told, and that to be quiet;
	 * whether somebody else took all news; how often one waited.
	 */
	uint32_t lingering, restores;
	int64_t now_ms, back_at_ms;
	bool is_back, quiet, no_news;
	unsigned int polls;
	/* How the next descriptor is open that somebody else opened. */
	int open_mode;
	/* Where the next mapping that is no arena goes, if not NULL. */
	void *place;
	/* And the next arena. */
	void *arena_place;
	/* The last ALLOC. */
	uint32_t domid, flags, count;
	/*
	 * What the machine says of itself; limit 0: no such parameter. Others
	 * may have spare pages, which count as used.
	 */
	unsigned long limit, spare_elsewhere;
	bool tells_used, tells_spare, hypercalls;
	/*
	 * Where the processor has Xen's leaves, if anywhere, how many follow
	 * the first, and what they tell; how often it was asked.
	 */
	uint32_t cpuid_base, cpuid_leaves, cpuid_features, cpuid_domid;
	unsigned int cpuid_asked;
	bool is_pv;
	/* The files below /sys that are there. */
	const char *there[2];
	uint32_t frames, max_frames;
	long page_size;
};

extern struct fake fake;

/* Setup and teardown of each test: a fresh device; nothing left behind. */
int fake_setup(void **state);
int fake_teardown(void **state);

/*
 * A page that was ever shared. The peer sees @bytes, also after the end; the
 * program sees them at @addr, or NULL. A spare one was shared and is still in
 * its place; if a child has a copy of it, it is of no use, and once it is gone
 * from its place still counts as spare, @kept by the child. What was granted in
 * addition, or is memory of the program, is a page here that cannot be mapped;
 * the former is @added to the page @of.
 */
struct fake_page {
	unsigned char *bytes, *addr;
	const struct fake_page *of;
	uint32_t ref, domid, flags;
	bool granted, added, unmappable;
	int fd;
	/* The first page of its mapping. */
	const struct fake_page *mapping;
	bool listed, released, in_arena, spare, copied, kept;
	unsigned int action, offset;
};

const struct fake_page *fake_page(uint32_t ref);

/* A descriptor of the device that somebody else opened. */
int fake_open(void);
/* Whether it is close-on-exec. */
bool fake_is_cloexec(int fd);

/*
 * Go on as a child of fork would, without the cost of one: the handlers of the
 * library run, and what was open and shared is from now on the parent's.
 */
void fake_become_child(void);
/* Or as the parent, whose child lives, until they all end. */
void fake_fork(void);
void fake_children_end(void);

/*
 * The program calls munmap behind the library's back, on whole pages; or what
 * MADV_DONTFORK comes to in a child.
 */
void fake_program_unmaps(void *addr, size_t size);

/* The driver takes a spare page back. */
void fake_take_spare(void);

/* Whether an arena has this byte. */
bool fake_in_arena(const void *addr);

/* A logger that keeps the messages, and what it has kept. */
struct xentoollog_logger *fake_logger(void);
extern char fake_message[1024];
extern unsigned int fake_messages;

#endif
