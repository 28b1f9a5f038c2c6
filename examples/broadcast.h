/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the broadcaster (broadcast.c) and its listeners (listener.c) in other
 * domains have agreed on.
 *
 * All listeners map the same page, each with a reference of its own. What one
 * finds in xenstore is in BROADCAST_DIR/DOMID of the broadcaster's domain, with
 * its own domid: ref, event-channel, and index, which is its place in alive[].
 * It is removed before the page is taken from that listener, so that one who
 * still finds it there knows that the broadcaster died.
 */
#ifndef EXAMPLE_BROADCAST_H
#define EXAMPLE_BROADCAST_H

#include <stdint.h>

#define BROADCAST_DIR "data/gntshr-broadcast"
#define MAX_LISTENERS 16
#define MAX_TEXT 2048

struct broadcast {
	/* Odd while the text is written. */
	uint32_t version;
	/* Each is cleared by the kernel when its listener has lost the page. */
	uint8_t alive[MAX_LISTENERS];
	char text[MAX_TEXT];
};

#endif
