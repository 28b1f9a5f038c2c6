// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the library itself takes, in instructions a page: the kernel's part is
 * played here and does nothing.
 *
 *	user PAGES...
 */

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xen/gntalloc.h>

#include "measure.h"

#define MOST 512
#define ROUNDS 200

static char pages[MOST * PAGE] __attribute__((aligned(PAGE)));

/* In place of libc's: what the program defines comes first. */
int ioctl(int fd, unsigned long request, ...)
{
	static uint64_t next;
	struct ioctl_gntalloc_alloc_gref *op;
	va_list args;

	(void)fd;
	if (request != IOCTL_GNTALLOC_ALLOC_GREF)
		return 0;
	va_start(args, request);
	op = va_arg(args, struct ioctl_gntalloc_alloc_gref *);
	va_end(args);
	op->index = next;
	next += (uint64_t)op->count * PAGE;
	return 0;
}

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	static void *room;
	static size_t room_size;

	(void)addr, (void)prot, (void)flags, (void)fd, (void)offset;
	if (size <= sizeof(pages))
		return pages;
	/* Room for many shares. There is one at a time. */
	if (room_size < size) {
		room = (void *)syscall(
			SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
		room_size = size;
	}
	return room;
}

extern __typeof__(mmap) mmap64 __attribute__((alias("mmap")));

int munmap(void *addr, size_t size)
{
	(void)addr, (void)size;
	return 0;
}

int madvise(void *addr, size_t size, int advice)
{
	(void)addr, (void)size, (void)advice;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct way library = { "user", share, unshare, false };

	clock_check();
	open_device();
	for (int i = 1; i < argc; i++) {
		struct cost cost;
		uint32_t count = number(argv[i]);

		if (!count || count > MOST)
			errx(2, "usage: user PAGES..., 1 to %d", MOST);
		reserve_refs(count);
		sample(&library, count, ROUNDS);
		cost = sample(&library, count, ROUNDS);
		printf("%s user %u share=%.1f unshare=%.1f sum=%.1f\n", LIBRARY,
		       count, cost.share, cost.unshare,
		       cost.share + cost.unshare);
		fflush(stdout);
	}
	return 0;
}
