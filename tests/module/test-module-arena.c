// SPDX-License-Identifier: LGPL-2.1-or-later
/* Places of an arena: shared, unshared, refused, and whose they are. */

#include "test-module-arena.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

#define LIVE_BYTE 100

unsigned char *arena;

int setup_arena(void **state)
{
	int failed = setup(state);

	/* None goes by itself, however slow the machine is. */
	set_parameter("spare_idle", 3600000);
	arena = map(fd, PLACE(0), PLACES);
	return failed || arena == MAP_FAILED;
}

int teardown_arena(void **state)
{
	int failed;

	munmap(arena, PLACES * PAGE);
	failed = teardown(state);
	return failed || parameter("spare") != 0;
}

int try_share(uint32_t place, uint32_t count)
{
	return share_for(fd, remote_domid(), PLACE(place), arena + place * PAGE,
			 count, GNTALLOC_FLAG_WRITABLE);
}

void share(uint32_t place, uint32_t count)
{
	assert_int_equal(try_share(place, count) ? errno : 0, 0);
}

void share_singly(uint32_t place, uint32_t count)
{
	uint32_t taken[PLACES];

	for (uint32_t i = count; i--;) {
		share(place + i, 1);
		taken[i] = refs[0];
	}
	memcpy(refs, taken, count * sizeof(*refs));
}

void unshare(uint32_t place, uint32_t count)
{
	assert_int_equal(unshare_places(fd, PLACE(place), NULL, count), 0);
}

void assert_counts(long want_used, long want_spare, long want_lingering)
{
	assert_int_equal(used(), want_used);
	assert_int_equal(parameter("spare"), want_spare);
	assert_int_equal(lingering(), want_lingering);
}

uint32_t count_there(uint32_t place, uint32_t count)
{
	uint32_t there = 0;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	for (uint32_t i = 0; i < count; i++) {
		if (write(fds[1], arena + (place + i) * PAGE, 1) == 1)
			there++;
		else
			assert_int_equal(errno, EFAULT);
	}
	close(fds[0]), close(fds[1]);
	return there;
}

void peer_finds_zeros(uint32_t count)
{
	long slot = remote_map("ro", refs, count);

	assert_true(slot >= 0);
	assert_int_equal(remote("zero %ld", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
}

void an_arena_shares(void **state)
{
	static const uint32_t counts[] = { 1, 3, 252, 600 };

	(void)state;
	assert_counts(0, 0, 0);
	assert_int_equal(count_there(0, 2), 0);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		uint32_t count = counts[i];
		long slot;

		share(7, count);
		assert_counts(count, 0, 0);
		slot = remote_map("rw", refs, count);
		assert_true(slot >= 0);
		assert_int_equal(remote("zero %ld", slot), 0);
		fill_pattern(arena + 7 * PAGE, count, 6);
		assert_int_equal(remote("check %ld 6", slot), 0);
		assert_int_equal(remote("fill %ld 7", slot), 0);
		assert_int_equal(differing(arena + 7 * PAGE, count, 7), 0);
		assert_int_equal(remote("unmap %ld", slot), 0);
		unshare(7, count);
		assert_counts(count, count, 0);
		assert_int_equal(remote_try(refs, count), 0);
		/* They are the program's, until they are shared again. */
		assert_int_equal(differing(arena + 7 * PAGE, count, 7), 0);
		memset(arena + 7 * PAGE, 0x5A, count * PAGE);
	}
	assert_int_equal(count_there(6, 1) + count_there(607, 1), 0);
}

void a_peer_may_only_read(void **state)
{
	long slot;

	(void)state;
	for (uint32_t flags = 0; flags < 3; flags++) {
		assert_int_equal(share_for(fd, remote_domid(), PLACE(0), arena,
					   2, flags & GNTALLOC_FLAG_WRITABLE),
				 0);
		slot = remote_map("rw", refs, 2);
		assert_int_equal(slot >= 0, flags & GNTALLOC_FLAG_WRITABLE);
		if (slot >= 0)
			assert_int_equal(remote("unmap %ld", slot), 0);
		peer_finds_zeros(2);
		memset(arena, 0xA5, 2 * PAGE);
		unshare(0, 2);
	}
}

/* Places of one share are unshared with others, and not at all with none. */
void shares_of_an_arena_are_one(void **state)
{
	(void)state;
	share(0, 40);
	share(40, 300);
	share(340, 1);
	unshare(30, 311);
	assert_counts(341, 311, 0);
	share(35, 100);
	assert_counts(341, 211, 0);
	assert_errno(unshare_places(fd, PLACE(20), NULL, 116), EINVAL);
	unshare(35, 100);
	unshare(0, 30);
	assert_counts(341, 341, 0);
	share(0, 342);
	assert_counts(342, 0, 0);
}

static void refused(int error, uint64_t index, const void *addr, uint32_t count)
{
	assert_errno(share_for(fd, 0, index, addr, count, 1), error);
}

static void refuses_addresses(void)
{
	void *anonymous = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t index = alloc(1);
	void *page = map(fd, index, 1);

	refused(EINVAL, index, page, 1);
	refused(EINVAL, index, arena, 1);
	refused(EINVAL, PLACE(0), page, 1);
	refused(EINVAL, PLACE(0), anonymous, 1);
	refused(EINVAL, PLACE(0), NULL, 1);
	refused(EINVAL, PLACE(0), (void *)-(uintptr_t)PAGE, 1);
	refused(EINVAL, PLACE(0), arena + 1, 1);
	refused(EINVAL, PLACE(0), arena + PAGE, 1);
	refused(EINVAL, PLACE(PLACES - 1), arena + (PLACES - 1) * PAGE, 2);
	refused(EINVAL, PLACE(PLACES), arena + PLACES * PAGE, 1);
	munmap(anonymous, PAGE);
	munmap(page, PAGE);
	assert_int_equal(dealloc(fd, index, 1), 0);
}

void an_arena_refuses(void **state)
{
	struct ioctl_gntalloc_share op = {
		.index = PLACE(0),
		.addr = (uintptr_t)arena,
		.count = 2,
	};
	char *readonly =
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE, &op), EFAULT);
	op.refs = (uintptr_t)readonly;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SHARE, &op), EFAULT);
	assert_counts(0, 0, 0);
	refused(EINVAL, PLACE(0), arena, 0);
	assert_errno(share_for(fd, 0x7FF0, PLACE(0), arena, 1, 1), EINVAL);
	assert_errno(share_for(fd, 0xFFFF, PLACE(0), arena, 1, 1), EINVAL);
	assert_errno(share_for(fd, 0, PLACE(0), arena, 1, 2), EINVAL);
	assert_errno(share_for(fd, 0, PLACE(0), arena, 1, 0x4001), EINVAL);
	refused(EINVAL, 0, arena, 1);
	refused(EINVAL, PLACE(0) + 1, arena, 1);
	refused(EINVAL, PLACE(0) - PAGE, arena, 1);
	refused(EINVAL, 1ull << 63, arena, 1);
	refused(EINVAL, -(uint64_t)PAGE, arena, 2);
	refuses_addresses();
	assert_errno(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd,
			  (off_t)PLACE(0)),
		     EINVAL);
	assert_counts(0, 0, 0);

	/* Some are shared. */
	share(4, 4);
	assert_errno(try_share(0, 5), EBUSY);
	assert_errno(try_share(7, 2), EBUSY);
	assert_errno(try_share(4, 4), EBUSY);
	assert_counts(4, 0, 0);
	assert_int_equal(count_there(0, 9), 4);
	share(0, 4);
	munmap(readonly, PAGE);
}

