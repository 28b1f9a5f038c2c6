// SPDX-License-Identifier: LGPL-2.1-or-later
/* Processes that die, with grants of each kind that peers map. */

#include "test-module-grants.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

#define LIVE_BYTE 100
#define UNTIL_PEER_ENDS 200

/* A child that shares and then dies, with memory that the parent has not. */
struct child {
	pid_t pid;
	uint64_t index;
	uint32_t refs[8];
	int port;
	/* The pipe where it writes when it has shared, if not by return. */
	char up[8];
	unsigned char *at;
};

static struct child *start_child(void (*run)(struct child *child))
{
	struct child *child = mmap(NULL, sizeof(*child), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int up[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(up), 0);
	pid = fork();
	if (!pid) {
		/* That of the case, and its mapping, are the parent's. */
		fd = open_device();
		arena = map(fd, PLACE(0), PLACES);
		child->at = memory(2, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1);
		snprintf(child->up, sizeof(child->up), "%d", up[1]);
		run(child);
		memcpy(child->refs, refs, sizeof(child->refs));
		if (write(up[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(up[1]);
	assert_int_equal(read(up[0], &byte, 1), 1);
	close(up[0]);
	child->pid = pid;
	return child;
}

static void kill_child(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	munmap(child, sizeof(*child));
}

/* ---- peers ---- */

static void share_with_two(struct child *child)
{
	struct pages pages = pages_for(STRANGER, PLACED, 2, WRITABLE);
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);

	child->port = xenevtchn_bind_unbound_port(evtchn, remote_domid());
	child->index = add_peer(remote_domid(), pages.index, 2, WRITABLE);
	fill_pattern(arena, 2, 9);
	set_notify(PLACE(0), LIVE_BYTE, 1, 0);
	set_notify(child->index, UNTIL_PEER_ENDS, 3, child->port);
}

void a_killed_process_had_peers(void **state)
{
	struct child *child = start_child(share_with_two);
	long slot = peer_maps("rw", child->refs, 2);
	uint32_t gone[2];

	(void)state;
	memcpy(gone, child->refs, sizeof(gone));
	assert_int_equal(remote("bind %d", child->port), 0);
	assert_counts(4, 0, 0);
	kill_child(child);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(remote("byte %ld %u", slot, LIVE_BYTE), 0);
	assert_int_equal(remote("byte %ld %u", slot, UNTIL_PEER_ENDS), 0);
	/* Those two bytes, none of which the pattern has zero. */
	assert_int_equal(remote("check %ld 9", slot), 2);
	assert_counts(4, 0, 4);
	peer_lets_go(slot);
	wait_until_used_is(0);
	assert_int_equal(remote_try(gone, 2), 0);
}

static void share_and_renew(struct child *child)
{
	struct pages pages = pages_for(remote_domid(), PLACED, 4, WRITABLE);
	uint32_t old[4];

	memcpy(old, refs, sizeof(old));
	fill_pattern(pages.at, 4, 9);
	revoke_pages(remote_domid(), PLACE(3), 1);
	assert_int_equal(renew_for(fd, remote_domid(), PLACE(0), 1, 0), 0);
	memcpy(refs + 1, old + 1, 3 * sizeof(old[0]));
	set_notify(PLACE(0), LIVE_BYTE, 1, 0);
	child->index = pages.index;
}

/* One is renewed, two are as they were, one is nobody's. */
void a_killed_process_had_renewed(void **state)
{
	struct child *child = start_child(share_and_renew);
	long slot = peer_maps("ro", child->refs, 2);

	(void)state;
	assert_int_equal(remote_try(child->refs, 4), 3);
	assert_counts(4, 0, 0);
	kill_child(child);
	assert_int_equal(remote("check %ld 9", slot), 1);
	assert_int_equal(remote("byte %ld %u", slot, LIVE_BYTE), 0);
	assert_int_equal(parameter_becomes("lingering", 2), 2);
	peer_lets_go(slot);
	wait_until_used_is(0);
}

/* ---- memory ---- */

static void share_and_exec(struct child *child)
{
	int kept = dup(fd);

	fd = kept;
	fill_pattern(child->at, 2, 8);
	share_memory(child->at, 2, WRITABLE);
	memcpy(child->refs, refs, sizeof(child->refs));
	execl("/bin/sh", "sh", "-c", "echo >&\"$0\"; exec sleep 1000",
	      child->up, NULL);
}

/* What it runs next has the descriptor, and none of that memory. */
void memory_outlives_its_program(void **state)
{
	struct child *child = start_child(share_and_exec);
	long slot = peer_maps("rw", child->refs, 2);

	(void)state;
	assert_int_equal(remote("check %ld 8", slot), 0);
	assert_counts(2, 0, 0);
	kill_child(child);
	assert_counts(2, 0, 2);
	assert_int_equal(remote("check %ld 8", slot), 0);
	peer_lets_go(slot);
	wait_until_used_is(0);
}

static void share_and_wait(struct child *child)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);

	child->port = xenevtchn_bind_unbound_port(evtchn, remote_domid());
	fill_pattern(child->at, 2, 9);
	child->index = share_memory(child->at, 2, WRITABLE);
	set_notify(child->index, LIVE_BYTE, 3, child->port);
}

void a_killed_process_had_memory(void **state)
{
	struct child *child = start_child(share_and_wait);
	long slot = peer_maps("rw", child->refs + 1, 1);

	(void)state;
	assert_int_equal(remote("bind %d", child->port), 0);
	kill_child(child);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	/* The page that nobody maps is back, the other one is not. */
	assert_counts(1, 0, 1);
	assert_int_equal(remote("fill %ld 4", slot), 0);
	assert_int_equal(remote("check %ld 4", slot), 0);
	peer_lets_go(slot);
	wait_until_used_is(0);
}
