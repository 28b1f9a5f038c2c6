// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls about peers, memory of the caller, and what a descriptor is told. */

#include "test-faults.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "asks.h"

/* There is no such domain, which nobody minds. */
#define STRANGER 77
/* Each of so many ends can fail. */
#define SOME 12u
/* More references than the module has on the stack. */
#define MORE 70u

static uint32_t more_refs[MANY];
static uint64_t more;
static unsigned char *memory;
static struct ioctl_gntalloc_status told;
static long slot;

static void must_dealloc(uint64_t index, uint32_t count)
{
	assert_int_equal(dealloc(fd, index, count), 0);
}

/* How many of these pages can the peer map? */
static long peer_has(const uint32_t *which, uint32_t count)
{
	long all = 0, has;

	for (uint32_t i = 0; i < count; i += RUN) {
		has = remote_try(which + i, count - i < RUN ? count - i : RUN);
		assert_true(has >= 0);
		all += has;
	}
	return all;
}

/* ADD_PEER: for the peer, beside a stranger */
static void prepare_two_blocks(void)
{
	assert_int_equal(alloc_for(fd, STRANGER, MANY, 0, &first), 0);
	more = -1ull;
	memset(more_refs, 0, sizeof(more_refs));
}

static long call_add_peer(void)
{
	return ask_add_peer(fd, remote_domid(), first, MANY, 0, more_refs,
			    &more);
}

static void check_add_peer(bool done)
{
	if (!done) {
		assert_int_equal(parameter_becomes("used", MANY), MANY);
		assert_int_equal(call_add_peer(), 0);
	}
	assert_int_equal(parameter("used"), 2 * MANY);
	assert_int_equal(peer_has(more_refs, RUN), RUN);
	must_dealloc(more, MANY);
	assert_int_equal(parameter_becomes("used", MANY), MANY);
	assert_int_equal(parameter_becomes("lingering", 0), 0);
	assert_int_equal(peer_has(more_refs, RUN), 0);
}

/*
 * SHARE_MEMORY: of a file in memory, which cannot be sealed while a page of it
 * is pinned.
 */
static int memfd;

static void new_memory(void)
{
	more = -1ull;
	memfd = memfd_create("memory", MFD_ALLOW_SEALING);
	assert_true(memfd >= 0);
	assert_int_equal(ftruncate(memfd, MANY * PAGE), 0);
	memory = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      memfd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	/* The last is not there yet. */
	memset(memory, 7, (MANY - 1) * PAGE);
}

static long call_share_memory(void)
{
	return ask_share_memory(fd, remote_domid(), memory, MANY,
				GNTALLOC_FLAG_WRITABLE, more_refs, &more);
}

static void assert_memory_gone(void)
{
	wait_until_zero("used");
	wait_until_zero("lingering");
	assert_int_equal(pinned_pages(), 0);
	assert_int_equal(munmap(memory, MANY * PAGE), 0);
	assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(close(memfd), 0);
}

static void check_share_memory(bool done)
{
	if (!done) {
		wait_until_zero("used");
		assert_int_equal(pinned_pages(), 0);
		assert_int_equal(call_share_memory(), 0);
	}
	assert_int_equal(parameter("used"), MANY);
	assert_int_equal(pinned_pages(), MANY);
	slot = remote_map("rw", more_refs, RUN);
	assert_true(slot >= 0);
	assert_int_equal(remote("byte %ld 5", slot), 7);
	assert_int_equal(remote("fill %ld 9", slot), 0);
	assert_int_equal(differing(memory, RUN, 9), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	must_dealloc(more, MANY);
	assert_memory_gone();
}

/* DEALLOC of memory */
static void share_memory(void)
{
	new_memory();
	assert_int_equal(call_share_memory(), 0);
	must_dealloc(more + SOME * PAGE, MANY - SOME);
	assert_int_equal(parameter_becomes("used", SOME), SOME);
}

static long call_dealloc_memory(void)
{
	return dealloc(fd, more, SOME);
}

static void check_dealloc_memory(bool done)
{
	if (!done) {
		assert_int_equal(parameter("used"), SOME);
		assert_int_equal(pinned_pages(), SOME);
		assert_int_equal(peer_has(more_refs, SOME), SOME);
		assert_int_equal(call_dealloc_memory(), 0);
	}
	assert_memory_gone();
	assert_int_equal(peer_has(more_refs, SOME), 0);
}

/* RENEW: of pages in two blocks */
static uint32_t some;

static void prepare_pages(uint32_t count)
{
	uint64_t start;

	some = count;
	alloc(some / 2);
	start = first;
	memcpy(more_refs, refs, some / 2 * sizeof(*refs));
	alloc(some / 2);
	memcpy(more_refs + some / 2, refs, some / 2 * sizeof(*refs));
	first = start;
}

static void prepare_renew(void)
{
	prepare_pages(SOME);
}

static long call_renew(void)
{
	return ask_renew(fd, remote_domid(), first, some, 0, refs);
}

static void check_renew(bool done)
{
	if (!done) {
		assert_int_equal(parameter_becomes("used", some), some);
		assert_int_equal(peer_has(more_refs, some), some);
		assert_int_equal(call_renew(), 0);
	}
	assert_int_equal(parameter_becomes("lingering", 0), 0);
	assert_int_equal(parameter("used"), some);
	assert_int_equal(peer_has(more_refs, some), 0);
	assert_int_equal(peer_has(refs, some), some);
}

/* REVOKE, and RENEW of what nobody has */
static long call_revoke(void)
{
	return ask_revoke(fd, remote_domid(), first, some);
}

static void check_revoke(bool done)
{
	if (!done) {
		assert_int_equal(parameter_becomes("used", some), some);
		assert_int_equal(peer_has(more_refs, some), some);
		assert_int_equal(call_revoke(), 0);
	}
	assert_int_equal(parameter_becomes("lingering", 0), 0);
	assert_int_equal(parameter("used"), some);
	assert_int_equal(peer_has(more_refs, some), 0);
	assert_errno(call_revoke(), EINVAL);
	assert_int_equal(call_renew(), 0);
	assert_int_equal(parameter("used"), some);
}

static void prepare_revoked(void)
{
	prepare_pages(MORE);
	assert_int_equal(call_revoke(), 0);
	assert_int_equal(parameter_becomes("lingering", 0), 0);
}

static void check_renew_revoked(bool done)
{
	if (!done) {
		assert_int_equal(parameter_becomes("used", some), some);
		assert_errno(call_revoke(), EINVAL);
		assert_int_equal(call_renew(), 0);
	}
	assert_int_equal(parameter("used"), some);
	assert_int_equal(peer_has(refs, some), some);
}

/* STATUS: what was not told is told the next time. */
static short ready(void)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };

	assert_true(poll(&poll_fd, 1, 0) >= 0);
	return poll_fd.revents;
}

