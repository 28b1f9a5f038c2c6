// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * References belong to the whole domain: grant-taker, another driver of it,
 * never lacks any because of ours that grant nothing. Only what the stock
 * module has as well is called, so that the same is tried on both.
 *
 *	beside-taker GRANT-TAKER.KO [large]
 *
 * "large": what only ours promises, in a table of more references than can be
 * waited for at once (1024 frames and more).
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "device.h"
#include "module.h"

#define TAKER "/sys/module/grant_taker/parameters/"
#define DISK 11
#define CARD 256
/* How often each driver asks in one case. */
#define ASKS 150
/*
 * How often to look and nap: a clock runs on while others have the processor,
 * and those that are waited for cannot.
 */
#define LOOKS 60000
#define LOOKS_SERVED 4000

static const char *taker;
static int wrong, tried;

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void check(bool ok, const char *what)
{
	printf("%s: %s\n", ok ? "ok" : "FAILED", what);
	tried++;
	wrong += !ok;
}

static void read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(text, (int)size, file))
		die(path);
	fclose(file);
}

static unsigned int counter(const char *name, int which)
{
	char path[100], text[100], *at = text;

	snprintf(path, sizeof(path), TAKER "%s", name);
	read_text(path, text, sizeof(text));
	while (which--)
		at = strchr(at, ',') + 1;
	return (unsigned int)strtoul(at, NULL, 10);
}

/* False if this module has no such parameter. */
static bool set(const char *name, unsigned int value)
{
	if (parameter(name) < 0)
		return false;
	set_parameter(name, value);
	return true;
}

static unsigned int get(const char *name)
{
	long value = parameter(name);

	if (value < 0)
		die(name);
	return (unsigned int)value;
}

static void load(const char *counts)
{
	int fd = open(taker, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, counts, 0))
		die(taker);
	close(fd);
}

static void unload(void)
{
	if (syscall(SYS_delete_module, "grant_taker", O_NONBLOCK))
		die("delete_module");
}

static void nap(void)
{
	usleep(2000);
}

/* Until a counter of the taker has a value. */
static bool reaches(const char *name, int which, unsigned int value)
{
	for (int i = 0; i < LOOKS; i++) {
		if (counter(name, which) >= value)
			return true;
		nap();
	}
	return false;
}

static int must_open_device(void)
{
	int fd = open_device();

	if (fd < 0)
		die("/dev/xen/gntalloc");
	return fd;
}

/* Returns the index, or -1 and errno. */
static int64_t alloc(int fd, uint32_t count)
{
	uint64_t index;

	if (alloc_for(fd, 0, count, GNTALLOC_FLAG_WRITABLE, &index))
		return -1;
	return (int64_t)index;
}

static void must_dealloc(int fd, int64_t index, uint32_t count)
{
	if (dealloc(fd, (uint64_t)index, count))
		die("DEALLOC_GREF");
}

/* So many calls or pages until what one gives up would have filled a table. */
#define CALLS 3000
#define PAGES 20000

/*
 * Share and unshare as fast as can be, from @least to @most pages at a time.
 * Returns when that has gone on for a while.
 */
static pid_t start_program(uint32_t least, uint32_t most)
{
	unsigned int calls = 0, pages = 0;
	uint32_t count = least;
	int ready[2], fd;
	int64_t index;
	char *addr;
	pid_t pid;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		close(ready[1]);
		if (read(ready[0], &count, 1) != 1)
			die("a program that shares ended by itself");
		close(ready[0]);
		return pid;
	}
	fd = must_open_device();
	for (;; count = count < most ? count + 1 : least) {
		index = alloc(fd, count);
		if (index < 0)
			die("ALLOC_GREF");
		addr = map(fd, (uint64_t)index, count);
		if (addr == MAP_FAILED)
			die("mmap");
		*addr = 1;
		must_dealloc(fd, index, count);
		munmap(addr, count * PAGE);
		pages += count;
		if (++calls == CALLS || (calls < CALLS && pages >= PAGES)) {
			calls = CALLS;
			if (write(ready[1], "", 1) != 1)
				die("write");
		}
	}
}

static void end_program(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		die("a program that shares ended by itself");
}

/* All fits into the table at once, but what rests for an hour. */
static void beside_a_program(unsigned int limit, uint32_t least, uint32_t most)
{
	unsigned int before = get("limit"), failed[2], asked[2];
	bool delays = set("ref_delay", 3600000);
	char what[200];
	pid_t pid;

	set("limit", limit);
	pid = start_program(least, most);
	load("count=11,256");
	for (int i = 0; i < 2; i++)
		while (counter("asked", i) < ASKS && !counter("failed", i))
			nap();
	end_program(pid);
	for (int i = 0; i < 2; i++) {
		asked[i] = counter("asked", i);
		failed[i] = counter("failed", i);
	}
	unload();
	set("limit", before);
	if (delays)
		set("ref_delay", 1000);
	snprintf(
		what, sizeof(what),
		"limit %u, a program that shares %u to %u pages at a time: a disk lacked references %u of %u times, a network card %u of %u",
		limit, least, most, failed[0], asked[0], failed[1], asked[1]);
	check(!failed[0] && !failed[1] && asked[0] >= ASKS && asked[1] >= ASKS,
	      what);
}

