// SPDX-License-Identifier: LGPL-2.1-or-later
/* What becomes of memory that is shared, and of whoever shares it. */

#include "test-module-grants.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

/* Shared with the peer, which maps it. */
struct shared {
	unsigned char *at;
	uint64_t index;
	uint32_t count;
	long slot;
};

static struct shared shared_with_peer(unsigned char *at, uint32_t count)
{
	struct shared it = { .at = at, .count = count };

	it.index = share_memory(at, count, WRITABLE);
	it.slot = peer_maps("rw", refs, count);
	return it;
}

static void end_shared(const struct shared *it)
{
	peer_lets_go(it->slot);
	assert_int_equal(dealloc(fd, it->index, it->count), 0);
	assert_counts(0, 0, 0);
	assert_int_equal(pinned(), 0);
	munmap(it->at, it->count * PAGE);
}

static void assert_peer_finds(const struct shared *it, uint32_t seed)
{
	assert_int_equal(remote("check %ld %u", it->slot, seed), 0);
}

/* Child and parent write one after the other. */
static void fork_and_write(const struct shared *it, bool child_is_seen)
{
	int status;
	pid_t pid;

	fill_pattern(it->at, it->count, 1);
	pid = fork();
	if (!pid) {
		if (differing(it->at, it->count, 1))
			_exit(1);
		fill_pattern(it->at, it->count, 2);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_peer_finds(it, child_is_seen ? 2 : 1);
	assert_int_equal(pinned(), it->count);
	fill_pattern(it->at, it->count, 3);
	assert_peer_finds(it, 3);
	assert_int_equal(remote("fill %ld 4", it->slot), 0);
	assert_int_equal(differing(it->at, it->count, 4), 0);
}

/* The page that is shared is the parent's; the parent may write first, too. */
static void parent_writes_first(const struct shared *it)
{
	int go[2], status;
	pid_t pid;
	char byte;

	fill_pattern(it->at, it->count, 5);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) || differing(it->at, it->count, 5))
			_exit(1);
		_exit(0);
	}
	fill_pattern(it->at, it->count, 6);
	assert_peer_finds(it, 6);
	close(go[0]), close(go[1]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(remote("fill %ld 7", it->slot), 0);
	assert_int_equal(differing(it->at, it->count, 7), 0);
}

void a_child_has_a_copy(void **state)
{
	struct shared it;

	(void)state;
	it = shared_with_peer(memory(3, RW, MAP_SHARED | MAP_ANONYMOUS, -1), 3);
	fork_and_write(&it, true);
	end_shared(&it);
	if (!can_share_private())
		return;
	it = shared_with_peer(private_memory(3), 3);
	fork_and_write(&it, false);
	parent_writes_first(&it);
	end_shared(&it);
}

