// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ledger's cases about what single calls do. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "anypeer.h"
#include "ledger.h"
#include "remote.h"

static bool listed(int fd, uint64_t index)
{
	void *page = map(fd, index, 1);

	if (page == MAP_FAILED)
		return false;
	munmap(page, PAGE);
	return true;
}

/* The stock module then drops a page of G, which is poisoned when G is used. */
static void mapping_of_two_allocations(void)
{
	int f = must_open_device(), g = must_open_device();
	uint64_t first = must_alloc(f, 1), others = must_alloc(g, 1);
	unsigned char *pages, *page;
	uint32_t ref = refs[0];
	long slot;

	must_alloc(f, 1);
	pages = map(f, first, 2);
	if (pages == MAP_FAILED)
		cannot("map two allocations at once");
	munmap(pages, 2 * PAGE);

	page = map(g, others, 1);
	expect(page != MAP_FAILED, "F unmaps its two: G maps its own: %s",
	       outcome(page == MAP_FAILED));
	if (page != MAP_FAILED)
		munmap(memset(page, 1, PAGE), PAGE);
	slot = peer_map(&ref, 1);
	expect(slot >= 0, "its grant %s", slot >= 0 ? "stays" : "is gone");
	if (slot >= 0)
		peer_unmap(slot);
	close(g);
	close(f);
	if (parameter("used") >= 0) {
		long used = parameter_becomes("used", 0);

		expect(!used, "all closed: used %ld", used);
	}
}

static void wrong_arguments(void)
{
	int fd = must_open_device(), result;

	result = alloc_as(fd, remote_domid(), 1, 2);
	expect(result && errno == EINVAL, "flags 2: %s", outcome(result));
	result = alloc_as(fd, remote_domid(), 1, 0xFFFF);
	expect(result && errno == EINVAL, "flags 0xFFFF: %s", outcome(result));
	result = alloc_as(fd, 0x7FF0, 1, 1);
	expect(result && errno == EINVAL, "domid 0x7FF0: %s", outcome(result));
	result = alloc_as(fd, remote_domid(), 0, 1);
	expect(result && errno == EINVAL, "count 0: %s", outcome(result));
}

struct alloc32 {
	uint16_t domid, flags;
	uint32_t count;
	uint32_t index[2]; /* aligned as in a 32-bit program */
	uint32_t refs[4];
};
struct dealloc32 {
	uint32_t index[2];
	uint32_t count;
};

#ifdef __aarch64__
/* 64 bits are aligned as in a 64-bit program. */
#define ALLOC32_SIZE sizeof(struct ioctl_gntalloc_alloc_gref)
#define DEALLOC32_SIZE sizeof(struct ioctl_gntalloc_dealloc_gref)

/* A page that ioctl32.c can map, too. */
static int memory32;

static void *page32(void)
{
	memory32 = memfd_create("ioctl32", 0);
	if (memory32 < 0 || ftruncate(memory32, PAGE))
		return MAP_FAILED;
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory32,
		    0);
}

/* The number has the size in it, which a real 32-bit program knows. */
static int ioctl32(int fd, unsigned int nr, size_t size, void *arg)
{
	char device[16], memory[16], offset[16], number[16];
	int status;
	pid_t pid;

	(void)size;
	snprintf(device, sizeof(device), "%d", fd);
	snprintf(memory, sizeof(memory), "%d", memory32);
	snprintf(offset, sizeof(offset), "%u", (uint32_t)(uintptr_t)arg % PAGE);
	snprintf(number, sizeof(number), "%u", nr);
	pid = fork();
	if (!pid) {
		fcntl(fd, F_SETFD, 0);
		execlp("ioctl32", "ioctl32", device, memory, offset, number,
		       NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) == 127)
		cannot("run a 32-bit program");
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}
#else
#define ALLOC32_SIZE (offsetof(struct alloc32, refs) + sizeof(uint32_t))
#define DEALLOC32_SIZE sizeof(struct dealloc32)

/* A page below 4 GiB. */
static void *page32(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
}

/*
 * A system call of a 32-bit program on i386, made by this 64-bit one: the entry
 * decides. So the kernel takes the compat way, and no 32-bit libc is needed.
 */
static int ioctl32(int fd, unsigned int nr, size_t size, void *arg)
{
	long result = 54; /* ioctl */

	__asm__ volatile("int $0x80"
			 : "+a"(result)
			 : "b"(fd), "c"(_IOC(_IOC_NONE, 'G', nr, size)),
			   "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)result < 0) {
		errno = -(int)result;
		return -1;
	}
	return (int)result;
}
#endif

