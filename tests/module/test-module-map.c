// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who maps a page, and when it goes: parts, moves, children. */

#include "test-module.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
	unsigned char *room = mmap(NULL, 2 * PAGE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(dealloc(fd, index, 2), 0);
	pages[PAGE] = 42;
	moved = mremap(pages, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       room);
	assert_ptr_equal(moved, room);
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
