// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a child may do with a handle that it got through fork. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

/* Runs @child in a child; true if it returned true. */
static bool in_child(bool (*child)(gntshr_handle *h, void *page),
		     gntshr_handle *h, void *page)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_int_not_equal(pid, -1);
	/* Not _exit: whoever counts leaks or lines shall see the child's. */
	if (!pid)
		exit(child(h, page) ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* The copies go; the pages stay listed, as the parent has them. */
static bool closes(gntshr_handle *h, void *page)
{
	(void)page;
	return gntshr_close(h) == 0 && fake.open == 0 && fake.mapped == 0 &&
	       fake.inherited == 1 && fake.released == 0;
}

static bool fails_with_eperm(gntshr_handle *h, void *page)
{
	unsigned int steps = fake.steps;
	uint32_t ref = 77;

	errno = 0;
	if (gntshr_share_pages(h, 0, 1, &ref, 0) || errno != EPERM)
		return false;
	errno = 0;
	if (gntshr_share_page_notify(h, 0, &ref, 0, 0, -1) || errno != EPERM)
		return false;
	errno = 0;
	if (!gntshr_set_unmap_notify(h, page, 0, 0) || errno != EPERM)
		return false;
	errno = 0;
	if (!gntshr_unshare(h, page, 1) || errno != EPERM)
		return false;
	return ref == 77 && fake.steps == steps && fake.mapped == 1;
}

/* A handle of its own works, next to the inherited one. */
static bool opens_its_own(gntshr_handle *h, void *page)
{
	gntshr_handle *own = gntshr_open(NULL, 0);
	uint32_t ref;
	void *mine;

	(void)page;
	mine = own ? gntshr_share_pages(own, 0, 1, &ref, 0) : NULL;
	return mine && !gntshr_unshare(own, mine, 1) && !gntshr_close(own) &&
	       !gntshr_close(h);
}

static bool forks_again(gntshr_handle *h, void *page)
{
	return in_child(closes, h, page) && closes(h, page);
}

static void child(void **state)
{
	static bool (*const children[])(gntshr_handle *, void *) = {
		closes,
		fails_with_eperm,
		opens_its_own,
		forks_again,
	};
	gntshr_handle *h = gntshr_open(NULL, 0), *closed = gntshr_open(NULL, 0);
	uint32_t ref;
	void *page = gntshr_share_pages(h, 0, 1, &ref, 1);

	(void)state;
	assert_non_null(page);
	gntshr_close(closed);
	for (size_t i = 0; i < sizeof(children) / sizeof(*children); i++)
		assert_true(in_child(children[i], h, page));
	/* The parent is as before. */
	assert_int_equal(gntshr_set_unmap_notify(h, page, 1, 0), 0);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	gntshr_close(h);
}

/* The same seen from within, in a process that cmocka watches. */
static void as_the_child(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t ref;
	void *page = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);

	(void)state;
	assert_non_null(page);
	fake_become_child();
	assert_true(fails_with_eperm(h, page));
	assert_true(closes(h, page));
	assert_int_equal(fake.cleared + fake.events, 0);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(child),
		test(as_the_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