static void a_32_bit_program(void)
{
	struct alloc32 *op = page32();
	struct ioctl_gntalloc_unmap_notify *notify = (void *)(op + 1);
	struct dealloc32 *end = (void *)(notify + 1);
	int fd = must_open_device(), result;
	uint64_t index;

	if (op == MAP_FAILED)
		cannot("get memory for a 32-bit program");
	*op = (struct alloc32){ remote_domid(), 1, 3, { 0 }, { 0 } };
	result = ioctl32(fd, 5, ALLOC32_SIZE, op);
	expect(!result && op->refs[0] && op->refs[2],
	       "ALLOC_GREF with a struct of %zu bytes: %s", ALLOC32_SIZE,
	       outcome(result));

	/* For the others on a module that knows only the 64-bit one. */
	if (result) {
		must_alloc(fd, 3);
		op->index[0] = (uint32_t)last_index;
		op->index[1] = (uint32_t)(last_index >> 32);
	}
	index = op->index[0] | (uint64_t)op->index[1] << 32;
	*notify = (struct ioctl_gntalloc_unmap_notify){ index,
							UNMAP_NOTIFY_CLEAR_BYTE,
							0 };
	result = ioctl32(fd, 7, sizeof(*notify), notify);
	expect(!result, "SET_UNMAP_NOTIFY: %s", outcome(result));

	*end = (struct dealloc32){ { op->index[0], op->index[1] }, 3 };
	result = ioctl32(fd, 6, DEALLOC32_SIZE, end);
	expect(!result && !listed(fd, index),
	       "DEALLOC_GREF with one of %zu: %s", DEALLOC32_SIZE,
	       outcome(result));
}

/* With what QubesOS sets as the limit, too: hardly a count is above that. */
static void huge_counts(void)
{
	static const uint32_t counts[] = { 0xFFFFFFFF, 1u << 30, 1u << 29,
					   1u << 21 };
	int fd = must_open_device(), result = alloc(fd, counts[0]);

	expect(result && errno == ENOSPC, "count 0x%X: %s", counts[0],
	       outcome(result));
	set_parameter("limit", 1u << 30);
	for (int i = 0; i < 4; i++) {
		result = alloc(fd, counts[i]);
		expect(result && errno == ENOSPC, "%s0x%X: %s",
		       i ? "" : "limit 2^30, count ", counts[i],
		       outcome(result));
	}
	result = alloc(fd, 1);
	expect(!result, "then 1: %s", outcome(result));
}

/* Ends that must be refused and change nothing. */
static void wrong_runs(void)
{
	int fd = must_open_device(), refused = 0, n;
	uint64_t first = must_alloc(fd, 2), second = must_alloc(fd, 2);
	const struct {
		uint64_t index;
		uint32_t count;
		const char *what;
	} runs[] = {
		{ first, 4, "over a hole" },
		{ first, 2, "into a hole" },
		{ first + PAGE, 1, "a hole" },
		{ second, 3, "past the end" },
		{ first, 0, "count 0" },
		{ second + PAGE, 0, "count 0 at the last page" },
		{ -(uint64_t)PAGE, 2, "a run that wraps" },
		{ second, 0xFFFFFFFF, "count 2^32-1" },
		{ first + 1, 1, "inside a page" },
	};

	if (second != first + 2 * PAGE || dealloc(fd, first + PAGE, 1))
		cannot("make a hole between two allocations");
	n = sizeof(runs) / sizeof(*runs);
	for (int i = 0; i < n; i++) {
		int result = dealloc(fd, runs[i].index, runs[i].count);

		if (result && errno == EINVAL)
			refused++;
		else
			expect(false, "%s: %s", runs[i].what, outcome(result));
		if (!listed(fd, first) || !listed(fd, second) ||
		    !listed(fd, second + PAGE)) {
			expect(false, "%s: pages are gone", runs[i].what);
			return;
		}
	}
	expect(refused == n,
	       "%d of %d wrong runs (hole, end, wrap, 0, not aligned) are EINVAL, the pages stay",
	       refused, n);
}

/* Where no udev runs the node is as the kernel makes it. */
static void rights_of_the_device(void)
{
	struct stat st;

	if (stat("/dev/xen/gntalloc", &st))
		cannot("find the device");
	expect((st.st_mode & 060) == 060 && st.st_gid,
	       "the kernel makes the device with mode %o, owner %u:%u",
	       st.st_mode & 0777, st.st_uid, st.st_gid);
}

const struct ledger_case call_cases[] = {
	{ "K2", mapping_of_two_allocations },
	{ "K8", wrong_arguments },
	{ "K9", a_32_bit_program },
	{ "K10", huge_counts },
	{ "K13", wrong_runs },
	{ "K18", rights_of_the_device },
	{ NULL, NULL },
};
