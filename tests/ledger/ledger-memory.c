// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ledger's cases about what sharing costs, in memory and in time. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger.h"

#define CGROUP "/sys/fs/cgroup/ledger/"

static int max_fd = -1, current_fd = -1;

/* What the group's memory is allowed to be: "max" or bytes. */
static void set_memory(const char *max)
{
	if (pwrite(max_fd, max, strlen(max), 0) != (ssize_t)strlen(max))
		cannot("write %s to memory.max", max);
}

static long charged(void)
{
	char text[32] = "";

	if (pread(current_fd, text, sizeof(text) - 1, 0) <= 0)
		cannot("read memory.current");
	return strtol(text, NULL, 10);
}

/*
 * Into a memory cgroup of our own. With no process in it that the kernel may
 * kill, an allocation past its maximum fails, which can be seen better.
 */
static void enter_cgroup(void)
{
	if ((mkdir(CGROUP, 0755) && errno != EEXIST) ||
	    !write_file(CGROUP "memory.max", "max") ||
	    !write_file("/proc/self/oom_score_adj", "-1000") ||
	    !write_file(CGROUP "cgroup.procs", "0"))
		cannot("enter a memory cgroup");
	/* Opened, and read once, while there is memory for doing so. */
	max_fd = open(CGROUP "memory.max", O_WRONLY | O_CLOEXEC);
	current_fd = open(CGROUP "memory.current", O_RDONLY | O_CLOEXEC);
	charged();
}

/* The kernel's reports of an empty cgroup are many lines of no interest. */
static void quiet_console(bool quiet)
{
	klogctl(8, NULL, quiet ? 3 : 5);
}

/* ---- a mapping that fails ---- */

#define MAP_LIMIT 16
/* Two pages across a 512 GiB boundary, far from all others: six page tables. */
#define FAR ((char *)(UINT64_C(33) << 39) - PAGE)
#define TABLES 6
/* Freed page tables wait for a grace period; only then is their charge gone. */
#define GRACE_US 20000

/* Map with room for ever more page tables: how often that failed. */
static int failing_maps(int fd, uint64_t index)
{
	char text[32];

	for (int n = 0; n < 4 * TABLES; n++) {
		void *pages;

		usleep(GRACE_US);
		/* What was charged in advance goes, then some is allowed. */
		set_memory("0");
		snprintf(text, sizeof(text), "%ld", charged() + n * 4096l);
		set_memory(text);
		pages = mmap(FAR, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED,
			     fd, (off_t)index);
		if (pages != MAP_FAILED) {
			munmap(pages, 2 * PAGE);
			return n;
		}
		if (errno != ENOMEM)
			return -1;
	}
	return -1;
}

static void a_mapping_fails(void)
{
	int fd, failed, back;
	uint64_t index;

	enter_cgroup();
	fd = must_open_device();
	set_parameter("limit", MAP_LIMIT);
	index = must_alloc(fd, 2);
	mlockall(MCL_CURRENT);
	quiet_console(true);
	failed = failing_maps(fd, index);
	set_memory("max");
	quiet_console(false);
	/* The first may have failed before it came to page tables. */
	if (failed < 2)
		cannot("make page tables fail (%d)", failed);

	if (dealloc(fd, index, 2))
		cannot("unshare");
	close(fd);
	fd = must_open_device();
	for (back = 0; !alloc(fd, 1); back++)
		;
	expect(back == MAP_LIMIT,
	       "mmap() failed %d times for want of page tables; all closed: %d of %d pages to be had",
	       failed, back, MAP_LIMIT);
}

/* ---- time ---- */

#define ROUNDS 101
#define MANY 20000

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void share_one(int fd)
{
	void *page;

	must_alloc(fd, 1);
	page = map(fd, last_index, 1);
	if (page == MAP_FAILED || dealloc(fd, last_index, 1) ||
	    munmap(page, PAGE))
		cannot("share one page");
}

/* The median for one page: sharing, mapping, unmapping and unsharing. */
static int64_t cost_of_one(int fd)
{
	int64_t ns[ROUNDS];

	for (int i = 0; i < 20; i++)
		share_one(fd);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = now_ns();

		share_one(fd);
		ns[i] = now_ns() - start;
	}
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	return ns[ROUNDS / 2];
}

static void cost_with_many_alive(void)
{
	int fd = must_open_device();
	int64_t none, many;

	set_parameter("limit", MANY + 100);
	none = cost_of_one(fd);
	for (int i = 0; i < MANY; i++)
		must_alloc(fd, 1);
	many = cost_of_one(fd);
	/* At most 1.1 times. */
	expect(many * 10 <= none * 11,
	       "one page costs %lld instructions with none alive, %lld with %d alive: %.3f times",
	       (long long)none, (long long)many, MANY,
	       (double)many / (double)none);
}

/* ---- whose memory it is ---- */

#define CHARGED_PAGES 1000
#define FRAMEBUFFER 8100
#define REFUSALS 200

/* Lines of the kernel's log, since it was cleared, that have both words. */
static int log_lines(const char *one, const char *two)
{
	static char text[1 << 16];
	int size = klogctl(3, text, sizeof(text) - 1), lines = 0;
	char *line, *rest = text;

	text[size > 0 ? size : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		lines += strstr(line, one) && strstr(line, two);
	return lines;
}

static void in_the_log(const char *which, const char *word)
{
	int lines = log_lines("xen_gntalloc: ", word);

	expect(lines >= 1 && lines <= REFUSALS / 10,
	       "%d refusals because of %s: %d lines in the log", REFUSALS,
	       which, lines);
}

static void memory_is_charged(void)
{
	int fd, result;
	long before, grown;

	enter_cgroup();
	fd = must_open_device();
	result = alloc(fd, FRAMEBUFFER);
	expect(!result, "default limit, %d pages: %s", FRAMEBUFFER,
	       outcome(result));
	close(fd);

	fd = must_open_device();
	set_parameter("limit", 1u << 20);
	before = charged();
	must_alloc(fd, CHARGED_PAGES);
	grown = (charged() - before) / 1024;
	expect(grown > CHARGED_PAGES * 4 * 9 / 10,
	       "%d pages: memory.current grows by %ld KiB", CHARGED_PAGES,
	       grown);
	expect(parameter("used") == CHARGED_PAGES && !parameter("lingering"),
	       "used reads %ld, lingering %ld, limit %ld (-1: no such file)",
	       parameter("used"), parameter("lingering"), parameter("limit"));

	quiet_console(true);
	set_memory("8388608");
	/* An error is wanted, and nobody killed: this process could be now. */
	if (!write_file("/proc/self/oom_score_adj", "1000"))
		cannot("become the first to be killed");
	result = alloc(fd, 4 * CHARGED_PAGES);
	set_memory("max");
	quiet_console(false);
	expect(result && errno == ENOMEM, "%d more in a group of 8 MiB: %s",
	       4 * CHARGED_PAGES, outcome(result));

	klogctl(5, NULL, 0);
	set_parameter("limit", 10);
	for (int i = 0; i < REFUSALS; i++)
		alloc(fd, 1);
	in_the_log("the limit", "limit");
	set_parameter("limit", 1u << 20);
	fill(fd);
	klogctl(5, NULL, 0);
	for (int i = 0; i < REFUSALS; i++)
		alloc(fd, 1);
	in_the_log("the full table", "grant table");
}

const struct ledger_case memory_cases[] = {
	{ "K4", a_mapping_fails },
	{ "K5", cost_with_many_alive },
	{ "K12", memory_is_charged },
	{ NULL, NULL },
};
