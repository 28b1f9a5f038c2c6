/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the calls of the fuzzer have in common. */
#ifndef FUZZ_H
#define FUZZ_H

#include "model.h"

/* The errno before a call: one that no call sets. */
#define BEFORE EXDEV

/* The next byte of the input; 0 when there is none. */
unsigned int byte(void);
unsigned int below(unsigned int n);

struct model_handle *any_handle(void);
/* Addresses of shares, near them, in them, of those that were, and others. */
void *any_address(void);

/* How many steps there were before the call. */
extern unsigned int steps;
void before_call(void);
/* @error is 0 for a call that gets through; a failure is told once. */
void after_call(const struct model_handle *handle, int error);

/* fuzz-borrow.c: what needs our driver */
void share_memory(void);
void add_peer(void);
void remove_peer(void);
void set_peer_notify(void);
void renew(void);
void ask(void);
void restrict_handle(void);
void open_descriptor(void);

#endif
