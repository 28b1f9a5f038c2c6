// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * As much as users ask for: a whole screen in one call, thousands of shares at
 * once, and one more that costs what the first did. To be run with the clock
 * counting instructions (harness/run --icount), a large grant table and
 * limit.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gntshr.h>

#define SCREEN 98304
#define ROUNDS 1000

static uint32_t refs[SCREEN];

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void a_screen_in_one_call(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	char *pages = gntshr_share_pages(h, 0, SCREEN, refs, 0);

	(void)state;
	assert_non_null(pages);
	for (size_t i = 0; i < SCREEN; i++) {
		assert_int_equal(pages[i * 4096], 0);
		pages[i * 4096] = 1;
	}
	qsort(refs, SCREEN, sizeof(*refs), by_number);
	for (size_t i = 1; i < SCREEN; i++)
		assert_int_not_equal(refs[i], refs[i - 1]);
	assert_int_equal(gntshr_unshare(h, pages, SCREEN), 0);
	assert_int_equal(gntshr_close(h), 0);
	/*
	 * What is measured next shall not pay for this: the table has grown,
	 * and its references have rested and gone back to the kernel after
	 * this.
	 */
	sleep(5);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What one page costs, shared and unshared, in instructions. */
static double cost(gntshr_handle *h)
{
	double start = now();

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t ref;
		void *page = gntshr_share_pages(h, 0, 1, &ref, 1);

		assert_non_null(page);
		assert_int_equal(gntshr_unshare(h, page, 1), 0);
	}
	return (now() - start) / ROUNDS;
}

static const int live[] = { 0, 1000, 10000, 20000, 30000 };
#define LIVE (sizeof(live) / sizeof(*live))

static void share_more(gntshr_handle *h, int *n, int want)
{
	for (; *n < want; (*n)++)
		assert_non_null(gntshr_share_pages(h, 0, 1, refs, 1));
}

/* The live ones are another process's. */
static void one_more_costs_the_same(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	int down[2], up[2], n = 0;
	double first = 0, is;
	pid_t pid;
	char go;

	(void)state;
	assert_int_equal(pipe(down) | pipe(up), 0);
	pid = fork();
	if (!pid) {
		gntshr_handle *own = gntshr_open(NULL, 0);

		for (size_t i = 0; i < LIVE; i++) {
			if (read(down[0], &go, 1) != 1)
				_exit(1);
			share_more(own, &n, live[i]);
			if (write(up[1], "", 1) != 1)
				_exit(1);
		}
		pause();
	}
	cost(h);
	for (size_t i = 0; i < LIVE; i++) {
		assert_int_equal(write(down[1], "", 1), 1);
		assert_int_equal(read(up[0], &go, 1), 1);
		is = cost(h);
		if (!i)
			first = is;
		print_message("%5d live elsewhere: %.0f instructions a page, "
			      "%.3f of the first\n",
			      live[i], is, is / first);
		assert_true(is <= 1.1 * first);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(gntshr_close(h), 0);
}

/* The live ones are this process's, in the arenas and the table of a handle. */
static void one_more_here_costs_little_more(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	double first = 0, is;
	int n = 0;

	(void)state;
	cost(h);
	for (size_t i = 0; i < LIVE; i++) {
		share_more(h, &n, live[i]);
		is = cost(h);
		if (!i)
			first = is;
		print_message("%5d live here: %.0f instructions a page, %.3f "
			      "of the first\n",
			      live[i], is, is / first);
		assert_true(is <= 1.1 * first);
	}
	assert_int_equal(gntshr_close(h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_screen_in_one_call),
		cmocka_unit_test(one_more_costs_the_same),
		cmocka_unit_test(one_more_here_costs_little_more),
	};

	return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
