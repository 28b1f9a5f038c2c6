/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the fake device and what makes its steps fail. */
#ifndef FAKE_STEPS_H
#define FAKE_STEPS_H

#include <pthread.h>

#include "fake.h"

/*
 * Shall this step fail? Then errno says with what; otherwise it is spoilt, as
 * any call may leave it that does not fail.
 */
bool fake_fails(enum fake_step step);

void fake_spoil_errno(void);

/* Not through the wrappers, which take what they get for the library's. */
int __real_pthread_atfork(void (*before)(void), void (*in_parent)(void),
			  void (*in_child)(void));
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);

/* What the library has fork call. */
struct fake_fork_handlers {
	void (*before)(void);
	void (*in_parent)(void);
	void (*in_child)(void);
};

extern struct fake_fork_handlers fake_fork_handlers;
/* And the fake. */
void fake_register_fork_handlers(void);

#endif
