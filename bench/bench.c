// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What sharing costs, in instructions. Built for libgntshr and for
 * libxengnttab; bench/run runs both and makes a table of the lines
 *
 *	LIBRARY MEASURE NUMBER NAME=VALUE...
 *
 * The values are instructions a page, but for call (instructions a call),
 *bytes, return_ms, and those of a trace (instructions in all).
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define MANY 65536u
#define SETTLE_S 5
#define PROFILE_PAGES 16384u
#define PROFILE_ROUNDS 1000u

static void *map(uint32_t count, int flags)
{
	void *pages = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
			   flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (pages == MAP_FAILED)
		err(1, "cannot map %u pages", count);
	return pages;
}

static void *map_shared(uint32_t count)
{
	return map(count, MAP_SHARED);
}

static void *map_private(uint32_t count)
{
	return map(count, MAP_PRIVATE);
}

static void unmap(void *pages, uint32_t count)
{
	munmap(pages, (size_t)count * PAGE);
}

/*
 * What a share leaves to the next is what the first of a handle has to do
 * without: pages that are made and mapped already, and whatever else a library
 * keeps. Nothing stays beyond the handle, whose end pays for what was put off.
 */
static const struct way hot = { "hot", share, unshare, false };
static const struct way cold = { "cold", share, unshare, true };
static const struct way floors[] = {
	{ "floor-shared", map_shared, unmap, false },
	{ "floor-private", map_private, unmap, false },
};

/*
 * The grant table grows with its use, and stays; references that were used may
 * rest for a second before they are used again.
 */
static void grow_table(void)
{
	open_device();
	reserve_refs(MANY);
	unshare(share(MANY), MANY);
	close_device();
	sleep(SETTLE_S);
}

static void pages(const struct way *way, char **counts)
{
	for (; *counts; counts++) {
		reserve_refs(number(*counts));
		measure(way, number(*counts), number(*counts));
	}
}

/* What one number leaves is not there for the next. */
static void hot_pages(char **counts)
{
	for (; *counts; counts++) {
		char *one[] = { *counts, NULL };

		open_device();
		pages(&hot, one);
		close_device();
	}
}

/*
 * For bench/profile, which counts between the marks. Opening is there, too, if
 * it is the cold way.
 */
void profile(const struct way *way, char **counts)
{
	for (; *counts; counts++) {
		uint32_t count = number(*counts), rounds;

		reserve_refs(count);
		rounds = PROFILE_PAGES / count;
		if (rounds > PROFILE_ROUNDS)
			rounds = PROFILE_ROUNDS;
		make_place(count);
		sample(way, count, rounds);
		MARK(0);
		sample(way, count, rounds);
		MARK(1);
		printf("%s profile %u pages=%u\n", LIBRARY, count,
		       count * rounds);
		fflush(stdout);
	}
}

/* A process without a share of its own measures when it is told to. */
static void watch_from_elsewhere(int from, int to)
{
	static const struct way elsewhere = { "live-elsewhere", share, unshare,
					      false };
	uint32_t n;

	open_device();
	while (read(from, &n, sizeof(n)) == sizeof(n)) {
		measure(&elsewhere, 1, n);
		if (write(to, "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/*
 * One page more, with so many alive: in this process, where each is a mapping,
 * and one more mapping costs the kernel more the more there are; and in
 * another, where only the driver knows of them.
 */
static void live(char **counts)
{
	static const struct way here = { "live", share, unshare, false };
	int down[2], up[2];
	uint32_t n = 0;
	pid_t pid;
	char ok;

	if (pipe(down) || pipe(up) || (pid = fork()) < 0)
		err(1, "cannot start a process");
	if (!pid) {
		close(down[1]);
		watch_from_elsewhere(down[0], up[1]);
	}
	open_device();
	for (; *counts; counts++) {
		uint32_t want = number(*counts);

		for (; n < want; n++)
			share(1);
		measure(&here, 1, n);
		if (write(down[1], &n, sizeof(n)) != sizeof(n) ||
		    read(up[0], &ok, 1) != 1)
			errx(1, "the other process failed");
	}
	close(down[1]);
	waitpid(pid, NULL, 0);
}

static const char usage[] =
	"usage: bench hot|cold|floor|profile-hot|profile-cold|profile-memory|memory|peer|borrowed PAGES... | live SHARES... | notify | replay NAME <TRACE";

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char **rest = argv + 2;

	clock_check();
	reserve_refs(1);
	if (!strcmp(what, "hot"))
		grow_table(), hot_pages(rest);
	else if (!strcmp(what, "cold"))
		grow_table(), pages(&cold, rest);
	else if (!strcmp(what, "floor"))
		pages(&floors[0], rest), pages(&floors[1], rest);
	else if (!strcmp(what, "profile-hot"))
		grow_table(), open_device(), profile(&hot, rest);
	else if (!strcmp(what, "profile-cold"))
		grow_table(), profile(&cold, rest);
	else if (!strcmp(what, "profile-memory"))
		grow_table(), profile_memory(rest);
	else if (!strcmp(what, "live"))
		live(rest);
	else if (!strcmp(what, "notify"))
		open_device(), notify();
	else if (!strcmp(what, "replay") && rest[0])
		grow_table(), replay(rest[0]);
	else if (!strcmp(what, "memory"))
		memory(rest);
	else if (!strcmp(what, "borrowed"))
		grow_table(), borrowed(rest);
	else if (!strcmp(what, "peer"))
		open_device(), peer(rest);
	else
		errx(2, "%s", usage);
	return 0;
}
