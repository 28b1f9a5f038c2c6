// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A frontend that launcher.c starts: it shares all the pages that it may, and
 * shows that it may do nothing else.
 */
#include "common.h"

#include <fcntl.h>
#include <gntshr.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "/dev/xen/gntalloc"

/* Without a logger, which would complain of what shall fail. */
static gntshr_handle *open_given(void)
{
	const char *text = getenv("GNTSHR_FD");
	gntshr_handle *h;
	uint32_t fd;

	if (!text || !to_number(text, INT32_MAX, &fd))
		errx(1, "GNTSHR_FD names no descriptor: start this with "
			"launcher");
	h = gntshr_fdopen(NULL, (int)fd, 0);
	if (!h)
		err(1, "descriptor %u", fd);
	return h;
}

static char *share(gntshr_handle *h, uint32_t domid, uint32_t count)
{
	uint32_t *refs = calloc(count, sizeof(*refs));
	char *pages =
		refs ? gntshr_share_pages(h, domid, count, refs, 0) : NULL;

	if (!pages)
		err(1, "cannot share %u pages with domain %u", count, domid);
	for (uint32_t i = 0; i < count; i++)
		snprintf(pages + (size_t)i * 4096, 4096, "page %u of %u", i,
			 count);
	printf("confined: user %u shares with domain %u, references",
	       (unsigned int)getuid(), domid);
	for (uint32_t i = 0; i < count; i++)
		printf("%c%" PRIu32, i ? ',' : ' ', refs[i]);
	printf("\n");
	free(refs);
	return pages;
}

/* What has just been tried must have failed, and for this reason. */
static void refused(const char *what, bool failed, int reason)
{
	int error = errno;

	if (!failed)
		errx(1, "%s: that should have failed", what);
	errno = error;
	if (error != reason)
		err(1, "%s: failed for another reason", what);
	printf("confined: %s: %s\n", what, strerror(error));
}

int main(int argc, char **argv)
{
	uint32_t domid, other, count, ref;
	gntshr_handle *h;
	char *pages;

	if (argc != 3)
		errx(2, "usage: confined DOMID PAGES");
	domid = argument("DOMID", argv[1], MAX_DOMID);
	count = argument("PAGES", argv[2], 1024);
	other = domid == MAX_DOMID ? 0 : MAX_DOMID;
	setvbuf(stdout, NULL, _IOLBF, 0);

	h = open_given();
	pages = share(h, domid, count);
	refused("one more page", !gntshr_share_pages(h, domid, 1, &ref, 0),
		EDQUOT);
	refused("another domain", !gntshr_share_pages(h, other, 1, &ref, 0),
		EACCES);
	refused("one more domain", gntshr_add_peer(h, pages, 1, other, &ref, 0),
		EACCES);
	refused("renewal for another domain",
		gntshr_renew(h, pages, 1, other, &ref, 0), EACCES);
	refused("other bounds", gntshr_restrict(h, domid, count + 1), EACCES);
	refused("the device itself", open(DEVICE, O_RDWR) < 0, EACCES);
	printf("confined: the end of the input ends it\n");
	while (getchar() != EOF)
		;
	if (gntshr_unshare(h, pages, count) || gntshr_close(h))
		err(1, "cannot unshare");
	return 0;
}
