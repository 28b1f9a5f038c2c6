// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What our module promises beyond the stock one, asked of the device itself:
 * every page is accounted for at any time, and given back as soon as the last
 * user lets go.
 *
 *	test-module [PATTERN]
 */

#include "test-module-grants.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntalloc.h>

int fd;

long used(void)
{
	return parameter("used");
}

long lingering(void)
{
	return parameter("lingering");
}

void wait_until_used_is(long want)
{
	assert_int_equal(parameter_becomes("used", want), want);
}

void wait_until_none_lingers(void)
{
	assert_int_equal(parameter_becomes("lingering", 0), 0);
}

uint64_t alloc(uint32_t count)
{
	uint64_t index = 0;

	assert_int_equal(alloc_for(fd, remote_domid(), count, 1, &index), 0);
	return index;
}

/* To what they were at the first case. */
static void reset_parameters(void)
{
	static struct {
		const char *name;
		long value;
	} first[] = {
		{ "limit", -1 },
		{ "ref_delay", -1 },
		{ "spare_idle", -1 },
		{ "spare_max", -1 },
	};

	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		if (first[i].value < 0)
			first[i].value = parameter(first[i].name);
		else
			set_parameter(first[i].name,
				      (unsigned int)first[i].value);
}

static void kill_children(void)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	int pid;

	while (children && fscanf(children, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (children)
		fclose(children);
}

int setup(void **state)
{
	(void)state;
	/* Of a case that failed. */
	kill_children();
	reset_parameters();
	assert_int_equal(remote("reset"), 0);
	/* Of what ran before, something may still linger. */
	wait_until_used_is(0);
	fd = open_device();
	return fd < 0;
}

int teardown(void **state)
{
	(void)state;
	reset_parameters();
	close(fd);
	wait_until_used_is(0);
	wait_until_none_lingers();
	return 0;
}

static void counts_what_is_shared(void **state)
{
	static const uint32_t counts[] = { 1, 251, 252, 253, 505, 2000 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		uint32_t count = counts[i];
		uint64_t index = alloc(count);
		unsigned char *pages = map(fd, index, count);

		assert_ptr_not_equal(pages, MAP_FAILED);
		assert_int_equal(used(), count);
		fill_pattern(pages, count, 6);
		assert_int_equal(differing(pages, count, 6), 0);
		assert_int_equal(dealloc(fd, index, count), 0);
		assert_int_equal(used(), count);
		assert_int_equal(munmap(pages, count * PAGE), 0);
		assert_int_equal(used(), 0);
	}
}

static void refuses_wrong_arguments(void **state)
{
	struct ioctl_gntalloc_alloc_gref op = { .count = 1 };
	uint64_t index;

	(void)state;
	assert_errno(alloc_for(fd, 0, 0, 1, &index), EINVAL);
	assert_errno(alloc_for(fd, 0, 1, 2, &index), EINVAL);
	assert_errno(alloc_for(fd, 0, 1, 0x8001, &index), EINVAL);
	assert_errno(alloc_for(fd, 0x7FF0, 1, 1, &index), EINVAL);
	assert_errno(alloc_for(fd, 0xFFFF, 1, 1, &index), EINVAL);
	assert_errno(alloc_for(fd, 0, 0xFFFFFFFF, 1, &index), ENOSPC);
	assert_errno(alloc_for(fd, 0, 0x80000000, 1, &index), ENOSPC);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, NULL), EFAULT);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_SET_UNMAP_NOTIFY, NULL), EFAULT);
	assert_errno(ioctl(fd, _IOC(_IOC_NONE, 'G', 8, sizeof(op)), &op),
		     ENOTTY);
	assert_errno(ioctl(fd, _IOC(_IOC_NONE, 'G', 5, 64), &op), ENOTTY);
	assert_int_equal(used(), 0);
}

/* The result cannot be delivered, so there is none. */
static void loses_nothing_in_bad_memory(void **state)
{
	struct ioctl_gntalloc_alloc_gref *op;
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	op = (void *)(two + PAGE - sizeof(*op));
	*op = (struct ioctl_gntalloc_alloc_gref){ .count = 700, .flags = 1 };
	assert_int_equal(mprotect(two + PAGE, PAGE, PROT_NONE), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, op), EFAULT);
	assert_int_equal(used(), 0);
	assert_int_equal(mprotect(two, PAGE, PROT_READ), 0);
	assert_errno(ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, op), EFAULT);
	assert_int_equal(used(), 0);
	munmap(two, 2 * PAGE);
}

