// SPDX-License-Identifier: LGPL-2.1-or-later
/* Peers that keep what they map, guess references and write what they like. */

#include "test-hostile.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE_BYTE 100

/* ---- one that never unmaps ---- */

#define KEPT_LIMIT 40
#define CHUNK 8

/* It can have all of the limit, and no more; what others have stays theirs. */
void a_peer_never_unmaps(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	int fd = open_device(), hog = open_device();
	uint64_t index = must_alloc(fd, CHUNK), more;
	unsigned char *pages = map(fd, index, CHUNK);
	long mine = peer_map(refs, CHUNK), slots[KEPT_LIMIT / CHUNK];
	unsigned int n = 0;

	(void)state;
	fill_pattern(pages, CHUNK, 40);
	set_parameter("limit", KEPT_LIMIT);
	while (n < KEPT_LIMIT / CHUNK && !alloc(hog, CHUNK, &more)) {
		slots[n] = peer_map(refs, CHUNK);
		assert_true(slots[n] >= 0);
		assert_int_equal(dealloc(hog, more, CHUNK), 0);
		peer_fill(slots[n], n);
		n++;
	}
	assert_int_equal(n, KEPT_LIMIT / CHUNK - 1);
	for (int i = 0; i < 30; i++) {
		assert_errno(alloc(hog, 1, &more), ENOSPC);
		usleep(10000);
	}
	assert_used(KEPT_LIMIT);
	assert_int_equal(parameter("lingering"), KEPT_LIMIT - CHUNK);
	close(hog);

	/* All that the other had works. */
	assert_int_equal(peer_differing(mine, 40), 0);
	assert_int_equal(notify(fd, index + LIVE_BYTE, 1, 0), 0);
	munmap(pages, CHUNK * PAGE);
	peer_unmap(mine);
	assert_int_equal(dealloc(fd, index, CHUNK), 0);
	index = must_alloc(fd, CHUNK);
	assert_errno(alloc(fd, 1, &more), ENOSPC);
	pages = map(fd, index, CHUNK);
	assert_true(all_are(pages, CHUNK * PAGE, 0));
	memset(pages, 1, CHUNK * PAGE);
	munmap(pages, CHUNK * PAGE);
	/* With more to be had it is over. */
	set_parameter("limit", limit);
	assert_int_equal(alloc(fd, 100, &more), 0);
	close(fd);
	assert_used_becomes(KEPT_LIMIT - CHUNK);

	while (n--) {
		assert_int_equal(peer_differing(slots[n], n), 0);
		peer_unmap(slots[n]);
	}
	assert_used_becomes(0);
}

/* ---- one that unmaps in the midst of it ---- */

#define RECLAIMS 3000
#define RECLAIM_LIMIT 7
#define MAILBOX 16

static struct {
	atomic_uint refs[MAILBOX], mapped, kept, wrong, stop;
	atomic_uint top, granted;
} * common;

/* Each page that it has mapped is the peer's alone until it unmaps. */
static void __attribute__((noreturn)) come_and_go(unsigned int seed)
{
	uint32_t fill[MAILBOX] = { 0 }, ref;
	long slots[MAILBOX];

	peer_start();
	srand(seed);
	for (int i = 0; i < MAILBOX; i++)
		slots[i] = -1;
	while (!common->stop) {
		int i = rand() % MAILBOX;

		if (slots[i] >= 0) {
			if (peer_differing(slots[i], fill[i]))
				common->wrong++;
			peer_unmap(slots[i]);
		}
		ref = atomic_exchange(&common->refs[i], 0);
		slots[i] = ref ? peer_map(&ref, 1) : -1;
		if (slots[i] >= 0) {
			common->mapped++;
			fill[i] = (uint32_t)rand();
			peer_fill(slots[i], fill[i]);
		}
		if (rand() % 4 == 0)
			usleep((unsigned int)rand() % 1000);
	}
	_exit(0);
}

/*
 * The limit is always reached, so that each allocation tries what lingers, just
 * while the peer lets go of it.
 */
