// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a user's program does: shares of all sizes, with references and pages
 * that it looks at, notifications, and the end of it all. Row O7 runs it under
 * tools that complain when it decides by what nobody has written.
 */

#include <gntshr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARES 12
#define MANY 200

static unsigned long sum;

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/*
 * Uninitialised bytes go to where the library has its stack next, and to
 * @pages: what is shared there later is new.
 */
static __attribute__((noinline)) void spoil(char *pages, uint32_t count)
{
	char rubbish[8192];

	__asm__ volatile("" : : "r"(rubbish) : "memory");
	for (uint32_t i = 0; i < count; i++)
		memcpy(pages + (size_t)i * 4096, rubbish, 4096);
}

/* Decides by each number and each byte. */
static int look(const uint32_t *refs, const char *pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (refs[i] > 7)
			sum += refs[i];
	for (size_t i = 0; i < (size_t)count * 4096; i++)
		if (pages[i])
			return fail("pages that are not zeroed");
	return 0;
}

static int share(gntshr_handle *h, char **pages, uint32_t count)
{
	uint32_t *refs = malloc(count * sizeof(*refs));
	int rc;

	spoil(NULL, 0);
	*pages = gntshr_share_pages(h, 0, count, refs, GNTSHR_WRITABLE);
	rc = !*pages ? fail("gntshr_share_pages") : look(refs, *pages, count);
	free(refs);
	if (!rc)
		spoil(*pages, count);
	return rc;
}

static int share_one(gntshr_handle *h, char **page)
{
	uint32_t ref;

	spoil(NULL, 0);
	*page = gntshr_share_page_notify(h, 0, &ref, 0, 9, (uint32_t)-1);
	if (!*page)
		return fail("gntshr_share_page_notify");
	return look(&ref, *page, 1);
}

static uint32_t count_of(int i)
{
	return i % 4 == 3 ? MANY : (uint32_t)i % 4 + 1;
}

/* Twice, the second time where pages were before. */
static int turn(gntshr_handle *h)
{
	char *pages[SHARES], *page;

	for (int i = 0; i < SHARES; i++)
		if (share(h, &pages[i], count_of(i)))
			return 1;
	if (share_one(h, &page))
		return 1;
	if (gntshr_set_unmap_notify(h, pages[1], GNTSHR_NOTIFY_CLEAR_BYTE, 0))
		return fail("gntshr_set_unmap_notify");
	/* One is left for the end. */
	for (int i = 1; i < SHARES; i++)
		if (gntshr_unshare(h, pages[i], count_of(i)))
			return fail("gntshr_unshare");
	return 0;
}

int main(void)
{
	gntshr_handle *h = gntshr_open(NULL, 0);

	if (!h)
		return fail("gntshr_open");
	if (turn(h) || turn(h))
		return 1;
	if (gntshr_close(h))
		return fail("gntshr_close");
	return !sum;
}
