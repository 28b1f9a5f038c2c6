// SPDX-License-Identifier: LGPL-2.1-or-later

#include "failures.h"

#define ERRNO EXFULL

void fail_at(unsigned int n)
{
	fake.failed = FAKE_NONE;
	fake.fail_errno = ERRNO;
	fake.fail_at = fake.steps + n;
	fake_messages = 0;
	errno = 0;
}

void fail_from(unsigned int n)
{
	fail_at(n);
	fake.fail_on = true;
}

void assert_failed_once(void)
{
	assert_int_equal(errno, fake.fail_errno);
	assert_int_not_equal(fake.failed, FAKE_NONE);
	assert_int_equal(fake_messages, 1);
}

gntshr_handle *open_handle(void)
{
	gntshr_handle *h;

	fake.fail_at = 0;
	h = gntshr_open(fake_logger(), 0);
	assert_non_null(h);
	return h;
}

static gntshr_handle *open_with_shares(open_fn *open)
{
	gntshr_handle *h = open();
	uint32_t ref;

	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	assert_non_null(gntshr_share_pages(h, 0, 1, &ref, 1));
	return h;
}

/* False if it said so. */
static bool closes(gntshr_handle *h)
{
	int rc = gntshr_close(h);

	assert_int_equal(fake.open, 0);
	assert_int_equal(fake.listed, 0);
	if (rc) {
		assert_int_equal(errno, ERRNO);
		assert_int_not_equal(fake.failed, FAKE_NONE);
	}
	return !rc;
}

void close_fails(open_fn *open, unsigned int steps)
{
	unsigned int n = 0;
	gntshr_handle *h;
	bool closed;

	do {
		h = open_with_shares(open);
		fail_at(++n);
		closed = closes(h);
		assert_int_equal(fake.mapped, 0);
		assert_int_equal(fake.arenas, 0);
	} while (!closed);
	assert_int_equal(n, steps + 1);
}

/* What could not be unmapped is left to the end of the process. */
void close_fails_in_all(void **state, open_fn *open, unsigned int steps)
{
	unsigned int n = 0;
	gntshr_handle *h;

	do {
		fake_setup(state);
		h = open_with_shares(open);
		fail_from(++n);
	} while (!closes(h));
	assert_int_equal(n, steps + 1);
}

bool share_fails_from(unsigned int n, void **state, gntshr_handle *h,
		      bool later)
{
	uint32_t ref = 70;
	bool shared;

	fail_from(n);
	shared = gntshr_share_page_notify(h, 0, &ref, 1, 0, FAKE_PORT);
	if (!shared) {
		if (later)
			fake.fail_errno = FAKE_LATER_ERRNO;
		assert_failed_once();
		assert_int_equal(ref, 70);
	}
	/* Close gets at what the driver still lists. */
	fake.fail_at = 0;
	assert_int_equal(gntshr_close(h), 0);
	assert_int_equal(fake.listed, 0);
	assert_int_equal(fake.arenas, 0);
	fake_setup(state);
	return shared;
}
