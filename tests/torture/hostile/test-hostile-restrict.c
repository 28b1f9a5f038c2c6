// SPDX-License-Identifier: LGPL-2.1-or-later
/* A descriptor that was bounded, and everybody who has it. */

#include "test-hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asks.h"

/* The one domain that is left, which need not exist. */
#define ONLY 77
#define PAGES 8u

/* The stock driver restricts nothing: then @fd is closed. */
static bool can_restrict(int fd)
{
	if (!ask_restrict(fd, 0, 0) || errno != ENOTTY)
		return true;
	print_message("it restricts nothing\n");
	close(fd);
	return false;
}

#define must_fail(call, error) child_must((call) && errno == (error))

/* Whatever grants: another domain, and one page too many. */
static void try_everything(int fd)
{
	unsigned char *memory =
		mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t index = 0, more = 0, none = 0;

	must_fail(alloc(fd, 1, &none), EACCES);
	must_fail(share(fd, 0, memory, 1), EACCES);
	must_fail(ask_share_memory(fd, domid, memory, 1, 0, refs, &more),
		  EACCES);
	must_fail(ask_restrict(fd, domid, PAGES), EACCES);
	must_fail(ask_restrict(fd, ONLY, PAGES), EACCES);
	must_fail(ask_restrict(fd, ONLY, 0xFFFFFFFF), EACCES);

	must_fail(alloc_for(fd, ONLY, PAGES + 1, 0, &index), EDQUOT);
	must_fail(ask_share_memory(fd, ONLY, memory, PAGES + 1, 0, refs, &more),
		  EDQUOT);
	child_must(!alloc_for(fd, ONLY, PAGES - 1, 0, &index));
	must_fail(ask_add_peer(fd, domid, index, 1, 0, refs, &more), EACCES);
	must_fail(ask_renew(fd, domid, index, 1, 0, refs), EACCES);
	must_fail(ask_renew(fd, ONLY, index, 2, 0, refs), EDQUOT);
	child_must(!ask_revoke(fd, ONLY, index, 2));
	must_fail(ask_share_memory(fd, ONLY, memory, 2, 0, refs, &more),
		  EDQUOT);
	child_must(!ask_share_memory(fd, ONLY, memory, 1, 0, refs, &more));
	must_fail(alloc_for(fd, ONLY, 1, 0, &none), EDQUOT);
	must_fail(ask_add_peer(fd, ONLY, more, 1, 0, refs, &none), EDQUOT);
	child_must(!dealloc(fd, more, 1));
	child_must(!dealloc(fd, index, PAGES - 1));
	munmap(memory, (PAGES + 1) * PAGE);
}

static void *try_in_thread(void *fd)
{
	try_everything((int)(intptr_t)fd);
	return NULL;
}

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(fd))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(fd)) } };
	char any = 0;
	struct iovec byte = { &any, 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, &message, 0), 1);
}

/* A process that got it and nothing else from us. */
static void __attribute__((noreturn)) receive_and_try(int socket)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec bytes = { &byte, 1 };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = room,
				  .msg_controllen = sizeof(room) };
	int fd;

	child_must(recvmsg(socket, &message, 0) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	try_everything(fd);
	_exit(0);
}

static void try_in_child(int fd, bool grandchild)
{
	pid_t pid = fork();

	if (!pid) {
		if (grandchild) {
			pid_t next = fork();
			int status;

			if (next) {
				child_must(waitpid(next, &status, 0) == next);
				_exit(status ? 1 : 0);
			}
		}
		try_everything(fd);
		_exit(0);
	}
	assert_ends_well(pid);
}

void escapes_from_its_bounds(void **state)
{
	int fd, copy, sockets[2];
	pthread_t thread;
	uint64_t index;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	pid = fork();
	if (!pid)
		receive_and_try(sockets[1]);
	fd = open_device();
	if (!can_restrict(fd)) {
		kill(pid, SIGKILL);
		return;
	}
	assert_int_equal(ask_restrict(fd, ONLY, PAGES), 0);
	try_everything(fd);
	copy = dup(fd);
	try_everything(copy);
	try_in_child(fd, false);
	try_in_child(copy, true);
	pthread_create(&thread, NULL, try_in_thread, (void *)(intptr_t)fd);
	pthread_join(thread, NULL);
	close(fd);
	try_everything(copy);
	send_fd(sockets[0], copy);
	assert_ends_well(pid);
	/* Others are as free as they were. */
	fd = open_device();
	assert_int_equal(alloc(fd, PAGES + 1, &index), 0);
	close(fd);
	close(copy);
	close(sockets[0]);
	close(sockets[1]);
}

