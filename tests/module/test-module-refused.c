// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of the process that cannot be shared, or not all of it, or not now. */

#include "test-module-grants.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xengnttab.h>

#define RW (PROT_READ | PROT_WRITE)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)

static void refused(int error, const void *at, uint32_t count, uint32_t flags)
{
	long used_before = used(), pinned_before = pinned();
	uint64_t index = 42;

	assert_errno(share_memory_for(fd, remote_domid(), at, count, flags,
				      &index),
		     error);
	assert_int_equal(index, 42);
	assert_int_equal(used(), used_before);
	assert_int_equal(pinned(), pinned_before);
}

/* Writable or not, alone, and in the middle of what could be shared. */
static void refused_all_ways(int error, const void *at, uint32_t count)
{
	unsigned char *good = memory(600, RW, SHARED, -1);

	refused(error, at, count, 0);
	refused(error, at, count, WRITABLE);
	assert_ptr_equal(mremap((void *)(uintptr_t)at, count * PAGE,
				count * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				good + 400 * PAGE),
			 good + 400 * PAGE);
	refused(error, good, 600, 0);
	refused(error, good, 401, WRITABLE);
	refused(error, good + 399 * PAGE, 2, 0);
	share_memory(good, 400, WRITABLE);
	assert_int_equal(pinned(), 400);
	start_over();
	assert_int_equal(pinned(), 0);
	munmap(good, 600 * PAGE);
}

/* Memory of another domain: this one is as good, where it may map its own. */
static void refuses_foreign_pages(void)
{
	uint32_t own = (uint32_t)atoi(getenv("XEN_DOMID"));
	xengnttab_handle *gnttab = xengnttab_open(NULL, 0);
	uint64_t index = 0;
	void *at;

	assert_non_null(gnttab);
	if (!strcmp(getenv("XEN_DOMAIN_TYPE"), "pvh"))
		goto out;
	assert_int_equal(alloc_for(fd, own, 2, 1, &index), 0);
	at = xengnttab_map_domain_grant_refs(gnttab, 2, own, refs, RW);
	assert_non_null(at);
	refused(ENODEV, at, 2, 0);
	refused(ENODEV, at, 1, WRITABLE);
	assert_int_equal(xengnttab_unmap(gnttab, at, 2), 0);
	refused(EFAULT, at, 2, 0);
	assert_int_equal(dealloc(fd, index, 2), 0);
out:
	xengnttab_close(gnttab);
}

static void refuses_device_pages(void)
{
	uint64_t index = alloc(2);
	unsigned char *at = map(fd, index, 2);
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[256];
	void *vvar;

	share(0, 1);
	refused(ENODEV, at, 2, 0);
	refused(ENODEV, at, 1, WRITABLE);
	refused(ENODEV, arena, 1, WRITABLE);
	refused(ENODEV, arena + PAGE, 1, 0);
	munmap(at, 2 * PAGE);
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]") && sscanf(line, "%p", &vvar) == 1)
			refused(ENODEV, vvar, 1, 0);
	fclose(maps);
	start_over();
}

/* A file system without a disk has pages like one that has. */
static void refuses_files(void)
{
	int file;
	void *at;

	mkdir("/run/files", 0700);
	assert_int_equal(mount("none", "/run/files", "ramfs", 0, NULL), 0);
	file = sized_file(
		open("/run/files/one", O_RDWR | O_CREAT | O_CLOEXEC, 0600), 3);
	at = memory(3, RW, MAP_SHARED, file);
	memset(at, 1, 3 * PAGE);
	refused_all_ways(ENODEV, at, 3);
	if (can_share_private()) {
		/* A copy is not a page of the file. */
		at = memory(3, RW, MAP_PRIVATE, file);
		share_memory(at, 3, 0);
		start_over();
		munmap(at, 3 * PAGE);
	}
	close(file);
	unlink("/run/files/one");
	assert_int_equal(umount("/run/files"), 0);
}

void memory_of_others_is_refused(void **state)
{
	(void)state;
	refuses_device_pages();
	refuses_foreign_pages();
	refuses_files();
}

void memory_that_may_not_be_written_is_refused(void **state)
{
	int error = can_share_private() ? EFAULT : ENODEV;
	unsigned char *at;

	(void)state;
	refused_all_ways(EFAULT, memory(2, PROT_NONE, SHARED, -1), 2);
	at = memory(2, PROT_READ, SHARED, -1);
	refused(EFAULT, at, 2, WRITABLE);
	refused_all_ways(error,
			 memory(2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1),
			 2);
	/* Later writes would be to another page. */
	refused_all_ways(error,
			 memory(2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1),
			 2);
	if (!can_share_private())
		refused_all_ways(ENODEV, private_memory(2), 2);
}