#define FULL_MAX 4096
static struct {
	int64_t index;
	uint32_t count;
} full[FULL_MAX];
static unsigned int shares;

/* Share until the grant table has nothing left, and for the last ones singly.
 */
static void fill(int fd, uint32_t count)
{
	int64_t index;

	for (; count; count = count > 1 ? count / 4 : 0) {
		while ((index = alloc(fd, count)) >= 0) {
			if (shares == FULL_MAX)
				die("too many shares");
			full[shares].index = index;
			full[shares++].count = count;
		}
		if (errno != ENOSPC)
			die("ALLOC_GREF");
	}
}

/* End shares until so many references must be free. */
static void make_room(int fd, uint32_t count)
{
	uint32_t room = 0;

	while (room < count) {
		shares--;
		must_dealloc(fd, full[shares].index, full[shares].count);
		room += full[shares].count;
	}
}

/* A driver that waits has got what it waits for. */
static bool is_served(void)
{
	for (int i = 0; i < LOOKS_SERVED; i++) {
		if (counter("called", 0) > counter("in_vain", 0))
			return true;
		nap();
	}
	return false;
}

/*
 * In a full table a driver waits; what a program gives up is the driver's, and
 * the callback comes when it is there. What rests would rest for an hour.
 */
static void in_a_full_table(const char *name, uint32_t count)
{
	unsigned int limit = get("limit"), served = 0, in_vain = 0;
	bool delays = set("ref_delay", 3600000);
	enum { ROUNDS = 8 };
	int fd = must_open_device();
	char text[200];

	set("limit", 1000000);
	/* What rests before is what has to give way. */
	must_dealloc(fd, alloc(fd, 200), 200);
	snprintf(text, sizeof(text), "count=%u", count);
	while (served < ROUNDS) {
		fill(fd, served ? 64 : 1024);
		load(text);
		if (!reaches("failed", 0, 1))
			die("the table is not full");
		make_room(fd, count);
		served += is_served();
		in_vain += counter("in_vain", 0);
		unload();
		if (!served || in_vain)
			break;
	}
	close(fd);
	shares = 0;
	set("limit", limit);
	if (delays)
		set("ref_delay", 1000);
	snprintf(
		text, sizeof(text),
		"full table: a %s that waits got what programs gave up %u of %u times, and was called %u times when it was not there",
		name, served, ROUNDS, in_vain);
	check(served == ROUNDS && !in_vain, text);
}

/*
 * The table has grown for a driver that took nearly all of it, and nothing is
 * in use any more: references rest as in any other.
 */
static void in_a_large_table(void)
{
	enum { TURNS = 50 };
	int fd = must_open_device(), same = 0;
	uint32_t last = 0;
	char what[200];
	int64_t index;

	load("count=65535,65535,65535,65535,65535,65535,65535,65535");
	/* They take theirs, and give them back, together. */
	if (!reaches("asked", 7, 10))
		die("the last one got nothing");
	unload();
	set("ref_delay", 3600000);
	for (int i = 0; i < TURNS; i++) {
		index = alloc(fd, 1);
		if (index < 0)
			die("ALLOC_GREF");
		same += i && refs[0] == last;
		last = refs[0];
		must_dealloc(fd, index, 1);
	}
	set("ref_delay", 1000);
	close(fd);
	snprintf(
		what, sizeof(what),
		"an empty table that has grown: of %d times share and unshare %d got the same reference again",
		TURNS, same);
	check(!same, what);
}

int main(int argc, char **argv)
{
	unsigned int limit;
	int kept;

	if (argc != 2 && (argc != 3 || strcmp(argv[2], "large") != 0)) {
		fprintf(stderr, "Usage: beside-taker GRANT-TAKER.KO [large]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	taker = argv[1];
	if (argc == 3) {
		in_a_large_table();
		printf("%d passed, %d failed\n", tried - wrong, wrong);
		return wrong > 0;
	}
	limit = get("limit");
	/* One failed call leaves the stock module's count of pages one too low:
	 * so it does not come to zero.
	 */
	kept = must_open_device();
	if (alloc(kept, 200) < 0)
		die("ALLOC_GREF");
	beside_a_program(264, 1, 1);
	beside_a_program(264, 1, 64);
	beside_a_program(limit, 1, 1);
	beside_a_program(limit, 1, 64);
	beside_a_program(limit, 500, 512);
	in_a_full_table("disk", DISK);
	in_a_full_table("network card", CARD);
	printf("%d passed, %d failed\n", tried - wrong, wrong);
	return wrong > 0;
}
