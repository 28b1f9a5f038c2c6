// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is bounded: the limit, the grant table, memory. */

#include "test-hostile.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

#define LIVE_BYTE 100

/* What a child says of itself. */
static struct news {
	atomic_int stage;
	atomic_uint count;
	atomic_int error;
	uint32_t ref;
} * news;

static void wait_for_stage(int stage, pid_t pid)
{
	while (news->stage < stage) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		usleep(1000);
	}
}

/* ---- the limit ---- */

#define RACERS 5
#define RACE_LIMIT 24
#define RACES 400

/* Many at once ask for what only some can get; at no time is it more. */
void the_limit_is_raced_for(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	int running = RACERS, status;
	long used, most = 0;

	(void)state;
	news = shared_memory(sizeof(*news));
	set_parameter("limit", RACE_LIMIT);
	for (int n = 0; n < RACERS; n++) {
		if (fork())
			continue;
		srand((unsigned int)n);
		for (int i = 0, fd = open_device(); i < RACES; i++) {
			uint32_t count = 1 + (uint32_t)rand() % 10;
			uint64_t index;

			if (alloc(fd, count, &index)) {
				child_must(errno == ENOSPC);
				news->error++;
				sched_yield();
				continue;
			}
			news->count++;
			child_must(parameter("used") <= RACE_LIMIT);
			child_must(!dealloc(fd, index, count));
		}
		_exit(0);
	}
	while (running) {
		used = parameter("used");
		most = used > most ? used : most;
		if (waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			running--;
		}
		usleep(100);
	}
	set_parameter("limit", limit);
	assert_true(most <= RACE_LIMIT);
	assert_true(news->count > 0);
	print_message("%u shared, %d refused, at most %ld of %d used\n",
		      news->count, news->error, most, RACE_LIMIT);
	munmap(news, sizeof(*news));
}

/* It takes nothing from those who have more by then. */
void the_limit_is_lowered(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	int fd = open_device();
	uint64_t index = must_alloc(fd, 16), more;
	unsigned char *pages = map(fd, index, 16), *last;
	long slot = peer_map(refs, 16);

	(void)state;
	fill_pattern(pages, 16, 4);
	for (unsigned int low = 0; low < 5; low += 4) {
		set_parameter("limit", low);
		assert_errno(alloc(fd, 1, &more), ENOSPC);
		assert_int_equal(peer_differing(slot, 4), 0);
		assert_int_equal(notify(fd, index + LIVE_BYTE, 1, 0), 0);
		last = map(fd, index + 15 * PAGE, 1);
		assert_int_equal(last[0], pattern(4, 15 * PAGE));
		munmap(last, PAGE);
	}
	/* At a limit of 4: 13 go, and 1 fits in beside 3. */
	munmap(pages, 16 * PAGE);
	peer_unmap(slot);
	assert_int_equal(dealloc(fd, index, 12), 0);
	assert_errno(alloc(fd, 1, &more), ENOSPC);
	assert_int_equal(dealloc(fd, index + 12 * PAGE, 1), 0);
	assert_int_equal(alloc(fd, 1, &more), 0);
	assert_errno(alloc(fd, 1, &more), ENOSPC);
	/* There is nothing beyond the largest number. */
	set_parameter("limit", 0xFFFFFFFF);
	assert_errno(alloc(fd, 0xFFFFFFFF, &more), ENOSPC);
	assert_int_equal(alloc(fd, 300, &more), 0);
	set_parameter("limit", limit);
	assert_used(304);
	close(fd);
}

/* ---- the grant table ---- */