void an_arena_refuses_to_unshare(void **state)
{
	struct ioctl_gntalloc_unshare op = { .index = PLACE(0),
					     .count = 4,
					     .pad = 1 };
	uint64_t index = alloc(4);

	(void)state;
	share(0, 4);
	share(4, 2);
	unshare(4, 2);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_UNSHARE, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_UNSHARE, &op), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0), NULL, 0), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0), NULL, 5), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0), NULL, 0xFFFFFFFF), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0) + 1, NULL, 1), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0) - PAGE, NULL, 2), EINVAL);
	assert_errno(unshare_places(fd, PLACE(4), NULL, 1), EINVAL);
	assert_errno(unshare_places(fd, PLACE(6), NULL, 1), EINVAL);
	assert_errno(unshare_places(fd, index, NULL, 4), EINVAL);
	assert_errno(unshare_places(fd, -(uint64_t)PAGE, NULL, 2), EINVAL);
	/* Nor is what is not shared there for other requests. */
	for (uint32_t place = 4; place < 7; place += 2) {
		assert_errno(dealloc(fd, PLACE(place), 1), EINVAL);
		assert_errno(notify(fd, PLACE(place) + 1, 1, 0), ENOENT);
	}
	assert_errno(dealloc(fd, PLACE(0), 5), EINVAL);
	assert_counts(10, 2, 0);
	unshare(0, 4);
	assert_counts(10, 6, 0);
}

void an_unshare_notifies_once(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
	int port = xenevtchn_bind_unbound_port(evtchn, remote_domid());
	long slot;

	(void)state;
	assert_true(port >= 0);
	share(0, 3);
	assert_int_equal(remote("bind %d", port), 0);
	memset(arena, 7, 3 * PAGE);
	assert_int_equal(notify(fd, PLACE(1) + LIVE_BYTE, 3, (uint32_t)port),
			 0);
	slot = remote_map("ro", refs, 3);
	assert_int_equal(remote("events 0"), 0);
	unshare(0, 3);
	assert_int_equal(remote("events %d", PATIENCE_MS), 1);
	assert_int_equal(remote("byte %ld %u", slot, PAGE + LIVE_BYTE), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(remote("byte %ld %u", slot, i * PAGE + 1), 7);
	assert_int_equal(remote("byte %ld %u", slot, LIVE_BYTE), 7);
	assert_int_equal(remote("unmap %ld", slot), 0);

	/* It was that share's. */
	share(0, 3);
	memset(arena, 7, 3 * PAGE);
	unshare(0, 3);
	assert_int_equal(arena[PAGE + LIVE_BYTE], 7);
	assert_int_equal(remote("events 0"), 0);
	xenevtchn_close(evtchn);
}

/* It keeps the page, and the place gets another one. */
void a_peer_keeps_a_page(void **state)
{
	long slot;

	(void)state;
	share_singly(0, 3);
	slot = remote_map("rw", refs + 1, 1);
	assert_true(slot >= 0);
	fill_pattern(arena + PAGE, 1, 8);
	unshare(0, 3);
	assert_counts(3, 2, 1);
	assert_int_equal(count_there(0, 1), 1);
	assert_int_equal(count_there(1, 1), 0);
	assert_int_equal(count_there(2, 1), 1);
	share(0, 3);
	assert_counts(4, 0, 1);
	peer_finds_zeros(3);
	memset(arena, 1, 3 * PAGE);
	assert_int_equal(remote("check %ld 8", slot), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	wait_until_used_is(3);
	assert_counts(3, 0, 0);
}
