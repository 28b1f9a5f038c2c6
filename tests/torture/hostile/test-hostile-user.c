// SPDX-License-Identifier: LGPL-2.1-or-later
/* A user who names what is not his, passes garbage, and dies untidily. */

#include "test-hostile.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <xenevtchn.h>

#define LIVE_BYTE 100

/* No index of @fd, but perhaps one of others. */
static void try_index(int fd, uint64_t index, uint32_t count)
{
	child_must(dealloc(fd, index, count) && errno == EINVAL);
	child_must(notify(fd, index, 0, 0) && errno == ENOENT);
	child_must(notify(fd, index, 1, 0) && errno == ENOENT);
	child_must(map(fd, index, 1) == MAP_FAILED && errno == ENOENT);
}

/* Indices begin anew with each descriptor: they are no secret at all. */
void names_what_others_have(void **state)
{
	int fd = open_device(), other;
	uint64_t index = must_alloc(fd, 8);
	unsigned char *pages = map(fd, index, 8);
	long slot = peer_map(refs, 8);
	pid_t pid;

	(void)state;
	assert_true(slot >= 0);
	fill_pattern(pages, 8, 3);
	assert_int_equal(notify(fd, index + LIVE_BYTE, 1, 0), 0);
	pid = fork();
	if (!pid) {
		uint64_t own;

		other = open_device();
		for (int i = 0; i < 64; i++)
			try_index(other, (uint64_t)i * PAGE, 1 + (i & 7));
		child_must(!alloc(other, 1, &own) && own == 0);
		for (int i = 1; i < 64; i++)
			try_index(other, (uint64_t)i * PAGE, 1);
		child_must(dealloc(other, own, 2) && errno == EINVAL);
		child_must(map(other, own, 2) == MAP_FAILED);
		child_must(!dealloc(other, own, 1));
		try_index(other, own, 1);
		_exit(0);
	}
	assert_ends_well(pid);

	assert_used_becomes(8);
	assert_int_equal(peer_differing(slot, 3), 0);
	assert_int_equal(dealloc(fd, index, 8), 0);
	assert_int_equal(peer_differing(slot, 3), 0);
	munmap(pages, 8 * PAGE);
	assert_int_equal(peer_byte(slot, LIVE_BYTE), 0);
	assert_int_equal(peer_differing(slot, 3), 1);
	peer_unmap(slot);
	close(fd);
}

/* Numbers with any size, direction and argument, none of which is right. */
void odd_requests(void **state)
{
	static const unsigned int nrs[] = { 0, 4, 5, 6, 7, 8, 0x40, 0xFF };
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open_device();
	char *end = two + PAGE;

	(void)state;
	memset(two, 0xFF, PAGE);
	assert_int_equal(mprotect(end, PAGE, PROT_NONE), 0);
	for (size_t n = 0; n < sizeof(nrs) / sizeof(*nrs); n++)
		for (unsigned int size = 0; size < 66; size++)
			for (unsigned int dir = 0; dir < 4; dir++)
				for (unsigned int at = 0; at < 32; at += 3)
					assert_int_equal(ioctl(fd,
							       _IOC(dir, 'G',
								    nrs[n],
								    size),
							       end - at),
							 -1);
	assert_used(0);
	munmap(two, 2 * PAGE);
	close(fd);
}

/* Indices and counts where sums overflow. */
void odd_places(void **state)
{
	static const uint64_t places[] = { 1ull << 32,	1ull << 44,
					   1ull << 52,	1ull << 61,
					   1ull << 63,	-1ull << 12,
					   -2ull << 12, -(1ull << 44) };
	static const uint32_t counts[] = { 1, 2, 0x7FFFFFFF, 0xFFFFFFFF };
	int fd = open_device();
	uint64_t index = must_alloc(fd, 2), any;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		for (size_t n = 0; n < sizeof(counts) / sizeof(*counts); n++)
			assert_errno(dealloc(fd, places[i], counts[n]), EINVAL);
		assert_errno(notify(fd, places[i], 1, 0), ENOENT);
		assert_errno(notify(fd, places[i] + LIVE_BYTE, 1, 0), ENOENT);
	}
	/* The first is there; the last would be one of places[]. */
	assert_errno(dealloc(fd, index, 0x7FFFFFFF), EINVAL);
	assert_errno(dealloc(fd, index + PAGE, 0xFFFFFFFF), EINVAL);
	assert_ptr_equal(mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd,
			      (off_t)(1ull << 61)),
			 MAP_FAILED);
	assert_ptr_equal(mmap(NULL, 1ul << 40, PROT_READ, MAP_SHARED, fd, 0),
			 MAP_FAILED);
	for (uint32_t count = 1u << 31; count; count += 1u << 28)
		assert_errno(alloc(fd, count, &any), ENOSPC);
	assert_used(2);
	assert_int_equal(dealloc(fd, index, 2), 0);
	close(fd);
}

/* ---- a descriptor that goes while it is used ---- */

#define CLOSES 1500

static atomic_int racing_fd, racing, mapped;

static void *map_at_any_time(void *arg)
{
	(void)arg;
	while (racing) {
		unsigned char *pages = map(racing_fd, 0, 2);

		if (pages != MAP_FAILED) {
			pages[0]++;
			pages[PAGE]++;
			mapped++;
			munmap(pages, 2 * PAGE);
		} else if (errno != EBADF && errno != ENOENT &&
			   errno != ENODEV) {
			return (void *)(intptr_t)errno;
		}
	}
	return NULL;
}

