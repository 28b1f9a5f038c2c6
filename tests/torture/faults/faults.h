/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failures that the debug kernel injects into system calls of this thread. */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>

void faults_open(void);
/*
 * From now on the @nth allocation, copy or hook (kmod/fault.h) fails; with
 * @always the hooks behind it as well.
 */
void faults_arm(unsigned int nth, bool always);
/* No longer. Did it fail? */
bool faults_disarm(void);
/* Was it a hook, at any time since this was set to false? */
extern bool faults_hooked;
/* Which calls of the module have failed, for tests/torture/torture. */
void faults_print(void);

#endif
