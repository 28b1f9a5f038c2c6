// SPDX-License-Identifier: LGPL-2.1-or-later
/* A domain whose peer is itself. */

#include "test-calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xengnttab.h>

static void assert_both_ways(volatile char *page, uint32_t domid, uint32_t ref)
{
	xengnttab_handle *gnttab = xengnttab_open(NULL, 0);
	volatile char *mapped;

	assert_non_null(gnttab);
	mapped = xengnttab_map_grant_ref(gnttab, domid, ref,
					 PROT_READ | PROT_WRITE);
	assert_non_null(mapped);
	page[0] = 1;
	mapped[1] = 2;
	assert_int_equal(mapped[0], 1);
	assert_int_equal(page[1], 2);
	assert_int_equal(xengnttab_unmap(gnttab, (void *)mapped, 1), 0);
	xengnttab_close(gnttab);
}

/*
 * A PV domain can map its own pages, and so can any on ARM. In the others Xen
 * would let it map them, too, but what is mapped then is other memory.
 */
void own_domain_is_a_peer_or_refused(void **state)
{
	uint32_t domid = (uint32_t)atoi(getenv("XEN_DOMID")), ref = 77;
	bool refused = false;
	char *page = gntshr_share_pages(h, domid, 1, &ref, 1);

	(void)state;
#ifndef __aarch64__
	refused = !strcmp(getenv("XEN_DOMAIN_TYPE"), "pvh");
#endif
	if (refused) {
		assert_null(page);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(ref, 77);
	} else {
		assert_non_null(page);
		assert_both_ways(page, domid, ref);
		assert_int_equal(gntshr_unshare(h, page, 1), 0);
	}
}
