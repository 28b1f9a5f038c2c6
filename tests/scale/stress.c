// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Processes and threads that share, map, notify, unmap in part, move, fork,
 * exec and die all over each other, on one descriptor and on their own; in dom0
 * another process maps what they grant. In the end nothing may be left.
 *
 *	stress [SECONDS [SEED]]
 */

#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "device.h"
#include "module.h"
#include "mute.h"

#define PROCESSES 4
#define THREADS 2
#define MAX_COUNT 300
#define SLOTS 8
#define MAILBOX 64

/* What a thread has in hand; some of it may be gone by another's doing. */
struct slot {
	uint64_t index;
	uint32_t count;
	char *addr;
	uint32_t mapped;
};

/* Shared by all processes: counts, and references for the mapping process. */
static struct {
	unsigned long done, died;
	uint32_t refs[MAILBOX];
} * common;

static int shared_fd;
static uint32_t port;

static uint32_t rnd(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static void do_alloc(int fd, struct slot *slot, uint64_t *seed)
{
	uint32_t flags = rnd(seed) & 1;
	uint32_t count =
		rnd(seed) % 4 ? 1 + rnd(seed) % 8 : 1 + rnd(seed) % MAX_COUNT;
	uint64_t index;

	if (alloc_for(fd, 0, count, flags, &index))
		return;
	slot->index = index;
	slot->count = count;
	common->refs[rnd(seed) % MAILBOX] = refs[0];
}

static void do_map(int fd, struct slot *slot)
{
	void *addr;

	if (slot->addr || !slot->count)
		return;
	addr = map(fd, slot->index, slot->count);
	if (addr == MAP_FAILED)
		return;
	slot->addr = addr;
	slot->mapped = slot->count;
	memset(addr, 0x5A, slot->count * PAGE);
}

static void do_unmap(struct slot *slot, uint64_t *seed)
{
	uint32_t from, n;

	if (!slot->addr)
		return;
	from = rnd(seed) % slot->mapped;
	n = rnd(seed) % 3 ? slot->mapped : 1 + rnd(seed) % slot->mapped;
	if (n == slot->mapped) {
		munmap(slot->addr, slot->mapped * PAGE);
		slot->addr = NULL;
	} else if (n > from) {
		/* Off the front, so that the rest stays one piece. */
		munmap(slot->addr, n * PAGE);
		slot->addr += n * PAGE;
		slot->mapped -= n;
	}
}

static void do_move(struct slot *slot)
{
	void *addr, *room;

	if (!slot->addr)
		return;
	room = mmap(NULL, slot->mapped * PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	addr = mremap(slot->addr, slot->mapped * PAGE, slot->mapped * PAGE,
		      MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (addr == MAP_FAILED)
		err(1, "mremap");
	slot->addr = addr;
}

static void do_dealloc(int fd, struct slot *slot, uint64_t *seed)
{
	if (slot->count > 1 && rnd(seed) % 2) {
		dealloc(fd, slot->index + rnd(seed) % slot->count * PAGE, 1);
		return;
	}
	dealloc(fd, slot->index, slot->count);
	slot->count = 0;
}

static void do_notify(int fd, const struct slot *slot, uint64_t *seed)
{
	uint64_t index = slot->index + rnd(seed) % (slot->count + 1) * PAGE;

	notify(fd, index, rnd(seed) % 4, port);
}

static void do_fork(const struct slot *slot, uint64_t *seed)
{
	int how = (int)(rnd(seed) % 3);
	pid_t pid = fork();

	if (!pid) {
		if (slot->addr)
			munmap(slot->addr, PAGE);
		if (how == 0)
			execl("/bin/true", "true", NULL);
		if (how == 1)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void do_die(uint64_t *seed)
{
	if (rnd(seed) % 8)
		return;
	__atomic_add_fetch(&common->died, 1, __ATOMIC_RELAXED);
	kill(getpid(), SIGKILL);
}

static void do_one(uint32_t what, int fd, struct slot *slot, uint64_t *seed)
{
	switch (what) {
	case 0 ... 15:
		if (!slot->count)
			do_alloc(fd, slot, seed);
		break;
	case 16 ... 27:
		do_map(fd, slot);
		break;
	case 28 ... 37:
		do_unmap(slot, seed);
		break;
	case 38 ... 47:
		do_dealloc(fd, slot, seed);
		break;
	case 48 ... 54:
		do_notify(fd, slot, seed);
		break;
	case 55 ... 58:
		do_move(slot);
		break;
	case 59:
		if (slot->addr)
			madvise(slot->addr, PAGE, MADV_DONTNEED);
		break;
	case 60:
		do_fork(slot, seed);
		break;
	case 61:
		/* Somebody else's, perhaps. */
		dealloc(shared_fd, rnd(seed) % 100000 * PAGE, 1);
		break;
	case 63:
		do_die(seed);
	}
}

static void *work(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 2654435761u;
	struct slot slots[SLOTS] = { 0 };
	int own_fd = open_device();

	if (own_fd < 0)
		err(1, "open");
	for (;;) {
		uint32_t n = rnd(&seed) % SLOTS, what = rnd(&seed) % 64;

		/* A slot keeps to one descriptor. */
		do_one(what, n % 2 ? shared_fd : own_fd, &slots[n], &seed);
		if (what == 62 && !n) {
			close(own_fd);
			own_fd = open_device();
			for (n = 0; n < SLOTS; n += 2)
				slots[n].count = 0;
		}
		__atomic_add_fetch(&common->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static pid_t start_process(unsigned int seed)
{
	pthread_t thread;
	pid_t pid = fork();

	if (pid)
		return pid;
	for (unsigned int i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, work,
			       (void *)(uintptr_t)(seed * THREADS + i));
	work((void *)(uintptr_t)(seed * THREADS));
	_exit(1);
}

/* Dom0 can map its own grants: a peer that comes and goes as it likes. */
static pid_t start_peer(void)
{
	const char *domid = getenv("XEN_DOMID");
	xengnttab_handle *gnttab;
	void *pages[16] = { NULL };
	uint64_t seed = 1;
	pid_t pid;

	if (!domid || strcmp(domid, "0"))
		return -1;
	pid = fork();
	if (pid)
		return pid;
	gnttab = xengnttab_open(&mute, 0);
	if (!gnttab)
		err(1, "xengnttab_open");
	for (;;) {
		unsigned int i = rnd(&seed) % 16;

		if (pages[i])
			xengnttab_unmap(gnttab, pages[i], 1);
		pages[i] = xengnttab_map_grant_ref(
			gnttab, 0, common->refs[rnd(&seed) % MAILBOX],
			PROT_READ);
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)atoi(argv[1]) : 60;
	unsigned int seed = argc > 2 ? (unsigned int)atoi(argv[2]) : 1;
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	pid_t pids[PROCESSES], peer;
	time_t end = time(NULL) + seconds;

	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared_fd = open_device();
	if (!evtchn || shared_fd < 0)
		err(1, "cannot open evtchn and gntalloc");
	port = (uint32_t)xenevtchn_bind_unbound_port(evtchn, 0);

	printf("stress: %d processes of %d threads, %u s, seed %u\n", PROCESSES,
	       THREADS, seconds, seed);
	fflush(stdout);
	peer = start_peer();
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = start_process(seed++);
	while (time(NULL) < end) {
		int status, i;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		for (i = 0; i < PROCESSES && pids[i] != pid; i++)
			;
		if (pid > 0 && i < PROCESSES) {
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
				errx(1, "a process ended with status %#x",
				     (unsigned int)status);
			pids[i] = start_process(seed++);
		} else if (pid > 0) {
			errx(1, "the mapping process ended");
		} else {
			usleep(10000);
		}
	}

	for (int i = 0; i < PROCESSES; i++)
		kill(pids[i], SIGKILL);
	if (peer > 0)
		kill(peer, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(shared_fd);
	printf("stress: %lu operations, %lu processes died on the way\n",
	       common->done, common->died);
	for (int i = 0; i < 600 && parameter("used"); i++)
		usleep(50000);
	printf("stress: %ld pages used, %ld lingering\n", parameter("used"),
	       parameter("lingering"));
	if (parameter("used") || parameter("lingering") || !common->done ||
	    !common->died)
		return 1;
	printf("1 passed, 0 failed\n");
	return 0;
}
