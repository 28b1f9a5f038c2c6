// SPDX-License-Identifier: LGPL-2.1-or-later
/* Descriptors with one peer and so many pages, for whoever has them. */

#include "test-module-grants.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void bound_to(uint32_t pages)
{
	int err = restrict_to(fd, remote_domid(), pages);

	assert_int_equal(err ? errno : 0, 0);
}

void a_bounded_descriptor_has_one_peer(void **state)
{
	unsigned char *at =
		memory(1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1);
	uint64_t index = 0, peer = 0;

	(void)state;
	/* What it had stays. */
	assert_int_equal(alloc_for(fd, STRANGER, 2, 1, &index), 0);
	bound_to(100);
	assert_counts(2, 0, 0);
	assert_errno(alloc_for(fd, STRANGER, 1, 1, &peer), EACCES);
	assert_errno(share_for(fd, STRANGER, PLACE(0), arena, 1, 1), EACCES);
	assert_errno(share_memory_for(fd, STRANGER, at, 1, 0, &peer), EACCES);
	assert_errno(add_peer_for(fd, STRANGER + 1, index, 1, 0, &peer),
		     EACCES);
	assert_errno(renew_for(fd, STRANGER, index, 1, 0), EACCES);
	assert_counts(2, 0, 0);
	assert_int_equal(peer, 0);

	share(0, 1);
	peer_finds_zeros(1);
	alloc(1);
	assert_int_equal(remote_try(refs, 1), 1);
	share_memory(at, 1, 0);
	assert_int_equal(remote_try(refs, 1), 1);
	add_peer(remote_domid(), index, 1, 0);
	assert_int_equal(remote_try(refs, 1), 1);
	/* Who may have it no more is never a question. */
	assert_int_equal(revoke_for(fd, STRANGER, index, 1), 0);
	assert_int_equal(renew_for(fd, remote_domid(), index + PAGE, 1, 0), 0);
	assert_int_equal(remote_try(refs, 1), 1);
	munmap(at, PAGE);
}

static void nothing_more(uint64_t index)
{
	unsigned char *at =
		memory(1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1);
	long used_before = used(), pinned_before = pinned();
	uint64_t more = 42;

	assert_errno(alloc_for(fd, remote_domid(), 1, 1, &more), EDQUOT);
	assert_errno(try_share(1000, 1), EDQUOT);
	assert_errno(share_memory_for(fd, remote_domid(), at, 1, 0, &more),
		     EDQUOT);
	assert_errno(add_peer_for(fd, remote_domid(), index, 1, 0, &more),
		     EDQUOT);
	assert_int_equal(more, 42);
	assert_int_equal(used(), used_before);
	assert_int_equal(pinned(), pinned_before);
	munmap(at, PAGE);
}

void a_bounded_descriptor_has_so_many(void **state)
{
	uint64_t index = alloc(4), own;
	unsigned char *at =
		memory(5, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1);
	unsigned int limit = (unsigned int)parameter("limit");
	int other = open_device();

	(void)state;
	bound_to(20);
	assert_errno(alloc_for(fd, remote_domid(), 17, 1, &own), EDQUOT);
	assert_errno(try_share(0, 17), EDQUOT);
	own = alloc(6);
	share(0, 5);
	share_memory(at, 5, 0);
	nothing_more(index);
	assert_errno(renew_for(fd, remote_domid(), index, 0xFFFFFFFF, 0),
		     ENOSPC);
	assert_counts(20, 0, 0);
	/* Others have their own. */
	assert_int_equal(alloc_for(other, STRANGER, 30, 1, &index), 0);
	close(other);
	wait_until_used_is(20);
	assert_int_equal(dealloc(fd, own, 1), 0);
	alloc(1);
	nothing_more(own + PAGE);
	/* Nor does it have more than there is for all. */
	assert_int_equal(dealloc(fd, own + PAGE, 2), 0);
	set_parameter("limit", 18);
	assert_errno(alloc_for(fd, remote_domid(), 1, 1, &own), ENOSPC);
	assert_errno(alloc_for(fd, remote_domid(), 3, 1, &own), EDQUOT);
	set_parameter("limit", limit);
	munmap(at, 5 * PAGE);
}