/* The peer keeps it, and it is ended by its index as ever. */
static void unmap_and_move(unsigned char *at)
{
	struct shared it = shared_with_peer(at, 3);
	unsigned char *to;

	fill_pattern(at, 3, 1);
	to = mremap(at, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    memory(3, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	assert_ptr_not_equal(to, MAP_FAILED);
	assert_int_equal(differing(to, 3, 1), 0);
	fill_pattern(to, 3, 2);
	assert_peer_finds(&it, 2);
	assert_int_equal(munmap(to, 3 * PAGE), 0);
	assert_peer_finds(&it, 2);
	assert_counts(3, 0, 0);
	assert_int_equal(pinned(), 3);
	/* What is there next is something else. */
	it.at = mmap(to, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
	memset(it.at, 1, 3 * PAGE);
	assert_peer_finds(&it, 2);
	end_shared(&it);
}

void memory_is_unmapped_and_moved(void **state)
{
	(void)state;
	unmap_and_move(memory(3, RW, MAP_SHARED | MAP_ANONYMOUS, -1));
	if (can_share_private())
		unmap_and_move(private_memory(3));
}

/* The program has new pages then, and the peer the old ones. */
static void is_parted(const struct shared *it)
{
	assert_peer_finds(it, 1);
	fill_pattern(it->at, it->count, 2);
	assert_peer_finds(it, 1);
	assert_int_equal(remote("fill %ld 3", it->slot), 0);
	assert_int_equal(differing(it->at, it->count, 2), 0);
	end_shared(it);
}

static struct shared file_shared(int *file)
{
	struct shared it;

	*file = sized_file(memfd_create("thrown", MFD_CLOEXEC), 3);
	it = shared_with_peer(memory(3, RW, MAP_SHARED, *file), 3);
	fill_pattern(it.at, 3, 1);
	return it;
}

void memory_is_thrown_away(void **state)
{
	struct shared it;
	int file;

	(void)state;
	it = file_shared(&file);
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(ftruncate(file, 3 * PAGE), 0);
	is_parted(&it);
	close(file);

	it = file_shared(&file);
	assert_int_equal(fallocate(file,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, 3 * PAGE),
			 0);
	is_parted(&it);
	close(file);

	/* Of a file it is only the mapping that goes. */
	it = file_shared(&file);
	assert_int_equal(madvise(it.at, 3 * PAGE, MADV_DONTNEED), 0);
	assert_int_equal(differing(it.at, 3, 1), 0);
	fill_pattern(it.at, 3, 2);
	assert_peer_finds(&it, 2);
	end_shared(&it);
	close(file);
	if (!can_share_private())
		return;
	it = shared_with_peer(private_memory(3), 3);
	fill_pattern(it.at, 3, 1);
	assert_int_equal(madvise(it.at, 3 * PAGE, MADV_DONTNEED), 0);
	is_parted(&it);
}

static void protect(unsigned char *at)
{
	struct shared it = shared_with_peer(at, 3);

	fill_pattern(at, 3, 1);
	assert_int_equal(mprotect(at, 3 * PAGE, PROT_READ), 0);
	assert_peer_finds(&it, 1);
	assert_int_equal(remote("fill %ld 2", it.slot), 0);
	assert_int_equal(differing(at, 3, 2), 0);
	assert_int_equal(mprotect(at, 3 * PAGE, PROT_NONE), 0);
	assert_int_equal(remote("fill %ld 3", it.slot), 0);
	/* It may grant it on, too: that was its memory when it was shared. */
	assert_int_equal(renew_for(fd, remote_domid(), it.index, 3, WRITABLE),
			 0);
	assert_int_equal(mprotect(at, 3 * PAGE, RW), 0);
	assert_int_equal(differing(at, 3, 3), 0);
	fill_pattern(at, 3, 4);
	assert_peer_finds(&it, 4);
	peer_lets_go(it.slot);
	wait_until_used_is(3);
	it.slot = peer_maps("rw", refs, 3);
	assert_peer_finds(&it, 4);
	end_shared(&it);
}

void memory_is_protected(void **state)
{
	(void)state;
	protect(memory(3, RW, MAP_SHARED | MAP_ANONYMOUS, -1));
	if (can_share_private())
		protect(private_memory(3));
}

/* Whoever wants it sealed must know that nobody writes it. */
void a_seal_waits_for_the_end(void **state)
{
	int file = sized_file(memfd_create("sealed", MFD_ALLOW_SEALING), 2);
	struct shared it = shared_with_peer(memory(2, RW, MAP_SHARED, file), 2);

	(void)state;
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_errno(ftruncate(file, 0), EPERM);
	assert_errno(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(it.at, 2 * PAGE);
	assert_errno(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	peer_lets_go(it.slot);
	assert_int_equal(dealloc(fd, it.index, 2), 0);
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(pinned(), 0);
	close(file);
}

void memory_is_pinned_while_it_lingers(void **state)
{
	int file = sized_file(memfd_create("kept", MFD_ALLOW_SEALING), 3);
	struct shared it = shared_with_peer(memory(3, RW, MAP_SHARED, file), 3);
	unsigned char byte;

	(void)state;
	fill_pattern(it.at, 3, 1);
	assert_int_equal(dealloc(fd, it.index, 3), 0);
	assert_counts(3, 0, 3);
	assert_status(fd, 0, 0, 3);
	assert_int_equal(pinned(), 3);
	munmap(it.at, 3 * PAGE);
	assert_errno(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	assert_int_equal(remote("fill %ld 2", it.slot), 0);
	assert_int_equal(pread(file, &byte, 1, PAGE), 1);
	assert_int_equal(byte, pattern(2, PAGE));
	peer_lets_go(it.slot);
	wait_until_used_is(0);
	assert_int_equal(pinned(), 0);
	assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
	close(file);
}