void a_peer_unmaps_meanwhile(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	unsigned int shared = 0, refused = 0;
	long delay = parameter("ref_delay");
	int fd = open_device();
	pid_t pid;

	(void)state;
	common = shared_memory(sizeof(*common));
	pid = fork();
	if (!pid)
		come_and_go(1);
	/* What the peer is late to map is not another page by then. */
	if (delay >= 0)
		set_parameter("ref_delay", 3600000);
	set_parameter("limit", RECLAIM_LIMIT);
	srand(2);
	while (shared < RECLAIMS) {
		uint32_t count = 1 + (uint32_t)rand() % 6;
		unsigned char *pages;
		uint64_t index;

		assert_true(parameter("used") <= RECLAIM_LIMIT);
		if (alloc(fd, count, &index)) {
			assert_int_equal(errno, ENOSPC);
			refused++;
			sched_yield();
			continue;
		}
		pages = map(fd, index, count);
		assert_true(all_are(pages, count * PAGE, 0));
		for (uint32_t i = 0; i < count; i++)
			common->refs[rand() % MAILBOX] = refs[i];
		/* The peer maps some of them, or is too late. */
		if (rand() % 2)
			usleep(200);
		if (rand() % 2)
			assert_int_equal(dealloc(fd, index, count), 0);
		munmap(pages, count * PAGE);
		dealloc(fd, index, count);
		shared++;
	}
	common->stop = 1;
	assert_ends_well(pid);
	set_parameter("limit", limit);
	if (delay >= 0)
		set_parameter("ref_delay", (unsigned int)delay);
	print_message("%u shared, %u refused, %u pages mapped by the peer\n",
		      shared, refused, common->mapped);
	assert_true(common->mapped > 0 && refused > 0);
	assert_int_equal(common->wrong, 0);
	close(fd);
	munmap(common, sizeof(*common));
}

/* ---- one that guesses ---- */

#define FOR_PEER 0x3C3C5A5A3C3C5A5Aul
#define SECRET 0x5EC2E75EC2E75EC2ul
#define GUESSES 12000
#define HELD 32
/* No such domain; at least none that runs here. */
#define OTHER_DOMID 0x7FE0

static void set_words(void *pages, size_t size, uint64_t word)
{
	volatile uint64_t *words = pages;

	for (size_t i = 0; i < size / sizeof(word); i++)
		words[i] = word;
}

/* Shares with the peer and with another, and keeps secrets in plain memory. */
static void __attribute__((noreturn)) storm(unsigned int seed)
{
	srand(seed);
	while (!common->stop) {
		uint32_t count = 1 + (uint32_t)rand() % 40;
		bool other = rand() % 2;
		int fd = open_device();
		uint64_t index;
		void *pages, *secrets;

		secrets = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		set_words(secrets, 64 * PAGE, SECRET);
		munmap(secrets, 64 * PAGE);
		child_must(!alloc_for(fd, other ? OTHER_DOMID : domid, count, 1,
				      &index));
		for (uint32_t i = 0; i < count; i++)
			if (refs[i] > common->top)
				common->top = refs[i];
		pages = map(fd, index, count);
		child_must(pages != MAP_FAILED);
		set_words(pages, count * PAGE, other ? SECRET : FOR_PEER);
		if (rand() % 2)
			usleep((unsigned int)rand() % 2000);
		munmap(pages, count * PAGE);
		close(fd);
	}
	_exit(0);
}

/* Zeroed or meant for the peer: other words are somebody else's. */
static bool is_ours(const unsigned char *page)
{
	const volatile uint64_t *words = (const void *)page;

	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		if (words[i] && words[i] != FOR_PEER)
			return false;
	return true;
}

/*
 * What it maps it keeps for a while: until then the page may not become
 * somebody else's.
 */
void a_peer_guesses(void **state)
{
	long slots[HELD], slot;
	pid_t pids[2];
	uint32_t ref;

	(void)state;
	common = shared_memory(sizeof(*common));
	for (unsigned int n = 0; n < 2; n++) {
		pids[n] = fork();
		if (!pids[n])
			storm(n);
	}
	srand(3);
	for (int i = 0; i < HELD; i++)
		slots[i] = -1;
	for (unsigned int n = 0; n < GUESSES; n++) {
		int i = rand() % HELD;

		ref = (uint32_t)rand() % (common->top + 16);
		slot = peer_map(&ref, 1);
		if (slot < 0)
			continue;
		common->granted++;
		assert_true(is_ours(peer_pages(slot)));
		if (slots[i] >= 0) {
			assert_true(is_ours(peer_pages(slots[i])));
			peer_unmap(slots[i]);
		}
		slots[i] = slot;
	}
	common->stop = 1;
	assert_ends_well(pids[0]);
	assert_ends_well(pids[1]);
	for (int i = 0; i < HELD; i++) {
		if (slots[i] < 0)
			continue;
		assert_true(is_ours(peer_pages(slots[i])));
		peer_unmap(slots[i]);
	}
	print_message("%d guesses, %u times there was a page\n", GUESSES,
		      common->granted);
	assert_true(common->granted > 0);
	munmap(common, sizeof(*common));
}