void a_bound_counts_what_lingers(void **state)
{
	uint64_t index;
	long slot;

	(void)state;
	bound_to(10);
	index = alloc(10);
	slot = peer_maps("ro", refs, 10);
	assert_int_equal(dealloc(fd, index, 10), 0);
	nothing_more(index);
	peer_lets_go(slot);
	/* It is found to be back when it matters. */
	index = alloc(10);
	slot = peer_maps("ro", refs, 4);
	assert_int_equal(dealloc(fd, index, 10), 0);
	share(0, 6);
	nothing_more(PLACE(0));
	assert_counts(10, 0, 4);
	peer_lets_go(slot);
	share(6, 4);
	nothing_more(PLACE(0));
	/* Fewer than it has. */
	start_over();
	alloc(10);
	bound_to(5);
	nothing_more(0);
	assert_int_equal(dealloc(fd, 0, 5), 0);
	nothing_more(5 * PAGE);
	assert_int_equal(dealloc(fd, 5 * PAGE, 1), 0);
	alloc(1);
}

/* Whether another program's page that its peer let go of still waits. */
static bool others_wait_for_their_turn(void)
{
	int other = open_device();
	uint64_t index = 0;
	bool waits;
	long slot;

	assert_int_equal(alloc_for(other, remote_domid(), 1, 1, &index), 0);
	slot = peer_maps("ro", refs, 1);
	assert_int_equal(dealloc(other, index, 1), 0);
	/* Until it is tried but a few times in a second. */
	usleep(300000);
	peer_lets_go(slot);
	assert_errno(alloc_for(fd, remote_domid(), 2, 1, &index), EDQUOT);
	waits = parameter("lingering") == 2;
	close(other);
	wait_until_used_is(10);
	return waits;
}

/* What cannot be had is no reason to try all pages of the domain. */
void a_bound_costs_the_others_nothing(void **state)
{
	uint64_t index = alloc(10);
	int tries = 20;
	long slot;

	(void)state;
	bound_to(10);
	slot = peer_maps("ro", refs, 1);
	assert_int_equal(dealloc(fd, index, 1), 0);
	assert_counts(10, 0, 1);
	while (!others_wait_for_their_turn())
		assert_true(--tries);
	peer_lets_go(slot);
}

/* The old peer may keep all that it has. */
void a_renewal_counts_ahead(void **state)
{
	uint32_t old[5];
	uint64_t index;

	(void)state;
	bound_to(10);
	index = alloc(5);
	assert_int_equal(renew_for(fd, remote_domid(), index, 5, 1), 0);
	assert_int_equal(remote_try(refs, 5), 5);
	memcpy(old, refs, sizeof(old));
	alloc(1);
	assert_errno(renew_for(fd, remote_domid(), index, 5, 1), EDQUOT);
	assert_int_equal(remote_try(old, 5), 5);
	assert_counts(6, 0, 0);
	assert_int_equal(renew_for(fd, remote_domid(), index, 4, 1), 0);
	assert_counts(6, 0, 0);
}

void spare_pages_of_a_bound_give_way(void **state)
{
	(void)state;
	bound_to(10);
	share(0, 10);
	unshare(0, 10);
	assert_counts(10, 10, 0);
	/* In other places; of another kind. */
	share(100, 10);
	assert_counts(10, 0, 0);
	unshare(100, 10);
	alloc(7);
	assert_counts(10, 3, 0);
	share(200, 3);
	assert_counts(10, 0, 0);
	nothing_more(PLACE(200));
}

