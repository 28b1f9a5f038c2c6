// SPDX-License-Identifier: LGPL-2.1-or-later
/* The module goes and comes, among users and pages that a peer keeps. */

#include "test-hostile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RELOADS 100
#define USERS 3

static atomic_uint *shared;

static unsigned int now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned int)now.tv_sec * 1000000u +
	       (unsigned int)now.tv_nsec / 1000;
}

/*
 * Shares for a moment whenever there is a device. However slow the machine is,
 * half of the time it does not.
 */
static void __attribute__((noreturn)) use(unsigned int seed)
{
	unsigned int start, took = 0;

	srand(seed);
	for (;; took = now_us() - start) {
		uint32_t count = 1 + (uint32_t)rand() % 300;
		unsigned char *pages;
		uint64_t index;
		int fd;

		usleep((unsigned int)rand() % (2 * took + 10000));
		start = now_us();
		fd = open_device();
		if (fd < 0)
			continue;
		if (!alloc(fd, count, &index)) {
			pages = map(fd, index, count);
			child_must(pages != MAP_FAILED);
			child_must(all_are(pages, count * PAGE, 0));
			memset(pages, 0x5A, count * PAGE);
			(*shared)++;
			if (rand() % 2)
				dealloc(fd, index, count);
			munmap(pages, count * PAGE);
		} else {
			child_must(errno == ENOSPC);
		}
		close(fd);
	}
}

/* Pages that the peer maps when the module goes; after that nobody has them. */
static long leave_some(uint32_t seed, uint32_t *left)
{
	int fd = open_device();
	uint64_t index = must_alloc(fd, 3);
	long slot = peer_map(refs, 3);

	memcpy(left, refs, 3 * sizeof(*refs));
	assert_true(slot >= 0);
	peer_fill(slot, seed);
	assert_int_equal(dealloc(fd, index, 3), 0);
	close(fd);
	return slot;
}

static void unload(unsigned int *refused)
{
	while (syscall(SYS_delete_module, "xen_gntalloc", O_NONBLOCK)) {
		assert_true(errno == EAGAIN || errno == EBUSY);
		++*refused;
		usleep(300);
	}
}

/* The kernel itself ends their grants, and then frees them. */
static void peer_lets_go(long slot, const uint32_t *left)
{
	long again = 0;

	peer_unmap(slot);
	for (int i = 0; i < PATIENCE_MS / 100 && again >= 0; i++) {
		again = peer_map(left, 1);
		if (again >= 0)
			peer_unmap(again);
		usleep(100000);
	}
	assert_int_equal(again, -1);
}

void the_module_goes_and_comes(void **state)
{
	unsigned int refused = 0;
	uint32_t left[4][3];
	pid_t pids[USERS];
	long slots[4];

	(void)state;
	shared = shared_memory(sizeof(*shared));
	for (unsigned int n = 0; n < USERS; n++) {
		pids[n] = fork();
		if (!pids[n])
			use(n);
	}
	for (uint32_t i = 0; i < RELOADS; i++) {
		slots[i % 4] = leave_some(i, left[i % 4]);
		unload(&refused);
		assert_int_equal(load_module(), 0);
		if (i < 3)
			continue;
		/* Those of four rounds ago are as they were. */
		assert_int_equal(peer_differing(slots[(i + 1) % 4], i - 3), 0);
		if (i % 25 == 24)
			peer_lets_go(slots[(i + 1) % 4], left[(i + 1) % 4]);
		else
			peer_unmap(slots[(i + 1) % 4]);
	}
	for (uint32_t i = RELOADS - 3; i < RELOADS; i++) {
		assert_int_equal(peer_differing(slots[i % 4], i), 0);
		peer_unmap(slots[i % 4]);
	}
	for (unsigned int n = 0; n < USERS; n++) {
		assert_int_equal(waitpid(pids[n], NULL, WNOHANG), 0);
		kill(pids[n], SIGKILL);
		assert_killed(pids[n]);
	}
	print_message("%d reloads among %u shares; %u times it was in use\n",
		      RELOADS, *shared, refused);
	assert_true(*shared > 0);
	munmap(shared, sizeof(*shared));
}
