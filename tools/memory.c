// SPDX-License-Identifier: LGPL-2.1-or-later
/* gntshr share --memory: a file that is memory, such as one of /dev/shm. */

#include <err.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share.h"

/* How many pages there are, if @count is 0, or whether there are so many. */
static int count_pages(int fd, const char *name, uint32_t *count)
{
	struct stat st;
	uint64_t pages;

	if (fstat(fd, &st)) {
		warn("cannot look at %s", name);
		return -1;
	}
	pages = ((uint64_t)st.st_size + GNTSHR_PAGE_SIZE - 1) /
		GNTSHR_PAGE_SIZE;
	if (!pages || pages < *count || (!*count && pages > UINT32_MAX)) {
		warnx("%s has %llu pages; see --count", name,
		      (unsigned long long)pages);
		return -1;
	}
	if (!*count)
		*count = (uint32_t)pages;
	return 0;
}

char *map_memory(const char *name, bool writable, uint32_t *count)
{
	int fd = open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	char *addr = MAP_FAILED;

	if (fd < 0) {
		warn("cannot open %s", name);
		return NULL;
	}
	if (!count_pages(fd, name, count)) {
		addr = mmap(NULL, (size_t)*count * GNTSHR_PAGE_SIZE,
			    PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
			    fd, 0);
		if (addr == MAP_FAILED)
			warn("cannot map %s", name);
	}
	close(fd);
	return addr == MAP_FAILED ? NULL : addr;
}
