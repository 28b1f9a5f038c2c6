// SPDX-License-Identifier: LGPL-2.1-or-later

#include "compat-handle.h"

int setup_arenas(void **state)
{
	if (fake_setup(state))
		return -1;
	fake.has_arenas = true;
	fake.decays = false;
	return 0;
}

unsigned int released_before;

xengntshr_handle *open_handle(void)
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

unsigned int released(void)
{
	return fake.released - released_before;
}

void unmap(void *addr, uint32_t count)
{
	assert_int_equal(
		gntshr_sys_munmap(addr, (size_t)count * GNTSHR_PAGE_SIZE), 0);
}
