// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the logger gets to hear: one message a failure, with the way out. */

#include <string.h>

#include "fake.h"

static void assert_said(const char *words, int error)
{
	assert_int_equal(errno, error);
	assert_int_equal(fake_messages, 1);
	if (!strstr(fake_message, words))
		fail_msg("\"%s\" is not in \"%s\"", words, fake_message);
	fake_messages = 0;
}

static void open_says_why(void **state)
{
	static const char *const xen = "/sys/hypervisor/type";
	static const char *const module = "/sys/module/xen_gntalloc";
	static const struct {
		int error;
		const char *const *there[2];
		const char *words;
	} cases[] = {
		{ ENOENT, { NULL }, "not a Xen domain" },
		{ ENODEV, { &xen }, "modprobe xen-gntalloc" },
		{ ENXIO, { &xen, &module }, "udev makes it" },
		{ EACCES, { NULL }, "group of the device" },
		{ EPERM, { NULL }, "container" },
		{ EMFILE, { NULL }, "RLIMIT_NOFILE" },
		{ ENFILE, { NULL }, "fs.file-max" },
		{ EIO, { NULL }, "kernel's log" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int j = 0; j < 2; j++)
			fake.there[j] =
				cases[i].there[j] ? *cases[i].there[j] : NULL;
		fake.fail_at = fake.steps + 3;
		fake.fail_errno = cases[i].error;
		assert_null(gntshr_open(fake_logger(), 0));
		assert_said(cases[i].words, cases[i].error);
	}
	assert_null(gntshr_open(fake_logger(), 8));
	assert_said("0x8", EINVAL);
}

/* The driver refuses, or the kernel does. */
static void sharing_says_why(void **state)
{
	static const struct {
		int error;
		const char *words;
	} cases[] = {
		{ ENOMEM, "vm.max_map_count" },
		{ EAGAIN, "RLIMIT_MEMLOCK" },
		{ ENOTTY, "32-bit programs" },
		{ EBADF, "closed by somebody else" },
		{ EINTR, "being killed" },
		{ EACCES, "restricted to another domain" },
		{ EDQUOT, "than the descriptor is restricted to" },
		{ EXFULL, "kernel's log" },
	};
	gntshr_handle *h = gntshr_open(fake_logger(), 0);
	uint32_t ref;
	char *page;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake.fail_at = fake.steps + 2;
		fake.fail_errno = cases[i].error;
		assert_null(gntshr_share_pages(h, 0, 1, &ref, 0));
		assert_said("cannot share 1 pages", cases[i].error);
		assert_non_null(strstr(fake_message, cases[i].words));
	}
	assert_null(gntshr_share_page_notify(h, 0, &ref, 0, -1, FAKE_PORT + 1));
	assert_said("event channel 6", EINVAL);

	page = gntshr_share_pages(h, 0, 1, &ref, 0);
	fake.fail_at = fake.steps + 1;
	fake.fail_errno = EBADF;
	assert_int_equal(gntshr_set_unmap_notify(h, page, 1, 7), -1);
	assert_said("cannot set a notification", EBADF);
	assert_non_null(strstr(fake_message, "closed by somebody else"));
	gntshr_close(h);
}

static void no_space_says_which(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), GNTSHR_OPEN_UNMAP);
	uint32_t refs[10];

	(void)state;
#define share_fails() \
	do { \
		fake.fail_at = fake.steps + 2; \
		fake.fail_errno = ENOSPC; \
		assert_null(gntshr_share_pages(h, 0, 10, refs, 0)); \
	} while (0)

	fake.limit = 9;
	fake.tells_used = true;
	share_fails();
	assert_said("driver's limit is 9 pages and 0 are in use", ENOSPC);

	fake.limit = 1000;
	share_fails();
	assert_said("may not make hypercalls", ENOSPC);

	fake.hypercalls = true;
	fake.frames = fake.max_frames = 64;
	share_fails();
	assert_said("64 of at most 64 frames", ENOSPC);

	/* Spare pages would serve, so they are not what is missing. */
	fake.tells_spare = true;
	fake.spare_elsewhere = 995;
	share_fails();
	assert_said("64 of at most 64 frames", ENOSPC);
	fake.limit = 9;
	share_fails();
	assert_said("driver's limit is 9 pages and 0 are in use", ENOSPC);
	/* One is read after the other, and may be more by then: 0 and -1. */
	assert_non_null(gntshr_share_pages(h, 0, 1, refs, 0));
	fake.spare_elsewhere = -1ul;
	share_fails();
	assert_said("driver's limit is 9 pages and 0 are in use", ENOSPC);
	fake.tells_spare = false;
	fake.spare_elsewhere = 4;
	share_fails();
	assert_said("driver's limit is 9 pages and 5 are in use", ENOSPC);
	fake.limit = 1000;

	/* The stock driver: both are possible. */
	fake.tells_used = false;
	share_fails();
	assert_said("limit of 1000 pages", ENOSPC);
	fake.limit = 0;
	share_fails();
	assert_said("cannot be read here", ENOSPC);
	gntshr_close(h);
}

