// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a descriptor tells: that all is back, and how much there is. */

#include "test-module-grants.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIET GNTALLOC_STATUS_QUIET
/* Much longer than pages are tried again, but for those that linger long. */
#define A_WHILE_MS 300

static int ready(int of, int ms)
{
	struct pollfd it = { of, POLLIN | POLLPRI, 0 };

	assert_true(poll(&it, 1, ms) >= 0);
	return it.revents;
}

static struct ioctl_gntalloc_status status(int of, uint32_t flags)
{
	struct ioctl_gntalloc_status now;

	assert_int_equal(get_status(of, flags, &now), 0);
	assert_int_equal(now.flags, flags);
	assert_int_equal(now.pad, 0);
	return now;
}

/* Pages of @of that linger; the slot of the peer that has them. */
static long linger_in(int of, uint32_t count)
{
	uint64_t index = 0;
	long slot;

	assert_int_equal(alloc_for(of, remote_domid(), count, WRITABLE, &index),
			 0);
	slot = peer_maps("ro", refs, count);
	assert_int_equal(dealloc(of, index, count), 0);
	return slot;
}

void poll_tells_when_all_are_back(void **state)
{
	long one, two;

	(void)state;
	assert_int_equal(ready(fd, 0), 0);
	/* That nothing of it lingered is no news. */
	assert_int_equal(dealloc(fd, alloc(3), 3), 0);
	share(0, 3);
	unshare(0, 3);
	assert_int_equal(ready(fd, A_WHILE_MS), 0);
	one = linger_in(fd, 1);
	two = linger_in(fd, 2);
	assert_int_equal(ready(fd, 0), 0);
	peer_lets_go(two);
	assert_int_equal(parameter_becomes("lingering", 1), 1);
	assert_int_equal(ready(fd, A_WHILE_MS), 0);
	assert_int_equal(status(fd, QUIET).returned, 2);
	peer_lets_go(one);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	/* Until it is asked to be quiet. */
	assert_int_equal(ready(fd, 0), POLLIN);
	assert_int_equal(status(fd, 0).returned, 3);
	assert_int_equal(ready(fd, 0), POLLIN);
	assert_int_equal(status(fd, QUIET).returned, 3);
	assert_int_equal(ready(fd, 0), 0);

	/* Again; and nobody waits when it happens. */
	one = linger_in(fd, 40);
	peer_lets_go(one);
	wait_until_used_is(3);
	assert_int_equal(ready(fd, 0), POLLIN);
	assert_int_equal(status(fd, QUIET).returned, 43);
	assert_int_equal(ready(fd, A_WHILE_MS), 0);
}

/* Each has pages and memory that linger, and grants of a peer. */
static long linger_in_each_way(void)
{
	unsigned char *at =
		memory(1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1);
	uint64_t index = share_memory(at, 1, 0), own;
	uint32_t which[3] = { refs[0] };
	long slot;

	munmap(at, PAGE);
	own = alloc(1);
	which[1] = refs[0];
	/* One that was renewed. */
	share(0, 1);
	which[2] = refs[0];
	slot = peer_maps("ro", which, 3);
	assert_int_equal(dealloc(fd, index, 1), 0);
	assert_int_equal(dealloc(fd, own, 1), 0);
	assert_int_equal(renew_for(fd, STRANGER, PLACE(0), 1, 0), 0);
	return slot;
}

void poll_tells_of_all_kinds(void **state)
{
	long slot = linger_in_each_way();

	(void)state;
	assert_status(fd, 1, 0, 3);
	assert_int_equal(ready(fd, 0), 0);
	peer_lets_go(slot);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	assert_int_equal(status(fd, QUIET).returned, 3);
	assert_status(fd, 1, 0, 0);
}

void poll_tells_of_no_others(void **state)
{
	int other = open_device();
	long own_slot = linger_in(fd, 2), slot = linger_in(other, 2);

	(void)state;
	assert_status(fd, 0, 0, 2);
	assert_status(other, 0, 0, 2);
	peer_lets_go(slot);
	assert_int_equal(ready(other, PATIENCE_MS), POLLIN);
	assert_int_equal(ready(fd, A_WHILE_MS), 0);
	assert_int_equal(status(fd, 0).returned, 0);
	assert_int_equal(status(other, QUIET).returned, 2);
	peer_lets_go(own_slot);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	assert_int_equal(ready(other, A_WHILE_MS), 0);
	assert_int_equal(status(fd, 0).returned, 2);
	close(other);
}

