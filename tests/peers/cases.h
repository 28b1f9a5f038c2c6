/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cases of cmocka need. */
#ifndef CASES_H
#define CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#define assert_errno(call, error) \
	do { \
		errno = 0; \
		assert_int_equal((long)(call), -1); \
		assert_int_equal(errno, (error)); \
	} while (0)

#endif
