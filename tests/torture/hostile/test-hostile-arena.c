// SPDX-License-Identifier: LGPL-2.1-or-later
/* Places of arenas that are not there, go away, or are asked for by others. */

#include "test-hostile.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIVE_BYTE 100
#define PLACES 16u

int share(int fd, uint32_t place, const void *addr, uint32_t count)
{
	return share_for(fd, domid, PLACE(place), addr, count,
			 GNTALLOC_FLAG_WRITABLE);
}

bool has_arenas(int fd)
{
	if (unshare_places(fd, PLACE(0), NULL, 0) == -1 && errno == EINVAL)
		return true;
	assert_int_equal(errno, ENOTTY);
	print_message("there are no arenas\n");
	close(fd);
	return false;
}

/* ---- requests that are wrong ---- */

/* References that have no place to go: nothing is shared for them. */
static void wrong_references(int fd, unsigned char *places)
{
	struct ioctl_gntalloc_share op = { PLACE(0), (uintptr_t)places, 0, 4, 0,
					   1 };
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uintptr_t wrong[] = {
		(uintptr_t)two + PAGE - 4,
		(uintptr_t)two + PAGE,
		(uintptr_t)places + 8 * PAGE,
		0xFFFFFFFF81000000ul,
		0x7FFFFFFFF000ul,
		-4ul,
		-16ul,
	};

	op.domid = (uint16_t)domid;
	assert_int_equal(mprotect(two + PAGE, PAGE, PROT_READ), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		op.refs = wrong[i];
		assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE, &op), EFAULT);
		assert_errno(unshare_places(fd, PLACE(0), NULL, 1), EINVAL);
		assert_int_equal(notify(fd, PLACE(3) + 1, 1, 0), -1);
	}
	/* Into the pages themselves: the peer may know them, too. */
	for (int i = 0; i < 3; i++) {
		op.refs = (uintptr_t)places;
		if (ioctl(fd, IOCTL_GNTALLOC_SHARE, &op)) {
			assert_int_equal(errno, EFAULT);
			assert_errno(unshare_places(fd, PLACE(0), NULL, 4),
				     EINVAL);
			op.refs = (uintptr_t)refs;
			assert_int_equal(ioctl(fd, IOCTL_GNTALLOC_SHARE, &op),
					 0);
		}
		assert_int_equal(unshare_places(fd, PLACE(0), NULL, 4), 0);
	}
	munmap(two, 2 * PAGE);
}

/* The last place there is, and those behind it. */
static void places_at_the_end(int fd)
{
	const uint64_t last = (1ull << 63) - PAGE;
	unsigned char *end = map(fd, last - PAGE, 2);

	assert_ptr_not_equal(end, MAP_FAILED);
	assert_int_equal(share_for(fd, domid, last - PAGE, end, 2, 1), 0);
	assert_used(2 + parameter("spare"));
	fill_pattern(end, 2, 3);
	assert_errno(share_for(fd, domid, last, end + PAGE, 2, 1), EINVAL);
	assert_errno(unshare_places(fd, last - PAGE, NULL, 3), EINVAL);
	assert_errno(unshare_places(fd, last, NULL, 0xFFFFFFFF), EINVAL);
	assert_errno(dealloc(fd, last, 2), EINVAL);
	assert_int_equal(notify(fd, last + PAGE - 1, 1, 0), 0);
	assert_int_equal(unshare_places(fd, last - PAGE, NULL, 2), 0);
	assert_int_equal(end[2 * PAGE - 1], 0);
	assert_int_equal(share_for(fd, domid, last, end + PAGE, 1, 1), 0);
	assert_true(all_are(end + PAGE, PAGE, 0));
	munmap(end, 2 * PAGE);
	assert_int_equal(unshare_places(fd, last, NULL, 1), 0);
}

