// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages of an arena that a child or the kernel has, and what came with them. */

#include "test-module-arena.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t keeper(uint32_t count, int old, int *go)
{
	int fds[2], sink[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(fds) | pipe(sink), 0);
	pid = fork();
	if (pid) {
		close(fds[0]), close(sink[0]), close(sink[1]);
		*go = fds[1];
		return pid;
	}
	if (read(fds[0], &byte, 1) != 1)
		_exit(2);
	for (uint32_t i = 0; i < count; i++) {
		if (write(sink[1], arena + i * PAGE, 1) != 1)
			continue;
		if (read(sink[0], &byte, 1) != 1 || byte != old)
			_exit(1);
	}
	_exit(0);
}

void ends_well(pid_t pid, int go)
{
	int status;

	assert_int_equal(write(go, "", 1), 1);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(go);
}

/* ---- copied by fork() ---- */

/* What a child has copied it never sees of what is shared later. */
void a_copied_page_is_not_used(void **state)
{
	pid_t pid;
	int go;

	(void)state;
	share(0, 3);
	memset(arena, 0x11, 3 * PAGE);
	unshare(0, 3);
	pid = keeper(3, 0x11, &go);
	share(0, 3);
	peer_finds_zeros(3);
	memset(arena, 0x22, 3 * PAGE);
	ends_well(pid, go);
	wait_until_used_is(3);
	assert_counts(3, 0, 0);
}

void a_copied_page_leaves_its_place(void **state)
{
	pid_t pid;
	int go;

	(void)state;
	share(0, 3);
	memset(arena, 0x33, 3 * PAGE);
	pid = keeper(3, -1, &go);
	unshare(0, 3);
	assert_counts(0, 0, 0);
	assert_int_equal(count_there(0, 3), 0);
	/* Not there in the child either. */
	ends_well(pid, go);
	share(0, 3);
	peer_finds_zeros(3);
	/* Once they are new, all is as before. */
	unshare(0, 3);
	assert_counts(3, 3, 0);
}

void a_page_that_is_not_copied_is_used(void **state)
{
	pid_t pid;
	int go;

	(void)state;
	assert_int_equal(madvise(arena, PLACES * PAGE, MADV_DONTFORK), 0);
	share(0, 3);
	memset(arena, 0x44, 3 * PAGE);
	pid = keeper(3, -1, &go);
	unshare(0, 3);
	assert_counts(3, 3, 0);
	share(0, 3);
	assert_counts(3, 0, 0);
	ends_well(pid, go);
}

/* ---- in use by the kernel ---- */

void a_page_in_use_is_not_used(void **state)
{
	struct iovec iov[2] = { { arena, 16 }, { arena + PAGE, 16 } };
	unsigned char got[16];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	share_singly(0, 2);
	memset(arena, 0x3C, 2 * PAGE);
	assert_int_equal(vmsplice(fds[1], &iov[0], 1, 0), sizeof(got));
	unshare(0, 2);
	assert_counts(2, 1, 1);
	assert_int_equal(count_there(0, 1), 0);
	share(0, 2);
	peer_finds_zeros(2);
	memset(arena, 0x22, 2 * PAGE);
	assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(got[15], 0x3C);
	wait_until_used_is(2);

	/* A spare one. */
	unshare(0, 2);
	memset(arena, 0x4D, 2 * PAGE);
	assert_int_equal(vmsplice(fds[1], &iov[1], 1, 0), sizeof(got));
	share(0, 2);
	peer_finds_zeros(2);
	memset(arena, 0x22, 2 * PAGE);
	assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(got[15], 0x4D);
	wait_until_used_is(2);
	assert_counts(2, 0, 0);
	close(fds[0]), close(fds[1]);
}

/* ---- what came together ---- */

/* Eight pages each time, of which one is kept. */
static void share_and_keep_some(uint32_t place, uint32_t count)
{
	share(place, count);
	for (uint32_t i = 0; i < count; i += 8)
		unshare(place + i, 7);
}

/* It is one piece of memory, which is in use as long as one page of it is. */
void what_comes_together_counts_together(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");

	(void)state;
	set_parameter("spare_max", 0);
	set_parameter("limit", 128);
	share_and_keep_some(0, 64);
	assert_counts(64, 0, 0);
	assert_int_equal(count_there(0, 64), 8);
	/* Half of the limit is for pages that come, and go, one by one. */
	share_and_keep_some(64, 64);
	assert_counts(64 + 8, 0, 0);
	share(128, 56);
	assert_errno(try_share(184, 1), ENOSPC);
	unshare(7, 1);
	assert_counts(128 - 8, 0, 0);
	share(0, 8);
	unshare(128, 56);
	assert_counts(128 - 56, 0, 0);
	set_parameter("limit", limit);
	set_parameter("spare_max", 4096);
}

void a_page_in_use_keeps_what_came_with_it(void **state)
{
	struct iovec iov = { arena + 3 * PAGE, 16 };
	unsigned char got[16];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	set_parameter("spare_max", 0);
	share(0, 8);
	memset(arena, 0x3C, 8 * PAGE);
	assert_int_equal(vmsplice(fds[1], &iov, 1, 0), sizeof(got));
	unshare(0, 8);
	assert_counts(8, 0, 1);
	assert_int_equal(count_there(0, 8), 0);
	share(0, 8);
	peer_finds_zeros(8);
	memset(arena, 0x22, 8 * PAGE);
	assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(got[15], 0x3C);
	wait_until_used_is(8);
	assert_counts(8, 0, 0);
	set_parameter("spare_max", 4096);
	close(fds[0]), close(fds[1]);
}
