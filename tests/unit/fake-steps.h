/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the fake device and what makes its steps fail. */
#ifndef FAKE_STEPS_H
#define FAKE_STEPS_H

#include "fake.h"

/* Shall this step fail? Then errno says with what. */
bool fake_fails(enum fake_step step);

/* Not through the wrapper, which takes what it gets for the library's. */
int __real_pthread_atfork(void (*before)(void), void (*in_parent)(void),
			  void (*in_child)(void));

/* What the library has fork call. */
struct fake_fork_handlers {
	void (*before)(void);
	void (*in_child)(void);
};

extern struct fake_fork_handlers fake_fork_handlers;

#endif