void arena_requests_that_are_wrong(void **state)
{
	static const uint32_t counts[] = { 2,	       17,	   0x7FFFFFFF,
					   0x80000000, 0xFFFFF000, 0xFFFFFFFF };
	static const uint64_t odd[] = {
		0,	     1ull << 61,  1ull << 63,	(1ull << 63) + PAGE,
		-1ull << 12, -2ull << 12, PLACE(0) - 1, PLACE(0) - PAGE
	};
	int fd = open_device();
	unsigned char *places;

	(void)state;
	if (!has_arenas(fd))
		return;
	/* Before there is one. */
	assert_int_equal(share(fd, 0, (void *)PAGE, 1), -1);
	assert_int_equal(unshare_places(fd, PLACE(0), NULL, 1), -1);
	places = map(fd, PLACE(0), PLACES);
	wrong_references(fd, places);
	places_at_the_end(fd);
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		for (size_t n = 0; n < sizeof(counts) / sizeof(*counts); n++) {
			assert_errno(share_for(fd, domid, odd[i], places,
					       counts[n], 1),
				     EINVAL);
			assert_errno(unshare_places(fd, odd[i], NULL,
						    counts[n]),
				     EINVAL);
		}
	}
	/* Or the limit does not have so many. */
	for (size_t n = 1; n < sizeof(counts) / sizeof(*counts); n++) {
		assert_int_equal(share(fd, 0, places, counts[n]), -1);
		assert_true(errno == EINVAL || errno == ENOSPC);
		assert_errno(unshare_places(fd, PLACE(0), NULL, counts[n]),
			     EINVAL);
	}
	/* All of that was nothing. */
	assert_int_equal(share(fd, 0, places, PLACES), 0);
	assert_used(PLACES);
	assert_true(all_are(places, PLACES * PAGE, 0));
	munmap(places, PLACES * PAGE);
	close(fd);
}

/* ---- places that others take away ---- */

#define ROUNDS 4000

static struct {
	int fd;
	unsigned char *places, *away;
	atomic_int stop;
} race;

static void map_all_again(void)
{
	mmap(race.places, PLACES * PAGE, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_FIXED, race.fd, (off_t)PLACE(0));
}