/* One takes all references. The others keep what they have. */
void the_table_is_full(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	int fd = open_device();
	uint64_t index = must_alloc(fd, 4), more;
	unsigned char *pages = map(fd, index, 4);
	long slot = peer_map(refs, 4);
	pid_t pid;

	(void)state;
	news = shared_memory(sizeof(*news));
	set_parameter("limit", 1000000);
	fill_pattern(pages, 4, 5);
	pid = fork();
	if (!pid) {
		int hog = open_device();

		/* A copy of the parent's would keep them alive. */
		munmap(pages, 4 * PAGE);
		close(fd);
		for (uint32_t count = 256; count; count /= 4)
			while (!alloc(hog, count, &more))
				news->count += count;
		news->error = errno;
		news->stage = 1;
		pause();
		_exit(1);
	}
	wait_for_stage(1, pid);
	print_message("full at %u pages: errno %d\n", news->count, news->error);
	assert_true(news->error == ENOSPC || news->error == ENOMEM);
	if (news->error == ENOSPC)
		assert_errno(alloc(fd, 1, &more), ENOSPC);
	assert_used(news->count + 4);
	assert_int_equal(peer_differing(slot, 5), 0);
	assert_int_equal(notify(fd, index + LIVE_BYTE, 1, 0), 0);
	/* What they give up they get again. */
	peer_unmap(slot);
	munmap(pages, 4 * PAGE);
	assert_int_equal(dealloc(fd, index, 2), 0);
	assert_int_equal(alloc(fd, 2, &more), 0);
	if (news->error == ENOSPC)
		assert_errno(alloc(fd, 1, &more), ENOSPC);
	kill(pid, SIGKILL);
	assert_killed(pid);
	assert_used_becomes(4);
	assert_int_equal(alloc(fd, 400, &more), 0);
	set_parameter("limit", limit);
	close(fd);
	munmap(news, sizeof(*news));
}

/* ---- memory ---- */

#define GROUP "/sys/fs/cgroup/hostile"
#define GROUP_MAX "8388608"
#define GROUP_PAGES 2048

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 &&
		       write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

/* Takes what its group has, says so, and then touches more. */
static void __attribute__((noreturn))
fill_group(xenevtchn_handle *ports, uint32_t port)
{
	int fd = open_device();
	uint64_t index, more;
	char *memory;

	(void)ports;
	child_must(write_file(GROUP "/cgroup.procs", "0"));
	child_must(write_file("/proc/self/oom_score_adj", "1000"));
	child_must(!alloc(fd, 1, &index));
	news->ref = refs[0];
	child_must(!notify(fd, index + LIVE_BYTE, 3, port));
	for (uint32_t count = 64; count; count /= 8)
		while (news->count < 2 * GROUP_PAGES &&
		       !alloc(fd, count, &more))
			news->count += count;
	news->error = errno;
	news->stage = 1;
	while (news->stage < 2)
		usleep(1000);
	memory = mmap(NULL, 64u << 20, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 1, 64u << 20);
	_exit(0);
}

/*
 * The group pays for its pages, and gets no more. Whoever of it is killed for
 * memory takes his shares along; those outside notice nothing.
 */
void a_memory_group_is_full(void **state)
{
	xenevtchn_handle *ports = xenevtchn_open(NULL, 0);
	uint32_t port = (uint32_t)xenevtchn_bind_unbound_port(ports, domid);
	int fd = open_device();
	uint64_t index, more;
	unsigned char *pages;
	uint32_t outside;
	long slot, other;
	pid_t pid;

	(void)state;
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		fail_msg("no memory groups");
	assert_true(write_file(GROUP "/memory.max", GROUP_MAX));
	news = shared_memory(sizeof(*news));
	index = must_alloc(fd, 1);
	outside = refs[0];
	pages = map(fd, index, 1);
	fill_pattern(pages, 1, 6);
	other = peer_map(&outside, 1);
	peer_bind(port);
	pid = fork();
	if (!pid)
		fill_group(ports, port);
	wait_for_stage(1, pid);
	print_message("a group of %s bytes has %u pages: errno %d\n", GROUP_MAX,
		      news->count + 1, news->error);
	assert_int_equal(news->error, ENOMEM);
	assert_true(news->count < GROUP_PAGES);
	assert_used(news->count + 2);
	assert_int_equal(alloc(fd, 300, &more), 0);
	assert_int_equal(dealloc(fd, more, 300), 0);
	slot = peer_map(&news->ref, 1);
	peer_fill(slot, 7);

	/* The kernel's report is of no interest. */
	klogctl(8, NULL, 3);
	news->stage = 2;
	assert_killed(pid);
	klogctl(8, NULL, 5);
	assert_int_equal(peer_events(true), 1);
	assert_int_equal(peer_byte(slot, LIVE_BYTE), 0);
	assert_int_equal(peer_differing(slot, 7), 1);
	assert_used_becomes(2);
	peer_unmap(slot);
	assert_used_becomes(1);
	assert_int_equal(peer_differing(other, 6), 0);
	peer_unmap(other);
	munmap(pages, PAGE);
	close(fd);
	xenevtchn_close(ports);
	rmdir(GROUP);
	munmap(news, sizeof(*news));
}
