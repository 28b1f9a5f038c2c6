// SPDX-License-Identifier: LGPL-2.1-or-later
/* What stays when a program is done with it: pages, their count, references. */

#include "test-module.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A page in a pipe is in use by the kernel: not given to anybody else. */
void a_pinned_page_lingers(void **state)
{
	uint64_t index = alloc(1);
	unsigned char *page = map(fd, index, 1), got[16];
	struct iovec iov = { page, sizeof(got) };
	int fds[2];

	(void)state;
	memset(page, 0x3C, PAGE);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(vmsplice(fds[1], &iov, 1, 0), sizeof(got));
	assert_int_equal(dealloc(fd, index, 1), 0);
	assert_int_equal(munmap(page, PAGE), 0);
	assert_int_equal(used(), 1);
	assert_int_equal(lingering(), 1);
	usleep(50000);
	assert_int_equal(lingering(), 1);
	assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(got[15], 0x3C);
	wait_until_used_is(0);
	close(fds[0]), close(fds[1]);
}

void the_peer_lets_go_late(void **state)
{
	uint64_t index = alloc(3);
	long slot = remote_map("rw", refs, 3);

	(void)state;
	assert_int_equal(dealloc(fd, index, 3), 0);
	assert_int_equal(used(), 3);
	assert_int_equal(lingering(), 3);
	assert_int_equal(remote("unmap %ld", slot), 0);
	wait_until_used_is(0);
	wait_until_none_lingers();
}

/* The limit is kept, and what the peer let go of is found when it matters. */
void the_limit_holds(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	uint64_t index;
	long slot;

	(void)state;
	set_parameter("limit", 8);
	assert_errno(alloc_for(fd, 0, 9, 1, &index), ENOSPC);
	index = alloc(8);
	assert_errno(alloc_for(fd, 0, 1, 1, &index), ENOSPC);
	slot = remote_map("ro", refs, 8);
	assert_int_equal(dealloc(fd, index, 8), 0);
	/* Still mapped: still counted. */
	assert_int_equal(lingering(), 8);
	assert_errno(alloc_for(fd, 0, 1, 1, &index), ENOSPC);
	assert_int_equal(remote("unmap %ld", slot), 0);
	index = alloc(8);
	assert_int_equal(used(), 8);
	wait_until_none_lingers();
	/* Below what is in use. */
	set_parameter("limit", 1);
	assert_errno(alloc_for(fd, 0, 1, 1, &index), ENOSPC);
	set_parameter("limit", limit);
	assert_int_equal(dealloc(fd, index, 8), 0);
}

/* A reference rests before it is used again; the first to come goes first. */
void references_rest(void **state)
{
	unsigned int delay = (unsigned int)parameter("ref_delay");
	unsigned int limit = (unsigned int)parameter("limit");
	/* As they come back. */
	static const int order[] = { 1, 2, 0 };
	uint64_t index[3];
	uint32_t ref[3];
	int found = 0;

	(void)state;
	set_parameter("ref_delay", 3600000);
	for (int i = 0; i < 3; i++) {
		index[i] = alloc(1);
		ref[i] = refs[0];
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(dealloc(fd, index[order[i]], 1), 0);

	index[0] = alloc(900);
	for (int i = 0; i < 900; i++)
		for (int j = 0; j < 3; j++)
			assert_int_not_equal(refs[i], ref[j]);
	assert_int_equal(dealloc(fd, index[0], 900), 0);

	/* When the table is full, all are used that came back before, then
	 * these. */
	set_parameter("limit", 1000000);
	for (uint32_t count = 250; count; count = count > 1 ? 1 : 0)
		while (found < 3 && !alloc_for(fd, 0, count, 1, index))
			for (uint32_t i = 0; i < count; i++)
				for (int j = 0; j < 3; j++)
					if (refs[i] == ref[j])
						assert_int_equal(
							j, order[found++]);
	assert_int_equal(found, 3);
	set_parameter("limit", limit);
	set_parameter("ref_delay", delay);
}

/* Nor do they take up the grant table: an eighth of 64 frames rests at most. */
void references_do_not_pile_up(void **state)
{
	enum { ROUNDS = 12, COUNT = 1000, RESTING_MAX = 4096 };
	unsigned int delay = (unsigned int)parameter("ref_delay");
	static unsigned char seen[1 << 20];
	unsigned int distinct = 0;

	(void)state;
	set_parameter("ref_delay", 3600000);
	for (int round = 0; round < ROUNDS; round++) {
		assert_int_equal(dealloc(fd, alloc(COUNT), COUNT), 0);
		for (uint32_t i = 0; i < COUNT; i++) {
			assert_true(refs[i] < sizeof(seen));
			distinct += !seen[refs[i]]++;
		}
	}
	set_parameter("ref_delay", delay);
	/* Half of those that may rest are not needed yet, the others are. */
	assert_true(distinct > RESTING_MAX / 2);
	assert_true(distinct <= RESTING_MAX + 2 * COUNT);
}

void a_killed_process_leaves_nothing(void **state)
{
	int up[2];
	char ready;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(up), 0);
	pid = fork();
	if (!pid) {
		fd = open_device();
		for (int i = 0; i < 50; i++)
			*(char *)map(fd, alloc(7), 7) = 1;
		alloc(100);
		if (write(up[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(up[0], &ready, 1), 1);
	assert_int_equal(used(), 450);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	wait_until_used_is(0);
	close(up[0]), close(up[1]);
}
