// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Processes that take turns. Passing the turn costs a system call or two, so
 * who has it keeps it as long as the steps are its own.
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define SHARED_ADDR ((void *)(uintptr_t)UINT64_C(0x200000000000))
#define SHARED_FD 200
#define MEMORY_FD 201
/* No step takes so long, unless something hangs. */
#define HANGS_S 600

struct fuzz *fuzz;
unsigned int me;

/* ---- memory that all have ---- */

unsigned char *memory_page(unsigned int at)
{
	return (unsigned char *)(uintptr_t)(MEMORY_ADDR + (uint64_t)at * PAGE);
}

static void map_shared(void)
{
	fuzz = mmap(SHARED_ADDR, sizeof(*fuzz), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, SHARED_FD, 0);
	if (fuzz == MAP_FAILED)
		err(1, "cannot map %zu bytes", sizeof(*fuzz));
	if (mmap(memory_page(0), MEMORY * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, MEMORY_FD, 0) == MAP_FAILED ||
	    mmap(memory_page(READ_ONLY), MEMORY * PAGE, PROT_READ,
		 MAP_SHARED | MAP_FIXED, MEMORY_FD, 0) == MAP_FAILED)
		err(1, "cannot map memory");
}

static void make_file(size_t size, int number)
{
	int fd = memfd_create("fuzz", 0);

	if (fd < 0 || ftruncate(fd, (off_t)size) || dup2(fd, number) < 0)
		err(1, "cannot make shared memory");
	close(fd);
}

void make_shared(void)
{
	make_file(sizeof(*fuzz), SHARED_FD);
	make_file(MEMORY * PAGE, MEMORY_FD);
	map_shared();
}

/* ---- turns ---- */

static long futex(uint32_t *word, int op, uint32_t value,
		  const struct timespec *limit)
{
	return syscall(SYS_futex, word, op, value, limit, NULL, 0);
}

static void wake(unsigned int proc)
{
	__atomic_store_n(&fuzz->go[proc], 1, __ATOMIC_SEQ_CST);
	futex(&fuzz->go[proc], FUTEX_WAKE, 1, NULL);
}

void pass_turn(unsigned int to)
{
	__atomic_store_n(&fuzz->turn, to, __ATOMIC_SEQ_CST);
	wake(to);
}

/* Until somebody wakes this process: false if nobody did for long. */
static bool sleep_once(void)
{
	const struct timespec limit = { .tv_sec = HANGS_S };

	while (!__atomic_exchange_n(&fuzz->go[me], 0, __ATOMIC_SEQ_CST))
		if (futex(&fuzz->go[me], FUTEX_WAIT, 0, &limit) < 0 &&
		    errno == ETIMEDOUT)
			return false;
	return true;
}

/* ---- processes ---- */

static void begin(unsigned int proc)
{
	me = proc;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_DFL);
	catch_faults();
	take_turns();
}

/* As fork(), but the child is process 0's whoever has it. */
static void step_fork(const struct step *step)
{
	unsigned int child = step->to;
	pid_t pid;

	if (fuzz->m.procs[child].alive)
		return;
	fuzz->go[child] = 0;
	model_fork(me, child);
	pid = (pid_t)syscall(SYS_clone,
			     SIGCHLD | (me ? (unsigned long)CLONE_PARENT : 0),
			     NULL, NULL, NULL, NULL);
	if (!pid)
		begin(child);
	if (pid < 0)
		return deviation("fork: %s", strerror(errno));
	step_called(true);
	fuzz->m.procs[child].pid = pid;
	fuzz->m.procs[child].alive = true;
}

static void step_exec(const struct step *step)
{
	char number[4];

	(void)step;
	step_called(true);
	snprintf(number, sizeof(number), "%u", me);
	model_unmap(me, 0, ROOM);
	model_close(me, true);
	self()->mm = ++fuzz->m.mms;
	execl("/proc/self/exe", "fuzz-module", "--process", number, NULL);
	deviation("exec: %s", strerror(errno));
}

/* Process 0 sees it and finishes the step. */
static void step_end(const struct step *step)
{
	step_called(true);
	fuzz->dying = (int)me;
	fuzz->m.procs[me].alive = false;
	model_unmap(me, 0, ROOM);
	model_close(me, false);
	if (step->how)
		kill(getpid(), SIGKILL);
	_exit(0);
}

/* ---- steps ---- */

