// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The ledger: what the stock module gets wrong and ours must not, each tried on
 * the module that is loaded. tests/ledger/ledger runs this on both.
 *
 *	ledger-cases ID...
 *
 * prints, for each, "ID<TAB>holds|broken|error<TAB>what was seen" and ends 0.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "anypeer.h"
#include "ledger.h"
#include "remote.h"

/* Only ever reached when a case hangs. */
#define CASE_SECONDS 240
/* The line of the case before must be out when a case ends the kernel. */
#define OUTPUT_US 300000

uint64_t last_index;

static const char *current;
static char words[1024];
static bool broken;

/* ---- the row ---- */

static void add_words(const char *format, va_list args)
{
	size_t used = strlen(words);

	if (used)
		used += (size_t)snprintf(words + used, sizeof(words) - used,
					 "; ");
	if (used < sizeof(words))
		vsnprintf(words + used, sizeof(words) - used, format, args);
}

void expect(bool met, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_words(format, args);
	va_end(args);
	broken |= !met;
}

/* In one piece: what follows may end the kernel. */
static void row(const char *verdict)
{
	printf("%s\t%s\t%s\n", current, verdict, words);
	fflush(stdout);
}

void cannot(const char *format, ...)
{
	int error = errno;
	va_list args;

	words[0] = '\0';
	va_start(args, format);
	add_words(format, args);
	va_end(args);
	expect(false, "%s", strerror(error));
	row("error");
	_exit(0);
}

/* ---- the kernel ---- */

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

/* The first number of a file, or the one behind @after. -1: there is none. */
long read_number(const char *path, const char *after)
{
	static char text[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;
	char *at = text;

	if (fd < 0)
		return -1;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	if (after) {
		at = strstr(text, after);
		if (!at)
			return -1;
		at += strlen(after);
	}
	return strtol(at, NULL, 10);
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void reload(void)
{
	/* The descriptors of the case before may be on their way out. */
	for (int i = 0; syscall(SYS_delete_module, "xen_gntalloc", 0); i++) {
		if (errno == ENOENT)
			break;
		if (i == 100)
			cannot("unload the module");
		usleep(50000);
	}
	if (load_module())
		cannot("load the module");
}

/* ---- the device ---- */

int must_open_device(void)
{
	int fd = open_device();

	if (fd < 0)
		cannot("open /dev/xen/gntalloc");
	return fd;
}

int alloc_as(int fd, uint32_t domid, uint32_t count, uint32_t flags)
{
	memset(refs, 0xAA,
	       sizeof(*refs) * (count < MAX_REFS ? count : MAX_REFS));
	last_index = 0;
	return alloc_for(fd, domid, count, flags, &last_index);
}

int alloc(int fd, uint32_t count)
{
	return alloc_as(fd, remote_domid(), count, GNTALLOC_FLAG_WRITABLE);
}

uint64_t must_alloc(int fd, uint32_t count)
{
	if (alloc(fd, count))
		cannot("share %u pages", count);
	return last_index;
}

uint32_t fill(int fd)
{
	uint32_t total = 0;

	for (uint32_t count = 512; count; count /= 8)
		while (!alloc(fd, count))
			total += count;
	return total;
}

const char *outcome(int result)
{
	static char other[16];

	if (!result)
		return "success";
	if (errno == ENOSPC)
		return "ENOSPC";
	if (errno == EINVAL)
		return "EINVAL";
	if (errno == ENOMEM)
		return "ENOMEM";
	if (errno == ENOTTY)
		return "ENOTTY";
	snprintf(other, sizeof(other), "errno %d", errno);
	return other;
}

/* ---- running ---- */

static const struct ledger_case *find(const char *id)
{
	static const struct ledger_case *const all[] = {
		table_cases,
		call_cases,
		memory_cases,
		library_cases,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (const struct ledger_case *c = all[i]; c->id; c++)
			if (!strcmp(c->id, id))
				return c;
	errx(2, "there is no case %s", id);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: ledger-cases ID...");
	/* As where systemd runs, so that no case depends on those before. */
	if (!write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		err(1, "cannot have memory cgroups");
	for (int i = 1; i < argc; i++) {
		const struct ledger_case *c = find(argv[i]);
		int status;
		pid_t pid;

		usleep(OUTPUT_US);
		current = c->id;
		pid = fork();
		if (!pid) {
			alarm(CASE_SECONDS);
			reload();
			peer_start();
			c->run();
			row(broken ? "broken" : "holds");
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || !status)
			continue;
		expect(false, "the case ended with status 0x%x",
		       (unsigned int)status);
		row("error");
		words[0] = '\0';
		broken = false;
	}
	return 0;
}
