// SPDX-License-Identifier: LGPL-2.1-or-later
/* Notifications: at share time and later, on every page, changed, cancelled. */

#include <string.h>

#include "fake.h"

#define BYTE GNTSHR_NOTIFY_CLEAR_BYTE
#define EVENT GNTSHR_NOTIFY_SEND_EVENT

static gntshr_handle *h;

static int setup(void **state)
{
	if (fake_setup(state))
		return -1;
	h = gntshr_open(NULL, 0);
	return h ? 0 : -1;
}

static int teardown(void **state)
{
	gntshr_close(h);
	return fake_teardown(state);
}

static void fires_as_shared(void **state)
{
	static const struct {
		uint32_t offset, port;
		unsigned int cleared, events;
	} cases[] = {
		{ -1u, -1u, 0, 0 },	 { 0, -1u, 1, 0 },
		{ 4095, -1u, 1, 0 },	 { -1u, FAKE_PORT, 0, 1 },
		{ 17, FAKE_PORT, 1, 1 },
	};
	uint32_t ref;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t offset = cases[i].offset;
		unsigned char *page;

		fake.cleared = fake.events = 0;
		page = gntshr_share_page_notify(h, 0, &ref, 1, offset,
						cases[i].port);
		assert_non_null(page);
		memset(page, 0xA5, GNTSHR_PAGE_SIZE);
		assert_int_equal(gntshr_unshare(h, page, 1), 0);
		assert_int_equal(fake.cleared, cases[i].cleared);
		assert_int_equal(fake.events, cases[i].events);
		if (offset != -1u)
			assert_int_equal(fake_page(ref)->bytes[offset], 0);
	}
}

static void can_be_set_later_on_any_page(void **state)
{
	uint32_t refs[8];
	unsigned char *pages = gntshr_share_pages(h, 0, 8, refs, 1);

	(void)state;
	assert_non_null(pages);
	memset(pages, 0xA5, 8 * GNTSHR_PAGE_SIZE);
	assert_int_equal(
		gntshr_set_unmap_notify(h, pages + 5 * 4096 + 9, BYTE, 0), 0);
	assert_int_equal(gntshr_set_unmap_notify(h, pages + 7 * 4096 + 4095,
						 EVENT, FAKE_PORT),
			 0);
	assert_int_equal(gntshr_unshare(h, pages, 8), 0);
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(fake.events, 1);
	assert_int_equal(fake_page(refs[5])->bytes[9], 0);
	assert_int_equal(fake_page(refs[7])->bytes[4095], 0xA5);
}

static void can_be_changed_and_cancelled(void **state)
{
	uint32_t ref;
	unsigned char *page =
		gntshr_share_page_notify(h, 0, &ref, 1, 3, FAKE_PORT);

	(void)state;
	assert_non_null(page);
	memset(page, 0xA5, GNTSHR_PAGE_SIZE);
	assert_int_equal(gntshr_set_unmap_notify(h, page + 4, BYTE, 0), 0);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake_page(ref)->bytes[3], 0xA5);
	assert_int_equal(fake_page(ref)->bytes[4], 0);
	assert_int_equal(fake.events, 0);

	page = gntshr_share_page_notify(h, 0, &ref, 1, 3, FAKE_PORT);
	assert_non_null(page);
	assert_int_equal(gntshr_set_unmap_notify(h, page, 0, 0), 0);
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.cleared, 1);
	assert_int_equal(fake.events, 0);
}

static void refuses_what_is_wrong(void **state)
{
	uint32_t ref;
	char *page = gntshr_share_page_notify(h, 0, &ref, 1, 3, -1);
	unsigned int steps = fake.steps;

	(void)state;
	assert_non_null(page);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, page, 4, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, NULL, BYTE, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, page + 4096, BYTE, 0), -1);
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, page - 1, BYTE, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(fake.steps, steps);

	/* Only the kernel knows which ports are open. */
	errno = 0;
	assert_int_equal(gntshr_set_unmap_notify(h, page, EVENT, FAKE_PORT + 1),
			 -1);
	assert_int_equal(errno, EINVAL);
	/* The old one is still there. */
	assert_int_equal(gntshr_unshare(h, page, 1), 0);
	assert_int_equal(fake.cleared, 1);

	ref = 77;
	errno = 0;
	assert_null(gntshr_share_page_notify(h, 0, &ref, 1, 3, FAKE_PORT + 1));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ref, 77);
	assert_int_equal(fake.cleared, 1);
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(fires_as_shared),
		test(can_be_set_later_on_any_page),
		test(can_be_changed_and_cancelled),
		test(refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