static void *name_at_any_time(void *arg)
{
	(void)arg;
	while (racing) {
		notify(racing_fd, LIVE_BYTE, 1, 0);
		dealloc(racing_fd, PAGE, 1);
		usleep(100);
	}
	return NULL;
}

void closes_while_another_maps(void **state)
{
	pthread_t threads[2];
	uint64_t index;
	void *error;

	(void)state;
	racing = 1;
	racing_fd = -1;
	pthread_create(&threads[0], NULL, map_at_any_time, NULL);
	pthread_create(&threads[1], NULL, name_at_any_time, NULL);
	/* It is to happen, however busy the machine is. */
	for (int i = 0; i < CLOSES || (!mapped && i < 100 * CLOSES); i++) {
		racing_fd = open_device();
		assert_int_equal(alloc(racing_fd, 2, &index), 0);
		if (i % 8 == 0)
			usleep(50);
		close(racing_fd);
	}
	racing = 0;
	pthread_join(threads[0], &error);
	pthread_join(threads[1], NULL);
	assert_null(error);
	assert_true(mapped > 0);
	assert_used(0);
}

/* ---- pages that the kernel still uses ---- */

enum { IN_PIPE, IN_UNIX, IN_TCP, SENT, FLIGHTS };

static void tcp_pair(int *fds)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (void *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&address, &size), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[1], (void *)&address, size), 0);
	fds[0] = accept(listener, NULL, NULL);
	assert_true(fds[0] >= 0);
	close(listener);
}

static void put_in_flight(unsigned char *pages, int fds[FLIGHTS][2])
{
	struct iovec iov = { pages, PAGE };
	int pipes[2], on = 1;

	child_must(vmsplice(fds[IN_PIPE][1], &iov, 1, 0) == PAGE);
	for (int i = IN_UNIX; i <= IN_TCP; i++) {
		child_must(!pipe(pipes));
		iov.iov_base = pages + (unsigned int)i * PAGE;
		child_must(vmsplice(pipes[1], &iov, 1, SPLICE_F_GIFT) == PAGE);
		child_must(splice(pipes[0], NULL, fds[i][1], NULL, PAGE, 0) ==
			   PAGE);
	}
	child_must(!setsockopt(fds[SENT][1], SOL_SOCKET, SO_ZEROCOPY, &on,
			       sizeof(on)));
	child_must(send(fds[SENT][1], pages + SENT * PAGE, PAGE,
			MSG_ZEROCOPY) == PAGE);
}

/* What is in flight arrives as it was, but for the byte, and then goes. */
static void receive(int fd, unsigned char *to, int i)
{
	static unsigned char want[FLIGHTS * PAGE];
	size_t got = 0;

	fill_pattern(want, FLIGHTS, 9);
	while (got < PAGE) {
		ssize_t n = read(fd, to + got, PAGE - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	to[LIVE_BYTE] = want[(unsigned int)i * PAGE + LIVE_BYTE];
	assert_memory_equal(to, want + (unsigned int)i * PAGE, PAGE);
}

/*
 * A packet that one processor made and another one freed keeps its page until
 * the first one receives something, since Linux 6.0.
 */
static void receive_on_each_processor(void)
{
	cpu_set_t all, one;
	int fds[2];

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
		tcp_pair(fds);
		close(fds[0]);
		close(fds[1]);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

void dies_with_pages_in_flight(void **state)
{
	static unsigned char got[PAGE];
	uint32_t *told = shared_memory(PAGE);
	int fds[FLIGHTS][2];
	long slot, lingering;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds[IN_PIPE]), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[IN_UNIX]), 0);
	tcp_pair(fds[IN_TCP]);
	tcp_pair(fds[SENT]);
	pid = fork();
	if (!pid) {
		int fd = open_device();
		unsigned char *pages;
		uint64_t index;

		child_must(!alloc(fd, FLIGHTS, &index));
		pages = map(fd, index, FLIGHTS);
		child_must(pages != MAP_FAILED);
		fill_pattern(pages, FLIGHTS, 9);
		for (unsigned int i = 0; i < FLIGHTS; i++)
			child_must(!notify(fd, index + i * PAGE + LIVE_BYTE, 1,
					   0));
		put_in_flight(pages, fds);
		memcpy(told, refs, FLIGHTS * sizeof(*refs));
		raise(SIGSTOP);
		_exit(0);
	}
	while (!told[FLIGHTS - 1])
		usleep(1000);
	slot = peer_map(told, FLIGHTS);
	assert_true(slot >= 0);
	kill(pid, SIGKILL);
	assert_killed(pid);

	/* The peer is told, though the pages are in use. */
	assert_int_equal(peer_differing(slot, 9), FLIGHTS);
	for (unsigned int i = 0; i < FLIGHTS; i++)
		assert_int_equal(peer_byte(slot, i * PAGE + LIVE_BYTE), 0);
	assert_used(FLIGHTS);
	peer_unmap(slot);
	if (parameter("lingering") >= 0) {
		/* The last may have been copied on its way. */
		lingering = parameter_becomes("lingering", SENT);
		assert_in_range(lingering, SENT, FLIGHTS);
	}
	for (int i = 0; i < FLIGHTS; i++) {
		receive(fds[i][0], got, i);
		close(fds[i][0]);
		close(fds[i][1]);
	}
	receive_on_each_processor();
	assert_used_becomes(0);
	munmap(told, PAGE);
}
