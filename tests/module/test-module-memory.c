// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of the process: what can be shared, and what is refused. */

#include "test-module-grants.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/utsname.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define HUGE_COUNT 512u

/* Before Linux 5.19 it could be parted from what was pinned. */
bool can_share_private(void)
{
	struct utsname kernel;
	int major, minor;

	assert_int_equal(uname(&kernel), 0);
	assert_int_equal(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
	return major > 5 || (major == 5 && minor > 18);
}

unsigned char *memory(uint32_t count, int prot, int flags, int file)
{
	void *at = mmap(NULL, count * PAGE, prot, flags, file, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

unsigned char *private_memory(uint32_t count)
{
	return memory(count, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

uint64_t share_memory(const void *at, uint32_t count, uint32_t flags)
{
	uint64_t index = 0;
	int err =
		share_memory_for(fd, remote_domid(), at, count, flags, &index);

	assert_int_equal(err ? errno : 0, 0);
	return index;
}

int sized_file(int file, uint32_t count)
{
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, count * PAGE), 0);
	return file;
}

/* ---- what can be shared ---- */

/* Both write, and both see it; from a page on that is not the first. */
static void goes_both_ways(unsigned char *at, uint32_t count)
{
	uint32_t some = count > 2 ? count - 2 : count;
	uint64_t index;
	long slot;

	at += count > 2 ? PAGE : 0;
	fill_pattern(at, some, 1);
	index = share_memory(at, some, WRITABLE);
	assert_counts(some, 0, 0);
	assert_status(fd, some, 0, 0);
	assert_int_equal(pinned(), some);
	slot = peer_maps("rw", refs, some);
	assert_int_equal(remote("check %ld 1", slot), 0);
	assert_int_equal(remote("fill %ld 2", slot), 0);
	assert_int_equal(differing(at, some, 2), 0);
	fill_pattern(at, some, 3);
	assert_int_equal(remote("check %ld 3", slot), 0);
	assert_errno(map(fd, index, 1), ENOENT);
	peer_lets_go(slot);
	assert_int_equal(dealloc(fd, index, some), 0);
	assert_int_equal(remote_try(refs, some), 0);
	assert_counts(0, 0, 0);
	assert_int_equal(pinned(), 0);
	assert_int_equal(differing(at, some, 3), 0);

	/* To be read only. */
	index = share_memory(at, some, 0);
	assert_int_equal(remote_map("rw", refs, some), -1);
	slot = peer_maps("ro", refs, some);
	assert_int_equal(remote("check %ld 3", slot), 0);
	fill_pattern(at, some, 4);
	assert_int_equal(remote("check %ld 4", slot), 0);
	peer_lets_go(slot);
	assert_int_equal(dealloc(fd, index, some), 0);
	assert_int_equal(pinned(), 0);
}

static void share_both(uint32_t count, int flags, int file)
{
	unsigned char *at = memory(count, RW, flags, file);

	goes_both_ways(at, count);
	munmap(at, count * PAGE);
}

/* On a file in memory, also what is copied from there when it is written. */
static void share_file(int file, uint32_t count)
{
	sized_file(file, count);
	share_both(count, MAP_SHARED, file);
	if (can_share_private())
		share_both(count, MAP_PRIVATE, file);
	close(file);
}

/* Of System V. */
static void share_segment(uint32_t count)
{
	int id = shmget(IPC_PRIVATE, count * PAGE, IPC_CREAT | 0600);
	unsigned char *at = shmat(id, NULL, 0);

	assert_ptr_not_equal(at, (void *)-1);
	assert_int_equal(shmctl(id, IPC_RMID, NULL), 0);
	goes_both_ways(at, count);
	assert_int_equal(shmdt(at), 0);
}

void memory_is_shared(void **state)
{
	static const uint32_t counts[] = { 1, 5, 405 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		share_both(counts[i], MAP_SHARED | MAP_ANONYMOUS, -1);
		if (can_share_private())
			share_both(counts[i], MAP_PRIVATE | MAP_ANONYMOUS, -1);
	}
	share_file(memfd_create("memory", MFD_CLOEXEC), 5);
	share_file(shm_open("/memory", O_RDWR | O_CREAT, 0600), 5);
	shm_unlink("/memory");
	share_segment(5);
}

#define HUGE_PAGES "/proc/sys/vm/nr_hugepages"

static bool set_huge_pages(const char *count)
{
	int file = open(HUGE_PAGES, O_WRONLY | O_CLOEXEC);
	bool set = file >= 0 && write(file, count, 1) == 1;

	close(file);
	return set;
}

static bool can_have_thp(void)
{
	return !access("/sys/kernel/mm/transparent_hugepage", F_OK);
}

/* A huge page may come or not; a part of it goes by itself. */
static void share_huge(unsigned char *at)
{
	uint64_t index;

	goes_both_ways(at, 2);
	goes_both_ways(at + 100 * PAGE, 300);
	fill_pattern(at, HUGE_COUNT, 1);
	index = share_memory(at, HUGE_COUNT, WRITABLE);
	assert_int_equal(pinned(), HUGE_COUNT);
	assert_int_equal(dealloc(fd, index + 10 * PAGE, 300), 0);
	assert_int_equal(pinned(), HUGE_COUNT - 300);
	assert_int_equal(remote_try(refs, HUGE_COUNT), HUGE_COUNT - 300);
	assert_int_equal(dealloc(fd, index, 10), 0);
	assert_int_equal(dealloc(fd, index + 310 * PAGE, HUGE_COUNT - 310), 0);
	assert_int_equal(pinned(), 0);
	assert_int_equal(differing(at, HUGE_COUNT, 1), 0);
}

void huge_pages_are_shared(void **state)
{
	const size_t size = HUGE_COUNT * PAGE;
	unsigned char *at;
	void *huge = MAP_FAILED;

	(void)state;
	if (can_have_thp() && can_share_private()) {
		at = private_memory(2 * HUGE_COUNT);
		at += -(uintptr_t)at % size;
		assert_int_equal(madvise(at, size, MADV_HUGEPAGE), 0);
		share_huge(at);
	}
	if (set_huge_pages("4"))
		huge = mmap(NULL, size, RW,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	/* Xen has none for a PV domain, and some kernels for nobody. */
	if (huge == MAP_FAILED) {
		assert_true(access(HUGE_PAGES, F_OK) ||
			    strcmp(getenv("XEN_DOMAIN_TYPE"), "pvh") != 0);
		return;
	}
	share_huge(huge);
	/* They are memory of the system, that it has back then. */
	assert_int_equal(munmap(huge, size), 0);
	assert_true(set_huge_pages("0"));
}

/* ---- what can be shared in part ---- */

/* There is no page of its own before it is written, nor in what is copied. */
void zeros_that_are_written_later(void **state)
{
	int file = sized_file(memfd_create("zeros", MFD_CLOEXEC), 2);
	unsigned char *at[2], byte;
	long slot;

	(void)state;
	/* Nor can it be shared, then. */
	if (!can_share_private())
		return;
	at[0] = private_memory(2);
	at[1] = memory(2, RW, MAP_PRIVATE, file);
	for (int i = 0; i < 2; i++) {
		/* Read, which is not to write it. */
		byte = *(volatile unsigned char *)at[i];
		assert_int_equal(byte, 0);
		share_memory(at[i], 2, 0);
		slot = peer_maps("ro", refs, 2);
		assert_int_equal(remote("zero %ld", slot), 0);
		fill_pattern(at[i], 2, 5);
		assert_int_equal(remote("check %ld 5", slot), 0);
		peer_lets_go(slot);
		start_over();
		munmap(at[i], 2 * PAGE);
	}
	close(file);
}

/* Whoever may only read it cannot have anybody write it. */
static void share_read_only(unsigned char *at, int file)
{
	uint64_t index = 42, peer = 42;
	long slot;

	assert_errno(share_memory_for(fd, remote_domid(), at, 2, WRITABLE,
				      &index),
		     EFAULT);
	assert_int_equal(index, 42);
	assert_counts(0, 0, 0);
	assert_int_equal(pinned(), 0);
	index = share_memory(at, 2, 0);
	slot = peer_maps("ro", refs, 2);
	assert_int_equal(pwrite(file, "seen", 4, PAGE + 1), 4);
	assert_int_equal(remote("byte %ld %u", slot, PAGE + 1), 's');
	assert_int_equal(remote_map("rw", refs, 2), -1);
	assert_errno(notify(fd, index, 1, 0), EACCES);
	assert_errno(renew_for(fd, remote_domid(), index, 2, WRITABLE), EACCES);
	assert_errno(add_peer_for(fd, STRANGER, index, 2, WRITABLE, &peer),
		     EACCES);
	peer_lets_go(slot);
	assert_int_equal(renew_for(fd, STRANGER, index, 2, 0), 0);
	peer = add_peer(remote_domid(), index, 2, 0);
	assert_errno(notify(fd, peer, 1, 0), EACCES);
	assert_errno(renew_for(fd, remote_domid(), peer, 2, WRITABLE), EACCES);
	/* That took the references. */
	assert_int_equal(renew_for(fd, remote_domid(), peer, 2, 0), 0);
	assert_counts(4, 0, 0);
	assert_int_equal(dealloc(fd, index, 2), 0);
	assert_counts(2, 0, 0);
	assert_int_equal(pinned(), 0);
	/* A grant is enough to keep the page. */
	slot = peer_maps("ro", refs, 2);
	assert_int_equal(remote("byte %ld %u", slot, PAGE + 1), 's');
	peer_lets_go(slot);
	assert_int_equal(dealloc(fd, peer, 2), 0);
}

void memory_that_is_read_only(void **state)
{
	int file = sized_file(memfd_create("sealed", MFD_ALLOW_SEALING), 2);
	char path[64];
	int reader;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(reader >= 0);
	share_read_only(memory(2, PROT_READ, MAP_SHARED, reader), file);
	/* It could be written, but for now it cannot. */
	share_read_only(memory(2, PROT_READ, MAP_SHARED, file), file);
	close(reader);
	close(file);
}

void memory_is_shared_twice(void **state)
{
	unsigned char *at = memory(4, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	uint64_t first = share_memory(at, 3, WRITABLE), second;
	uint32_t old[3];
	long slot;

	(void)state;
	memcpy(old, refs, sizeof(old));
	slot = peer_maps("rw", old, 3);
	second = share_memory(at + PAGE, 3, 0);
	assert_int_equal(pinned(), 6);
	assert_counts(6, 0, 0);
	assert_int_equal(remote("fill %ld 6", slot), 0);
	peer_lets_go(slot);
	assert_int_equal(dealloc(fd, first, 3), 0);
	assert_int_equal(pinned(), 3);
	assert_int_equal(remote_try(old, 3), 0);
	slot = peer_maps("ro", refs, 3);
	fill_pattern(at + PAGE, 3, 7);
	assert_int_equal(remote("check %ld 7", slot), 0);
	peer_lets_go(slot);
	assert_int_equal(dealloc(fd, second, 3), 0);
	assert_int_equal(pinned(), 0);
	/* 3,000 times the same page. */
	for (int i = 0; i < 3000; i++)
		share_memory(at, 1, WRITABLE);
	assert_int_equal(pinned(), 3000);
	start_over();
	assert_int_equal(pinned(), 0);
	munmap(at, 4 * PAGE);
}