void share_memory_refuses(void **state)
{
	struct ioctl_gntalloc_share_memory op = { .count = 600 }, *bad;
	unsigned char *at = memory(600, RW, SHARED, -1);
	uint64_t index = 42;

	(void)state;
	refused(EINVAL, at, 0, 1);
	refused(EINVAL, at + 1, 1, 1);
	refused(EINVAL, at, 1, 2);
	refused(EINVAL, at, 1, GNTALLOC_FLAG_UNLISTED | 1);
	assert_errno(share_memory_for(fd, 0x7FF0, at, 1, 0, &index), EINVAL);
	assert_errno(share_memory_for(fd, 0xFFFF, at, 1, 0, &index), EINVAL);
	refused(ENOSPC, at, 0x80000000, 1);
	refused(ENOSPC, at, 0xFFFFFFFF, 1);
	/* Not mapped; the kernel's; behind the end of all there is. */
	refused(EFAULT, NULL, 1, 1);
	refused(EFAULT, (void *)-(uintptr_t)PAGE, 1, 1);
	refused(EFAULT, (void *)-(uintptr_t)PAGE, 2, 1);
	refused(EFAULT, (void *)0xFFFF888000000000ul, 1, 0);
	refused(EFAULT, (void *)(1ul << 62), 1, 0);
	munmap(at + 400 * PAGE, PAGE);
	refused(EFAULT, at, 600, 1);
	refused(EFAULT, at, 401, 0);
	refused(EFAULT, at + 400 * PAGE, 1, 0);

	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE_MEMORY, NULL), EFAULT);
	op.addr = (uintptr_t)at;
	op.count = 400;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE_MEMORY, &op), EFAULT);
	bad = half_writable();
	op.refs = (uintptr_t)bad - 399 * sizeof(*refs);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE_MEMORY, &op), EFAULT);
	op.refs = (uintptr_t)refs;
	assert_int_equal(mprotect(bad, PAGE, RW), 0);
	*bad = op;
	assert_int_equal(mprotect(bad, PAGE, PROT_READ), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE_MEMORY, bad), EFAULT);
	assert_counts(0, 0, 0);
	assert_int_equal(pinned(), 0);
	munmap(at, 600 * PAGE);
}

/* ---- too much ---- */

void share_memory_fails_half_way(void **state)
{
	unsigned char *at = memory(600, RW, SHARED, -1);
	unsigned int limit = (unsigned int)parameter("limit");

	(void)state;
	set_parameter("limit", 599);
	refused(ENOSPC, at, 600, 1);
	share_memory(at, 599, 1);
	refused(ENOSPC, at, 1, 1);
	start_over();
	set_parameter("limit", limit);
	fill_table();
	refused(ENOSPC, at, 600, 1);
	refused(ENOSPC, at, 1, 1);
	free_table();
	wait_until_used_is(0);
	share_memory(at, 600, 1);
	assert_int_equal(pinned(), 600);
	/* Spare pages are in nobody's way. */
	start_over();
	share(0, 600);
	unshare(0, 600);
	set_parameter("limit", 600);
	share_memory(at, 600, 1);
	assert_counts(600, 0, 0);
	set_parameter("limit", limit);
	start_over();
	munmap(at, 600 * PAGE);
}

static uint64_t locked;

static int try_memory(const unsigned char *at, uint32_t count)
{
	return share_memory_for(fd, 0, at, count, 1, &locked) ? errno : 0;
}

static int lock_as_nobody(void)
{
	const struct rlimit few = { 300 * PAGE, 300 * PAGE };
	unsigned char *at = memory(600, RW, SHARED, -1);
	uint64_t peer = 0;

	fd = open_device();
	if (setrlimit(RLIMIT_MEMLOCK, &few) || setgid(65534) || setuid(65534))
		return 1;
	if (try_memory(at, 301) != ENOMEM || try_memory(at, 600) != ENOMEM)
		return 2;
	if (pinned() || used())
		return 3;
	if (try_memory(at, 300) || pinned() != 300)
		return 4;
	if (try_memory(at, 1) != ENOMEM || pinned() != 300)
		return 5;
	/* It is not a matter of grants, */
	if (add_peer_for(fd, STRANGER, locked, 300, 1, &peer) ||
	    pinned() != 300)
		return 6;
	if (renew_for(fd, STRANGER + 1, locked, 300, 1) || pinned() != 300)
		return 7;
	/* nor of what is granted for as long as memory. */
	if (dealloc(fd, locked, 100) || pinned() != 200)
		return 8;
	if (try_memory(at, 101) != ENOMEM || try_memory(at, 100))
		return 9;
	close(fd);
	return pinned() ? 10 : 0;
}

/* Each user has a bound, and none of what exceeds it is left. */
void memory_may_be_locked_up_to_a_limit(void **state)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit old;
	unsigned char *at;
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(lock_as_nobody());
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	wait_until_used_is(0);
	/* It does not bind whoever may lock memory. */
	getrlimit(RLIMIT_MEMLOCK, &old);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	at = memory(2, RW, SHARED, -1);
	share_memory(at, 2, 1);
	assert_int_equal(pinned(), 2);
	setrlimit(RLIMIT_MEMLOCK, &old);
	start_over();
	munmap(at, 2 * PAGE);
}
