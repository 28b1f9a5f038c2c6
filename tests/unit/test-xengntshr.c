// SPDX-License-Identifier: LGPL-2.1-or-later
/* The xengntshr_* calls: what programs do with libxengnttab works here, too. */

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xengnttab.h>

#include "fake.h"

#define ERRNO EXFULL
#define PAGE GNTSHR_PAGE_SIZE

static unsigned int released_before;

/*
 * If the driver has arenas the next share lies in one, and meets a spare page:
 * only the first share has a mapping of its own.
 */
static xengntshr_handle *open_handle(void)
{
	xengntshr_handle *h = xengntshr_open(fake_logger(), 0);
	uint32_t ref;

	assert_non_null(h);
	for (int i = 0; fake.has_arenas && i < 2; i++) {
		void *page = xengntshr_share_pages(h, 0, 1, &ref, 1);

		assert_non_null(page);
		assert_int_equal(fake_page(ref)->in_arena, i);
		assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	}
	released_before = fake.released;
	return h;
}

/* Pages, since the last handle was opened. */
static unsigned int released(void)
{
	return fake.released - released_before;
}

/* As a program does it that does not bother to call the library. */
static void unmap(void *addr, uint32_t count)
{
	assert_int_equal(
		gntshr_sys_munmap(addr, (size_t)count * GNTSHR_PAGE_SIZE), 0);
}

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

/* ---- only where the driver has arenas ---- */