static void prepare_news(void)
{
	alloc(2);
	slot = remote_map("ro", refs, 2);
	assert_true(slot >= 0);
	must_dealloc(first, 2);
	assert_int_equal(parameter("lingering"), 2);
	assert_int_equal(ready(), 0);
	assert_int_equal(remote("unmap %ld", slot), 0);
	wait_until_zero("lingering");
	assert_int_equal(ready(), POLLIN);
	alloc(3);
}

static long call_status(void)
{
	return ask_status(fd, GNTALLOC_STATUS_QUIET, &told);
}

static void check_status(bool done)
{
	if (!done) {
		assert_int_equal(ready(), POLLIN);
		assert_int_equal(call_status(), 0);
	}
	assert_int_equal(ready(), 0);
	assert_int_equal(told.returned, 2);
	assert_int_equal(told.listed, 3);
	assert_int_equal(told.lingering, 0);
}

/* RESTRICT: then or not at all */
static void nothing(void)
{
}

static long call_restrict(void)
{
	return ask_restrict(fd, STRANGER, 3);
}

static void check_restrict(bool done)
{
	if (!done) {
		alloc(4);
		must_dealloc(first, 4);
		wait_until_zero("used");
		assert_int_equal(call_restrict(), 0);
	}
	assert_errno(call_restrict(), EACCES);
	assert_errno(alloc_for(fd, remote_domid(), 1, 0, &first), EACCES);
	assert_errno(alloc_for(fd, STRANGER, 4, 0, &first), EDQUOT);
	assert_int_equal(alloc_for(fd, STRANGER, 3, 0, &first), 0);
}

/* close, with something of each kind */
static void prepare_all_kinds(void)
{
	new_memory();
	assert_int_equal(alloc_for(fd, STRANGER, 8, 0, &first), 0);
	assert_int_equal(
		ask_add_peer(fd, remote_domid(), first, 8, 0, refs, &more), 0);
	assert_int_equal(ask_share_memory(fd, remote_domid(), memory, 8, 0,
					  more_refs, &more),
			 0);
	assert_int_equal(ask_revoke(fd, remote_domid(), more, 4), 0);
	assert_int_equal(
		ask_add_peer(fd, remote_domid(), more, 4, 0, refs, &more), 0);
}

static long call_close(void)
{
	return close(fd);
}

static void check_close(bool done)
{
	assert_true(done);
	fd = -1;
	assert_memory_gone();
}

const struct op peer_ops[NUM_PEER_OPS] = {
	{ "ADD_PEER",
	  prepare_two_blocks,
	  call_add_peer,
	  check_add_peer,
	  { EFAULT, ENOSPC, ENOMEM } },
	{ "SHARE_MEMORY",
	  new_memory,
	  call_share_memory,
	  check_share_memory,
	  { EFAULT, ENOSPC, ENOMEM, EINTR } },
	{ "DEALLOC of memory",
	  share_memory,
	  call_dealloc_memory,
	  check_dealloc_memory,
	  { EFAULT } },
	{ "RENEW",
	  prepare_renew,
	  call_renew,
	  check_renew,
	  { EFAULT, ENOSPC, ENOMEM } },
	{ "REVOKE", prepare_renew, call_revoke, check_revoke, { EFAULT } },
	{ "RENEW of what nobody has",
	  prepare_revoked,
	  call_renew,
	  check_renew_revoked,
	  { EFAULT, ENOSPC, ENOMEM } },
	{ "STATUS", prepare_news, call_status, check_status, { EFAULT } },
	{ "RESTRICT", nothing, call_restrict, check_restrict, { EFAULT } },
	{ "close of all kinds",
	  prepare_all_kinds,
	  call_close,
	  check_close,
	  { 0 } },
};
