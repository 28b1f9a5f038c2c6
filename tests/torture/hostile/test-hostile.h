/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the hostile cases share: the device itself, without a library. */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

#include <sys/types.h>

#include "anypeer.h"
#include "cases.h"
#include "device.h"
#include "module.h"
#include "remote.h"

extern uint32_t domid;

/* For the peer, writable. */
int alloc(int fd, uint32_t count, uint64_t *index);
uint64_t must_alloc(int fd, uint32_t count);
/* Likewise, in places of the arena. */
int share(int fd, uint32_t place, const void *addr, uint32_t count);
/* If not, @fd is closed: the stock driver has none. */
bool has_arenas(int fd);
/* Likewise, memory of the caller. */
int pin(int fd, const void *addr, uint32_t count, uint64_t *index);
/* If not, @fd is closed: the stock driver cannot. */
bool can_pin(int fd);
void assert_nothing_pinned(void);
bool all_are(const void *pages, size_t size, uint64_t word);

/* The stock driver has no counts: there it is always right. */
void assert_used(long want);
void assert_used_becomes(long want);

/* A child may not assert: it ends with what the parent asserts to be 0. */
#define child_must(condition) \
	do { \
		if (!(condition)) { \
			print_error("child, %s:%d: %s: errno %d\n", __FILE__, \
				    __LINE__, #condition, errno); \
			_exit(1); \
		} \
	} while (0)
void assert_ends_well(pid_t pid);
void assert_killed(pid_t pid);
/* Memory that children share with us, zeroed. */
void *shared_memory(size_t size);

/* The cases, by file. */
void names_what_others_have(void **state);
void odd_requests(void **state);
void odd_places(void **state);
void closes_while_another_maps(void **state);
void dies_with_pages_in_flight(void **state);

void the_limit_is_raced_for(void **state);
void the_limit_is_lowered(void **state);
void the_table_is_full(void **state);
void a_memory_group_is_full(void **state);
void the_module_goes_and_comes(void **state);

void a_peer_never_unmaps(void **state);
void a_peer_unmaps_meanwhile(void **state);
void a_peer_guesses(void **state);
void a_backend_scribbles(void **state);

void arena_requests_that_are_wrong(void **state);
void places_that_go_away(void **state);
void dies_while_it_shares(void **state);
void one_of_many_has_the_arena(void **state);

void pins_a_page_over_and_over(void **state);
void maps_what_is_anothers_meanwhile(void **state);
void shares_what_another_cuts(void **state);
void changes_its_memory_meanwhile(void **state);
void dies_while_it_pins(void **state);
void what_may_be_locked_is_raced_for(void **state);

void one_of_two_peers_never_lets_go(void **state);
void renews_while_the_peer_maps(void **state);
void polls_in_a_storm(void **state);

void escapes_from_its_bounds(void **state);
void bounds_hold_what_lingers(void **state);
void restricts_in_a_race(void **state);
void bounds_are_raced_for(void **state);

void children_watch(void **state);
void the_limit_is_for_what_is_shared(void **state);
void the_system_takes_what_is_spare(void **state);

void io_across_shares(void **state);
void faults_that_nobody_serves(void **state);

#endif
