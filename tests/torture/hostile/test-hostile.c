// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Peers and users that mean harm, one case each: nothing may be lost, nobody
 * else be harmed, and who asks for too much gets an error.
 *
 *	test-hostile [CASE]...
 */

#include "test-hostile.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/gntalloc.h>

uint32_t domid;

int alloc(int fd, uint32_t count, uint64_t *index)
{
	return alloc_for(fd, domid, count, GNTALLOC_FLAG_WRITABLE, index);
}

uint64_t must_alloc(int fd, uint32_t count)
{
	uint64_t index = 0;

	assert_int_equal(alloc(fd, count, &index), 0);
	return index;
}

bool all_are(const void *pages, size_t size, uint64_t word)
{
	const volatile uint64_t *words = pages;

	for (size_t i = 0; i < size / sizeof(word); i++)
		if (words[i] != word)
			return false;
	return true;
}

void assert_used(long want)
{
	long used = parameter("used");

	if (used >= 0)
		assert_int_equal(used, want);
}

void assert_used_becomes(long want)
{
	parameter_becomes("used", want);
	assert_used(want);
}

void assert_ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void assert_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, SIGKILL);
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

struct hostile_case {
	const char *name;
	void (*run)(void **state);
};

#define CASE(f) .name = #f, .run = f
static const struct hostile_case cases[] = {
	{ CASE(names_what_others_have) },
	{ CASE(odd_requests) },
	{ CASE(odd_places) },
	{ CASE(closes_while_another_maps) },
	{ CASE(dies_with_pages_in_flight) },
	{ CASE(the_limit_is_raced_for) },
	{ CASE(the_limit_is_lowered) },
	{ CASE(the_table_is_full) },
	{ CASE(a_memory_group_is_full) },
	{ CASE(a_peer_never_unmaps) },
	{ CASE(arena_requests_that_are_wrong) },
	{ CASE(places_that_go_away) },
	{ CASE(dies_while_it_shares) },
	{ CASE(one_of_many_has_the_arena) },
	{ CASE(children_watch) },
	{ CASE(the_limit_is_for_what_is_shared) },
	{ CASE(the_system_takes_what_is_spare) },
	{ CASE(pins_a_page_over_and_over) },
	{ CASE(maps_what_is_anothers_meanwhile) },
	{ CASE(shares_what_another_cuts) },
	{ CASE(changes_its_memory_meanwhile) },
	{ CASE(dies_while_it_pins) },
	{ CASE(what_may_be_locked_is_raced_for) },
	{ CASE(one_of_two_peers_never_lets_go) },
	{ CASE(renews_while_the_peer_maps) },
	{ CASE(polls_in_a_storm) },
	{ CASE(escapes_from_its_bounds) },
	{ CASE(bounds_hold_what_lingers) },
	{ CASE(restricts_in_a_race) },
	{ CASE(bounds_are_raced_for) },
	{ CASE(the_module_goes_and_comes) },
	/*
	 * A peer that does as it likes can be had in dom0 only, and a kernel
	 * with userfaultfd.
	 */
	{ CASE(io_across_shares) },
	{ CASE(faults_that_nobody_serves) },
	{ CASE(a_peer_unmaps_meanwhile) },
	{ CASE(a_peer_guesses) },
	{ CASE(a_backend_scribbles) },
};
#define NUM_CASES (sizeof(cases) / sizeof(*cases))
#define IN_DOM0 5

/* Nothing is there before, nor after. */
static void run_case(void **state)
{
	const struct hostile_case *one = *state;

	assert_used(0);
	one->run(state);
	assert_used_becomes(0);
	if (parameter("lingering") >= 0)
		assert_int_equal(parameter_becomes("lingering", 0), 0);
}

/* In a process of its own, whose end frees what a failed test has left. */
static int run(const struct hostile_case *one, long limit)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		const struct CMUnitTest group[] = {
			{ .name = one->name,
			  .test_func = run_case,
			  .initial_state = (void *)(uintptr_t)one },
		};

		setpgid(0, 0);
		domid = peer_start();
		_exit(cmocka_run_group_tests_name(one->name, group, NULL,
						  NULL));
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	if (!WIFEXITED(status))
		printf("%s ended with status %#x\n0 passed, 1 failed\n",
		       one->name, (unsigned int)status);
	if (limit >= 0 && status)
		set_parameter("limit", (unsigned int)limit);
	parameter_becomes("used", 0);
	fflush(stdout);
	return !!status;
}

static bool named(const char *name, char **names)
{
	bool any = *names;

	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return !any;
}

int main(int argc, char **argv)
{
	long limit = parameter("limit");
	int failed = 0;

	(void)argc;
	domid = peer_start();
	parameter_becomes("used", 0);
	for (size_t i = 0; i < NUM_CASES - (peer_is_here() ? 0 : IN_DOM0); i++)
		if (named(cases[i].name, argv + 1))
			failed += run(&cases[i], limit);
	return !!failed;
}
