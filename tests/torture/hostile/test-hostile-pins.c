// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of the caller: how much of it can be shared, and its end. */

#include "test-hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "asks.h"

#define NOBODY_USER 65534

int pin(int fd, const void *addr, uint32_t count, uint64_t *index)
{
	return ask_share_memory(fd, domid, addr, count, GNTALLOC_FLAG_WRITABLE,
				refs, index);
}

bool can_pin(int fd)
{
	uint64_t index = 0;

	if (!pin(fd, NULL, 0, &index) || errno != ENOTTY)
		return true;
	print_message("it shares no memory of the caller\n");
	close(fd);
	return false;
}

void assert_nothing_pinned(void)
{
	assert_used_becomes(0);
	assert_int_equal(pinned_pages(), 0);
}

/* ---- one page, again and again ---- */

#define TIMES 256u
#define ROUNDS 400u

/* A run of mappings of one page. */
static unsigned char *one_page_many_times(int memfd)
{
	unsigned char *run = mmap(NULL, TIMES * PAGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(ftruncate(memfd, PAGE), 0);
	for (uint32_t i = 0; i < TIMES; i++)
		assert_ptr_equal(mmap(run + i * PAGE, PAGE,
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, memfd, 0),
				 run + i * PAGE);
	return run;
}

/* As often as the limit or the grant table lets it. */
void pins_a_page_over_and_over(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	int fd = open_device(), memfd = memfd_create("one", MFD_ALLOW_SEALING);
	unsigned char *run;
	uint64_t index, more;
	uint32_t pins = 0;
	long slot;

	(void)state;
	if (!can_pin(fd))
		return;
	run = one_page_many_times(memfd);
	fill_pattern(run, 1, 6);
	set_parameter("limit", 1000000);
	assert_int_equal(pin(fd, run, 1, &index), 0);
	slot = peer_map(refs, 1);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		assert_int_equal(pin(fd, run, TIMES, &more), 0);
		assert_int_equal(dealloc(fd, more, TIMES), 0);
	}
	assert_used_becomes(1);
	while (!pin(fd, run, TIMES, &more))
		pins += TIMES;
	assert_int_equal(errno, ENOSPC);
	while (!pin(fd, run, 1, &more))
		pins++;
	assert_int_equal(errno, ENOSPC);
	assert_used(pins + 1);
	assert_int_equal(pinned_pages(), pins + 1);
	print_message("%u pins of a page at once, %u in all\n", pins,
		      ROUNDS * TIMES);
	assert_int_equal(peer_differing(slot, 6), 0);
	close(fd);
	assert_used_becomes(1);
	assert_int_equal(peer_differing(slot, 6), 0);
	peer_unmap(slot);
	assert_nothing_pinned();
	munmap(run, TIMES * PAGE);
	/* Which it cannot be while it is pinned. */
	assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	close(memfd);
	set_parameter("limit", limit);
}

/* ---- death in between ---- */

#define MANY_PAGES 2000u
#define DEATHS 40

void dies_while_it_pins(void **state)
{
	unsigned int *times = shared_memory(PAGE);
	int fd = open_device();

	(void)state;
	if (!can_pin(fd))
		return;
	close(fd);
	srand(3);
	for (unsigned int i = 0; i < DEATHS; i++) {
		unsigned int before = *times;
		pid_t pid = fork();

		if (!pid) {
			unsigned char *pages =
				mmap(NULL, MANY_PAGES * PAGE,
				     PROT_READ | PROT_WRITE,
				     MAP_ANONYMOUS |
					     (i & 1 ? MAP_SHARED : MAP_PRIVATE),
				     -1, 0);
			uint64_t index;

			fd = open_device();
			for (;;) {
				(*times)++;
				child_must(!pin(fd, pages, MANY_PAGES, &index));
				child_must(!dealloc(fd, index, MANY_PAGES));
				madvise(pages, MANY_PAGES * PAGE,
					MADV_DONTNEED);
			}
		}
		while (*(volatile unsigned int *)times == before)
			sched_yield();
		usleep((unsigned int)rand() % 60000);
		kill(pid, SIGKILL);
		assert_killed(pid);
		assert_used_becomes(0);
	}
	munmap(times, PAGE);
}

/* ---- what may be locked ---- */

#define LOCKED 64
#define LOCKERS 4
#define LOCKS 400

static atomic_int locked, locks_got, locks_failed;
static int locker_fd;

/* refs[] are not for several threads. */
static int pin_beside(const void *addr, uint32_t count, uint64_t *index)
{
	uint32_t own[LOCKED];

	return ask_share_memory(locker_fd, domid, addr, count, 0, own, index);
}

static void *lock_and_unlock(void *arg)
{
	unsigned char *pages = mmap(NULL, LOCKED * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	uint64_t index;

	for (int i = 0; i < LOCKS; i++) {
		uint32_t count = 1 + (uint32_t)rand_r(&seed) % LOCKED;

		if (pin_beside(pages, count, &index)) {
			child_must(errno == ENOMEM);
			locks_failed++;
			continue;
		}
		child_must(atomic_fetch_add(&locked, (int)count) + (int)count <=
			   LOCKED);
		locks_got++;
		if (i % 4 == 0)
			sched_yield();
		locked -= (int)count;
		child_must(!dealloc(locker_fd, index, count));
	}
	return NULL;
}

/* As a user who may not lock more. */
void what_may_be_locked_is_raced_for(void **state)
{
	const struct rlimit limit = { LOCKED * PAGE, LOCKED * PAGE };
	int fd = open_device();
	pthread_t threads[LOCKERS];
	uint64_t index;
	pid_t pid;

	(void)state;
	if (!can_pin(fd))
		return;
	locker_fd = fd;
	pid = fork();
	if (!pid) {
		child_must(!setrlimit(RLIMIT_MEMLOCK, &limit));
		child_must(!setresuid(NOBODY_USER, NOBODY_USER, NOBODY_USER));
		for (uintptr_t i = 0; i < LOCKERS; i++)
			pthread_create(&threads[i], NULL, lock_and_unlock,
				       (void *)(i + 1));
		for (int i = 0; i < LOCKERS; i++)
			pthread_join(threads[i], NULL);
		print_message("%d shared, %d refused\n", locks_got,
			      locks_failed);
		child_must(locks_got && locks_failed);
		child_must(pinned_pages() == 0);
		child_must(!pin_beside(shared_memory(LOCKED * PAGE), LOCKED,
				       &index));
		child_must(pin_beside(shared_memory(PAGE), 1, &index) &&
			   errno == ENOMEM);
		_exit(0);
	}
	assert_ends_well(pid);
	close(fd);
	assert_nothing_pinned();
}
