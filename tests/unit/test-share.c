// SPDX-License-Identifier: LGPL-2.1-or-later
/* Opening, sharing, unsharing, closing; and every wrong way to call them. */

#include <string.h>

#include "fake.h"

static gntshr_handle *open_handle(void)
{
	gntshr_handle *h = gntshr_open(NULL, 0);

	assert_non_null(h);
	return h;
}

static void opens_and_closes(void **state)
{
	gntshr_handle *h = open_handle();

	(void)state;
	assert_int_equal(gntshr_fd(h), FAKE_FD);
	assert_int_equal(fake.open, 1);
	/* The errno of what went wrong before survives a close. */
	errno = EXFULL;
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(gntshr_close(NULL), 0);
	assert_int_equal(errno, EXFULL);
}

static void refuses_to_open(void **state)
{
	(void)state;
	for (int bit = 1; bit < 32; bit++) {
		errno = 0;
		assert_null(gntshr_open(NULL, 1u << bit | 1));
		assert_int_equal(errno, EINVAL);
	}
	fake.page_size = 65536;
	assert_null(gntshr_open(NULL, 0));
	assert_int_equal(errno, ENOTSUP);
}

static void shares_zeroed_pages(void **state)
{
	static const uint32_t counts[] = { 1, 2, 64, 512 };
	gntshr_handle *h = open_handle();
	uint32_t refs[512];

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		uint32_t count = counts[i];
		unsigned char *pages;

		pages = gntshr_share_pages(h, 0x7FEF, count, refs, i % 2);
		assert_non_null(pages);
		assert_int_equal(fake.domid, 0x7FEF);
		assert_int_equal(fake.flags, i % 2);
		assert_int_equal(fake.listed, count);
		assert_int_equal(fake.mapped, count);
		for (uint32_t n = 0; n < count; n++)
			assert_ptr_equal(fake_page(refs[n])->addr,
					 pages + n * GNTSHR_PAGE_SIZE);
		assert_int_equal(gntshr_unshare(h, pages, count), 0);
		assert_int_equal(fake.listed, 0);
		assert_int_equal(fake.mapped, 0);
	}
	assert_int_equal(gntshr_close(h), 0);
}

/* In place of MemorySanitizer's. */
void __msan_unpoison(const volatile void *addr, size_t size);

static struct {
	const volatile void *addr;
	size_t size;
} told[2];
static unsigned int tellings;

void __msan_unpoison(const volatile void *addr, size_t size)
{
	told[tellings % 2].addr = addr;
	told[tellings++ % 2].size = size;
}

/* It hears of the references, and of the pages, which may be spare ones. */
static void tells_what_the_driver_wrote(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[3];
	void *pages;

	(void)state;
	tellings = 0;
	assert_null(gntshr_share_pages(h, 0, 0, refs, 0));
	assert_int_equal(tellings, 0);
	pages = gntshr_share_pages(h, 0, 3, refs, 0);
	assert_int_equal(tellings, 2);
	assert_ptr_equal(told[0].addr, pages);
	assert_int_equal(told[0].size, 3 * 4096);
	assert_ptr_equal(told[1].addr, refs);
	assert_int_equal(told[1].size, sizeof(refs));
	gntshr_close(h);
}

static void refuses_to_share(void **state)
{
	static const struct {
		uint32_t domid, count;
		unsigned int flags;
	} wrong[] = {
		{ 0, 0, 1 },	   { 0x7FF0, 1, 1 }, { 0x8000, 1, 1 },
		{ 0x10000, 1, 1 }, { 0, 1, 2 },	     { 0, 1, 0x80000001 },
		{ -1u, 1, 1 },
	};
	gntshr_handle *h = open_handle();
	unsigned int steps = fake.steps;
	uint32_t ref = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		errno = 0;
		assert_null(gntshr_share_pages(h, wrong[i].domid,
					       wrong[i].count, &ref,
					       wrong[i].flags));
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_null(gntshr_share_pages(h, 0, 1, NULL, 0));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(gntshr_share_page_notify(h, 0, NULL, 0, 0, -1));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(gntshr_share_page_notify(h, 0, &ref, 0, 4096, -1));
	assert_int_equal(errno, EINVAL);

	assert_int_equal(ref, 77);
	assert_int_equal(fake.steps, steps);
	gntshr_close(h);
}

