// SPDX-License-Identifier: LGPL-2.1-or-later
/* Spare pages: that they serve again, what they hold, and when they go. */

#include "test-module-grants.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Which page of the machine is at a place. */
static uint64_t frame(uint32_t place)
{
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t at = (off_t)((uintptr_t)arena / PAGE + place);
	uint64_t entry;

	assert_int_equal(pread(file, &entry, sizeof(entry), at * 8), 8);
	close(file);
	assert_true(entry >> 63);
	return entry & ((1ull << 55) - 1);
}

static bool write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t size = (ssize_t)strlen(text);
	bool written = file >= 0 && write(file, text, strlen(text)) == size;

	close(file);
	return written;
}

/* ---- what they hold ---- */

/* Share eight places, look at them as the peer, and leave something there. */
static void share_and_write(uint32_t flags)
{
	assert_int_equal(
		share_for(fd, remote_domid(), PLACE(0), arena, 8, flags), 0);
	assert_counts(8, 0, 0);
	peer_finds_zeros(8);
	memset(arena, 0xA5, 8 * PAGE);
}

void a_spare_page_holds_zeros_again(void **state)
{
	uint64_t frames[8];

	(void)state;
	share_singly(0, 8);
	peer_finds_zeros(8);
	memset(arena, 0xA5, 8 * PAGE);
	for (uint32_t i = 0; i < 8; i++)
		frames[i] = frame(i);
	/* As it was left; written to after that; parts; in another order. */
	unshare(0, 8);
	share_and_write(0);
	unshare(0, 8);
	memset(arena, 0x5A, 8 * PAGE);
	share_and_write(1);
	unshare(2, 3);
	share(2, 3);
	peer_finds_zeros(3);
	unshare(0, 8);
	share(5, 3);
	share(0, 5);
	unshare(0, 8);
	memset(arena, 0x5A, 8 * PAGE);
	/* And they are always the same pages. */
	share_and_write(1);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(frame(i), frames[i]);

	/* Some are taken out of the mapping, or unmapped. */
	unshare(0, 8);
	assert_int_equal(madvise(arena + PAGE, 2 * PAGE, MADV_DONTNEED), 0);
	share_and_write(1);
	unshare(0, 8);
	assert_int_equal(munmap(arena + 5 * PAGE, 2 * PAGE), 0);
	assert_ptr_equal(mmap(arena + 5 * PAGE, 2 * PAGE,
			      PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			      fd, (off_t)PLACE(5)),
			 arena + 5 * PAGE);
	share_and_write(0);
	set_parameter("spare_max", 3);
	unshare(0, 8);
	set_parameter("spare_max", 4096);
	share_and_write(1);
}

/* ---- how many there are ---- */

void spare_pages_have_a_bound(void **state)
{
	static const unsigned int most[] = { 4, 0, 1, 10, 2 };
	unsigned char *first = arena;
	int first_fd = fd;

	(void)state;
	for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++) {
		set_parameter("spare_max", most[i]);
		share_singly(0, 10);
		assert_counts(10, 0, 0);
		unshare(0, 10);
		assert_counts(most[i], most[i], 0);
		assert_int_equal(count_there(0, 10), most[i]);
	}
	/* It is there already, when others come. */
	share(100, 20);
	assert_counts(22, 2, 0);
	unshare(100, 20);
	assert_counts(2, 2, 0);
	assert_int_equal(count_there(100, 20), 0);
	/* Each descriptor has its own. */
	fd = open_device();
	arena = map(fd, PLACE(0), PLACES);
	share_singly(0, 10);
	unshare(0, 10);
	assert_counts(4, 4, 0);
	munmap(arena, PLACES * PAGE);
	close(fd);
	fd = first_fd;
	arena = first;
	assert_counts(2, 2, 0);
	set_parameter("spare_max", 4096);
}

/* What a child says of itself, and is told. */
static struct news {
	atomic_int ready, go;
} * news;

static void __attribute__((noreturn)) keep_spare_pages(void)
{
	fd = open_device();
	arena = map(fd, PLACE(0), 50);
	if (try_share(0, 50))
		_exit(1);
	memset(arena, 1, 50 * PAGE);
	if (unshare_places(fd, PLACE(0), NULL, 50))
		_exit(2);
	news->ready++;
	while (!news->go)
		usleep(1000);
	/* Whatever was taken: it shares as before. */
	if (try_share(0, 50))
		_exit(3);
	memset(arena, 1, 50 * PAGE);
	_exit(0);
}

