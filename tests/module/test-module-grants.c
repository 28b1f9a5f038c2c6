// SPDX-License-Identifier: LGPL-2.1-or-later

#include "test-module-grants.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- pages of each kind ---- */

static unsigned char *get_memory(uint32_t count)
{
	void *at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

/* What comes together goes together, and counts so: share_singly(). */
static int place_singly(uint32_t domid, uint32_t count, uint32_t flags)
{
	static uint32_t taken[PLACES];

	for (uint32_t i = count; i--;) {
		if (share_for(fd, domid, PLACE(i), arena + i * PAGE, 1, flags))
			return -1;
		taken[i] = refs[0];
	}
	memcpy(refs, taken, count * sizeof(*refs));
	return 0;
}

struct pages pages_for(uint32_t domid, enum kind kind, uint32_t count,
		       uint32_t flags)
{
	struct pages pages = { .kind = kind, .count = count };
	int err;

	if (kind == ALLOCATED) {
		err = alloc_for(fd, domid, count, flags, &pages.index);
		pages.at = map(fd, pages.index, count);
	} else if (kind == PLACED) {
		pages.index = PLACE(0);
		pages.at = arena;
		err = place_singly(domid, count, flags);
	} else {
		pages.at = get_memory(count);
		err = share_memory_for(fd, domid, pages.at, count, flags,
				       &pages.index);
	}
	assert_int_equal(err ? errno : 0, 0);
	assert_ptr_not_equal(pages.at, MAP_FAILED);
	return pages;
}

void end_pages(const struct pages *pages)
{
	if (pages->kind == PLACED) {
		unshare(0, pages->count);
		return;
	}
	assert_int_equal(dealloc(fd, pages->index, pages->count), 0);
	assert_int_equal(munmap(pages->at, pages->count * PAGE), 0);
}

static unsigned int old_delay;

/* The numbers that are known to be of old grants stay so. */
void keep_old_refs(void)
{
	old_delay = (unsigned int)parameter("ref_delay");
	set_parameter("ref_delay", 3600000);
}

void use_old_refs(void)
{
	set_parameter("ref_delay", old_delay);
}

void start_over(void)
{
	munmap(arena, PLACES * PAGE);
	close(fd);
	wait_until_used_is(0);
	fd = open_device();
	arena = map(fd, PLACE(0), PLACES);
	assert_ptr_not_equal(arena, MAP_FAILED);
}

/* ---- peers ---- */

uint64_t add_peer(uint32_t domid, uint64_t index, uint32_t count,
		  uint32_t flags)
{
	uint64_t peer_index = 0;
	int err = add_peer_for(fd, domid, index, count, flags, &peer_index);

	assert_int_equal(err ? errno : 0, 0);
	return peer_index;
}

void renew_pages(uint32_t domid, const struct pages *pages, uint32_t flags)
{
	int err = renew_for(fd, domid, pages->index, pages->count, flags);

	assert_int_equal(err ? errno : 0, 0);
}

void revoke_pages(uint32_t domid, uint64_t index, uint32_t count)
{
	int err = revoke_for(fd, domid, index, count);

	assert_int_equal(err ? errno : 0, 0);
}

long peer_maps(const char *mode, const uint32_t *which, uint32_t count)
{
	long slot = remote_map(mode, which, count);

	assert_true(slot >= 0);
	return slot;
}

void peer_lets_go(long slot)
{
	assert_int_equal(remote("unmap %ld", slot), 0);
}

void set_notify(uint64_t index, uint32_t offset, uint32_t action, int port)
{
	assert_int_equal(notify(fd, index + offset, action, (uint32_t)port), 0);
}

/* ---- what there is, and is not ---- */

#define TABLE_RUN 250u

static int table_fd;
static unsigned int old_limit;

/* A page may be granted to any number of domains: that takes no memory. */
long fill_table(void)
{
	long before = used();
	uint32_t domid = 1, kept[MAX_REFS];
	uint64_t index = 0, peer;

	memcpy(kept, refs, sizeof(kept));
	old_limit = (unsigned int)parameter("limit");
	set_parameter("limit", 1000000);
	table_fd = open_device();
	assert_int_equal(alloc_for(table_fd, STRANGER, TABLE_RUN, 0, &index),
			 0);
	for (uint32_t count = TABLE_RUN; count; count = count > 1 ? 1 : 0)
		do
			peer = 0;
		while (!add_peer_for(table_fd, domid++, index, count, 0,
				     &peer));
	assert_int_equal(errno, ENOSPC);
	memcpy(refs, kept, sizeof(kept));
	return used() - before;
}

void free_table(void)
{
	close(table_fd);
	set_parameter("limit", old_limit);
}

long pinned(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	long size = -1;

	assert_non_null(status);
	while (size < 0 && fgets(line, sizeof(line), status))
		sscanf(line, "VmPin: %ld", &size);
	fclose(status);
	return size / (long)(PAGE / 1024);
}

void assert_status(int of, uint32_t listed, uint32_t spare, uint32_t lingers)
{
	struct ioctl_gntalloc_status now;

	assert_int_equal(get_status(of, 0, &now), 0);
	assert_int_equal(now.listed, listed);
	assert_int_equal(now.spare, spare);
	assert_int_equal(now.lingering, lingers);
}

void *half_writable(void)
{
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(two, MAP_FAILED);
	assert_int_equal(mprotect(two + PAGE, PAGE, PROT_READ), 0);
	return two + PAGE;
}
