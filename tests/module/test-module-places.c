// SPDX-License-Identifier: LGPL-2.1-or-later
/* Places of an arena whose pages are unmapped or moved, and whose they are. */

#include "test-module-arena.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE_BYTE 100

/* Empty places again, where some were unmapped. */
static void map_again(uint32_t place, uint32_t count)
{
	unsigned char *at = arena + place * PAGE;

	assert_ptr_equal(mmap(at, count * PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, (off_t)PLACE(place)),
			 at);
}

/* It goes with its mapping, as pages that are not of an arena. */
void places_that_are_deallocated(void **state)
{
	long slot;

	(void)state;
	share_singly(0, 3);
	memset(arena, 7, 3 * PAGE);
	assert_int_equal(notify(fd, PLACE(1) + LIVE_BYTE, 1, 0), 0);
	slot = remote_map("ro", refs, 3);
	assert_int_equal(dealloc(fd, PLACE(1), 1), 0);
	assert_counts(3, 0, 0);
	assert_int_equal(count_there(0, 3), 3);
	assert_int_equal(remote_try(refs + 1, 1), 1);
	assert_int_equal(remote("byte %ld %u", slot, PAGE + LIVE_BYTE), 7);
	assert_errno(unshare_places(fd, PLACE(0), NULL, 3), EINVAL);
	assert_errno(dealloc(fd, PLACE(1), 1), EINVAL);
	assert_errno(notify(fd, PLACE(1), 1, 0), ENOENT);
	assert_errno(try_share(1, 1), EBUSY);
	assert_counts(3, 0, 0);

	assert_int_equal(munmap(arena + PAGE, PAGE), 0);
	assert_counts(3, 0, 1);
	assert_int_equal(remote("byte %ld %u", slot, PAGE + LIVE_BYTE), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	wait_until_used_is(2);
	map_again(1, 1);
	share(1, 1);
	peer_finds_zeros(1);
	unshare(0, 3);
	assert_counts(3, 3, 0);

	/* Without a mapping it is gone at once, and no spare page. */
	share(0, 3);
	assert_int_equal(madvise(arena, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(dealloc(fd, PLACE(0), 2), 0);
	assert_counts(2, 0, 0);
	assert_int_equal(munmap(arena + PAGE, PAGE), 0);
	map_again(1, 1);
	share(0, 2);
	peer_finds_zeros(2);
	assert_counts(3, 0, 0);
}

static int share_unlisted(uint32_t place, uint32_t count)
{
	return share_for(fd, remote_domid(), PLACE(place), arena + place * PAGE,
			 count,
			 GNTALLOC_FLAG_WRITABLE | GNTALLOC_FLAG_UNLISTED);
}

static int unshare_at(uint32_t place, uint32_t count)
{
	return unshare_places(fd, PLACE(place), arena + place * PAGE, count);
}

/* Shared for as long as they are mapped, or until that is told. */
void places_that_are_not_listed(void **state)
{
	(void)state;
	assert_int_equal(share_unlisted(0, 4), 0);
	peer_finds_zeros(4);
	assert_counts(4, 0, 0);
	assert_errno(unshare_places(fd, PLACE(0), NULL, 4), EINVAL);
	assert_errno(dealloc(fd, PLACE(0), 4), EINVAL);
	assert_errno(notify(fd, PLACE(0), 1, 0), ENOENT);
	assert_errno(share_unlisted(0, 4), EBUSY);
	assert_int_equal(unshare_at(0, 4), 0);
	assert_counts(4, 4, 0);
	assert_int_equal(remote_try(refs, 4), 0);
	memset(arena, 0xA5, 4 * PAGE);
	assert_int_equal(share_unlisted(0, 4), 0);
	peer_finds_zeros(4);
	assert_counts(4, 0, 0);
	assert_int_equal(munmap(arena, PAGE), 0);
	assert_counts(4, 0, 0);
	assert_int_equal(remote_try(refs, 4), 3);
	/* Listed ones are unshared so as well. */
	assert_int_equal(unshare_at(1, 3), 0);
	share(2, 2);
	assert_int_equal(unshare_at(2, 2), 0);
	assert_int_equal(remote_try(refs, 2), 0);
}

/* What munmap() would leave shared, or the next share would not expect. */
void places_that_were_changed(void **state)
{
	pid_t pid;
	int go;

	(void)state;
	assert_int_equal(share_unlisted(0, 4), 0);
	memset(arena, 0x55, 4 * PAGE);
	assert_errno(unshare_places(fd, PLACE(0), arena + PAGE, 1), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0), arena + 1, 1), EINVAL);
	assert_errno(unshare_places(fd, PLACE(0), refs, 1), EINVAL);
	assert_errno(unshare_at(0, 5), EINVAL);
	assert_errno(unshare_at(PLACES - 1, 2), EINVAL);
	assert_int_equal(mprotect(arena + PAGE, PAGE, PROT_READ), 0);
	assert_errno(unshare_at(0, 4), EINVAL);
	assert_int_equal(mprotect(arena + PAGE, PAGE, PROT_READ | PROT_WRITE),
			 0);
	pid = keeper(4, 0x55, &go);
	assert_errno(unshare_at(0, 4), EBUSY);
	assert_counts(4, 0, 0);
	assert_int_equal(remote_try(refs, 4), 4);
	ends_well(pid, go);
	assert_int_equal(munmap(arena, 4 * PAGE), 0);
	wait_until_used_is(0);
	assert_int_equal(remote_try(refs, 4), 0);

	/* That cannot be taken back. */
	assert_int_equal(share_unlisted(4, 2), 0);
	assert_int_equal(madvise(arena + 4 * PAGE, PAGE, MADV_DONTFORK), 0);
	assert_errno(unshare_at(4, 2), EINVAL);
	assert_int_equal(munmap(arena + 4 * PAGE, 2 * PAGE), 0);
	wait_until_used_is(0);
}

void parts_of_an_arena_go(void **state)
{
	unsigned char *to = mmap(NULL, 4 * PAGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *moved;

	(void)state;
	share_singly(0, 6);
	unshare(2, 4);
	assert_int_equal(munmap(arena + 2 * PAGE, 2 * PAGE), 0);
	assert_counts(4, 2, 0);
	/* One that is shared stays so, and is not kept after that. */
	assert_int_equal(munmap(arena, PAGE), 0);
	assert_counts(4, 2, 0);
	assert_int_equal(remote_try(refs, 1), 1);
	unshare(0, 2);
	assert_counts(3, 3, 0);
	assert_int_equal(madvise(arena + PAGE, PAGE, MADV_DONTNEED), 0);
	share(1, 1);
	peer_finds_zeros(1);
	assert_counts(3, 2, 0);
	assert_int_equal(count_there(1, 1), 1);
	assert_int_equal(madvise(arena + PAGE, PAGE, MADV_DONTNEED), 0);
	unshare(1, 1);
	assert_counts(2, 2, 0);
	map_again(0, 4);
	share(0, 6);
	assert_counts(6, 0, 0);
	peer_finds_zeros(6);
	unshare(0, 6);

	moved = mremap(arena, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to);
	assert_ptr_equal(moved, to);
	assert_counts(6, 6, 0);
	assert_int_equal(madvise(moved, PAGE, MADV_DONTNEED), 0);
	assert_errno(try_share(0, 4), EINVAL);
	assert_int_equal(share_for(fd, remote_domid(), PLACE(0), moved, 4, 1),
			 0);
	assert_int_equal(mprotect(moved, 3 * PAGE, PROT_READ), 0);
	unshare(0, 4);
	assert_int_equal(share_for(fd, remote_domid(), PLACE(0), moved, 4, 1),
			 0);
	peer_finds_zeros(4);
	assert_counts(6, 2, 0);
	assert_int_equal(munmap(moved, 4 * PAGE), 0);
}

/* A child that has a descriptor and a mapping from its parent. */
static int ask_for_places(void)
{
	unsigned char *addr = arena + 2 * PAGE;
	int own = open_device();

	if (map(fd, PLACE(0), 1) != MAP_FAILED || errno != EPERM)
		return 1;
	if (map(fd, PLACE(1u << 20), 1) != MAP_FAILED || errno != EPERM)
		return 2;
	if (!share_for(fd, 0, PLACE(2), addr, 1, 1) || errno != EPERM)
		return 3;
	if (!share_for(fd, 0, PLACE(1), addr - PAGE, 1, 1) || errno != EPERM)
		return 4;
	if (!unshare_places(fd, PLACE(0), NULL, 1) || errno != EPERM)
		return 5;
	/* Nor is that one, but in an arena of its own. */
	if (!share_for(own, 0, PLACE(2), addr, 1, 1))
		return 6;
	addr = map(own, PLACE(2), 1);
	return addr == MAP_FAILED || share_for(own, 0, PLACE(2), addr, 1, 1);
}

void an_arena_has_one_owner(void **state)
{
	int status, other = open_device();
	void *others;
	pid_t pid;

	(void)state;
	share(0, 2);
	unshare(1, 1);
	pid = fork();
	if (!pid)
		_exit(ask_for_places());
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	wait_until_used_is(2);
	share(1, 2);
	unshare(0, 3);
	/* Places of one are not those of another. */
	others = map(other, PLACE(0), 1);
	assert_errno(share_for(other, 0, PLACE(0), arena, 1, 1), EINVAL);
	assert_errno(share_for(fd, 0, PLACE(4), others, 1, 1), EINVAL);
	assert_int_equal(share_for(other, 0, PLACE(0), others, 1, 1), 0);
	munmap(others, PAGE);
	close(other);
}