/* What gets no references needs no pages. */
void a_full_table_leaves_no_spare_pages(void **state)
{
	int error;
	long spare;

	(void)state;
	set_parameter("spare_max", 0);
	fill_table();
	error = try_share(0, 600) ? errno : 0;
	spare = parameter("spare");
	free_table();
	assert_int_equal(error, ENOSPC);
	assert_int_equal(spare, 0);
	assert_int_equal(count_there(0, 600), 0);
	wait_until_used_is(0);
	share(0, 600);
	assert_counts(600, 0, 0);
}

/* Nobody is refused anything because of them. */
void spare_pages_give_way(void **state)
{
	unsigned int limit = (unsigned int)parameter("limit");
	uint64_t index;
	int status;

	(void)state;
	news = mmap(NULL, sizeof(*news), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++)
		if (!fork())
			keep_spare_pages();
	while (news->ready < 3)
		usleep(1000);
	assert_counts(150, 150, 0);
	set_parameter("limit", 160);
	index = alloc(100);
	assert_true(used() <= 160);
	assert_int_equal(parameter("spare"), used() - 100);
	assert_int_equal(dealloc(fd, index, 100), 0);
	share(0, 160);
	assert_counts(160, 0, 0);
	assert_errno(try_share(160, 1), ENOSPC);
	assert_counts(160, 0, 0);
	/* Its own as well, for whatever it asks. */
	unshare(0, 160);
	index = alloc(160);
	assert_counts(160, 0, 0);
	assert_int_equal(count_there(0, 160), 0);
	assert_int_equal(dealloc(fd, index, 160), 0);
	set_parameter("limit", 8);
	share(0, 8);
	unshare(0, 8);
	share(4, 8);
	assert_counts(8, 0, 0);
	peer_finds_zeros(8);
	set_parameter("limit", limit);
	news->go = 1;
	for (int i = 0; i < 3; i++) {
		wait(&status);
		assert_int_equal(status, 0);
	}
	munmap(news, sizeof(*news));
}

/* ---- when they go ---- */

