// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who maps a page, and when it goes: parts, moves, children, windows. */

#include "test-module.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xen-gntalloc.h"

void part_of_a_mapping_goes(void **state)
{
	uint64_t index = alloc(6);
	unsigned char *pages = map(fd, index, 6);

	(void)state;
	assert_int_equal(dealloc(fd, index, 6), 0);
	assert_int_equal(munmap(pages + PAGE, 2 * PAGE), 0);
	assert_int_equal(used(), 4);
	assert_int_equal(mprotect(pages + 4 * PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(munmap(pages, PAGE), 0);
	assert_int_equal(used(), 3);
	assert_ptr_equal(mmap(pages + 4 * PAGE, PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 pages + 4 * PAGE);
	assert_int_equal(used(), 2);
	assert_int_equal(munmap(pages, 6 * PAGE), 0);
	assert_int_equal(used(), 0);
}

void a_mapping_moves(void **state)
{
	uint64_t index = alloc(2);
	unsigned char *pages = map(fd, index, 2), *moved;

	(void)state;
	assert_int_equal(dealloc(fd, index, 2), 0);
	pages[PAGE] = 42;
	moved = mremap(pages, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       pages + 64 * PAGE);
	assert_ptr_equal(moved, pages + 64 * PAGE);
	assert_int_equal(used(), 2);
	assert_int_equal(moved[PAGE], 42);
	assert_errno(mremap(moved, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), EFAULT);
	assert_int_equal(munmap(moved, 2 * PAGE), 0);
	assert_int_equal(used(), 0);
}

void two_mappings_of_a_page(void **state)
{
	uint64_t index = alloc(1);
	unsigned char *one = map(fd, index, 1), *two = map(fd, index, 1);

	(void)state;
	one[5] = 55;
	assert_int_equal(two[5], 55);
	assert_int_equal(dealloc(fd, index, 1), 0);
	assert_int_equal(munmap(one, PAGE), 0);
	assert_int_equal(used(), 1);
	assert_int_equal(two[5], 55);
	assert_int_equal(munmap(two, PAGE), 0);
	assert_int_equal(used(), 0);
}

/* A child keeps what it maps, until it is gone. */
void a_child_keeps_pages(void **state)
{
	uint64_t index = alloc(3);
	unsigned char *pages = map(fd, index, 3);
	int wait[2];
	pid_t pid;

	(void)state;
	pages[0] = 77;
	assert_int_equal(pipe(wait), 0);
	pid = fork();
	if (!pid) {
		char go;

		close(wait[1]);
		munmap(pages + PAGE, PAGE);
		_exit(read(wait[0], &go, 1) || pages[0] != 77);
	}
	close(wait[0]);
	assert_int_equal(dealloc(fd, index, 3), 0);
	assert_int_equal(munmap(pages, 3 * PAGE), 0);
	wait_until_used_is(2);
	close(wait[1]);
	waitpid(pid, &wait[0], 0);
	assert_int_equal(wait[0], 0);
	assert_int_equal(used(), 0);
}

/* After MADV_DONTNEED nothing maps the pages, though the mapping stays. */
void pages_leave_an_address_range(void **state)
{
	uint64_t index = alloc(2);
	unsigned char *pages = map(fd, index, 2);

	(void)state;
	assert_int_equal(madvise(pages, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(dealloc(fd, index, 2), 0);
	assert_int_equal(used(), 1);
	assert_int_equal(munmap(pages, 2 * PAGE), 0);
	assert_int_equal(used(), 0);
}

static unsigned char *window(uint64_t index, uint32_t count)
{
	return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)(GNTALLOC_WINDOW | index));
}

static int map_into(uint64_t index, const void *addr, uint32_t count)
{
	struct ioctl_gntalloc_map_gref op = { index, (uintptr_t)addr, count,
					      0 };

	return ioctl(fd, IOCTL_GNTALLOC_MAP_GREF, &op);
}

/* Pages come into it and leave it one by one, or with it. */
void a_window_takes_pages(void **state)
{
	uint64_t first = alloc(1), index;
	unsigned char *place = window(first, 1024), *own;

	(void)state;
	assert_ptr_not_equal(place, MAP_FAILED);
	assert_int_equal(map_into(first, place, 1), 0);
	place[1] = 11;
	for (uint32_t count = 1; count < 600; count += 254) {
		unsigned char *pages;

		index = alloc(count);
		pages = place + (index - first);
		assert_int_equal(map_into(index, pages, count), 0);
		fill_pattern(pages, count, 7);
		own = map(fd, index, count);
		assert_memory_equal(own, pages, count * PAGE);
		assert_int_equal(munmap(own, count * PAGE), 0);
		assert_int_equal(madvise(pages, count * PAGE, MADV_DONTNEED),
				 0);
		assert_int_equal(used(), 1 + count);
		assert_int_equal(dealloc(fd, index, count), 0);
		assert_int_equal(used(), 1);
	}
	/* Deallocated first: they go with their mapping. */
	index = alloc(2);
	assert_int_equal(map_into(index, place + (index - first), 2), 0);
	assert_int_equal(dealloc(fd, index, 2), 0);
	assert_int_equal(used(), 3);
	assert_int_equal(munmap(place + (index - first), PAGE), 0);
	assert_int_equal(used(), 2);
	assert_int_equal(place[1], 11);
	assert_int_equal(munmap(place, 1024 * PAGE), 0);
	assert_int_equal(used(), 1);
}

void a_window_refuses(void **state)
{
	uint64_t index = alloc(4);
	unsigned char *place = window(index, 8), *other = map(fd, index, 4);
	struct ioctl_gntalloc_map_gref op = { index, (uintptr_t)place, 1, 1 };
	void *anonymous = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int first_fd = fd;

	(void)state;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_MAP_GREF, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_MAP_GREF, &op), EINVAL);
	assert_errno(map_into(index, place, 0), EINVAL);
	assert_errno(map_into(index + 1, place, 1), EINVAL);
	assert_errno(map_into(index, place + 1, 1), EINVAL);
	assert_errno(map_into(index, place + PAGE, 1), EINVAL);
	assert_errno(map_into(index, place, 9), EINVAL);
	assert_errno(map_into(index, place, 0xFFFFFFFF), EINVAL);
	assert_errno(map_into(index, anonymous, 1), EINVAL);
	assert_errno(map_into(index, NULL, 1), EINVAL);
	assert_errno(map_into(index, (void *)-(uintptr_t)PAGE, 1), EINVAL);
	/* One of them is not listed; one is there already. */
	assert_errno(map_into(index, place, 5), ENOENT);
	assert_int_equal(map_into(index + PAGE, place + PAGE, 1), 0);
	assert_errno(map_into(index, place, 4), EBUSY);
	assert_errno(map_into(index, other, 4), EBUSY);
	/* None of the four was mapped: no place is taken. */
	assert_int_equal(madvise(place + PAGE, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(map_into(index, place, 4), 0);

	/* Neither the pages nor the mapping of another descriptor. */
	fd = open_device();
	assert_errno(map_into(index, place, 4), EINVAL);
	assert_int_equal(alloc(4), index);
	assert_errno(map_into(index, place, 4), EINVAL);
	close(fd);
	fd = first_fd;
	assert_int_equal(used(), 4);
	munmap(place, 8 * PAGE);
	munmap(other, 4 * PAGE);
	munmap(anonymous, PAGE);
}