/* What lingers since then was not there when it was said. */
void news_are_withdrawn(void **state)
{
	long slot = linger_in(fd, 1);

	(void)state;
	peer_lets_go(slot);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	slot = linger_in(fd, 1);
	assert_int_equal(ready(fd, A_WHILE_MS), 0);
	/* It could not come back by this. */
	assert_int_equal(status(fd, QUIET).lingering, 1);
	peer_lets_go(slot);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	/* Nor when some more comes and goes. */
	assert_int_equal(dealloc(fd, alloc(1), 1), 0);
	assert_int_equal(ready(fd, 0), POLLIN);
}

void news_come_once_to_an_edge(void **state)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int poller = epoll_create1(EPOLL_CLOEXEC);
	long slot;

	(void)state;
	assert_int_equal(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event), 0);
	assert_int_equal(epoll_wait(poller, &event, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		slot = linger_in(fd, 2);
		assert_int_equal(epoll_wait(poller, &event, 1, 0), 0);
		peer_lets_go(slot);
		assert_int_equal(epoll_wait(poller, &event, 1, PATIENCE_MS), 1);
		assert_int_equal(event.events, EPOLLIN);
		assert_int_equal(epoll_wait(poller, &event, 1, A_WHILE_MS), 0);
		/* Quiet or not: what happens next is another edge. */
		status(fd, i % 2 ? QUIET : 0);
	}
	close(poller);
}

/* Processes that have the descriptor. */
void all_who_wait_are_told(void **state)
{
	enum { WAITERS = 3 };
	long slot = linger_in(fd, 1);
	int how;

	(void)state;
	for (int i = 0; i < WAITERS; i++)
		if (!fork())
			_exit(ready(fd, PATIENCE_MS) != POLLIN);
	usleep(A_WHILE_MS * 1000);
	peer_lets_go(slot);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	for (int i = 0; i < WAITERS; i++) {
		wait(&how);
		assert_int_equal(how, 0);
	}
}

/* ---- counts ---- */

void status_counts(void **state)
{
	struct ioctl_gntalloc_status now = status(fd, 0);
	uint64_t index, peer;
	long slot;

	(void)state;
	assert_int_equal(now.returned + now.restores, 0);
	assert_status(fd, 0, 0, 0);
	index = alloc(300);
	share_singly(0, 10);
	assert_status(fd, 310, 0, 0);
	unshare(3, 2);
	assert_status(fd, 308, 2, 0);
	peer = add_peer(STRANGER, index + PAGE, 5, 0);
	assert_status(fd, 313, 2, 0);
	/* A revoked one is listed. */
	assert_int_equal(revoke_for(fd, remote_domid(), PLACE(0), 1), 0);
	assert_status(fd, 313, 2, 0);
	/* Not one that is only mapped. */
	assert_int_equal(dealloc(fd, PLACE(1), 1), 0);
	assert_status(fd, 312, 2, 0);
	assert_int_equal(dealloc(fd, index, 300), 0);
	assert_status(fd, 12, 2, 5);
	assert_int_equal(dealloc(fd, peer, 5), 0);
	assert_int_equal(parameter_becomes("lingering", 0), 0);
	assert_status(fd, 7, 2, 0);
	assert_int_equal(status(fd, 0).returned, 5);
	slot = peer_maps("ro", refs + 5, 2);
	unshare(5, 2);
	assert_status(fd, 5, 2, 2);
	assert_counts(10, 2, 2);
	peer_lets_go(slot);
	assert_int_equal(parameter_becomes("lingering", 0), 0);
	assert_status(fd, 5, 2, 0);
	assert_int_equal(status(fd, 0).returned, 7);
}

/* What could not be said is said again, and nothing that was not so. */
void status_loses_no_news(void **state)
{
	struct ioctl_gntalloc_status *it = half_writable();
	long slot;

	(void)state;
	assert_int_equal(mprotect(it, PAGE, PROT_READ | PROT_WRITE), 0);
	it->flags = QUIET;
	assert_int_equal(mprotect(it, PAGE, PROT_READ), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_STATUS, it), EFAULT);
	assert_int_equal(ready(fd, 0), 0);
	slot = linger_in(fd, 2);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_STATUS, it), EFAULT);
	assert_int_equal(ready(fd, 0), 0);
	peer_lets_go(slot);
	assert_int_equal(ready(fd, PATIENCE_MS), POLLIN);
	for (int i = 0; i < 3; i++)
		assert_errno(ioctl(fd, IOCTL_GNTALLOC_STATUS, it), EFAULT);
	assert_int_equal(ready(fd, 0), POLLIN);
	assert_int_equal(status(fd, QUIET).returned, 2);
	assert_int_equal(ready(fd, 0), 0);
}

void status_refuses(void **state)
{
	struct ioctl_gntalloc_status it = { .pad = 1 };

	(void)state;
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_STATUS, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_STATUS, &it), EINVAL);
	assert_errno(get_status(fd, 2, &it), EINVAL);
	assert_errno(get_status(fd, 0x80000001, &it), EINVAL);
}
