// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a child may do with its parent's shares, and what it keeps alive. */

#include "test-calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's copies do not keep the page, nor does their end take it away. */
void a_child_may_close(void **state)
{
	unsigned char *page =
		gntshr_share_page_notify(h, remote_domid(), refs, 1, 9, -1u);
	int status;
	long slot;
	pid_t pid;

	(void)state;
	assert_non_null(page);
	memset(page, 0xFF, 4096);
	slot = remote_map("rw", refs, 1);
	pid = fork();
	if (!pid)
		_exit(gntshr_close(h) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(remote("byte %ld 9", slot), 0xFF);
	assert_int_equal(page[9], 0xFF);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(remote("byte %ld 9", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
}

/* True if the handle of the parent refuses all but close, and changes nothing.
 */
static bool is_refused(unsigned char *pages)
{
	uint32_t mine[2] = { 70, 71 };
	bool refused;

#define eperm(call, failure) (errno = 0, (call) == (failure) && errno == EPERM)
	refused =
		eperm(gntshr_share_pages(h, 0, 2, mine, 1), NULL) &&
		eperm(gntshr_share_page_notify(h, 0, mine, 1, 0, -1u), NULL) &&
		eperm(gntshr_set_unmap_notify(h, pages, 0, 0), -1) &&
		eperm(gntshr_unshare(h, pages, 2), -1);
	return refused && mine[0] == 70 && mine[1] == 71;
}

/* A handle of its own is as good as in any process. */
static bool shares_itself(void)
{
	gntshr_handle *own = gntshr_open(NULL, 0);
	uint32_t ref;
	char *page = gntshr_share_pages(own, remote_domid(), 1, &ref, 1);

	return page && !gntshr_set_unmap_notify(own, page, 1, 0) &&
	       !gntshr_unshare(own, page, 1) && !gntshr_close(own);
}

void a_child_may_do_nothing_else(void **state)
{
	unsigned char *pages =
		gntshr_share_pages(h, remote_domid(), 2, refs, 1);
	int status;
	long slot;
	pid_t pid;

	(void)state;
	assert_non_null(pages);
	assert_int_equal(gntshr_set_unmap_notify(h, pages,
						 GNTSHR_NOTIFY_CLEAR_BYTE, 0),
			 0);
	fill_pattern(pages, 2, 6);
	slot = remote_map("rw", refs, 2);
	assert_int_not_equal(slot, -1);
	pid = fork();
	if (!pid)
		_exit(is_refused(pages) && shares_itself() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	/* Nothing of the parent's is different. */
	assert_int_equal(remote("check %ld 6", slot), 0);
	assert_int_equal(remote("fill %ld 7", slot), 0);
	assert_int_equal(differing(pages, 2, 7), 0);
	assert_int_not_equal(pages[0], 0);
	assert_int_equal(gntshr_unshare(h, pages, 2), 0);
	assert_int_equal(remote("byte %ld 0", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_ended(refs);
}

/* ---- a process with a child is killed: who keeps its page alive? ---- */

enum child { KEEPS, CLOSES, KEPT_OUT, EXECS };

struct family {
	uint32_t ref;
	pid_t child;
};

static void be_child(enum child what, gntshr_handle *own)
{
	/* For a child without the pages, as the header has it. */
	if (what == KEPT_OUT && close(gntshr_fd(own)))
		_exit(1);
	if (what == CLOSES && gntshr_close(own))
		_exit(1);
}

static void be_parent(enum child what, int to)
{
	gntshr_handle *own = gntshr_open(NULL, 0);
	struct family family = { 0 };
	unsigned char *page;
	int ready[2];
	char byte;

	page = gntshr_share_page_notify(own, remote_domid(), &family.ref, 1,
					OFFSET, -1u);
	if (!page || pipe2(ready, O_CLOEXEC))
		_exit(1);
	memset(page, 0xFF, 4096);
	if (what == KEPT_OUT && madvise(page, 4096, MADV_DONTFORK))
		_exit(1);

	family.child = fork();
	if (!family.child) {
		be_child(what, own);
		if (what == EXECS)
			execl("/bin/sh", "sh", "-c", "sleep 60", NULL);
		close(ready[0]);
		close(ready[1]);
		sleep(60);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) ||
	    write(to, &family, sizeof(family)) != sizeof(family))
		_exit(1);
	sleep(60);
	_exit(1);
}

static void is_killed(enum child what)
{
	struct pollfd end = { .events = POLLIN };
	struct family family;
	int up[2];
	long slot;
	pid_t pid;

	assert_int_equal(pipe(up), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (!pid)
		be_parent(what, up[1]);
	/* From now on the pipe ends with the two, exec or not. */
	close(up[1]);
	end.fd = up[0];
	assert_int_equal(read(up[0], &family, sizeof(family)), sizeof(family));
	slot = remote_map("rw", &family.ref, 1);
	assert_int_not_equal(slot, -1);
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0xFF);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	if (what == KEEPS) {
		usleep(SILENCE_MS * 1000);
		assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0xFF);
		kill(family.child, SIGKILL);
	}
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (!remote("byte %ld %u", slot, OFFSET))
			break;
		usleep(10000);
	}
	assert_int_equal(remote("byte %ld %u", slot, OFFSET), 0);
	/* Those live on, and that made no difference. */
	if (what != KEEPS) {
		assert_int_equal(poll(&end, 1, 0), 0);
		kill(family.child, SIGKILL);
	}
	assert_int_equal(remote("unmap %ld", slot), 0);
	assert_ended(&family.ref);
	close(up[0]);
}

void a_child_keeps_pages(void **state)
{
	(void)state;
	is_killed(KEEPS);
}

void a_child_that_closes_does_not(void **state)
{
	(void)state;
	is_killed(CLOSES);
}

void a_child_that_execs_does_not(void **state)
{
	(void)state;
	is_killed(EXECS);
}

void a_child_can_be_kept_out(void **state)
{
	(void)state;
	is_killed(KEPT_OUT);
}

/*
 * MADV_DONTFORK kept pages from the child: some of a share that is in an arena
 * with our driver, and all of the first. What it has in their place is its own.
 */
static int close_kept_out(unsigned char *const pages[2])
{
	static const size_t sizes[2] = { 4096, 2 * 4096 };
	int right = 1;

	for (int i = 0; i < 2; i++) {
		if (mmap(pages[i], sizes[i], PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0) != pages[i])
			return 2;
		memset(pages[i], 0x77, sizes[i]);
	}
	right = !gntshr_close(h);
	for (int i = 0; i < 2; i++)
		right = right && pages[i][0] == 0x77 &&
			pages[i][sizes[i] - 1] == 0x77;
	/* The rest of the second is gone. */
	right = right && msync(pages[1] + 2 * 4096, 4096, MS_ASYNC) == -1 &&
		errno == ENOMEM;
	return !right;
}

void a_child_may_close_what_it_has_not(void **state)
{
	unsigned char *pages[2];
	int status;
	pid_t pid;

	(void)state;
	pages[0] = gntshr_share_pages(h, remote_domid(), 1, refs, 1);
	pages[1] = gntshr_share_pages(h, remote_domid(), 4, refs + 1, 1);
	assert_true(pages[0] && pages[1]);
	memset(pages[0], 0xFF, 4096);
	memset(pages[1], 0xFF, 4 * 4096);
	assert_int_equal(madvise(pages[0], 4096, MADV_DONTFORK), 0);
	assert_int_equal(madvise(pages[1], 2 * 4096, MADV_DONTFORK), 0);
	pid = fork();
	if (!pid)
		_exit(close_kept_out(pages));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(pages[0][4095], 0xFF);
	assert_int_equal(pages[1][4 * 4096 - 1], 0xFF);
	assert_int_equal(gntshr_unshare(h, pages[1], 4), 0);
	assert_int_equal(gntshr_unshare(h, pages[0], 1), 0);
	assert_ended(refs);
}