/* Unmap, empty, protect, move, cover and map anew, all at the same place. */
static void *take_away(void *arg)
{
	unsigned int seed = 5;

	(void)arg;
	while (!race.stop) {
		unsigned char *at =
			race.places + (unsigned int)rand_r(&seed) % 8 * PAGE;

		switch (rand_r(&seed) % 8) {
		case 0:
			munmap(at, 2 * PAGE);
			break;
		case 1:
		case 2:
			madvise(at, 4 * PAGE, MADV_DONTNEED);
			break;
		case 3:
			mprotect(at, 2 * PAGE,
				 rand_r(&seed) % 2 ? PROT_READ : PROT_NONE);
			break;
		case 4:
			mmap(at, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 5:
			mremap(at, 2 * PAGE, 2 * PAGE,
			       MREMAP_MAYMOVE | MREMAP_FIXED, race.away);
			break;
		default:
			map_all_again();
		}
	}
	return NULL;
}

/* Give up what was just shared, in the other ways. */
static void *give_up(void *arg)
{
	unsigned int seed = 6;

	(void)arg;
	while (!race.stop) {
		uint32_t place = (uint32_t)rand_r(&seed) % 8;

		notify(race.fd, PLACE(place) + LIVE_BYTE, 1, 0);
		if (rand_r(&seed) % 2)
			dealloc(race.fd, PLACE(place), 1);
		else
			unshare_places(race.fd, PLACE(place), NULL, 1);
		usleep((unsigned int)rand_r(&seed) % 300);
	}
	return NULL;
}

void places_that_go_away(void **state)
{
	unsigned int done = 0, refused = 0, looks = 0;
	pthread_t threads[2];

	(void)state;
	race.fd = open_device();
	if (!has_arenas(race.fd))
		return;
	race.stop = 0;
	race.places = map(race.fd, PLACE(0), PLACES);
	race.away = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	pthread_create(&threads[0], NULL, take_away, NULL);
	pthread_create(&threads[1], NULL, give_up, NULL);
	for (unsigned int i = 0; i < ROUNDS || !done || !refused; i++) {
		uint32_t first = i % 8, count = 1 + i % (12 - first);

		if (share(race.fd, first, race.places + first * PAGE, count)) {
			assert_true(errno == EINVAL || errno == EBUSY);
			refused++;
			/* Or what is shared or covered would stay so. */
			unshare_places(race.fd, PLACE(first), NULL, 1);
			continue;
		}
		done++;
		/*
		 * Nobody writes here; the other thread may end it. What a peer
		 * in this process maps would lie in a gap.
		 */
		if (done % 64 == 1 && !peer_is_here()) {
			long slot = peer_map(refs + count - 1, 1);

			looks += slot >= 0;
			if (slot >= 0) {
				assert_int_equal(peer_byte(slot, 7), 0);
				peer_unmap(slot);
			}
		}
		if (i % 3)
			unshare_places(race.fd, PLACE(first), NULL, count);
	}
	race.stop = 1;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	print_message("%u times shared, %u times refused, %u looked at\n", done,
		      refused, looks);
	for (uint32_t i = 0; i < PLACES; i++)
		unshare_places(race.fd, PLACE(i), NULL, 1);
	/* In whatever state they are, all can be had again. */
	munmap(race.away, 2 * PAGE);
	munmap(race.places, PLACES * PAGE);
	race.places = map(race.fd, PLACE(0), PLACES);
	assert_int_equal(share(race.fd, 0, race.places, PLACES), 0);
	assert_true(all_are(race.places, PLACES * PAGE, 0));
	assert_used_becomes(PLACES);
	munmap(race.places, PLACES * PAGE);
	close(race.fd);
}

/* ---- processes that are killed in the midst of it ---- */

#define DEATHS 300

static void __attribute__((noreturn)) share_for_ever(atomic_uint *told)
{
	int fd = open_device();
	unsigned char *places = map(fd, PLACE(0), 300);

	for (uint32_t i = 0;; i++) {
		uint32_t count = 1 + i * 7 % 290;

		child_must(!share(fd, i % 10, places + i % 10 * PAGE, count));
		told[0] = refs[0];
		child_must(!notify(fd, PLACE(i % 10) + LIVE_BYTE, 1, 0));
		if (i % 3 == 0)
			madvise(places, 100 * PAGE, MADV_DONTNEED);
		child_must(!unshare_places(fd, PLACE(i % 10), NULL, count));
	}
}

void dies_while_it_shares(void **state)
{
	atomic_uint *told = shared_memory(sizeof(*told));
	int fd = open_device();

	(void)state;
	if (!has_arenas(fd))
		return;
	close(fd);
	for (unsigned int i = 0; i < DEATHS; i++) {
		uint32_t ref;
		pid_t pid;

		*told = 0;
		pid = fork();
		if (!pid)
			share_for_ever(told);
		while (!*told)
			usleep(50);
		usleep(i * 37 % 4000);
		kill(pid, SIGKILL);
		assert_killed(pid);
		assert_used_becomes(0);
		ref = *told;
		if (i % 16 == 0)
			assert_int_equal(peer_try(&ref, 1), 0);
	}
	munmap(told, sizeof(*told));
}

/* ---- one owner ---- */

#define CLAIMS 60
#define CLAIMANTS 4

/* Whoever comes first: then no other can do anything with it. */
void one_of_many_has_the_arena(void **state)
{
	atomic_uint *have = shared_memory(3 * sizeof(*have));
	int fd = open_device();

	(void)state;
	if (!has_arenas(fd))
		return;
	for (int i = 0; i < CLAIMS; i++, fd = open_device()) {
		pid_t pids[CLAIMANTS];

		have[0] = have[1] = have[2] = 0;
		for (int n = 0; n < CLAIMANTS; n++) {
			unsigned char *places;

			pids[n] = fork();
			if (pids[n])
				continue;
			while (!have[2])
				usleep(100);
			places = map(fd, PLACE(0), 4);
			if (places == MAP_FAILED) {
				child_must(errno == EPERM);
				child_must(share(fd, 0, have, 1) == -1);
				child_must(errno == EPERM);
				child_must(
					unshare_places(fd, PLACE(0), NULL, 1));
				child_must(errno == EPERM);
			} else {
				child_must(!share(fd, 0, places, 4));
				have[0]++;
			}
			have[1]++;
			/* It is the owner's as long as he lives. */
			while (have[1] < CLAIMANTS)
				usleep(100);
			_exit(0);
		}
		have[2] = 1;
		for (int n = 0; n < CLAIMANTS; n++)
			assert_ends_well(pids[n]);
		assert_int_equal(have[0], 1);
		close(fd);
	}
	close(fd);
	munmap(have, 3 * sizeof(*have));
}
