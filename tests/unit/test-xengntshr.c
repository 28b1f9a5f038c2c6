// SPDX-License-Identifier: LGPL-2.1-or-later
/* The xengntshr_* calls: what programs do with libxengnttab works here, too. */

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat-handle.h"

#define ERRNO EXFULL

static void opens_with_any_flags(void **state)
{
	xengntshr_handle *h = xengntshr_open(NULL, 0xFFFFFFFF);

	(void)state;
	assert_non_null(h);
	assert_int_equal(xengntshr_fd(h), FAKE_FD);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(xengntshr_close(NULL), 0);
}

static void shares_and_unshares(void **state)
{
	static const int writable[] = { 0, 1, 2, 3, -1 };
	xengntshr_handle *h = open_handle();
	uint32_t refs[8];

	(void)state;
	for (size_t i = 0; i < sizeof(writable) / sizeof(*writable); i++) {
		char *pages = xengntshr_share_pages(h, 5, 8, refs, writable[i]);

		assert_non_null(pages);
		assert_int_equal(fake.domid, 5);
		assert_int_equal(fake.flags, writable[i] ? 1 : 0);
		assert_ptr_equal(fake_page(refs[7])->addr, pages + 7 * 4096);
		assert_int_equal(fake.mapped, 8);
		assert_int_equal(xengntshr_unshare(h, pages, 8), 0);
		assert_true(fake_page(refs[0])->released);
		assert_true(fake_page(refs[7])->released);
	}
	assert_int_equal(xengntshr_close(h), 0);
}

/* libxenvchan ends some of its shares this way. */
static void munmap_ends_a_share(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref, refs[4];
	char *page, *pages;

	(void)state;
	page = xengntshr_share_page_notify(h, 0, &ref, 1, 9, FAKE_PORT);
	pages = xengntshr_share_pages(h, 0, 4, refs, 1);
	assert_non_null(page);
	assert_non_null(pages);
	unmap(pages, 4);
	assert_int_equal(released(), 4);
	unmap(page, 1);
	assert_int_equal(released(), 5);
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(fake.events, 1);
	/* The fake sees it if anything is unmapped again. */
	assert_int_equal(xengntshr_close(h), 0);
}

static void ends_parts_of_a_share(void **state)
{
	xengntshr_handle *h = open_handle(), *other = open_handle();
	uint32_t refs[6];
	char *pages = xengntshr_share_pages(h, 0, 6, refs, 1);

	(void)state;
	assert_non_null(pages);
	assert_int_equal(xengntshr_unshare(h, pages + 2 * 4096, 2), 0);
	assert_int_equal(released(), 2);
	assert_true(fake_page(refs[3])->released);
	assert_ptr_equal(fake_page(refs[4])->addr, pages + 4 * 4096);
	assert_int_equal(xengntshr_unshare(other, pages, 2), 0);
	assert_int_equal(released(), 4);
	unmap(pages + 4 * 4096, 2);
	assert_int_equal(xengntshr_close(other), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

static void pages_outlive_their_handle(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t refs[2];
	char *pages = xengntshr_share_pages(h, 0, 2, refs, 1);

	(void)state;
	assert_non_null(pages);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.open, 0);
	assert_int_equal(released(), 0);
	assert_ptr_equal(fake_page(refs[1])->addr, pages + 4096);
	/* The handle is gone, and not looked at. */
	assert_int_equal(xengntshr_unshare(h, pages, 2), 0);
	assert_int_equal(released(), 2);
}

static void notifies(void **state)
{
	static const struct {
		uint32_t offset, port;
		unsigned int cleared, events;
	} cases[] = {
		{ 0, -1, 1, 0 },	 { 4095, -1, 1, 0 },
		{ -1, FAKE_PORT, 0, 1 }, { 7, FAKE_PORT, 1, 1 },
		{ -1, -1, 0, 0 },	 { 4096, -1, 0, 0 },
		{ 1u << 20, -1, 0, 0 },	 { 4096, FAKE_PORT, 0, 1 },
	};
	xengntshr_handle *h = open_handle();
	uint32_t ref;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		void *page = xengntshr_share_page_notify(
			h, 0, &ref, 1, cases[i].offset, cases[i].port);

		assert_non_null(page);
		fake.cleared = fake.events = 0;
		assert_int_equal(xengntshr_unshare(h, page, 1), 0);
		assert_int_equal(fake.cleared, cases[i].cleared);
		assert_int_equal(fake.events, cases[i].events);
	}
	assert_int_equal(xengntshr_close(h), 0);
}

