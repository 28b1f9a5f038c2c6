// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What our module promises beyond the stock one, asked of the device itself:
 * every page is accounted for at any time, and given back as soon as the last
 * user lets go.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "remote.h"
#include "../../kmod/xen-gntalloc.h"

#define PAGE 4096u
#define MAX_PAGES 2000
#define PARAMETER "/sys/module/xen_gntalloc/parameters/"

/* Only ever waited for in full when a test fails. */
#define PATIENCE_MS 30000

static int fd;
static uint32_t refs[MAX_PAGES];

static unsigned int parameter(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned int value;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &value), 1);
	fclose(file);
	return value;
}

static void set_parameter(const char *path, unsigned int value)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fprintf(file, "%u", value) > 0);
	assert_int_equal(fclose(file), 0);
}

static unsigned int used(void)
{
	return parameter(PARAMETER "used");
}

static unsigned int lingering(void)
{
	return parameter(PARAMETER "lingering");
}

static void wait_until_used_is(unsigned int want)
{
	for (int i = 0; i < PATIENCE_MS / 5 && used() != want; i++)
		usleep(5000);
	assert_int_equal(used(), want);
}

/* Allocate and grant; the result of the ioctl. */
static int alloc_as(uint32_t domid, uint32_t count, uint32_t flags,
		    uint64_t *index)
{
	static union {
		struct ioctl_gntalloc_alloc_gref op;
		char room[sizeof(struct ioctl_gntalloc_alloc_gref) +
			  sizeof(refs)];
	} u;

	u.op.domid = (uint16_t)domid;
	u.op.flags = (uint16_t)flags;
	u.op.count = count;
	if (ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &u.op))
		return -1;
	*index = u.op.index;
	assert_in_range(count, 1, MAX_PAGES);
	for (uint32_t i = 0; i < count; i++)
		refs[i] = u.op.gref_ids[i];
	return 0;
}

static uint64_t alloc(uint32_t count)
{
	uint64_t index = 0;

	assert_int_equal(alloc_as(remote_domid(), count, 1, &index), 0);
	return index;
}

static int dealloc(uint64_t index, uint32_t count)
{
	struct ioctl_gntalloc_dealloc_gref op = { index, count };

	return ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
}

static int notify(uint64_t index, uint32_t action, uint32_t port)
{
	struct ioctl_gntalloc_unmap_notify op = { index, action, port };

	return ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, &op);
}

static unsigned char *map(uint64_t index, uint32_t count)
{
	return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)index);
}

#define assert_errno(call, error) \
	do { \
		errno = 0; \
		assert_int_equal((long)(call), -1); \
		assert_int_equal(errno, (error)); \
	} while (0)

static int setup(void **state)
{
	(void)state;
	/* Of what ran before, something may still linger. */
	wait_until_used_is(0);
	fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(fd);
	wait_until_used_is(0);
	assert_int_equal(lingering(), 0);
	return 0;
}

static void counts_what_is_shared(void **state)
{
	static const uint32_t counts[] = { 1, 251, 252, 253, 505, 2000 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		uint32_t count = counts[i];
		uint64_t index = alloc(count);
		unsigned char *pages = map(index, count);

		assert_ptr_not_equal(pages, MAP_FAILED);
		assert_int_equal(used(), count);
		fill_pattern(pages, count, 6);
		for (size_t n = 0; n < count * PAGE; n++)
			assert_int_equal(pages[n], pattern(6, n));
		assert_int_equal(dealloc(index, count), 0);
		assert_int_equal(used(), count);
		assert_int_equal(munmap(pages, count * PAGE), 0);
		assert_int_equal(used(), 0);
	}
}

