// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every call of the device with every allocation, copy and grant-table call in
 * it made to fail, one after another: "--kernel debug" of harness/run has
 * what it takes. After each the result is one that the manual page names,
 * nothing has changed, and a share works.
 *
 *	test-faults [PATTERN]
 */

#include "test-faults.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>

#include "asks.h"
#include "faults.h"

/*
 * The n-th is not always the same one: now and then the kernel needs a page for
 * its small objects, and whatever is behind that comes later.
 */
#define SWEEPS 3
#define ALL_OPS (NUM_OPS + NUM_PEER_OPS)

static void share_works(void)
{
	unsigned char *shared;
	long there;

	if (fd >= 0)
		assert_int_equal(close(fd), 0);
	wait_until_zero("used");
	wait_until_zero("lingering");
	assert_int_equal(pinned_pages(), 0);
	assert_int_equal(call_open(), 0);
	alloc(2);
	shared = map(fd, first, 2);
	assert_ptr_not_equal(shared, MAP_FAILED);
	fill_pattern(shared, 2, 5);
	there = remote_map("ro", refs, 2);
	assert_true(there >= 0);
	assert_int_equal(remote("check %ld 5", there), 0);
	assert_int_equal(remote("unmap %ld", there), 0);
	assert_int_equal(munmap(shared, 2 * PAGE), 0);
	assert_int_equal(dealloc(fd, first, 2), 0);
	wait_until_zero("used");
}

/* Make the n-th fail, and with @always all later ones that are the module's. */
static bool fail_nth(const struct op *op, unsigned int nth, bool always)
{
	bool fired, named = false;
	long result;
	int error;

	op->prepare();
	faults_arm(nth, always);
	result = op->call();
	error = errno;
	fired = faults_disarm();

	for (const int *known = op->errors; *known; known++)
		named |= *known == error;
	if (result < 0 && (!fired || !named))
		fail_msg("%s: failure %u%s: %s", op->name, nth,
			 fired ? "" : " did not happen", strerror(error));
	errno = error;
	op->check(result >= 0);
	share_works();
	return fired;
}

static void every_failure(void **state)
{
	const struct op *op = *state;
	unsigned int failures = 0, more = 1;

	faults_hooked = false;
	for (int sweep = 0; sweep < SWEEPS; sweep++)
		for (unsigned int nth = 1; fail_nth(op, nth, false); nth++)
			failures++;
	/* Others that fail in a row are those of hooks. */
	while (faults_hooked && fail_nth(op, more, true))
		more++;
	printf("%s: %u failures, %u with those behind them\n", op->name,
	       failures, more - 1);
	assert_true(failures > 0);
}

/* How many pages can be shared at once: as many as there are references. */
static unsigned int room(void)
{
	unsigned int total = 0;

	assert_int_equal(close(fd), 0);
	assert_int_equal(call_open(), 0);
	set_parameter("limit", 1000000);
	for (uint32_t count = MANY; count; count /= 7)
		while (!alloc_for(fd, remote_domid(), count, 0, &first))
			total += count;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(close(fd), 0);
	wait_until_zero("used");
	return call_open() ? 0 : total;
}

static unsigned int room_before;

static void no_reference_is_lost(void **state)
{
	(void)state;
	assert_int_equal(room(), room_before);
}

static int setup(void **state)
{
	xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);

	(void)state;
	if (!evtchn)
		err(1, "cannot open evtchn");
	faults_open();
	port = (uint32_t)xenevtchn_bind_unbound_port(evtchn, remote_domid());
	/* The place of a mapping across the border of two page tables. */
	place = mmap(NULL, 8 * TABLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	assert_ptr_not_equal(place, MAP_FAILED);
	place += 2 * TABLE - (uintptr_t)place % TABLE - RUN / 2 * PAGE;
	room_before = call_open() ? 0 : room();
	return !room_before;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[ALL_OPS + 1];
	int failed;

	for (size_t i = 0; i < ALL_OPS; i++) {
		const struct op *op =
			i < NUM_OPS ? &ops[i] : &peer_ops[i - NUM_OPS];

		tests[i] = (struct CMUnitTest){
			.name = op->name,
			.test_func = every_failure,
			.initial_state = (void *)op,
		};
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	tests[ALL_OPS] =
		(struct CMUnitTest)cmocka_unit_test(no_reference_is_lost);
	failed = _cmocka_run_group_tests("failures", tests, ALL_OPS + 1, setup,
					 NULL);
	faults_print();
	return failed;
}