/* What the peer does not let go of counts. */
void bounds_hold_what_lingers(void **state)
{
	int fd = open_device();
	uint64_t index, more;
	long slots[PAGES], slot;

	(void)state;
	if (!can_restrict(fd))
		return;
	assert_int_equal(ask_restrict(fd, domid, PAGES), 0);
	index = must_alloc(fd, PAGES - 2);
	slot = peer_map(refs, PAGES - 2);
	assert_int_equal(dealloc(fd, index, PAGES - 2), 0);
	assert_errno(alloc(fd, 3, &more), EDQUOT);
	assert_int_equal(alloc(fd, 1, &index), 0);
	/* Each renewal of a page that is mapped leaves a grant behind. */
	peer_unmap(slot);
	assert_used_becomes(1);
	for (uint32_t i = 1; i < PAGES; i++) {
		slots[i] = peer_map(refs, 1);
		assert_int_equal(ask_renew(fd, domid, index, 1,
					   GNTALLOC_FLAG_WRITABLE, refs),
				 0);
		assert_used(i + 1);
	}
	slots[0] = peer_map(refs, 1);
	assert_errno(ask_renew(fd, domid, index, 1, GNTALLOC_FLAG_WRITABLE,
			       refs),
		     EDQUOT);
	/* To take access away there is room in any case. */
	assert_int_equal(ask_revoke(fd, domid, index, 1), 0);
	assert_used(PAGES + 1);
	close(fd);
	assert_used(PAGES + 1);
	for (uint32_t i = 0; i < PAGES; i++)
		peer_unmap(slots[i]);
}

/* ---- many at once ---- */

#define RACERS 4
#define RACES 300

static struct {
	atomic_int restricted, won, escaped, held, most, granted;
} * race;
static int race_fd;
static _Alignas(PAGE) unsigned char page[PAGE];

static void *restrict_once(void *arg)
{
	(void)arg;
	if (!ask_restrict(race_fd, ONLY, PAGES)) {
		race->won++;
		race->restricted = 1;
	} else {
		child_must(errno == EACCES);
		race->restricted = 1;
	}
	return NULL;
}

/* Whoever begins after one of them returned comes too late. */
static void *grant_always(void *arg)
{
	(void)arg;
	for (int late = 0; late < 20;) {
		int after = race->restricted;
		uint64_t index = 0;
		uint32_t own;
		bool ok = !ask_share_memory(race_fd, domid, page, 1, 0, &own,
					    &index);

		late += after;
		if (!ok)
			continue;
		race->granted++;
		race->escaped += after;
		dealloc(race_fd, index, 1);
	}
	return NULL;
}

void restricts_in_a_race(void **state)
{
	pthread_t threads[RACERS], grants[2];
	int fd = open_device();

	(void)state;
	if (!can_restrict(fd))
		return;
	close(fd);
	race = shared_memory(sizeof(*race));
	for (int i = 0; i < RACES / 10; i++) {
		race->restricted = race->won = 0;
		race_fd = open_device();
		for (int n = 0; n < 2; n++)
			pthread_create(&grants[n], NULL, grant_always, NULL);
		if (i % 2)
			usleep((unsigned int)i * 50);
		for (int n = 0; n < RACERS; n++)
			pthread_create(&threads[n], NULL, restrict_once, NULL);
		for (int n = 0; n < RACERS; n++)
			pthread_join(threads[n], NULL);
		for (int n = 0; n < 2; n++)
			pthread_join(grants[n], NULL);
		assert_int_equal(race->won, 1);
		assert_int_equal(race->escaped, 0);
		close(race_fd);
	}
	print_message("%d granted in time\n", race->granted);
	munmap(race, sizeof(*race));
}

/* Processes that share the descriptor have no more than it may, together. */
void bounds_are_raced_for(void **state)
{
	int fd = open_device();
	pid_t pids[RACERS];
	uint64_t index;

	(void)state;
	if (!can_restrict(fd))
		return;
	race = shared_memory(sizeof(*race));
	assert_int_equal(ask_restrict(fd, ONLY, PAGES), 0);
	for (unsigned int n = 0; n < RACERS; n++) {
		pids[n] = fork();
		if (pids[n])
			continue;
		for (unsigned int i = 0; i < RACES; i++) {
			uint32_t count = 1 + (i * 7 + n) % PAGES;
			int now;

			if (alloc_for(fd, ONLY, count, 0, &index)) {
				child_must(errno == EDQUOT);
				race->escaped++;
				sched_yield();
				continue;
			}
			now = atomic_fetch_add(&race->held, (int)count) +
			      (int)count;
			child_must(now <= (int)PAGES);
			race->granted++;
			sched_yield();
			race->held -= (int)count;
			child_must(!dealloc(fd, index, count));
		}
		_exit(0);
	}
	for (int n = 0; n < RACERS; n++)
		assert_ends_well(pids[n]);
	print_message("%d times granted, %d times refused\n", race->granted,
		      race->escaped);
	assert_true(race->granted > 0);
	assert_int_equal(alloc_for(fd, ONLY, PAGES, 0, &index), 0);
	close(fd);
	munmap(race, sizeof(*race));
}
