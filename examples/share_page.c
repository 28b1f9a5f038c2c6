// SPDX-License-Identifier: LGPL-2.1-or-later
/* Share a page with domain 0 until a key is pressed. */
#include <gntshr.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	uint32_t ref;
	gntshr_handle *h = gntshr_open(NULL, 0);
	void *page =
		h ? gntshr_share_pages(h, 0, 1, &ref, GNTSHR_WRITABLE) : NULL;

	if (!page)
		return perror("gntshr"), 1;
	strcpy((char *)page, "hello, domain 0");
	printf("domain 0 can map grant reference %u; Enter ends it\n", ref);
	getchar();
	gntshr_unshare(h, page, 1);
	return gntshr_close(h);
}
