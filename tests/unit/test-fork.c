// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a child may do with a handle that it got through fork. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake-steps.h"
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

/*
 * MADV_DONTFORK kept pages out of the child, which has something else in their
 * place: that stays, and what there is of copies goes.
 */
static void keep_out(void **state, bool arenas)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	char *pages[3], *mine[3];
	uint32_t refs[4];

	(void)state;
	fake.has_arenas = arenas;
	for (int i = 0; i < 3; i++) {
		pages[i] = gntshr_share_pages(h, 0, 4, refs, 1);
		assert_non_null(pages[i]);
	}
	fake_become_child();
	for (int i = 0; i < 3; i++) {
		/* All of one, the begin and the end of the others. */
		char *at = pages[i] + (i == 2 ? 3 * 4096 : 0);
		size_t size = i ? 4096 : 4 * 4096;

		fake_program_unmaps(at, size);
		mine[i] = mmap(at, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		assert_ptr_equal(mine[i], at);
		memset(mine[i], 0x5A, size);
	}
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.mapped, 0);
	for (int i = 0; i < 3; i++) {
		size_t size = i ? 4096 : 4 * 4096;

		assert_int_equal(mine[i][0] + mine[i][size - 1], 2 * 0x5A);
		assert_int_equal(munmap(mine[i], size), 0);
	}
}

static void kept_out_of_the_child(void **state)
{
	keep_out(state, false);
}

static void kept_out_of_the_childs_arena(void **state)
{
	keep_out(state, true);
}

/* The child shares a page of its own in place of the one that it has not. */
static char *share_in_their_place(gntshr_handle *h, gntshr_handle **own)
{
	uint32_t ref;
	char *page = gntshr_share_pages(h, 0, 1, &ref, 1);

	assert_non_null(page);
	fake_become_child();
	fake_program_unmaps(page, 4096);
	*own = gntshr_open(NULL, 0);
	fake.place = page;
	assert_ptr_equal(gntshr_share_pages(*own, 0, 1, &ref, 1), page);
	return page;
}

/* The driver counts for each descriptor, so indices may be the same. */
static void the_childs_own_in_their_place(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0), *own;
	char *page = share_in_their_place(h, &own);

	(void)state;
	gntshr_table_find(&h->shares, page)->index =
		gntshr_table_find(&own->shares, page)->index;
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.mapped, 1);
	assert_int_equal(gntshr_unshare(own, page, 1), 0);
	assert_int_equal(gntshr_close(own), 0);
}

static void other_pages_in_their_place(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0), *own;
	char *page = share_in_their_place(h, &own);
	struct gntshr_share *share = gntshr_table_find(&own->shares, page);

	(void)state;
	/* As if by hand: no handle of the library knows of it. */
	gntshr_table_remove(&own->shares, share);
	free(share);
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.mapped, 1);
	fake_program_unmaps(page, 4096);
	assert_int_equal(gntshr_close(own), 0);
}

/* Without /proc nobody knows what is whose: all stays. */
static void close_fails_in_a_child(void **state)
{
	static const enum fake_step steps[] = { FAKE_MAPPINGS, FAKE_MUNMAP };

	for (unsigned int n = 0; n < 2; n++) {
		gntshr_handle *h = gntshr_open(NULL, 0);
		uint32_t ref;
		char *page = gntshr_share_pages(h, 0, 1, &ref, 1);

		fake_become_child();
		fake.fail_at = fake.steps + n + 1;
		errno = 0;
		assert_int_equal(gntshr_close(h), -1);
		assert_int_equal(errno, EXFULL);
		assert_int_equal(fake.failed, steps[n]);
		assert_int_equal(fake.mapped, 1);
		assert_int_equal(fake.open, 0);
		fake_program_unmaps(page, 4096);
		fake_setup(state);
	}
}

/* A list that ends early is no reason to keep what was on it. */
static void close_with_half_a_list(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t ref;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	fake_become_child();
	fake.mappings_told = 1;
	fake.fail_at = fake.steps + 1;
	assert_int_equal(gntshr_close(h), -1);
	assert_int_equal(errno, EXFULL);
	assert_int_equal(fake.failed, FAKE_MAPPINGS);
	assert_int_equal(fake.mapped, 1);
	assert_int_equal(fake.open, 0);
	fake_program_unmaps(fake_page(ref)->addr, 4096);
}

/* ---- a program's own handlers, which may have locks of its own ---- */

static gntshr_handle *watched;
static bool was_free;

static void before_fork(void)
{
	if (!watched)
		return;
	was_free = !pthread_mutex_trylock(&watched->lock);
	if (was_free)
		pthread_mutex_unlock(&watched->lock);
}

static void handlers_find_locks_free(void **state)
{
	gntshr_handle *h = gntshr_open(NULL, 0);
	uint32_t ref;
	void *page = gntshr_share_pages(h, 0, 1, &ref, 1);

	(void)state;
	assert_non_null(page);
	watched = h;
	assert_true(in_child(closes, h, page));
	watched = NULL;
	assert_true(was_free);
	assert_int_equal(gntshr_close(h), 0);
}

/* ---- constructors, which may come before the library's ---- */

static bool early_opened;

/* What a program registers finds the library's locks free. */
__attribute__((constructor)) static void register_early(void)
{
	__real_pthread_atfork(before_fork, NULL, NULL);
}

__attribute__((constructor(101))) static void open_early(void)
{
	gntshr_handle *h;
	uint32_t ref;
	void *page;

	fake_setup(NULL);
	h = gntshr_open(NULL, 0);
	page = h ? gntshr_share_pages(h, 0, 1, &ref, 1) : NULL;
	early_opened = page && in_child(closes, h, page) &&
		       !gntshr_unshare(h, page, 1) && !gntshr_close(h);
}

static void constructors_open(void **state)
{
	(void)state;
	assert_true(early_opened);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(child),
		test(as_the_child),
		test(kept_out_of_the_child),
		test(kept_out_of_the_childs_arena),
		test(the_childs_own_in_their_place),
		test(other_pages_in_their_place),
		test(close_fails_in_a_child),
		test(close_with_half_a_list),
		test(handlers_find_locks_free),
		test(constructors_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