void idle_spare_pages_go(void **state)
{
	long slot;

	(void)state;
	set_parameter("spare_idle", 50);
	share_singly(0, 10);
	fill_pattern(arena, 10, 3);
	slot = remote_map("ro", refs, 5);
	unshare(5, 5);
	wait_until_used_is(5);
	assert_counts(5, 0, 0);
	assert_int_equal(count_there(5, 5), 0);
	assert_int_equal(differing(arena, 5, 3), 0);
	assert_int_equal(remote("check %ld 3", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	share(5, 5);
	peer_finds_zeros(5);
	unshare(0, 10);
	assert_int_equal(parameter_becomes("used", 0), 0);
}

/* Pages come to be idle all the time, and are shared in that moment. */
void what_is_shared_is_not_idle(void **state)
{
	unsigned int gone = 0;
	long slot;

	(void)state;
	set_parameter("spare_idle", 1);
	for (uint32_t i = 0; i < 400; i++) {
		share(0, 4);
		fill_pattern(arena, 4, i);
		usleep(i % 5 * 700);
		assert_int_equal(count_there(0, 4), 4);
		assert_int_equal(differing(arena, 4, i), 0);
		if (i % 40 == 0) {
			slot = remote_map("ro", refs, 4);
			assert_int_equal(remote("check %ld %u", slot, i), 0);
			assert_int_equal(remote("unmap %ld", slot), 0);
		}
		unshare(0, 4);
		if (i % 10 == 0)
			gone += !parameter_becomes("spare", 0);
		else
			usleep(i % 4 * 700);
	}
	assert_int_equal(gone, 40);
}

void the_system_takes_spare_pages(void **state)
{
	long slot;

	(void)state;
	share(0, 20);
	fill_pattern(arena, 20, 4);
	slot = remote_map("ro", refs, 10);
	share(20, 300);
	unshare(20, 300);
	/* It asks again when there was more to do at the time. */
	for (int i = 0; i < PATIENCE_MS / 5 && parameter("spare"); i++) {
		assert_true(write_file("/proc/sys/vm/drop_caches", "2"));
		usleep(5000);
	}
	wait_until_used_is(20);
	assert_counts(20, 0, 0);
	assert_int_equal(count_there(20, 300), 0);
	assert_int_equal(differing(arena, 20, 4), 0);
	assert_int_equal(remote("check %ld 4", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	share(20, 300);
	peer_finds_zeros(300);
}

/* ---- a memory cgroup at its bound ---- */

#define GROUP "/sys/fs/cgroup/module"
#define GROUP_MAX "8388608"
#define GROUP_PAGES 2048
/* The limit came first. */
#define NOT_FULL 64

/* Before Linux 5.11 pages that are paid for could not be mapped. */
static bool groups_pay(void)
{
	struct utsname kernel;
	int major, minor;

	assert_int_equal(uname(&kernel), 0);
	assert_int_equal(sscanf(kernel.release, "%d.%d", &major, &minor), 2);
	return major > 5 || (major == 5 && minor > 10);
}

#define GROUP_BLOCKS (GROUP_PAGES / 64)

/*
 * Take all that there is, 64 pages at a time; their indices go to @index, and
 * how often that was. Or what is wrong.
 */
static int fill_group(uint64_t *index, uint32_t *taken)
{
	uint64_t more;

	/* With nobody to kill, what asks for more fails. */
	if (!write_file("/proc/self/oom_score_adj", "-1000") ||
	    !write_file(GROUP "/cgroup.procs", "0"))
		return 1;
	fd = open_device();
	arena = map(fd, PLACE(0), 512);
	/* They have page tables from now on. */
	if (try_share(0, 512) || unshare_places(fd, PLACE(0), NULL, 512))
		return 2;
	while (*taken < GROUP_BLOCKS &&
	       !alloc_for(fd, remote_domid(), 64, 1, &index[*taken]))
		++*taken;
	while (!alloc_for(fd, remote_domid(), 4, 1, &more))
		;
	if (errno == ENOSPC)
		return NOT_FULL;
	return errno != ENOMEM || *taken < 8 ? 3 : 0;
}

/* There is room for 192 pages, and a few. */
static int share_in_full_group(void)
{
	uint64_t index[GROUP_BLOCKS] = { 0 };
	uint32_t taken = 0;
	int wrong = fill_group(index, &taken);

	if (wrong)
		return wrong;
	for (int i = 0; i < 3; i++)
		if (dealloc(fd, index[--taken], 64))
			return 4;

	/* What is spare is enough, */
	for (int i = 0; i < 3; i++)
		if (try_share(0, 150) ||
		    unshare_places(fd, PLACE(0), NULL, 150))
			return 5;
	/* also for others in its place. */
	if (try_share(300, 180))
		return 6;
	memset(arena + 300 * PAGE, 1, 180 * PAGE);
	/* There are not so many. */
	if (!try_share(0, 150) || errno != ENOMEM)
		return 7;
	if (unshare_places(fd, PLACE(300), NULL, 180))
		return 8;
	return try_share(0, 150) ? 9 : 0;
}

/* However little is missing, a share says so, and soon. */
static int share_in_growing_room(void)
{
	uint64_t index[GROUP_BLOCKS] = { 0 }, one[512];
	uint32_t taken = 0, ones = 0;
	int wrong = fill_group(index, &taken);

	if (wrong)
		return wrong;
	for (int i = 0; i < 7; i++)
		if (dealloc(fd, index[--taken], 64))
			return 4;
	while (ones < 512 && !alloc_for(fd, remote_domid(), 1, 1, &one[ones]))
		ones++;
	/* Three blocks, of which one or two may find no room. */
	for (int i = 0; i < 360; i++)
		if (!ones || dealloc(fd, one[--ones], 1))
			return 6;
	while (alarm(120), try_share(100, 400)) {
		if (errno != ENOMEM)
			return 5;
		if (!ones || dealloc(fd, one[--ones], 1))
			return 6;
	}
	return 0;
}

static void in_group(int (*what)(void))
{
	int status;

	if (mkdir(GROUP, 0755) && errno != EEXIST)
		fail_msg("no memory groups");
	assert_true(write_file(GROUP "/memory.max", GROUP_MAX));
	if (!fork())
		_exit(what());
	wait(&status);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), groups_pay() ? 0 : NOT_FULL);
	rmdir(GROUP);
}

void a_full_memory_group_shares(void **state)
{
	(void)state;
	in_group(share_in_full_group);
}

void a_memory_group_gets_room(void **state)
{
	(void)state;
	in_group(share_in_growing_room);
}
