// SPDX-License-Identifier: LGPL-2.1-or-later
/* Spare pages that others still see, write to, need, or have taken. */

#include "test-hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES 8u

/* What several processes know of each other. */
static struct {
	atomic_uint round, leaks, looks, shared, stop;
} * common;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	child_must(fd >= 0);
	child_must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Takes spare pages away in each way there is, as long as it lives. */
static pid_t start_taker(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (unsigned int i = 0;; i++) {
		set_parameter("spare_idle", i % 2 ? 1 : 2000);
		set_parameter("spare_max", i % 3 ? 4096 : i % 5);
		if (i % 16 == 0)
			write_file("/proc/sys/vm/drop_caches", "2");
		usleep(500 + i % 7 * 500);
	}
}

static void end_taker(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_killed(pid);
	set_parameter("spare_idle", 2000);
	set_parameter("spare_max", 4096);
}

/* ---- children that keep what they have of their parent ---- */

#define WATCHED_ROUNDS 1000
#define WATCHERS 4

static struct {
	int fd;
	unsigned char *places;
	atomic_int stop;
} parent;

/* The first word of a place, or 0 when there is no page. */
static uint64_t look(const int pipe_fds[2], const unsigned char *page)
{
	uint64_t word;

	if (write(pipe_fds[1], page, sizeof(word)) != sizeof(word))
		return 0;
	child_must(read(pipe_fds[0], &word, sizeof(word)) == sizeof(word));
	return word;
}

/* What is shared after its birth it must not see. */
static void __attribute__((noreturn)) watch(void)
{
	unsigned int birth = common->round;
	int fds[2];

	child_must(!pipe(fds));
	while (!common->stop && common->round < birth + 40) {
		for (uint32_t i = 0; i < PLACES; i++)
			if (look(fds, parent.places + i * PAGE) > birth)
				common->leaks++;
		common->looks++;
		sched_yield();
	}
	_exit(0);
}

/* There are always some, born at any moment. */
static void *bear_children(void *arg)
{
	unsigned int alive = 0;

	(void)arg;
	while (!parent.stop) {
		pid_t pid = fork();

		if (!pid)
			watch();
		alive += pid > 0;
		while (alive == WATCHERS)
			alive -= waitpid(-1, NULL, 0) > 0;
	}
	common->stop = 1;
	while (alive)
		alive -= waitpid(-1, NULL, 0) > 0;
	return NULL;
}

void children_watch(void **state)
{
	pthread_t thread;
	pid_t taker;

	(void)state;
	parent.fd = open_device();
	if (!has_arenas(parent.fd))
		return;
	common = shared_memory(sizeof(*common));
	taker = start_taker();
	parent.places = map(parent.fd, PLACE(0), PLACES);
	parent.stop = 0;
	srand(1);
	pthread_create(&thread, NULL, bear_children, NULL);
	for (unsigned int i = 0; i < WATCHED_ROUNDS || common->looks < 200;
	     i++) {
		uint32_t first = (uint32_t)rand() % PLACES;
		uint32_t count = 1 + (uint32_t)rand() % (PLACES - first);
		unsigned char *pages = parent.places + first * PAGE;

		if (i % 5 == 0)
			madvise(parent.places + i / 5 % PLACES * PAGE, PAGE,
				i % 2 ? MADV_DONTFORK : MADV_DOFORK);
		common->round++;
		assert_int_equal(share(parent.fd, first, pages, count), 0);
		for (uint32_t n = 0; n < count; n++) {
			assert_true(all_are(pages + n * PAGE, PAGE, 0));
			*(uint64_t *)(void *)(pages + n * PAGE) = common->round;
		}
		if (rand() % 4 == 0)
			sched_yield();
		assert_int_equal(unshare_places(parent.fd, PLACE(first), NULL,
						count),
				 0);
	}
	parent.stop = 1;
	pthread_join(thread, NULL);
	end_taker(taker);
	print_message("%u rounds, %u looks\n", common->round, common->looks);
	assert_int_equal(common->leaks, 0);
	munmap(parent.places, PLACES * PAGE);
	close(parent.fd);
	munmap(common, sizeof(*common));
}

