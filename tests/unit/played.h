/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What only Xen has, for test-sys: files of the kernel, and libxencall. */
#ifndef PLAYED_H
#define PLAYED_H

#include <stdint.h>

enum { NOTHING, OPENING, BUFFER, CALL };

/*
 * @parameter	the text of the parameter, or NULL: there is none
 * @asked_for	which of them is to be asked for
 * @maps_text	that of /proc/thread-self/maps; "" for the real one
 * @failing	which of libxencall's steps fails
 * @held	how many did not, and what they made is still there
 */
extern struct played {
	const char *parameter, *guest_type, *asked_for, *maps_text;
	int failing, held;
	int16_t status;
} played;

#endif
