/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cases of test-module share, and the cases of the other files. */
#ifndef TEST_MODULE_H
#define TEST_MODULE_H

#include "cases.h"
#include "device.h"
#include "module.h"
#include "remote.h"

/* The device of each case. */
extern int fd;

long used(void);
long lingering(void);
/* A peer that lets go takes a moment, and a process that dies. */
/*
 * What goes in the background is first no longer spare, then no longer used and
 * then no longer lingering: who waits for one may still see the next.
 */
void wait_until_used_is(long want);
void wait_until_none_lingers(void);
/* For the peer, writable: the index. */
uint64_t alloc(uint32_t count);

/* Of each case: none of what ran before, or of itself, stays. */
int setup(void **state);
int teardown(void **state);

/* test-module-map.c */
void part_of_a_mapping_goes(void **state);
void a_mapping_moves(void **state);
void two_mappings_of_a_page(void **state);
void a_child_keeps_pages(void **state);
void pages_leave_an_address_range(void **state);

/* test-module-end.c */
void a_pinned_page_lingers(void **state);
void the_peer_lets_go_late(void **state);
void the_limit_holds(void **state);
void references_rest(void **state);
void references_do_not_pile_up(void **state);
void a_killed_process_leaves_nothing(void **state);

#endif
