// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What only our library and module have, beside what a program would do without
 * it: memory that it has already, shared as it is or copied into pages that
 * are shared; and one more peer for pages, or the same contents in pages of its
 * own. No byte of any of them is looked at, as only the copy costs by the byte.
 */

#include <err.h>
#include <string.h>
#include <sys/mman.h>

#include "measure.h"

#ifdef WITH_XENGNTTAB
void borrowed(char **counts)
{
	(void)counts;
	errx(2, "libxengnttab has none of this");
}

void profile_memory(char **counts)
{
	borrowed(counts);
}
#else
/* There need not be such a domain; it may not be this one. */
#define ONE_MORE 77

/* The memory, or the share that gets a peer. */
static void *have;

static void *share_memory(uint32_t count)
{
	if (gntshr_share_memory(h, 0, have, count, refs, GNTSHR_WRITABLE))
		err(1, "cannot share %u pages of memory", count);
	return have;
}

static void *share_copy(uint32_t count)
{
	return memcpy(share(count), have, (size_t)count * PAGE);
}

static void *add_peer(uint32_t count)
{
	if (gntshr_add_peer(h, have, count, ONE_MORE, refs, GNTSHR_WRITABLE))
		err(1, "cannot add a peer to %u pages", count);
	return have;
}

static void remove_peer(void *pages, uint32_t count)
{
	if (gntshr_remove_peer(h, pages, count, ONE_MORE))
		err(1, "cannot remove a peer of %u pages", count);
}

static const struct way pinned = { "memory-pinned", share_memory, unshare,
				   false };

static void map_memory(uint32_t count)
{
	have = mmap(NULL, (size_t)count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (have == MAP_FAILED)
		err(1, "cannot map %u pages", count);
}

void profile_memory(char **counts)
{
	open_device();
	for (; *counts; counts++) {
		char *one[] = { *counts, NULL };

		map_memory(number(*counts));
		profile(&pinned, one);
		munmap(have, (size_t)number(*counts) * PAGE);
	}
	close_device();
}

static void memory_ways(uint32_t count)
{
	static const struct way copied = { "memory-copied", share_copy, unshare,
					   false };

	map_memory(count);
	measure(&pinned, count, count);
	measure(&copied, count, count);
	munmap(have, (size_t)count * PAGE);
}

void borrowed(char **counts)
{
	static const struct way added = { "peer-added", add_peer, remove_peer,
					  false };
	static const struct way again = { "peer-shared-again", share_copy,
					  unshare, false };

	for (; *counts; counts++) {
		uint32_t count = number(*counts);

		reserve_refs(count);
		open_device();
		memory_ways(count);
		have = share(count);
		measure(&added, count, count);
		measure(&again, count, count);
		close_device();
	}
}
#endif
