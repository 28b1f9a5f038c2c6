/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the xengntshr_* calls have in common. */
#ifndef COMPAT_HANDLE_H
#define COMPAT_HANDLE_H

#include <xengnttab.h>

#include "fake.h"

#define PAGE GNTSHR_PAGE_SIZE

/* A driver with arenas, whose spare pages stay. */
int setup_arenas(void **state);

/*
 * If the driver has arenas the next share lies in one, and meets a spare page:
 * only the first share has a mapping of its own.
 */
xengntshr_handle *open_handle(void);
/* Pages, since the last handle was opened, or since a test says. */
unsigned int released(void);
extern unsigned int released_before;
/* As a program does it that does not bother to call the library. */
void unmap(void *addr, uint32_t count);

#endif