static void memory_says_why(void **state)
{
	static const struct {
		int error;
		const char *words;
	} cases[] = {
		{ EFAULT, "not mapped" },     { ENODEV, "of a file on disk" },
		{ ENOMEM, "RLIMIT_MEMLOCK" }, { EACCES, "restricted" },
		{ ENOSPC, "limit" },	      { EEXIST, "already" },
	};
	static char memory[2 * 4096] __attribute__((aligned(4096)));
	gntshr_handle *h = gntshr_open(fake_logger(), 0);
	uint32_t refs[2];

	(void)state;
	fake.has_arenas = true;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* Behind references, record and node. */
		fake.fail_at = fake.steps + 4;
		fake.fail_errno = cases[i].error;
		assert_int_equal(gntshr_share_memory(h, 0, memory, 2, refs, 0),
				 -1);
		assert_said(cases[i].words, cases[i].error);
	}
	assert_int_equal(gntshr_share_memory(h, 0, memory + 1, 1, refs, 0), -1);
	assert_said("not the address of a page", EINVAL);
	assert_int_equal(gntshr_share_memory(h, 0, NULL, 1, refs, 0), -1);
	assert_said("no 1 pages at", EINVAL);
	gntshr_close(h);
}

/* What is said of more peers, of waiting and of bounds. */
static void our_driver_says_why(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), 0);
	uint32_t ref;
	char *page;

	(void)state;
	fake.has_arenas = true;
	page = gntshr_share_pages(h, 0, 1, &ref, 0);
	assert_int_equal(gntshr_add_peer(h, page, 1, 0, &ref, 0), -1);
	assert_said("shared with this domain already", EEXIST);
	assert_int_equal(gntshr_add_peer(h, page, 2, 1, &ref, 0), -1);
	assert_said("not in one share", EINVAL);
	assert_int_equal(gntshr_remove_peer(h, page, 1, 7), -1);
	assert_said("not all shared with domain 7", EINVAL);
	assert_int_equal(gntshr_remove_peer(h, page, 0, 7), -1);
	assert_said("0 pages", EINVAL);
	fake.fail_at = fake.steps + 1;
	fake.fail_errno = EBADF;
	assert_int_equal(gntshr_remove_peer(h, page, 1, 0), -1);
	assert_said("closed by somebody else", EBADF);
	assert_int_equal(gntshr_set_peer_notify(h, page, 7, 0, 0), -1);
	assert_said("domain 7 was added to", EINVAL);
	assert_int_equal(gntshr_status(h, NULL), -1);
	assert_said("no place for the status", EINVAL);
	fake.lingering = 1;
	fake.back_at_ms = 100;
	assert_int_equal(gntshr_wait_released(h, 10), -1);
	assert_said("after 10 ms", ETIMEDOUT);
	fake.fail_at = fake.steps + 2;
	fake.fail_errno = EINTR;
	assert_int_equal(gntshr_wait_released(h, 10), -1);
	assert_said("a signal came", EINTR);
	assert_int_equal(gntshr_restrict(h, 0, 0), -1);
	assert_said("to 0 pages", EINVAL);
	assert_int_equal(gntshr_restrict(h, 0, 5), 0);
	assert_int_equal(gntshr_restrict(h, 0, 5), -1);
	assert_said("restricted already", EACCES);
	gntshr_close(h);
}

static void fdopen_says_why(void **state)
{
	int fd = fake_open();

	(void)state;
	assert_null(gntshr_fdopen(fake_logger(), FAKE_OTHER_FD, 0));
	assert_said("descriptor 900: it is not one of /dev/xen/gntalloc",
		    ENOTTY);
	assert_null(gntshr_fdopen(fake_logger(), FAKE_CLOSED_FD, 0));
	assert_said("it is not open", EBADF);
	fake.open_mode = 0;
	assert_null(gntshr_fdopen(fake_logger(), fd, 0));
	assert_said("reading and writing", EACCES);
	fake.open_mode = 2;
	gntshr_close(gntshr_fdopen(NULL, fd, 0));
}

static void each_error_is_told_once(void **state)
{
	gntshr_handle *h = gntshr_open(fake_logger(), 0);
	uint32_t refs[2];
	char *pages;

	(void)state;
	assert_null(gntshr_share_pages(h, 0x7FF0, 1, refs, 0));
	assert_said("not a domid", EINVAL);
	assert_null(gntshr_share_pages(h, 0, 0, refs, 0));
	assert_said("0 pages", EINVAL);
	assert_null(gntshr_share_pages(h, 0, 1, refs, 2));
	assert_said("flags 0x2", EINVAL);
	assert_null(gntshr_share_page_notify(h, 0, refs, 0, 4096, -1));
	assert_said("byte 4096", EINVAL);
	fake.fail_at = fake.steps + 3;
	assert_null(gntshr_share_pages(h, 0, 2, refs, 0));
	assert_said("cannot share 2 pages", EXFULL);

	pages = gntshr_share_pages(h, 0, 2, refs, 0);
	assert_non_null(pages);
	assert_int_equal(gntshr_unshare(h, pages, 1), -1);
	assert_said("not a share", EINVAL);
	assert_int_equal(gntshr_set_unmap_notify(h, pages, 9, 0), -1);
	assert_said("0x9", EINVAL);
	assert_int_equal(gntshr_set_unmap_notify(h, refs, 1, 0), -1);
	assert_said("not in a page", EINVAL);
	assert_int_equal(gntshr_set_unmap_notify(h, pages, 2, FAKE_PORT + 1),
			 -1);
	assert_said("event channel 6", EINVAL);
	fake.fail_at = fake.steps + 1;
	assert_int_equal(gntshr_unshare(h, pages, 2), -1);
	assert_said("cannot unshare 2 pages", EXFULL);
	gntshr_close(h);
	assert_int_equal(fake_messages, 0);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(open_says_why),	       test(sharing_says_why),
		test(no_space_says_which),     test(memory_says_why),
		test(our_driver_says_why),     test(fdopen_says_why),
		test(each_error_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