/* Else some would count for as long as one that came with them is there. */
void chunks_take_no_bound(void **state)
{
	(void)state;
	bound_to(64);
	share(0, 64);
	for (uint32_t i = 0; i < 64; i += 8)
		unshare(i, 7);
	share(64, 56);
	assert_counts(64, 0, 0);
}

/* But those that it had before go with the last of their pages. */
void a_bound_may_have_chunks(void **state)
{
	uint64_t index;
	long slot;

	(void)state;
	set_parameter("spare_max", 0);
	share(0, 8);
	bound_to(8);
	slot = peer_maps("ro", refs + 3, 1);
	unshare(0, 8);
	assert_int_equal(lingering(), 1);
	peer_lets_go(slot);
	index = alloc(8);
	assert_counts(8, 0, 0);
	assert_int_equal(dealloc(fd, index, 8), 0);
}

void restrict_refuses(void **state)
{
	struct ioctl_gntalloc_restrict it = { .pages = 1, .pad = 1 };

	(void)state;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_RESTRICT, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_RESTRICT, &it), EINVAL);
	assert_errno(restrict_to(fd, 0, 0), EINVAL);
	assert_errno(restrict_to(fd, 0x7FF0, 1), EINVAL);
	assert_errno(restrict_to(fd, 0xFFFF, 1), EINVAL);
	/* None of that did anything. */
	add_peer(STRANGER, alloc(20), 20, 0);
	bound_to(0xFFFFFFFF);
	assert_errno(restrict_to(fd, remote_domid(), 0xFFFFFFFF), EACCES);
	assert_errno(restrict_to(fd, remote_domid(), 1), EACCES);
	assert_errno(restrict_to(fd, STRANGER, 100), EACCES);
	assert_errno(restrict_to(fd, 0xFFFF, 1), EINVAL);
	alloc(200);
	assert_counts(240, 0, 0);
}

/* ---- for whoever has it ---- */

int still_bounded(int of)
{
	uint64_t index = 0;

	if (!alloc_for(of, STRANGER, 1, 1, &index) || errno != EACCES)
		return 1;
	if (!alloc_for(of, remote_domid(), 11, 1, &index) || errno != EDQUOT)
		return 2;
	if (!restrict_to(of, STRANGER, 100) || errno != EACCES)
		return 3;
	if (alloc_for(of, remote_domid(), 10, 1, &index) ||
	    dealloc(of, index, 10))
		return 4;
	return 0;
}

static int ends_with(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return status;
}

static void pass(int to, int what)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	char nothing = 0;
	struct iovec byte = { &nothing, 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &what, sizeof(what));
	assert_int_equal(sendmsg(to, &message, 0), 1);
}

static int receive(int from)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one,
				  .msg_iovlen = 1,
				  .msg_control = room,
				  .msg_controllen = sizeof(room) };
	int what;

	if (recvmsg(from, &message, 0) != 1)
		return -1;
	memcpy(&what, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(what));
	return what;
}

void a_bound_stays(void **state)
{
	int pair[2], copy;
	char number[16];
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(fd);
		_exit(still_bounded(receive(pair[1])));
	}
	bound_to(10);
	assert_int_equal(still_bounded(fd), 0);
	pass(pair[0], fd);
	assert_int_equal(ends_with(pid), 0);
	copy = dup(fd);
	assert_int_equal(still_bounded(copy), 0);
	pid = fork();
	if (!pid)
		_exit(still_bounded(fd));
	assert_int_equal(ends_with(pid), 0);
	pid = fork();
	if (!pid) {
		snprintf(number, sizeof(number), "%d", copy);
		execl("/proc/self/exe", "test-module", "bounded", number, NULL);
		_exit(9);
	}
	assert_int_equal(ends_with(pid), 0);
	/* It is the descriptor's, not the process's. */
	close(copy), close(pair[0]), close(pair[1]);
	start_over();
	add_peer(STRANGER, alloc(20), 20, 0);
}