static void (*const takes[OPS])(const struct step *step) = {
	[OP_OPEN] = step_open,
	[OP_CLOSE] = step_close,
	[OP_DUP] = step_dup,
	[OP_ALLOC] = step_alloc,
	[OP_DEALLOC] = step_dealloc,
	[OP_NOTIFY] = step_notify,
	[OP_ADD_PEER] = step_add_peer,
	[OP_MEMORY] = step_memory,
	[OP_RENEW] = step_renew,
	[OP_REVOKE] = step_revoke,
	[OP_STATUS] = step_status,
	[OP_RESTRICT] = step_restrict,
	[OP_MAP] = step_map,
	[OP_ARENA] = step_map,
	[OP_UNSHARE] = step_unshare,
	[OP_SHARE] = step_share,
	[OP_UNSHARE_AT] = step_unshare_at,
	[OP_UNMAP] = step_unmap,
	[OP_MOVE] = step_move,
	[OP_PROTECT] = step_protect,
	[OP_DONTNEED] = step_dontneed,
	[OP_DONTFORK] = step_dontfork,
	[OP_WRITE] = step_write,
	[OP_CHECK] = step_check,
	[OP_FORK] = step_fork,
	[OP_EXEC] = step_exec,
	[OP_END] = step_end,
	[OP_SPAWN] = step_fork,
	[OP_REAP] = step_reap,
	[OP_PEER_MAP] = step_peer_map,
	[OP_PEER_UNMAP] = step_peer_unmap,
	[OP_PEER_FILL] = step_peer_fill,
};

/* A signal costs as much as many calls: not each time. */
static void look(unsigned int at)
{
	if (self()->room[at].present || fuzz->step % 8 == 0)
		check_place(at);
}

/* The first and the last page that a step is about, after it. */
static void look_again(const struct step *step)
{
	bool mapping = step->op >= OP_MAP && step->op <= OP_DONTFORK &&
		       step->op != OP_UNSHARE;

	if (!mapping || !fuzz->called || fuzz->failed ||
	    step->at + step->n > ROOM)
		return;
	look(step->at);
	if (step->n > 1)
		look(step->at + step->n - 1u);
	if (step->op == OP_MOVE && step->to + step->n <= ROOM)
		look(step->to);
}

static void trace(const struct step *step)
{
	char text[160];

	print_step(text, sizeof(text), step);
	printf("%u: %s\n", fuzz->step, text);
	fflush(stdout);
}

static void finish_step(void)
{
	fuzz->pending = false;
	if (fuzz->called) {
		fuzz->calls++;
		fuzz->refused += !fuzz->list[fuzz->step].done;
		if (!fuzz->failed)
			check_event();
		if (!fuzz->failed)
			check_counters();
	}
	if (!fuzz->failed)
		fuzz->step++;
}

static void one_step(void)
{
	struct step *step = &fuzz->list[fuzz->step];

	if (fuzz->failed || fuzz->step == fuzz->steps) {
		fuzz->over = true;
		return pass_turn(0);
	}
	if (!fuzz->pending) {
		if (!fuzz->replay)
			choose_step(step);
		fuzz->pending = true;
		fuzz->called = false;
	}
	/* Who was to take it may never have been born in a shorter list. */
	if (!fuzz->m.procs[step->proc].alive) {
		finish_step();
		return;
	}
	if (step->proc != me)
		return pass_turn(step->proc);
	if (fuzz->trace)
		trace(step);
	takes[step->op](step);
	look_again(step);
	finish_step();
}

void take_turns(void)
{
	for (;;) {
		while (!fuzz->over &&
		       __atomic_load_n(&fuzz->turn, __ATOMIC_SEQ_CST) == me)
			one_step();
		if (!me)
			return;
		sleep_once();
	}
}

void attach_shared(const char *number)
{
	map_shared();
	me = (unsigned int)atoi(number);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	catch_faults();
	finish_step();
	take_turns();
}

/* ---- process 0 ---- */

static void on_child(int number)
{
	(void)number;
	fuzz->go[0] = 1;
}

static void one_died(pid_t pid, int status)
{
	if (fuzz->dying < 0 || fuzz->m.procs[fuzz->dying].pid != pid) {
		deviation("process: ended with status %#x", (unsigned)status);
		fuzz->over = true;
		return;
	}
	fuzz->dying = -1;
	finish_step();
	fuzz->turn = 0;
}

static void conduct(void)
{
	int status;
	pid_t pid;

	for (;;) {
		take_turns();
		if (fuzz->over)
			return;
		if (!sleep_once()) {
			deviation("hang: nothing for %d seconds", HANGS_S);
			return;
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			one_died(pid, status);
	}
}

static void end_all(void)
{
	for (int i = 1; i < PROCS; i++)
		if (fuzz->m.procs[i].alive)
			kill(fuzz->m.procs[i].pid, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void reset(void)
{
	long base = fuzz->m.base, base_linger = fuzz->m.base_linger;

	memset(&fuzz->m, 0, sizeof(fuzz->m));
	memset(fuzz->go, 0, sizeof(fuzz->go));
	memset(memory_page(0), 0, MEMORY * PAGE);
	fuzz->m.base = base;
	fuzz->m.base_linger = base_linger;
	fuzz->step = 0;
	fuzz->turn = 0;
	fuzz->dying = -1;
	fuzz->failed = fuzz->over = fuzz->pending = false;
	fuzz->m.procs[0].alive = true;
	fuzz->m.procs[0].pid = getpid();
}

void run_episode(void)
{
	struct sigaction action = { .sa_handler = on_child };

	reset();
	/* Those of the end of the one before. */
	read_events();
	sigaction(SIGCHLD, &action, NULL);
	me = 0;
	conduct();
	peer_close();
	end_all();
}
