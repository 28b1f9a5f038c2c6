// SPDX-License-Identifier: LGPL-2.1-or-later
/* Arguments that several calls take. */

#include <errno.h>

#include "internal.h"

#define NOTIFY_ALL (GNTSHR_NOTIFY_CLEAR_BYTE | GNTSHR_NOTIFY_SEND_EVENT)

/*
 * Is @domid this very domain, and one where whoever maps its pages gets others?
 * The processor is slow to answer, so once for a peer. A domain that is
 * restored has another domid, which a handle may have known as that of a peer.
 */
static bool cannot_be_peer(struct gntshr_handle *h, uint32_t domid)
{
	uint32_t own;

	if (gntshr_is_known_peer(h, domid))
		return false;
	if (gntshr_cpuid_domid(&own) && domid == own && !gntshr_sys_is_pv())
		return true;
	atomic_store_explicit(&h->others[domid % GNTSHR_OTHERS],
			      (uint16_t)(domid + 1), memory_order_relaxed);
	return false;
}

int gntshr_check_domid(struct gntshr_handle *h, uint32_t domid)
{
	if (domid <= GNTSHR_DOMID_LAST)
		return 0;
	return gntshr_fail(h->logger, EINVAL,
			   "%u is not a domid: those are 0 to %u", domid,
			   GNTSHR_DOMID_LAST);
}

/* What is wrong, if anything is. */
int gntshr_check_grant_slowly(struct gntshr_handle *h, uint32_t domid,
			      uint32_t count, const uint32_t *refs,
			      unsigned int flags)
{
	if (gntshr_check_owner(h) || gntshr_check_domid(h, domid))
		return -1;
	if (!count || (uint64_t)count * GNTSHR_PAGE_SIZE > PTRDIFF_MAX)
		return gntshr_fail(h->logger, EINVAL,
				   "cannot share %u pages in a call", count);
	if (!refs)
		return gntshr_fail(h->logger, EINVAL,
				   "there is no place for the references");
	if (flags & ~GNTSHR_WRITABLE)
		return gntshr_fail(h->logger, EINVAL, "flags %#x are not known",
				   flags);
	if (cannot_be_peer(h, domid))
		return gntshr_fail(
			h->logger, EINVAL,
			"domain %u is this one: in a PVH or HVM domain whoever maps pages of its own gets other memory, only in a PV domain that works",
			domid);
	return 0;
}

int gntshr_check_action(struct gntshr_handle *h, unsigned int action)
{
	if (!(action & ~NOTIFY_ALL))
		return 0;
	return gntshr_fail(h->logger, EINVAL, "notification %#x is not known",
			   action);
}
