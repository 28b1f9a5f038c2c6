/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cases about arenas share, each with an arena that is empty. */
#ifndef TEST_MODULE_ARENA_H
#define TEST_MODULE_ARENA_H

#include "test-module.h"

#include <sys/types.h>

#define PLACES 2048u

/* Where place 0 is mapped. */
extern unsigned char *arena;

int setup_arena(void **state);
int teardown_arena(void **state);

/* For the peer, writable; 0, or -1 with errno. */
int try_share(uint32_t place, uint32_t count);
void share(uint32_t place, uint32_t count);
/*
 * One by one, the first one last: pages that come together are given back
 * together, and may keep each other from being used again.
 */
void share_singly(uint32_t place, uint32_t count);
void unshare(uint32_t place, uint32_t count);
void assert_counts(long want_used, long want_spare, long want_lingering);
/* How many of the places a system call can read: touched, others signal. */
uint32_t count_there(uint32_t place, uint32_t count);
/* In the pages of the last share. */
void peer_finds_zeros(uint32_t count);
/*
 * A child that has @count places from 0 on: what is there at the end, when it
 * is told to go, must be @old, or nothing.
 */
pid_t keeper(uint32_t count, int old, int *go);
void ends_well(pid_t pid, int go);

/* test-module-arena.c */
void an_arena_shares(void **state);
void a_peer_may_only_read(void **state);
void shares_of_an_arena_are_one(void **state);
void an_arena_refuses(void **state);
void an_arena_refuses_to_unshare(void **state);
void an_unshare_notifies_once(void **state);
void a_peer_keeps_a_page(void **state);

/* test-module-places.c */
void places_that_are_deallocated(void **state);
void places_that_are_not_listed(void **state);
void places_that_were_changed(void **state);
void parts_of_an_arena_go(void **state);
void an_arena_has_one_owner(void **state);

/* test-module-held.c */
void a_copied_page_is_not_used(void **state);
void a_copied_page_leaves_its_place(void **state);
void a_page_that_is_not_copied_is_used(void **state);
void a_page_in_use_is_not_used(void **state);
void what_comes_together_counts_together(void **state);
void a_page_in_use_keeps_what_came_with_it(void **state);

/* test-module-spare.c */
void a_spare_page_holds_zeros_again(void **state);
void spare_pages_have_a_bound(void **state);
void a_full_table_leaves_no_spare_pages(void **state);
void spare_pages_give_way(void **state);
void idle_spare_pages_go(void **state);
void what_is_shared_is_not_idle(void **state);
void the_system_takes_spare_pages(void **state);
void a_full_memory_group_shares(void **state);
void a_memory_group_gets_room(void **state);

#endif
