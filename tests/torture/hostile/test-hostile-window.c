// SPDX-License-Identifier: LGPL-2.1-or-later
/* IOCTL_GNTALLOC_MAP_GREF with addresses that are not for it. */

#include "test-hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xen-gntalloc.h"

#define WINDOW_PAGES 16u

static int map_pages(int fd, uint64_t index, const void *addr, uint32_t count)
{
	struct ioctl_gntalloc_map_gref op = { .index = index,
					      .addr = (uintptr_t)addr,
					      .count = count };

	return ioctl(fd, IOCTL_GNTALLOC_MAP_GREF, &op);
}

static unsigned char *window(int fd, uint64_t index, uint32_t count)
{
	return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)(GNTALLOC_WINDOW + index));
}

/* The stock driver, and ours before, has no windows. */
static bool has_windows(int fd)
{
	errno = 0;
	if (map_pages(fd, 0, NULL, 0) == -1 && errno == EINVAL)
		return true;
	assert_int_equal(errno, ENOTTY);
	print_message("there are no windows\n");
	close(fd);
	return false;
}

/* Neither mapped, nor is what is there changed. */
static void refuses(int fd, uint64_t index, void *addr, uint32_t count)
{
	assert_errno(map_pages(fd, index, addr, count), EINVAL);
}

/* Other mappings stay as they are. */
static void refuses_memory(int fd, uint64_t index)
{
	int zero = open("/dev/zero", O_RDWR);
	unsigned char *maps[3];

	maps[0] = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	maps[1] = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	maps[2] = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero,
		       0);
	for (int i = 0; i < 3; i++) {
		memset(maps[i], i + 1, 8 * PAGE);
		refuses(fd, index, maps[i], i ? 8 : 1);
		assert_true(all_are(maps[i], 8 * PAGE,
				    (uint64_t)(i + 1) * 0x0101010101010101));
		munmap(maps[i], 8 * PAGE);
	}
	close(zero);
}

/* No mapping, the kernel's half; not where it belongs, half outside, crooked.
 */
static void refuses_addresses(int fd, uint64_t index, unsigned char *own)
{
	refuses(fd, index, NULL, 1);
	refuses(fd, index, (void *)0xFFFFFFFF81000000ul, 1);
	refuses(fd, index, (void *)0x7FFFFFFFF000ul, 1);
	refuses(fd, index, (void *)0xFFFFFFFFFFFFF000ul, 1);
	refuses(fd, index, own + PAGE, 1);
	refuses(fd, index + PAGE, own, 1);
	refuses(fd, index + 8 * PAGE, own + 7 * PAGE, 1);
	refuses(fd, index, own, WINDOW_PAGES + 1);
	refuses(fd, index, own, 0xFFFFFFFF);
	refuses(fd, index, own + 1, 1);
	refuses(fd, index + 1, own, 1);
	refuses(fd, index, own, 0);
	refuses(fd, -1ull << 12, own - PAGE, 2);
}

void windows_in_wrong_places(void **state)
{
	int fd = open_device(), other;
	unsigned char *own, *others;
	uint64_t index, theirs;
	int fds[2];

	(void)state;
	if (!has_windows(fd))
		return;
	other = open_device();
	index = must_alloc(fd, 8);
	theirs = must_alloc(other, 8);
	own = window(fd, index, WINDOW_PAGES);
	others = window(other, theirs, 8);

	refuses_memory(fd, index);
	refuses(fd, index, others, 8);
	refuses(other, theirs, own, 8);
	refuses_addresses(fd, index, own);
	/* Nothing is there to be used. */
	assert_int_equal(pipe(fds), 0);
	assert_errno(write(fds[1], own, 1), EFAULT);
	close(fds[0]), close(fds[1]);
	/* In its place, but not all there. */
	assert_errno(map_pages(fd, index, own, 9), ENOENT);
	assert_errno(map_pages(fd, index + 8 * PAGE, own + 8 * PAGE, 1),
		     ENOENT);

	assert_int_equal(map_pages(fd, index, own, 8), 0);
	assert_true(all_are(own, 8 * PAGE, 0));
	own[0] = 1;
	/* Twice is once too often, and does no harm. */
	assert_int_equal(map_pages(fd, index, own, 8), -1);
	assert_int_equal(own[0], 1);
	/* What somebody else maps over a part of it is his. */
	assert_int_equal(madvise(own, 8 * PAGE, MADV_DONTNEED), 0);
	mmap(own + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	own[2 * PAGE] = 9;
	refuses(fd, index, own, 8);
	refuses(fd, index + 2 * PAGE, own + 2 * PAGE, 1);
	assert_int_equal(own[2 * PAGE], 9);
	assert_int_equal(map_pages(fd, index + 3 * PAGE, own + 3 * PAGE, 5), 0);

	assert_used(16);
	assert_int_equal(dealloc(other, theirs, 8), 0);
	assert_used(8);
	munmap(own, WINDOW_PAGES * PAGE);
	munmap(others, 8 * PAGE);
	close(fd), close(other);
}

/* ---- a window that others take away ---- */

#define ROUNDS 4000

static struct {
	int fd;
	unsigned char *place;
	atomic_int stop;
} race;

/* Unmap, empty, move, cover and make anew, all at the same place. */
static void *take_away(void *arg)
{
	unsigned int seed = 5;

	(void)arg;
	while (!race.stop) {
		unsigned char *at =
			race.place + (unsigned int)rand_r(&seed) % 8 * PAGE;

		switch (rand_r(&seed) % 6) {
		case 0:
			munmap(at, 2 * PAGE);
			break;
		case 1:
			madvise(at, 4 * PAGE, MADV_DONTNEED);
			break;
		case 2:
			mprotect(at, 2 * PAGE, PROT_READ | PROT_WRITE);
			break;
		case 3:
			mmap(at, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		default:
			mmap(race.place, WINDOW_PAGES * PAGE,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			     race.fd, (off_t)GNTALLOC_WINDOW);
		}
	}
	return NULL;
}

static void *take_pages_away(void *arg)
{
	(void)arg;
	while (!race.stop) {
		uint64_t index;

		dealloc(race.fd, 0, 1);
		if (!alloc(race.fd, 1, &index))
			dealloc(race.fd, index, 1);
		madvise(race.place, WINDOW_PAGES * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

void windows_that_go_away(void **state)
{
	pthread_t threads[2];
	unsigned int done = 0, refused = 0;

	(void)state;
	race.fd = open_device();
	if (!has_windows(race.fd))
		return;
	race.stop = 0;
	must_alloc(race.fd, 8);
	race.place = window(race.fd, 0, WINDOW_PAGES);
	pthread_create(&threads[0], NULL, take_away, NULL);
	pthread_create(&threads[1], NULL, take_pages_away, NULL);
	for (unsigned int i = 0; i < ROUNDS || !done || !refused; i++) {
		uint32_t first = 1 + i % 7, count = 1 + i % (8 - first);

		if (!map_pages(race.fd, first * PAGE, race.place + first * PAGE,
			       count)) {
			done++;
			continue;
		}
		refused++;
		assert_true(errno == EINVAL || errno == EBUSY ||
			    errno == ENOENT);
	}
	race.stop = 1;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	print_message("%u times mapped, %u times refused\n", done, refused);
	munmap(race.place, WINDOW_PAGES * PAGE);
	assert_used(7);
	close(race.fd);
}
