// SPDX-License-Identifier: LGPL-2.1-or-later

#include "arenas.h"

gntshr_handle *h;

static uint32_t refs[2 * ARENA];

int arenas_setup(void **state)
{
	char *page;

	if (fake_setup(state))
		return -1;
	fake.has_arenas = true;
	fake.decays = false;
	h = gntshr_open(NULL, 0);
	page = gntshr_share_pages(h, 0, 1, refs, 1);
	return !page || fake_page(refs[0])->in_arena || fake.arenas_asked;
}

int arenas_teardown(void **state)
{
	gntshr_close(h);
	return fake_teardown(state);
}

char *make_large_share(uint32_t count)
{
	char *pages = gntshr_share_pages(h, 0, count, refs, 1);

	assert_non_null(pages);
	assert_true(fake_page(refs[count - 1])->in_arena);
	return pages;
}

char *make_share(uint32_t count, bool in_arena)
{
	char *pages = gntshr_share_pages(h, 0, count, refs, 1);

	assert_non_null(pages);
	for (uint32_t i = 0; i < count; i++) {
		const struct fake_page *page = fake_page(refs[i]);

		assert_ptr_equal(page->addr, pages + i * PAGE);
		assert_int_equal(page->in_arena, in_arena);
		assert_true(page->listed);
		assert_int_equal(page->action, 0);
		for (int n = 0; n < PAGE; n++)
			assert_int_equal(page->bytes[n] | page->addr[n], 0);
	}
	memset(pages, 0x5A, count * PAGE);
	return pages;
}

void end_share_with_peers(void *pages, uint32_t count, uint32_t added)
{
	unsigned int released = fake.released;

	assert_int_equal(gntshr_unshare(h, pages, count), 0);
	assert_int_equal(fake.released, released + count + added);
}

void end_share(void *pages, uint32_t count)
{
	end_share_with_peers(pages, count, 0);
}
