// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages with several grants, old and new, and who waits for their end. */

#include "test-hostile.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "asks.h"

/* Need not exist. */
#define STRANGER 77
#define PAGES 4u
#define LIVE_BYTE 100
/* Nobody waits so long, unless a wake-up is lost. */
#define LOST_MS 20000

/* The stock driver has one peer for a page: then @fd is closed. */
static bool has_peers(int fd)
{
	if (!ask_revoke(fd, 0, 0, 0) || errno != ENOTTY)
		return true;
	print_message("it has one peer for each page\n");
	close(fd);
	return false;
}

/* Ended at once, or when what ends grants has come round. */
static void assert_cannot_map(const uint32_t *which, uint32_t count)
{
	for (int i = 0; i < 2000 && peer_try(which, count); i++)
		usleep(1000);
	assert_int_equal(peer_try(which, count), 0);
}

/*
 * Woken for POLLIN, or ready at once? Whoever was not woken finds out when the
 * time is over, which is too late.
 */
static bool is_woken(int fd)
{
	struct pollfd one = { fd, POLLIN, 0 };
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (poll(&one, 1, LOST_MS) != 1 || one.revents != POLLIN)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &end);
	return end.tv_sec - start.tv_sec < LOST_MS / 1000;
}

static short ready(int fd)
{
	struct pollfd one = { fd, POLLIN, 0 };

	return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

/*
 * Grants of the same pages: @old of a peer that keeps them mapped for good,
 * @new of another one. Nothing that the first does keeps them from ending.
 */
static void end_beside(int fd, uint64_t index, uint64_t new_index, long old)
{
	struct ioctl_gntalloc_status status;
	uint32_t new_refs[PAGES];
	long slot;

	memcpy(new_refs, refs, sizeof(new_refs));
	slot = peer_map(new_refs, PAGES);
	assert_true(slot >= 0);
	assert_int_equal(peer_differing(slot, 6), 0);
	peer_unmap(slot);
	assert_int_equal(notify(fd, new_index + LIVE_BYTE, 1, 0), 0);
	assert_int_equal(dealloc(fd, new_index, PAGES), 0);
	assert_cannot_map(new_refs, PAGES);
	assert_int_equal(peer_byte(old, LIVE_BYTE), 0);
	assert_int_equal(peer_differing(old, 6), 1);
	if (index != new_index)
		assert_int_equal(dealloc(fd, index, PAGES), 0);
	/* Nobody gets the pages while the first one has them. */
	for (int i = 0; i < 20; i++) {
		uint64_t more = must_alloc(fd, 16);
		unsigned char *pages = map(fd, more, 16);

		assert_true(all_are(pages, 16 * PAGE, 0));
		memset(pages, 0xA5, 16 * PAGE);
		munmap(pages, 16 * PAGE);
		assert_int_equal(dealloc(fd, more, 16), 0);
	}
	assert_int_equal(peer_differing(old, 6), 1);
	assert_int_equal(ask_status(fd, 0, &status), 0);
	assert_in_range(status.lingering, PAGES, 2 * PAGES);
	assert_int_equal(status.listed, 0);
	assert_int_equal(ready(fd), 0);
	peer_unmap(old);
	assert_true(is_woken(fd));
	assert_used_becomes(0);
}

static uint64_t filled_pages(int fd, uint32_t whose)
{
	unsigned char *pages;
	uint64_t index;

	assert_int_equal(
		alloc_for(fd, whose, PAGES, GNTALLOC_FLAG_WRITABLE, &index), 0);
	pages = map(fd, index, PAGES);
	fill_pattern(pages, PAGES, 6);
	munmap(pages, PAGES * PAGE);
	return index;
}

void one_of_two_peers_never_lets_go(void **state)
{
	struct ioctl_gntalloc_status status;
	int fd = open_device();
	uint64_t index, more;
	long slot;

	(void)state;
	if (!has_peers(fd))
		return;
	/* The old grants are those that a renewal left. */
	index = filled_pages(fd, domid);
	slot = peer_map(refs, PAGES);
	assert_int_equal(ask_renew(fd, domid, index, PAGES,
				   GNTALLOC_FLAG_WRITABLE, refs),
			 0);
	end_beside(fd, index, index, slot);
	assert_int_equal(ask_status(fd, GNTALLOC_STATUS_QUIET, &status), 0);

	/* Those that others had added, or that were there before. */
	index = filled_pages(fd, STRANGER);
	assert_int_equal(ask_add_peer(fd, domid, index, PAGES,
				      GNTALLOC_FLAG_WRITABLE, refs, &more),
			 0);
	slot = peer_map(refs, PAGES);
	assert_int_equal(dealloc(fd, more, PAGES), 0);
	assert_int_equal(ask_add_peer(fd, domid, index, PAGES,
				      GNTALLOC_FLAG_WRITABLE, refs, &more),
			 0);
	end_beside(fd, index, more, slot);
	assert_int_equal(ask_status(fd, GNTALLOC_STATUS_QUIET, &status), 0);

	/* The pages themselves end first, and one that was added stays. */
	index = filled_pages(fd, STRANGER);
	assert_int_equal(ask_add_peer(fd, domid, index, PAGES,
				      GNTALLOC_FLAG_WRITABLE, refs, &more),
			 0);
	assert_int_equal(ask_renew(fd, domid, index, PAGES,
				   GNTALLOC_FLAG_WRITABLE, refs),
			 0);
	assert_int_equal(dealloc(fd, index, PAGES), 0);
	assert_cannot_map(refs, PAGES);
	assert_int_equal(ask_renew(fd, domid, more, PAGES,
				   GNTALLOC_FLAG_WRITABLE, refs),
			 0);
	slot = peer_map(refs, PAGES);
	assert_int_equal(peer_differing(slot, 6), 0);
	peer_unmap(slot);
	close(fd);
	assert_cannot_map(refs, PAGES);
}

/* ---- renewal ---- */

#define RENEWALS 60u
#define RENEWALS_LIMIT 40

/*
 * Each time the peer has the grant mapped before: what it keeps counts, up to
 * the limit.
 */
void renews_while_the_peer_maps(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit"), kept = 0;
	long slots[RENEWALS_LIMIT];
	int fd = open_device();
	unsigned char *pages;
	uint64_t index;
	uint32_t ref;
	long slot;

	(void)state;
	if (!has_peers(fd))
		return;
	set_parameter("limit", RENEWALS_LIMIT);
	index = must_alloc(fd, 1);
	ref = refs[0];
	pages = map(fd, index, 1);
	for (uint32_t i = 0; i < RENEWALS; i++) {
		fill_pattern(pages, 1, i);
		slot = peer_map(refs, 1);
		assert_int_equal(peer_differing(slot, i), 0);
		assert_int_equal(ask_renew(fd, domid, index, 1,
					   GNTALLOC_FLAG_WRITABLE, refs),
				 0);
		peer_unmap(slot);
	}
	assert_int_equal(differing(pages, 1, RENEWALS - 1), 0);
	assert_used_becomes(1);
	do {
		assert_true(kept < RENEWALS_LIMIT);
		slots[kept] = peer_map(refs, 1);
		assert_true(slots[kept] >= 0);
		kept++;
	} while (!ask_renew(fd, domid, index, 1, GNTALLOC_FLAG_WRITABLE, refs));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(kept, RENEWALS_LIMIT);
	assert_used(RENEWALS_LIMIT);
	/* To take access away there is room in any case. */
	assert_int_equal(ask_revoke(fd, domid, index, 1), 0);
	assert_used(RENEWALS_LIMIT + 1);
	fill_pattern(pages, 1, 99);
	for (unsigned int i = 0; i < kept; i++) {
		assert_int_equal(peer_differing(slots[i], 99), 0);
		peer_unmap(slots[i]);
	}
	assert_used_becomes(1);
	assert_cannot_map(refs, 1);
	assert_cannot_map(&ref, 1);
	munmap(pages, PAGE);
	close(fd);
	set_parameter("limit", limit);
}

/* ---- who waits for the end ---- */

#define WAITERS 3
#define HANDLES 2
#define STORM (peer_is_here() ? 150u : 12u)

/* @given: so many rounds' pages are there; @ended: given up; @seen: told. */
static struct waiter {
	atomic_uint given, mapped, ended, seen;
	uint32_t count[HANDLES], refs[HANDLES][PAGES];
} * waiters;

static void *wait_for_news(void *fd)
{
	child_must(is_woken((int)(intptr_t)fd));
	return NULL;
}

/* All its handles, each of which two threads wait for. */
static void one_round(struct waiter *me, const int *fds, unsigned int round,
		      uint64_t *returned)
{
	pthread_t threads[HANDLES][2];
	struct ioctl_gntalloc_status status;
	uint64_t index[HANDLES];

	for (int h = 0; h < HANDLES; h++) {
		me->count[h] = 1 + (round + (unsigned int)h) % PAGES;
		child_must(!alloc(fds[h], me->count[h], &index[h]));
		memcpy(me->refs[h], refs, sizeof(me->refs[h]));
	}
	me->given++;
	while (me->mapped < me->given)
		usleep(100);
	for (int h = 0; h < HANDLES; h++) {
		for (int n = 0; n < 2; n++)
			pthread_create(&threads[h][n], NULL, wait_for_news,
				       (void *)(intptr_t)fds[h]);
		child_must(!dealloc(fds[h], index[h], me->count[h]));
		child_must(!ask_status(fds[h], 0, &status));
		child_must(status.lingering == me->count[h]);
		child_must(!ready(fds[h]));
	}
	me->ended++;
	for (int h = 0; h < HANDLES; h++) {
		for (int n = 0; n < 2; n++)
			pthread_join(threads[h][n], NULL);
		returned[h] += me->count[h];
		child_must(ready(fds[h]) == POLLIN);
		child_must(!ask_status(fds[h], 0, &status));
		child_must(ready(fds[h]) == POLLIN);
		child_must(!ask_status(fds[h], GNTALLOC_STATUS_QUIET, &status));
		child_must(status.returned == returned[h]);
		child_must(!status.lingering);
		child_must(!status.listed);
		child_must(!ready(fds[h]));
	}
	me->seen++;
}

static void __attribute__((noreturn)) wait_always(struct waiter *me)
{
	uint64_t returned[HANDLES] = { 0 };
	int fds[HANDLES];

	for (int h = 0; h < HANDLES; h++)
		fds[h] = open_device();
	for (unsigned int round = 0; round < STORM; round++)
		one_round(me, fds, round, returned);
	_exit(0);
}

/* What the peer has of one, and lets go of at any time. */
static void serve(struct waiter *one, long *slots)
{
	if (one->mapped < one->given) {
		for (int h = 0; h < HANDLES; h++) {
			slots[h] = peer_map(one->refs[h], one->count[h]);
			assert_true(slots[h] >= 0);
		}
		one->mapped++;
	} else if (one->ended == one->mapped && slots[0] >= 0) {
		usleep((unsigned int)rand() % 4000);
		for (int h = 0; h < HANDLES; h++) {
			peer_unmap(slots[h]);
			slots[h] = -1;
		}
	}
}

void polls_in_a_storm(void **state)
{
	long slots[WAITERS][HANDLES];
	int fd = open_device(), running = WAITERS, status;

	(void)state;
	if (!has_peers(fd))
		return;
	close(fd);
	memset(slots, -1, sizeof(slots));
	waiters = shared_memory(sizeof(*waiters) * WAITERS);
	srand(5);
	for (int n = 0; n < WAITERS; n++)
		if (!fork())
			wait_always(&waiters[n]);
	while (running) {
		for (int n = 0; n < WAITERS; n++)
			serve(&waiters[n], slots[n]);
		while (waitpid(-1, &status, WNOHANG) > 0) {
			assert_int_equal(status, 0);
			running--;
		}
		usleep(200);
	}
	for (int n = 0; n < WAITERS; n++)
		assert_int_equal(waiters[n].seen, STORM);
	munmap(waiters, sizeof(*waiters) * WAITERS);
}