static void spare_pages_serve(void **state)
{
	xengntshr_handle *h = open_handle();
	unsigned int reused = fake.reused, steps = fake.steps;
	uint32_t refs[8];
	char *pages = xengntshr_share_pages(h, 0, 8, refs, 1);

	(void)state;
	assert_int_equal(fake.reused, reused + 1);
	assert_int_equal(fake.steps, steps + 1);
	assert_int_equal(fake.listed, 0);
	assert_int_equal(xengntshr_unshare(h, pages, 8), 0);
	assert_int_equal(fake.steps, steps + 2);
	assert_int_equal(fake.spare, 8);
	assert_ptr_equal(xengntshr_share_pages(h, 1, 8, refs, 0), pages);
	assert_int_equal(fake.reused, reused + 9);
	assert_int_equal(xengntshr_unshare(h, pages, 8), 0);
	/* A notification is no reason not to, and ends with its share. */
	assert_ptr_equal(xengntshr_share_page_notify(h, 0, refs, 1, 9,
						     FAKE_PORT),
			 pages);
	assert_int_equal(fake.listed, 0);
	assert_int_equal(xengntshr_unshare(h, pages, 1), 0);
	assert_int_equal(fake.events, 1);
	assert_ptr_equal(xengntshr_share_pages(h, 0, 1, refs, 1), pages);
	assert_int_equal(xengntshr_unshare(h, pages, 1), 0);
	assert_int_equal(fake.events, 1);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Only what is shared outlives the handle, whatever lies between. */
static void close_leaves_shares_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	char *pages[5];
	uint32_t ref;

	(void)state;
	for (int i = 0; i < 5; i++)
		pages[i] = xengntshr_share_pages(h, 0, 1, &ref, 1);
	for (int i = 0; i < 5; i += 2)
		assert_int_equal(xengntshr_unshare(h, pages[i], 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas, 2);
	assert_int_equal(fake.mapped, 2);
	assert_int_equal(released(), 3);
	for (int i = 1; i < 5; i += 2)
		unmap(pages[i], 1);
	assert_int_equal(released(), 5);
}

/* What lies where a share was is the program's, and goes as it wants. */
static void something_else_is_there(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref;
	char *page = xengntshr_share_pages(h, 0, 1, &ref, 1), *next;

	(void)state;
	fake_program_unmaps(page, PAGE);
	assert_int_equal(released(), 1);
	assert_ptr_equal(mmap(page, PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 page);
	/* It is not known to be gone. */
	next = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_non_null(next);
	assert_ptr_not_equal(next, page);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(released(), 1);
	/* Nothing is there now. */
	assert_ptr_equal(mmap(page, PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			      -1, 0),
			 page);
	assert_int_equal(munmap(page, PAGE), 0);
	assert_int_equal(xengntshr_unshare(h, next, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

/* Not even close unmaps what the program put where a share was. */
static void close_knows_what_is_not_ours(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t refs[2];
	char *pages = xengntshr_share_pages(h, 0, 2, refs, 1);

	(void)state;
	fake_program_unmaps(pages, 2 * PAGE);
	assert_ptr_equal(mmap(pages, 2 * PAGE, PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 pages);
	assert_int_equal(xengntshr_close(h), 0);
	assert_int_equal(fake.arenas, 0);
	assert_int_equal(msync(pages, 2 * PAGE, MS_ASYNC), 0);
	assert_int_equal(munmap(pages, 2 * PAGE), 0);
}

/* What the driver does not unshare, as a child has copies, is unmapped. */
static void refused_shares_are_unmapped(void **state)
{
	static const int errors[] = { EBUSY, EINVAL, EPERM };
	xengntshr_handle *h = open_handle();
	uint32_t ref;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		char *page = xengntshr_share_pages(h, 0, 1, &ref, 1);

		fake.failed = FAKE_NONE;
		fake.fail_errno = errors[i];
		fake.fail_at = fake.steps + 1;
		assert_int_equal(xengntshr_unshare(h, page, 1), 0);
		assert_int_equal(fake.failed, FAKE_UNSHARE);
		assert_int_equal(fake.spare, 0);
		assert_int_equal(fake.mapped, 0);
		assert_int_equal(released(), i + 1);
		/* Nothing else was in the arena. */
		assert_int_equal(fake.arenas, 0);
		page = xengntshr_share_pages(h, 0, 1, &ref, 1);
		assert_true(fake_page(ref)->in_arena);
		assert_int_equal(xengntshr_unshare(h, page, 1), 0);
		released_before++;
	}
	assert_int_equal(xengntshr_close(h), 0);
}

/* A child whose birth nobody saw. */
static void has_no_arena(void **state)
{
	xengntshr_handle *h = open_handle();
	uint32_t ref;
	char *page;

	(void)state;
	fake.fail_errno = EPERM;
	fake.fail_at = fake.steps + 1;
	page = xengntshr_share_pages(h, 0, 1, &ref, 1);
	assert_int_equal(fake.failed, FAKE_SHARE);
	assert_non_null(page);
	assert_false(fake_page(ref)->in_arena);
	assert_int_equal(xengntshr_unshare(h, page, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

/* A child's copies are shares, too: nothing stays of the arena but them. */
static void fork_leaves_shares_alone(void **state)
{
	xengntshr_handle *h = open_handle();
	unsigned int asked = fake.arenas_asked;
	uint32_t refs[4];
	char *pages = xengntshr_share_pages(h, 0, 3, refs, 1), *next;

	(void)state;
	next = xengntshr_share_pages(h, 0, 4, refs, 1);
	assert_int_equal(xengntshr_unshare(h, next, 4), 0);
	released_before = fake.released;
	fake_fork();
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(fake.mapped, 3);
	next = xengntshr_share_pages(h, 0, 1, refs, 1);
	assert_int_equal(fake.arenas_asked, asked + 1);
	assert_true(fake_page(refs[0])->in_arena);
	assert_int_equal(xengntshr_unshare(h, pages, 3), 0);
	assert_int_equal(fake.spare, 0);
	assert_int_equal(fake.arenas, 1);
	assert_int_equal(released(), 3);
	assert_int_equal(xengntshr_unshare(h, next, 1), 0);
	assert_int_equal(xengntshr_close(h), 0);
}

static uint64_t places_of(xengntshr_handle *h)
{
	const struct gntshr_arena *arena = ((gntshr_handle *)h)->arenas;
	uint64_t places = 0;

	for (; arena; arena = arena->next)
		places += arena->places;
	return places;
}

/* Places of shares that munmap() ended are forgotten in the end. */
static void begins_anew(void **state)
{
	xengntshr_handle *h = open_handle();
	static uint32_t refs[4096];
	uint64_t places = 0, before;
	int shares = 0;

	(void)state;
	do {
		char *pages = xengntshr_share_pages(h, 0, 4096, refs, 1);

		assert_non_null(pages);
		unmap(pages, 4096);
		before = places;
		places = places_of(h);
		assert_int_not_equal(shares++, 60);
	} while (places >= before);
	assert_int_equal(xengntshr_close(h), 0);
}

static int setup_arenas(void **state)
{
	if (fake_setup(state))
		return -1;
	fake.has_arenas = true;
	fake.decays = false;
	return 0;
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
		test_arena(spare_pages_serve),
		test_arena(close_leaves_shares_alone),
		test_arena(something_else_is_there),
		test_arena(close_knows_what_is_not_ours),
		test_arena(refused_shares_are_unmapped),
		test_arena(has_no_arena),
		test_arena(fork_leaves_shares_alone),
		test_arena(begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
