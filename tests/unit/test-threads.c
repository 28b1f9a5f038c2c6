// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many threads on one handle, and fork in their midst. What two of them must
 * not do to each other is seen best under TSan: make check-tsan.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

#define THREADS 8
#define ROUNDS 200
#define FORKS 20
/* Ends a process that waits for a lock: only ever in a test that fails. */
#define PATIENCE_S 600

static gntshr_handle *h;
static pthread_barrier_t barrier;
static unsigned int problems, winners;
static char *prize;

/* For threads, whom cmocka cannot end. */
#define expect(what) \
	((what) ? (void)0 \
		: (void)(__atomic_add_fetch(&problems, 1, __ATOMIC_RELAXED), \
			 print_error("%s:%d: not so: %s\n", __FILE__, \
				     __LINE__, #what)))

static int setup(void **state)
{
	if (fake_setup(state))
		return -1;
	problems = 0;
	h = gntshr_open(NULL, 0);
	return h ? 0 : -1;
}

static int setup_with_arenas(void **state)
{
	int rc = setup(state);

	fake.has_arenas = true;
	return rc;
}

static void start(pthread_t *threads, void *(*work)(void *))
{
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL),
				 0);
}

static void finish(const pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(problems, 0);
}

/* Each with pages of its own; beside it, handles come and go. */
static void *share_and_unshare(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t count = 1 + i % 3, refs[3], ref;
		gntshr_handle *own = gntshr_open(NULL, 0);
		char *pages, *page;

		pages = gntshr_share_pages(h, 0, count, refs, 1);
		expect(pages);
		page = gntshr_share_page_notify(h, 0, &ref, 1, 7, FAKE_PORT);
		expect(page);
		if (!own || !pages || !page)
			return NULL;
		memset(pages, 1, count * 4096);
		memset(page, 2, 4096);
		expect(!gntshr_set_unmap_notify(h, pages + count * 4096 - 1,
						GNTSHR_NOTIFY_CLEAR_BYTE, 0));
		expect(!gntshr_unshare(h, pages, count));
		expect(gntshr_unshare(own, page, 1) == -1 && errno == EINVAL);
		expect(!gntshr_unshare(h, page, 1));
		expect(!gntshr_close(own));
	}
	return NULL;
}

static void own_pages(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	start(threads, share_and_unshare);
	finish(threads);
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.cleared, 2 * THREADS * ROUNDS);
	assert_int_equal(fake.events, THREADS * ROUNDS);
}

/* All want to end the same share: one does, the others hear that it is gone. */
static void *grab(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t ref;

		if (pthread_barrier_wait(&barrier) ==
		    PTHREAD_BARRIER_SERIAL_THREAD) {
			prize = gntshr_share_pages(h, 0, 1, &ref, 1);
			winners = 0;
		}
		pthread_barrier_wait(&barrier);
		expect(!gntshr_set_unmap_notify(h, prize,
						GNTSHR_NOTIFY_CLEAR_BYTE, 0) ||
		       errno == EINVAL);
		if (!gntshr_unshare(h, prize, 1))
			__atomic_add_fetch(&winners, 1, __ATOMIC_RELAXED);
		else
			expect(errno == EINVAL);
		pthread_barrier_wait(&barrier);
		expect(winners == 1);
	}
	return NULL;
}

static void same_page(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	start(threads, grab);
	finish(threads);
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.released, ROUNDS);
}

/* It ends by exec: what it has of the other threads is no leak. */
static void be_a_child(void)
{
	uint32_t ref;
	bool right;

	alarm(PATIENCE_S);
	right = !gntshr_share_pages(h, 0, 1, &ref, 0) && errno == EPERM &&
		!gntshr_close(h) && !fake.mapped;
	execlp(right ? "true" : "false", right ? "true" : "false", NULL);
	_exit(1);
}

/* Whatever the threads were at, a child finds tables whole and locks free. */
static void fork_in_the_midst(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	start(threads, share_and_unshare);
	for (int i = 0; i < FORKS; i++) {
		int status = -1;
		pid_t pid = fork();

		if (!pid)
			be_a_child();
		expect(waitpid(pid, &status, 0) == pid);
		expect(status == 0);
	}
	finish(threads);
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.cleared, 2 * THREADS * ROUNDS);
}

static void *close_and_be_cancelled(void *arg)
{
	(void)arg;
	pthread_cancel(pthread_self());
	gntshr_close(h);
	pthread_testcancel();
	return NULL;
}

/* Not before it is closed: close has a lock that fork waits for. */
static void cancelled_behind_close(void **state)
{
	pthread_t thread;
	uint32_t ref;
	void *result;

	(void)state;
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	assert_int_equal(
		pthread_create(&thread, NULL, close_and_be_cancelled, NULL), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_int_equal(fake.open, 0);
	assert_int_equal(fake.mapped, 0);
}

int main(void)
{
#define test(f) \
	cmocka_unit_test_setup_teardown(f, setup, fake_teardown), \
		cmocka_unit_test_setup_teardown(f, setup_with_arenas, \
						fake_teardown)
	const struct CMUnitTest tests[] = {
		test(own_pages),
		test(same_page),
		test(fork_in_the_midst),
		/* The last: if it fails, nothing can be opened any more. */
		cmocka_unit_test_setup_teardown(cancelled_behind_close, setup,
						fake_teardown),
	};

	alarm(PATIENCE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