static void runs_go_across_allocations(void **state)
{
	uint64_t first = alloc(3), second = alloc(600);
	unsigned char *pages;

	(void)state;
	assert_int_equal(second, first + 3 * PAGE);
	pages = map(fd, first, 603);
	assert_ptr_not_equal(pages, MAP_FAILED);
	memset(pages, 1, 603 * PAGE);
	assert_int_equal(dealloc(fd, first + PAGE, 500), 0);
	assert_int_equal(munmap(pages, 603 * PAGE), 0);
	assert_int_equal(used(), 103);
	/* Now there is a hole. */
	assert_errno(dealloc(fd, first, 603), EINVAL);
	assert_errno(map(fd, first, 603), ENOENT);
	assert_errno(notify(fd, first + PAGE, 1, 0), ENOENT);
	assert_int_equal(used(), 103);
	assert_int_equal(dealloc(fd, first, 1), 0);
	assert_int_equal(dealloc(fd, first + 501 * PAGE, 102), 0);
	assert_int_equal(used(), 0);
}

static void refuses_wrong_runs(void **state)
{
	uint64_t index = alloc(4);

	(void)state;
	assert_errno(dealloc(fd, index, 0), EINVAL);
	assert_errno(dealloc(fd, index, 5), EINVAL);
	assert_errno(dealloc(fd, index, 0xFFFFFFFF), EINVAL);
	assert_errno(dealloc(fd, index + 1, 1), EINVAL);
	assert_errno(dealloc(fd, index + 4 * PAGE, 1), EINVAL);
	assert_errno(dealloc(fd, -(uint64_t)PAGE, 2), EINVAL);
	assert_errno(map(fd, index, 5), ENOENT);
	assert_errno(map(fd, index + 4 * PAGE, 1), ENOENT);
	assert_errno(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)index),
		     EINVAL);
	assert_errno(notify(fd, index, 4, 0), EINVAL);
	assert_errno(notify(fd, index, 2, 0xFFFFFFFF), EINVAL);
	assert_errno(notify(fd, index + 4 * PAGE, 1, 0), ENOENT);
	assert_int_equal(used(), 4);
	assert_int_equal(dealloc(fd, index, 4), 0);
	/* The index is never used again. */
	assert_int_not_equal(alloc(4), index);
	assert_errno(dealloc(fd, index, 4), EINVAL);
}

/* Who may not write to the descriptor can still read the pages. */
static void a_read_only_descriptor(void **state)
{
	uint64_t index;
	void *page;

	(void)state;
	close(fd);
	fd = open("/dev/xen/gntalloc", O_RDONLY | O_CLOEXEC);
	index = alloc(1);
	assert_errno(map(fd, index, 1), EACCES);
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)index);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(munmap(page, PAGE), 0);
}

