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
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xen/gntalloc.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "ledger.h"
#include "remote.h"

#define PARAMETER "/sys/module/xen_gntalloc/parameters/"
/* Only ever reached when a case hangs. */
#define CASE_SECONDS 240
/* Only ever waited for in full when pages do not come back. */
#define PATIENCE_NS INT64_C(10000000000)
/* The line of the case before must be out when a case ends the kernel. */
#define OUTPUT_US 300000

uint32_t refs[MAX_PAGES];
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

long parameter(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETER "%s", name);
	return read_number(path, NULL);
}

void set_parameter(const char *name, unsigned int value)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), PARAMETER "%s", name);
	snprintf(text, sizeof(text), "%u", value);
	if (!write_file(path, text))
		cannot("write %s to %s", text, name);
}

long used_becomes(long want)
{
	int64_t start = now_ns();
	long used;

	while ((used = parameter("used")) != want &&
	       now_ns() - start < PATIENCE_NS)
		usleep(5000);
	return used;
}

/* With the parameters that the harness gave it. */
void reload(void)
{
	char line[256], *params = NULL;
	FILE *modules = fopen("/etc/harness/modules", "re");
	int fd = open("/lib/modules/xen-gntalloc.ko", O_RDONLY | O_CLOEXEC);

	while (modules && fgets(line, sizeof(line), modules)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "xen-gntalloc ", 13))
			params = line + 13;
	}
	if (fd < 0 || !params)
		cannot("find the module");
	fclose(modules);

	/* The descriptors of the case before may be on their way out. */
	for (int i = 0; syscall(SYS_delete_module, "xen_gntalloc", 0); i++) {
		if (errno == ENOENT)
			break;
		if (i == 100)
			cannot("unload the module");
		usleep(50000);
	}
	if (syscall(SYS_finit_module, fd, params, 0))
		cannot("load the module");
	close(fd);
}

/* ---- the device ---- */

int open_device(void)
{
	int fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		cannot("open /dev/xen/gntalloc");
	return fd;
}

int alloc_as(int fd, uint32_t domid, uint32_t count, uint32_t flags)
{
	static union {
		struct ioctl_gntalloc_alloc_gref op;
		char room[sizeof(struct ioctl_gntalloc_alloc_gref) +
			  sizeof(refs)];
	} u;
	size_t size = sizeof(*refs) * (count < MAX_PAGES ? count : MAX_PAGES);
	int result;

	memset(u.op.gref_ids, 0xAA, size);
	u.op.domid = (uint16_t)domid;
	u.op.flags = (uint16_t)flags;
	u.op.count = count;
	u.op.index = 0;
	result = ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &u.op);
	last_index = u.op.index;
	memcpy(refs, u.op.gref_ids, size);
	return result;
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

int dealloc(int fd, uint64_t index, uint32_t count)
{
	struct ioctl_gntalloc_dealloc_gref op = { index, count };

	return ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &op);
}

void *map(int fd, uint64_t index, uint32_t count)
{
	return mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, (off_t)index);
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

/* ---- the peer ---- */

static xengnttab_handle *gnttab;

static void mute(struct xentoollog_logger *logger, xentoollog_level level,
		 int errnoval, const char *context, const char *format,
		 va_list args)
{
	(void)logger, (void)level, (void)errnoval;
	(void)context, (void)format, (void)args;
}

static bool in_dom0(void)
{
	const char *own = getenv("XEN_DOMID");

	return !own || !strcmp(own, "0");
}

/* Of a peer elsewhere: its slot, plus 1. */
static long slot(const void *pages)
{
	return (long)(intptr_t)pages - 1;
}

void *peer_map(const uint32_t *which, uint32_t count)
{
	static xentoollog_logger logger = { .vmessage = mute };

	if (!in_dom0())
		return (void *)(intptr_t)(remote_map("rw", which, count) + 1);
	if (!gnttab)
		gnttab = xengnttab_open(&logger, 0);
	if (!gnttab)
		cannot("open gntdev");
	return xengnttab_map_domain_grant_refs(gnttab, count, remote_domid(),
					       (uint32_t *)(uintptr_t)which,
					       PROT_READ | PROT_WRITE);
}

void peer_unmap(void *pages, uint32_t count)
{
	if (in_dom0() ? xengnttab_unmap(gnttab, pages, count)
		      : remote("unmap %ld", slot(pages)))
		cannot("unmap as the peer");
}

void peer_fill(void *pages, uint32_t count, uint32_t seed)
{
	if (in_dom0())
		fill_pattern(pages, count, seed);
	else if (remote("fill %ld %u", slot(pages), seed))
		cannot("fill pages as the peer");
}

unsigned int peer_byte(const void *pages, size_t at)
{
	long byte;

	if (in_dom0())
		return ((const volatile unsigned char *)pages)[at];
	byte = remote("byte %ld %zu", slot(pages), at);
	if (byte < 0)
		cannot("read a byte as the peer");
	return (unsigned int)byte;
}

bool peer_finds(const void *pages, uint32_t count, uint32_t seed)
{
	const unsigned char *bytes = pages;

	if (!in_dom0())
		return !remote("check %ld %u", slot(pages), seed);
	for (size_t n = 0; n < (size_t)count * PAGE; n++)
		if (bytes[n] != pattern(seed, n))
			return false;
	return true;
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