static void refuses_wrong_arguments(void **state)
{
	struct ioctl_gntalloc_alloc_gref op = { .count = 1 };
	uint64_t index;

	(void)state;
	assert_errno(alloc_as(0, 0, 1, &index), EINVAL);
	assert_errno(alloc_as(0, 1, 2, &index), EINVAL);
	assert_errno(alloc_as(0, 1, 0x8001, &index), EINVAL);
	assert_errno(alloc_as(0x7FF0, 1, 1, &index), EINVAL);
	assert_errno(alloc_as(0xFFFF, 1, 1, &index), EINVAL);
	assert_errno(alloc_as(0, 0xFFFFFFFF, 1, &index), ENOSPC);
	assert_errno(alloc_as(0, 0x80000000, 1, &index), ENOSPC);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, NULL), EFAULT);
	assert_errno(ioctl(fd, _IOC(_IOC_NONE, 'G', 8, sizeof(op)), &op),
		     ENOTTY);
	assert_errno(ioctl(fd, _IOC(_IOC_NONE, 'G', 5, 64), &op), ENOTTY);
	assert_int_equal(used(), 0);
}

/* The result cannot be delivered, so there is none. */
static void loses_nothing_in_bad_memory(void **state)
{
	struct ioctl_gntalloc_alloc_gref *op;
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	op = (void *)(two + PAGE - sizeof(*op));
	*op = (struct ioctl_gntalloc_alloc_gref){ .count = 700, .flags = 1 };
	assert_int_equal(mprotect(two + PAGE, PAGE, PROT_NONE), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, op), EFAULT);
	assert_int_equal(used(), 0);
	assert_int_equal(mprotect(two, PAGE, PROT_READ), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, op), EFAULT);
	assert_int_equal(used(), 0);
	munmap(two, 2 * PAGE);
}

static void runs_go_across_allocations(void **state)
{
	uint64_t first = alloc(3), second = alloc(600);
	unsigned char *pages;

	(void)state;
	assert_int_equal(second, first + 3 * PAGE);
	pages = map(first, 603);
	assert_ptr_not_equal(pages, MAP_FAILED);
	memset(pages, 1, 603 * PAGE);
	assert_int_equal(dealloc(first + PAGE, 500), 0);
	assert_int_equal(munmap(pages, 603 * PAGE), 0);
	assert_int_equal(used(), 103);
	/* Now there is a hole. */
	assert_errno(dealloc(first, 603), EINVAL);
	assert_errno(map(first, 603), ENOENT);
	assert_errno(notify(first + PAGE, 1, 0), ENOENT);
	assert_int_equal(used(), 103);
	assert_int_equal(dealloc(first, 1), 0);
	assert_int_equal(dealloc(first + 501 * PAGE, 102), 0);
	assert_int_equal(used(), 0);
}

static void refuses_wrong_runs(void **state)
{
	uint64_t index = alloc(4);

	(void)state;
	assert_errno(dealloc(index, 0), EINVAL);
	assert_errno(dealloc(index, 5), EINVAL);
	assert_errno(dealloc(index, 0xFFFFFFFF), EINVAL);
	assert_errno(dealloc(index + 1, 1), EINVAL);
	assert_errno(dealloc(index + 4 * PAGE, 1), EINVAL);
	assert_errno(dealloc(-(uint64_t)PAGE, 2), EINVAL);
	assert_errno(map(index, 5), ENOENT);
	assert_errno(map(index + 4 * PAGE, 1), ENOENT);
	assert_errno(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)index),
		     EINVAL);
	assert_errno(notify(index, 4, 0), EINVAL);
	assert_errno(notify(index, 2, 0xFFFFFFFF), EINVAL);
	assert_errno(notify(index + 4 * PAGE, 1, 0), ENOENT);
	assert_int_equal(used(), 4);
	assert_int_equal(dealloc(index, 4), 0);
	/* The index is never used again. */
	assert_int_not_equal(alloc(4), index);
	assert_errno(dealloc(index, 4), EINVAL);
}

/* Who may not write to the descriptor can still read the pages. */
static void a_read_only_descriptor(void **state)
{
	uint64_t index;
	void *page;

	(void)state;
	close(fd);
	fd = open("/dev/xen/gntalloc", O_RDONLY | O_CLOEXEC);
	index = alloc(1);
	assert_errno(map(index, 1), EACCES);
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)index);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(munmap(page, PAGE), 0);
}