static void refuses_what_cannot_be_shared(void **state)
{
	static const struct {
		uint32_t domid;
		int count;
	} wrong[] = { { 0, 0 },	    { 0, -1 },	   { 0, -6 },
		      { 0, -4096 }, { 0x7FF0, 1 }, { -1u, 1 } };
	xengntshr_handle *h = open_handle();
	unsigned int steps = fake.steps;
	uint32_t ref = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		errno = 0;
		assert_null(xengntshr_share_pages(h, wrong[i].domid,
						  wrong[i].count, &ref, 1));
		assert_int_equal(errno, EINVAL);
		assert_int_equal(fake_messages, i + 1);
	}
	assert_int_equal(ref, 77);
	assert_int_equal(fake.steps, steps);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Each step fails once. What the driver is told last may fail unnoticed. */
static void share_fails(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref = 77;
	void *page = NULL;
	unsigned int n;

	(void)state;
	for (n = 1; !page; n++) {
		errno = 0;
		fake.failed = FAKE_NONE;
		fake.fail_errno = ERRNO;
		fake.fail_at = fake.steps + n;
		page = xengntshr_share_page_notify(h, 0, &ref, 1, 9, -1u);
		assert_true(fake.failed);
		if (page)
			break;
		assert_int_equal(errno, fake.fail_errno);
		assert_int_equal(ref, 77);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
		assert_int_equal(fake.cleared, 0);
	}
	/* Record, ALLOC, mmap, notification; or SHARE and that; then DEALLOC.
	 */
	assert_int_equal(n, fake.has_arenas ? 3 : 5);
	assert_int_equal(errno, FAKE_ANY_ERRNO);
	assert_ptr_equal(fake_page(ref)->addr, page);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.cleared, 1);
}

/* A program that becomes a daemon has its handle from its parent. */
static void a_child_goes_on(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref, refs[3];
	void *page, *pages = xengntshr_share_pages(h, 0, 3, refs, 1);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(xengntshr_unshare(h, pages, 3), 0);
	page = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_non_null(page);
	fake.children_share = true;
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (!pid) {
		void *one = xengntshr_share_pages(h, 0, 1, &ref, 1);
		void *two = xengntshr_share_page_notify(h, 0, &ref, 1, 0, -1u);

		_exit(!(one && two && !fake.spare &&
			!xengntshr_unshare(h, page, 1) &&
			!xengntshr_unshare(h, one, 1) && !xengntshr_close(h) &&
			fake.mapped == 1));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Its header says "Logs errors": to stderr, when there is no logger. */
static void errors_go_to_stderr(void **state)
{
	int saved = dup(STDERR_FILENO), to[2];
	char text[256] = "";
	xengntshr_handle *h;
	uint32_t ref;

	(void)state;
	assert_int_equal(pipe(to), 0);
	dup2(to[1], STDERR_FILENO);
	h = xengntshr_open(NULL, 0);
	xengntshr_share_pages(h, 0, -5, &ref, 1);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(to[1]);
	assert_true(read(to[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "gntshr: error: cannot share -5 pages"));
	close(to[0]);
	assert_int_equal(xengntshr_close(h), 0);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
#define test_arena(f) \
	cmocka_unit_test_setup_teardown(f, setup_arenas, fake_teardown)
#define both(f) test(f), test_arena(f)
	const struct CMUnitTest tests[] = {
		both(opens_with_any_flags),
		both(shares_and_unshares),
		both(munmap_ends_a_share),
		both(ends_parts_of_a_share),
		both(pages_outlive_their_handle),
		both(notifies),
		both(refuses_what_cannot_be_shared),
		both(share_fails),
		both(a_child_goes_on),
		both(errors_go_to_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