int main(int argc, char **argv)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define test_arena(f) \
	cmocka_unit_test_setup_teardown(f, setup_arena, teardown_arena)
	const struct CMUnitTest tests[] = {
		/* The first: others leave more references behind. */
		test(references_do_not_pile_up),
		test(counts_what_is_shared),
		test(refuses_wrong_arguments),
		test(loses_nothing_in_bad_memory),
		test(runs_go_across_allocations),
		test(refuses_wrong_runs),
		test(a_read_only_descriptor),
		test(part_of_a_mapping_goes),
		test(a_mapping_moves),
		test(two_mappings_of_a_page),
		test(a_child_keeps_pages),
		test(pages_leave_an_address_range),
		test(a_pinned_page_lingers),
		test(the_peer_lets_go_late),
		test(the_limit_holds),
		test(references_rest),
		test(a_killed_process_leaves_nothing),
		test_arena(an_arena_shares),
		test_arena(a_peer_may_only_read),
		test_arena(shares_of_an_arena_are_one),
		test_arena(an_arena_refuses),
		test_arena(an_arena_refuses_to_unshare),
		test_arena(an_unshare_notifies_once),
		test_arena(a_peer_keeps_a_page),
		test_arena(places_that_are_deallocated),
		test_arena(places_that_are_not_listed),
		test_arena(places_that_were_changed),
		test_arena(parts_of_an_arena_go),
		test_arena(an_arena_has_one_owner),
		test_arena(a_copied_page_is_not_used),
		test_arena(a_copied_page_leaves_its_place),
		test_arena(a_page_that_is_not_copied_is_used),
		test_arena(a_page_in_use_is_not_used),
		test_arena(what_comes_together_counts_together),
		test_arena(a_page_in_use_keeps_what_came_with_it),
		test_arena(a_spare_page_holds_zeros_again),
		test_arena(spare_pages_have_a_bound),
		test_arena(a_full_table_leaves_no_spare_pages),
		test_arena(spare_pages_give_way),
		test_arena(idle_spare_pages_go),
		test_arena(what_is_shared_is_not_idle),
		test_arena(the_system_takes_spare_pages),
		test_arena(a_full_memory_group_shares),
		test_arena(a_memory_group_gets_room),
		test_arena(a_peer_is_added),
		test_arena(two_domains_map_a_page),
		test_arena(a_page_has_one_grant_for_a_domain),
		test_arena(each_grant_has_its_notification),
		test_arena(a_share_ends_for_its_peer),
		test_arena(a_share_ends_while_a_peer_stays),
		test_arena(grants_of_a_peer_are_no_pages),
		test_arena(add_peer_refuses),
		test_arena(add_peer_fails_half_way),
		test_arena(pages_are_renewed),
		test_arena(many_pages_are_renewed),
		test_arena(a_renewal_leaves_the_old_peer_its_page),
		test_arena(renewals_have_a_bound),
		test_arena(renew_and_revoke_refuse),
		test_arena(renew_and_revoke_fail_half_way),
		test_arena(a_grant_is_revoked),
		test_arena(a_revoked_page_lingers),
		test_arena(a_revocation_needs_no_room),
		test_arena(revoked_places_are_used_again),
		test_arena(memory_is_shared),
		test_arena(huge_pages_are_shared),
		test_arena(zeros_that_are_written_later),
		test_arena(memory_that_is_read_only),
		test_arena(memory_is_shared_twice),
		test_arena(memory_of_others_is_refused),
		test_arena(memory_that_may_not_be_written_is_refused),
		test_arena(share_memory_refuses),
		test_arena(share_memory_fails_half_way),
		test_arena(memory_may_be_locked_up_to_a_limit),
		test_arena(a_child_has_a_copy),
		test_arena(memory_is_unmapped_and_moved),
		test_arena(memory_is_thrown_away),
		test_arena(memory_is_protected),
		test_arena(a_seal_waits_for_the_end),
		test_arena(memory_is_pinned_while_it_lingers),
		test_arena(a_killed_process_had_peers),
		test_arena(a_killed_process_had_renewed),
		test_arena(memory_outlives_its_program),
		test_arena(a_killed_process_had_memory),
		test_arena(poll_tells_when_all_are_back),
		test_arena(poll_tells_of_all_kinds),
		test_arena(poll_tells_of_no_others),
		test_arena(news_are_withdrawn),
		test_arena(news_come_once_to_an_edge),
		test_arena(all_who_wait_are_told),
		test_arena(status_counts),
		test_arena(status_loses_no_news),
		test_arena(status_refuses),
		test_arena(a_bounded_descriptor_has_one_peer),
		test_arena(a_bounded_descriptor_has_so_many),
		test_arena(a_bound_counts_what_lingers),
		test_arena(a_bound_costs_the_others_nothing),
		test_arena(a_renewal_counts_ahead),
		test_arena(spare_pages_of_a_bound_give_way),
		test_arena(chunks_take_no_bound),
		test_arena(a_bound_may_have_chunks),
		test_arena(restrict_refuses),
		test_arena(a_bound_stays),
	};

	/* What a_bound_stays() runs. */
	if (argc > 2)
		return still_bounded(atoi(argv[2]));
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("module", tests, NULL, NULL);
}
