// SPDX-License-Identifier: LGPL-2.1-or-later
/* Death at each entry and exit of a system call, which ptrace() tells of. */

#include <err.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "xen-gntalloc.h"

#include "anypeer.h"
#include "test-death.h"

/*
 * A share is gone when nobody maps it and the device does not list it; what
 * cannot be mapped when it is not listed.
 */
static void share_goes(const struct __ptrace_syscall_info *call)
{
	seen.unmapped |= life->requests;
	if (call->entry.nr == SYS_munmap || call->entry.nr == SYS_madvise)
		seen.unmapped = true;
	if (call->entry.nr == SYS_ioctl &&
	    call->entry.args[1] == IOCTL_GNTALLOC_DEALLOC_GREF)
		seen.unlisted = true;
	/* Of a place, both. */
	if (call->entry.nr == SYS_ioctl &&
	    call->entry.args[1] == IOCTL_GNTALLOC_UNSHARE)
		seen.unlisted = seen.unmapped = true;
	if (!seen.unlisted || !seen.unmapped)
		return;
	seen.unlisted = seen.unmapped = false;
	life->gone++;
}

/* Where the process has the references that this call has made, or 0. */
static uint64_t refs_of(const struct __ptrace_syscall_info *call)
{
	uint64_t arg = call->entry.args[2];

	if (call->entry.args[1] == IOCTL_GNTALLOC_ALLOC_GREF)
		return life->requests
			       ? 0
			       : arg + offsetof(
					       struct ioctl_gntalloc_alloc_gref,
					       gref_ids);
	if (call->entry.args[1] == IOCTL_GNTALLOC_SHARE)
		arg += offsetof(struct ioctl_gntalloc_share, refs);
	else if (call->entry.args[1] == IOCTL_GNTALLOC_SHARE_MEMORY)
		arg += offsetof(struct ioctl_gntalloc_share_memory, refs);
	else if (call->entry.args[1] == IOCTL_GNTALLOC_ADD_PEER)
		arg += offsetof(struct ioctl_gntalloc_add_peer, refs);
	else
		return 0;
	return (uint64_t)ptrace(PTRACE_PEEKDATA, seen.pid, arg, NULL);
}

/* The system call that just ended has made what the process was waiting for. */
static void call_ended(const struct __ptrace_syscall_info *call)
{
	uint64_t arg;
	int count = life->known ? 1 : FIRST_SHARE;

	if (life->gone & 1)
		share_goes(call);
	if (call->entry.nr != SYS_ioctl)
		return;
	if (call->entry.args[1] == IOCTL_GNTALLOC_SET_UNMAP_NOTIFY)
		for (int i = 0; i < PAGES; i++)
			life->armed[i] += life->armed[i] & 1;
	arg = refs_of(call);
	if (!arg)
		return;
	for (int i = 0; i < count; i++)
		life->refs[seen.taken + i] =
			(uint32_t)ptrace(PTRACE_PEEKDATA, seen.pid,
					 arg + (unsigned int)i * 4, NULL);
	if (life->mapped) {
		peer_map_each(life->refs + seen.taken, (uint32_t)count,
			      seen.slots + seen.taken);
		peer_fill_each(seen.slots + seen.taken, (uint32_t)count,
			       life->seed);
	}
	for (int i = 0; i < count; i++, seen.taken++)
		if (life->mapped && seen.slots[seen.taken] < 0)
			complain("cannot map page %d", seen.taken);
}

/* Go on to the next entry or exit of a system call; false at the end. */
static bool next_stop(void)
{
	static struct __ptrace_syscall_info call;
	struct __ptrace_syscall_info now;
	int status;

	if (ptrace(PTRACE_SYSCALL, seen.pid, NULL, NULL) ||
	    waitpid(seen.pid, &status, 0) != seen.pid)
		err(1, "ptrace");
	if (!WIFSTOPPED(status))
		return killed(status);
	if (ptrace(PTRACE_GET_SYSCALL_INFO, seen.pid, sizeof(now), &now) <= 0)
		err(1, "ptrace");
	if (now.op == PTRACE_SYSCALL_INFO_ENTRY)
		call = now;
	else if (now.op == PTRACE_SYSCALL_INFO_EXIT && !now.exit.is_error)
		call_ended(&call);
	return true;
}

/* What was on its way at an entry or exit did not come about. */
static void settle(void)
{
	for (int i = 0; i < PAGES; i++)
		life->armed[i] -= life->armed[i] & 1;
}

unsigned int kill_at_each(unsigned int sweep, unsigned int most)
{
	unsigned int stop, i;
	char how[32];
	int status;

	for (stop = 1; stop <= most; stop++) {
		snprintf(how, sizeof(how), "at stop %u", stop);
		birth(how, (sweep + stop) % 8 + 8 * (sweep & 1), true);
		ptrace(PTRACE_SETOPTIONS, seen.pid, NULL,
		       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
		for (i = 0; i < stop && next_stop(); i++)
			;
		settle();
		if (i == stop) {
			judge(false);
			kill(seen.pid, SIGKILL);
			waitpid(seen.pid, &status, 0);
			deaths += killed(status);
		}
		bury();
		if (i < stop)
			break;
	}
	return stop - 1;
}
