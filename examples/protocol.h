/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the frontend and the backend have agreed on.
 *
 * The frontend publishes in one directory of xenstore, EXAMPLE_DIR below its
 * domain's own unless told otherwise:
 *
 *	ring-ref		grant reference of the ring page
 *	event-channel		port, in the frontend's domain
 *	num-data-pages		1 to MAX_DATA_PAGES
 *	data-ref0, data-ref1...	grant references of the data pages
 *	state			see <xen/io/xenbus.h>: Connected as soon as all
 *of the above is there; Closing before it unshares
 *
 * Then it puts text in the data pages and requests in the ring; the backend
 * transforms the text where it is and answers. Both signal the same channel.
 */
#ifndef EXAMPLE_PROTOCOL_H
#define EXAMPLE_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/ring.h>
#include <xen/io/xenbus.h>

/*
 * The barriers that ring.h leaves to its user. They hold between any two
 * processors of a machine, whatever domains these run. Where they stand in
 * ring.h, and in our programs:
 *
 *	producer		consumer
 *	W text, W slot		R index
 *	xen_wmb()		xen_rmb()
 *	W index			R slot, R text
 *
 * Who finds the new index finds what is behind it. The answer goes back in the
 * same way, and whoever gets it writes text and slot anew: so xen_wmb() has to
 * hold back the index until they have been read, too. A release fence does; a
 * barrier for writes alone (on ARM dmb ishst) does not.
 *
 *	W index			W event (the index that it wants a signal for)
 *	xen_mb()		xen_mb()
 *	R event			R index
 *
 * One of these two R finds what the other side wrote, so either the producer
 * signals or the consumer does not wait. Without one of the barriers, or with
 * weaker ones, both could find what was there before, on x86 as well.
 */
#undef xen_mb
#undef xen_rmb
#undef xen_wmb
#define xen_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

/* One access to memory that the other domain can change at any time. */
#define READ_ONCE(x) (*(volatile const __typeof__(x) *)&(x))

#define EXAMPLE_DIR "data/gntshr-example"
#define EXAMPLE_PAGE_SIZE 4096
#define MAX_DATA_PAGES 64

enum example_operation {
	EXAMPLE_UPPER_CASE,
	EXAMPLE_ROT13,
};

struct example_request {
	uint32_t id; /* the frontend's; comes back in the response */
	uint16_t operation;
	uint16_t page; /* which data page: 0 is data-ref0 */
	uint16_t offset;
	uint16_t length;
};

enum example_status {
	EXAMPLE_DONE,
	EXAMPLE_BAD_REQUEST,
};

struct example_response {
	uint32_t id;
	uint32_t status;
	uint32_t checksum; /* of the text as the backend found it */
};

DEFINE_RING_TYPES(example, struct example_request, struct example_response);

/*
 * The byte of the ring page that says "the frontend is alive". The frontend
 * sets it; the kernel clears it when the frontend unshares the page or dies.
 * ring.h leaves pvt_pad to the protocol: it lies between the indices and the
 * slots, and of all its macros only SHARED_RING_INIT() writes there.
 */
#define example_alive pvt.pvt_pad[0]

/* FNV-1a, a byte at a time. */
#define CHECKSUM_START 2166136261u

static inline uint32_t checksum_add(uint32_t sum, uint8_t byte)
{
	return (sum ^ byte) * 16777619u;
}

static inline uint8_t transform(enum example_operation operation, uint8_t c)
{
	uint8_t first = c >= 'a' && c <= 'z' ? 'a' : 'A';

	if (c < first || c > first + 25)
		return c;
	if (operation == EXAMPLE_UPPER_CASE)
		return c - first + 'A';
	return first + (c - first + 13) % 26;
}

#endif
