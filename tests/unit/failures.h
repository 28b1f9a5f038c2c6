/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each allocation, lock and device call fails once, the first, the second, ...,
 * until the operation gets through. Every time: the errno of that failure, told
 * once, outputs untouched, and nothing left behind.
 */
#ifndef FAILURES_H
#define FAILURES_H

#include "fake.h"

/* Make step n of what follows fail, for n of 1, 2, ... */
#define for_each_failure(n) for ((n) = 1; fail_at(n), true; (n)++)

void fail_at(unsigned int n);
/* And all steps behind it, those that take back what was done. */
void fail_from(unsigned int n);
void assert_failed_once(void);

typedef gntshr_handle *open_fn(void);

gntshr_handle *open_handle(void);

/* Close with two shares says what failed, and goes on with the rest. */
void close_fails(open_fn *open, unsigned int steps);
void close_fails_in_all(void **state, open_fn *open, unsigned int steps);

/*
 * True if a page with a notification can be shared through @h when all steps
 * from the n-th on fail; if not, the errno is that of the n-th, or that of a
 * later one. @h is gone.
 */
bool share_fails_from(unsigned int n, void **state, gntshr_handle *h,
		      bool later);

#endif