static void part_of_a_mapping_goes(void **state)
{
	uint64_t index = alloc(6);
	unsigned char *pages = map(index, 6);

	(void)state;
	assert_int_equal(dealloc(index, 6), 0);
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

static void a_mapping_moves(void **state)
{
	uint64_t index = alloc(2);
	unsigned char *pages = map(index, 2), *moved;

	(void)state;
	assert_int_equal(dealloc(index, 2), 0);
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

static void two_mappings_of_a_page(void **state)
{
	uint64_t index = alloc(1);
	unsigned char *one = map(index, 1), *two = map(index, 1);

	(void)state;
	one[5] = 55;
	assert_int_equal(two[5], 55);
	assert_int_equal(dealloc(index, 1), 0);
	assert_int_equal(munmap(one, PAGE), 0);
	assert_int_equal(used(), 1);
	assert_int_equal(two[5], 55);
	assert_int_equal(munmap(two, PAGE), 0);
	assert_int_equal(used(), 0);
}

/* A child keeps what it maps, until it is gone. */
static void a_child_keeps_pages(void **state)
{
	uint64_t index = alloc(3);
	unsigned char *pages = map(index, 3);
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
	assert_int_equal(dealloc(index, 3), 0);
	assert_int_equal(munmap(pages, 3 * PAGE), 0);
	wait_until_used_is(2);
	close(wait[1]);
	waitpid(pid, &wait[0], 0);
	assert_int_equal(wait[0], 0);
	assert_int_equal(used(), 0);
}

/* After MADV_DONTNEED nothing maps the pages, though the mapping stays. */
static void pages_leave_an_address_range(void **state)
{
	uint64_t index = alloc(2);
	unsigned char *pages = map(index, 2);

	(void)state;
	assert_int_equal(madvise(pages, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(dealloc(index, 2), 0);
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
static void a_window_takes_pages(void **state)
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
		own = map(index, count);
		assert_memory_equal(own, pages, count * PAGE);
		assert_int_equal(munmap(own, count * PAGE), 0);
		assert_int_equal(madvise(pages, count * PAGE, MADV_DONTNEED),
				 0);
		assert_int_equal(used(), 1 + count);
		assert_int_equal(dealloc(index, count), 0);
		assert_int_equal(used(), 1);
	}
	/* Deallocated first: they go with their mapping. */
	index = alloc(2);
	assert_int_equal(map_into(index, place + (index - first), 2), 0);
	assert_int_equal(dealloc(index, 2), 0);
	assert_int_equal(used(), 3);
	assert_int_equal(munmap(place + (index - first), PAGE), 0);
	assert_int_equal(used(), 2);
	assert_int_equal(place[1], 11);
	assert_int_equal(munmap(place, 1024 * PAGE), 0);
	assert_int_equal(used(), 1);
}

static void a_window_refuses(void **state)
{
	uint64_t index = alloc(4);
	unsigned char *place = window(index, 8), *other = map(index, 4);
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
	fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
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

/* A page in a pipe is in use by the kernel: not given to anybody else. */
static void a_pinned_page_lingers(void **state)
{
	uint64_t index = alloc(1);
	unsigned char *page = map(index, 1), got[16];
	struct iovec iov = { page, sizeof(got) };
	int fds[2];

	(void)state;
	memset(page, 0x3C, PAGE);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(vmsplice(fds[1], &iov, 1, 0), sizeof(got));
	assert_int_equal(dealloc(index, 1), 0);
	assert_int_equal(munmap(page, PAGE), 0);
	assert_int_equal(used(), 1);
	assert_int_equal(lingering(), 1);
	usleep(50000);
	assert_int_equal(lingering(), 1);
	assert_int_equal(read(fds[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(got[15], 0x3C);
	wait_until_used_is(0);
	close(fds[0]), close(fds[1]);
}

static void the_peer_lets_go_late(void **state)
{
	uint64_t index = alloc(3);
	long slot = remote_map("rw", refs, 3);

	(void)state;
	assert_int_equal(dealloc(index, 3), 0);
	assert_int_equal(used(), 3);
	assert_int_equal(lingering(), 3);
	assert_int_equal(remote("unmap %ld", slot), 0);
	wait_until_used_is(0);
	assert_int_equal(lingering(), 0);
}

/* The limit is kept, and what the peer let go of is found when it matters. */
static void the_limit_holds(void **state)
{
	unsigned int limit = parameter(PARAMETER "limit");
	uint64_t index;
	long slot;

	(void)state;
	set_parameter(PARAMETER "limit", 8);
	assert_errno(alloc_as(0, 9, 1, &index), ENOSPC);
	index = alloc(8);
	assert_errno(alloc_as(0, 1, 1, &index), ENOSPC);
	slot = remote_map("ro", refs, 8);
	assert_int_equal(dealloc(index, 8), 0);
	/* Still mapped: still counted. */
	assert_int_equal(lingering(), 8);
	assert_errno(alloc_as(0, 1, 1, &index), ENOSPC);
	assert_int_equal(remote("unmap %ld", slot), 0);
	index = alloc(8);
	assert_int_equal(used(), 8);
	assert_int_equal(lingering(), 0);
	/* Below what is in use. */
	set_parameter(PARAMETER "limit", 1);
	assert_errno(alloc_as(0, 1, 1, &index), ENOSPC);
	set_parameter(PARAMETER "limit", limit);
	assert_int_equal(dealloc(index, 8), 0);
}

/* A reference rests before it is used again; the first to come goes first. */
static void references_rest(void **state)
{
	unsigned int delay = parameter(PARAMETER "ref_delay");
	unsigned int limit = parameter(PARAMETER "limit");
	/* As they come back. */
	static const int order[] = { 1, 2, 0 };
	uint64_t index[3];
	uint32_t ref[3];
	int found = 0;

	(void)state;
	set_parameter(PARAMETER "ref_delay", 3600000);
	for (int i = 0; i < 3; i++) {
		index[i] = alloc(1);
		ref[i] = refs[0];
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(dealloc(index[order[i]], 1), 0);

	index[0] = alloc(900);
	for (int i = 0; i < 900; i++)
		for (int j = 0; j < 3; j++)
			assert_int_not_equal(refs[i], ref[j]);
	assert_int_equal(dealloc(index[0], 900), 0);

	/* When the table is full, all are used that came back before, then
	 * these. */
	set_parameter(PARAMETER "limit", 1000000);
	for (uint32_t count = 250; count; count = count > 1 ? 1 : 0)
		while (found < 3 && !alloc_as(0, count, 1, index))
			for (uint32_t i = 0; i < count; i++)
				for (int j = 0; j < 3; j++)
					if (refs[i] == ref[j])
						assert_int_equal(
							j, order[found++]);
	assert_int_equal(found, 3);
	set_parameter(PARAMETER "limit", limit);
	set_parameter(PARAMETER "ref_delay", delay);
}

static void a_killed_process_leaves_nothing(void **state)
{
	int up[2];
	char ready;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(up), 0);
	pid = fork();
	if (!pid) {
		fd = open("/dev/xen/gntalloc", O_RDWR);
		for (int i = 0; i < 50; i++)
			map(alloc(7), 7)[0] = 1;
		alloc(100);
		if (write(up[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(up[0], &ready, 1), 1);
	assert_int_equal(used(), 450);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	wait_until_used_is(0);
	close(up[0]), close(up[1]);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(counts_what_is_shared),
		test(refuses_wrong_arguments),
		test(loses_nothing_in_bad_memory),
		test(runs_go_across_allocations),
		test(refuses_wrong_runs),
		test(a_read_only_descriptor),
		test(part_of_a_mapping_goes),
		test(a_mapping_moves),
		test(two_mappings_of_a_page),
		test(a_child_keeps_pages),
		test(pages_leave_an_address_range),
		test(a_window_takes_pages),
		test(a_window_refuses),
		test(a_pinned_page_lingers),
		test(the_peer_lets_go_late),
		test(the_limit_holds),
		test(references_rest),
		test(a_killed_process_leaves_nothing),
	};

	return cmocka_run_group_tests_name("module", tests, NULL, NULL);
}