static void refuses_to_unshare(void **state)
{
	gntshr_handle *h = open_handle(), *other;
	unsigned int steps;
	uint32_t refs[4];
	char *pages = gntshr_share_pages(h, 0, 4, refs, 0);
	const struct {
		void *addr;
		uint32_t count;
	} wrong[] = {
		{ NULL, 1 },	   { pages, 0 },
		{ pages, 3 },	   { pages, 5 },
		{ pages, -1u },	   { pages + 4096, 3 },
		{ pages + 1, 4 },  { pages - 4096, 1 },
		{ refs, 1 },	   { pages + 4 * 4096, 1 },
		{ (void *)-1, 1 },
	};

	(void)state;
	assert_non_null(pages);
	steps = fake.steps;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		errno = 0;
		assert_int_equal(
			gntshr_unshare(h, wrong[i].addr, wrong[i].count), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(fake.steps, steps);
	assert_int_equal(fake.listed, 4);

	other = open_handle();
	errno = 0;
	assert_int_equal(gntshr_unshare(other, pages, 4), -1);
	assert_int_equal(errno, EINVAL);
	gntshr_close(other);

	assert_int_equal(gntshr_unshare(h, pages, 4), 0);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, pages, 4), -1);
	assert_int_equal(errno, EINVAL);
	gntshr_close(h);
}

/* The driver says no; without a logger nobody hears of it. */
static void there_may_be_no_space(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[1] = { 77 };

	(void)state;
	errno = 0;
	assert_null(gntshr_share_pages(h, 0, FAKE_PAGES + 1, refs, 0));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(refs[0], 77);
	assert_int_equal(fake_messages, 0);
	gntshr_close(h);
}

static void close_ends_all_shares(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[3];

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_non_null(gntshr_share_pages(h, 1, 3, refs, 1));
	assert_int_equal(fake.listed, 300);
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.released, 300);
}

/* Unsharing in another order than sharing keeps the table right. */
static void many_shares_in_any_order(void **state)
{
	enum { N = 1000 };
	static char *pages[N];
	static uint32_t refs[N];
	gntshr_handle *h = open_handle();

	(void)state;
	for (int i = 0; i < N; i++) {
		pages[i] = gntshr_share_pages(h, 0, 1, &refs[i], 1);
		assert_non_null(pages[i]);
	}
	for (int i = 0; i < N; i++) {
		int j = i * 379 % N;

		assert_ptr_equal(fake_page(refs[j])->addr, pages[j]);
		assert_int_equal(gntshr_unshare(h, pages[j], 1), 0);
		assert_true(fake_page(refs[j])->released);
	}
	assert_int_equal(gntshr_close(h), 0);
}

/*
 * A program should not unmap a share itself. If it did, and its addresses came
 * with a new one, the old one ends, which was still in the table.
 */
static void what_the_program_unmapped_ends(void **state)
{
	gntshr_handle *h = open_handle();
	uint32_t refs[4];
	char *old = gntshr_share_pages(h, 0, 4, refs, 1);

	(void)state;
	fake_program_unmaps(old, 4 * 4096);
	assert_int_equal(fake.listed, 4);
	fake.place = old;
	assert_ptr_equal(gntshr_share_pages(h, 0, 1, refs, 1), old);
	assert_int_equal(fake.released, 4);
	assert_int_equal(fake.listed, 1);
	fake.place = old + 4096;
	assert_ptr_equal(gntshr_share_pages(h, 0, 1, refs, 1), old + 4096);
	errno = 0;
	assert_int_equal(gntshr_unshare(h, old, 4), -1);
	assert_int_equal(errno, EINVAL);

	/* Two at once, of which only parts are gone. */
	fake.place = old + 2 * 4096;
	assert_non_null(gntshr_share_pages(h, 0, 2, refs, 1));
	fake_program_unmaps(old + 4096, 2 * 4096);
	fake.place = old + 4096;
	assert_ptr_equal(gntshr_share_pages(h, 0, 2, refs, 1), old + 4096);
	assert_int_equal(fake.listed, 1 + 2);
	assert_int_equal(fake.released, 4 + 2);
	assert_int_equal(fake.mapped, 1 + 2 + 1);
	fake_program_unmaps(old + 3 * 4096, 4096);
	assert_int_equal(fake.released, 4 + 3);

	assert_int_equal(gntshr_unshare(h, old, 1), 0);
	assert_int_equal(gntshr_unshare(h, old + 4096, 2), 0);
	gntshr_close(h);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		test(opens_and_closes),
		test(refuses_to_open),
		test(shares_zeroed_pages),
		test(tells_what_the_driver_wrote),
		test(refuses_to_share),
		test(there_may_be_no_space),
		test(refuses_to_unshare),
		test(close_ends_all_shares),
		test(many_shares_in_any_order),
		test(what_the_program_unmapped_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