/* ---- a process that others would have refused ---- */

#define SHARERS 4
#define SHARER_PAGES 10u
#define SHARES 400

/*
 * All of them together share what the limit allows, and have had more: spare
 * pages, of whomever, cost nobody an error.
 */
void the_limit_is_for_what_is_shared(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	int fd = open_device();
	pid_t pids[SHARERS];

	(void)state;
	if (!has_arenas(fd))
		return;
	close(fd);
	set_parameter("limit", SHARERS * SHARER_PAGES);
	set_parameter("spare_idle", 3600000);
	for (unsigned int n = 0; n < SHARERS; n++) {
		unsigned char *places;

		pids[n] = fork();
		if (pids[n])
			continue;
		srand(n);
		fd = open_device();
		places = map(fd, PLACE(0), 100);
		for (int i = 0; i < SHARES; i++) {
			uint32_t first = (uint32_t)rand() % 90;
			uint32_t count = 1 + (uint32_t)rand() % SHARER_PAGES;
			unsigned char *pages = places + first * PAGE;
			uint64_t index;

			child_must(!share(fd, first, pages, count));
			child_must(all_are(pages, count * PAGE, 0));
			memset(pages, 1, count * PAGE);
			child_must(parameter("used") <=
				   (long)(SHARERS * SHARER_PAGES));
			child_must(
				!unshare_places(fd, PLACE(first), NULL, count));
			if (i % 4)
				continue;
			child_must(!alloc(fd, count, &index));
			child_must(!dealloc(fd, index, count));
		}
		_exit(0);
	}
	for (unsigned int n = 0; n < SHARERS; n++)
		assert_ends_well(pids[n]);
	set_parameter("limit", limit);
	set_parameter("spare_idle", 2000);
}

/* ---- the system takes them meanwhile ---- */

#define TAKEN_ROUNDS 1500

/* What is shared is never among them. */
void the_system_takes_what_is_spare(void **state)
{
	int fd = open_device();
	unsigned int gone = 0;
	unsigned char *places;
	uint32_t kept;
	pid_t taker;
	long slot;

	(void)state;
	if (!has_arenas(fd))
		return;
	/* A child must not copy what is to be spare. */
	taker = start_taker();
	places = map(fd, PLACE(0), 64);
	assert_int_equal(share(fd, 0, places, 1), 0);
	kept = refs[0];
	fill_pattern(places, 1, 5);
	slot = peer_map(&kept, 1);
	srand(4);
	for (uint32_t i = 0; i < TAKEN_ROUNDS || !gone; i++) {
		uint32_t first = 1 + (uint32_t)rand() % 60;
		uint32_t count = 1 + (uint32_t)rand() % (64 - first);
		unsigned char *pages = places + first * PAGE;
		long spare;

		assert_int_equal(share(fd, first, pages, count), 0);
		assert_true(all_are(pages, count * PAGE, 0));
		memset(pages, 0x5A, count * PAGE);
		if (i % 3 == 0)
			usleep((unsigned int)rand() % 2000);
		assert_true(all_are(pages, count * PAGE, 0x5A5A5A5A5A5A5A5A));
		assert_int_equal(unshare_places(fd, PLACE(first), NULL, count),
				 0);
		spare = parameter("spare");
		if (i % 5 == 0)
			usleep((unsigned int)rand() % 2000);
		gone += parameter("spare") < spare;
		if (i % 200 == 0)
			assert_int_equal(peer_differing(slot, 5), 0);
	}
	end_taker(taker);
	print_message("%u times there were less\n", gone);
	assert_int_equal(differing(places, 1, 5), 0);
	assert_int_equal(peer_differing(slot, 5), 0);
	peer_unmap(slot);
	munmap(places, 64 * PAGE);
	close(fd);
}
