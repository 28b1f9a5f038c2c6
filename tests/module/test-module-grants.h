/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the cases share that are about who has which grants of what. They have
 * an arena, too.
 */
#ifndef TEST_MODULE_GRANTS_H
#define TEST_MODULE_GRANTS_H

#include "test-module-arena.h"

#define WRITABLE GNTALLOC_FLAG_WRITABLE
/* A domain that there is not. */
#define STRANGER 0x3FFFu

/* The three kinds of pages that a descriptor can grant. */
enum kind { ALLOCATED, PLACED, MEMORY, KINDS };

/* Some of them, granted to @domid; those of PLACED in places from 0 on. */
struct pages {
	enum kind kind;
	uint32_t count;
	uint64_t index;
	unsigned char *at;
};
struct pages pages_for(uint32_t domid, enum kind kind, uint32_t count,
		       uint32_t flags);
/* They are not granted by this, nor mapped. */
void end_pages(const struct pages *pages);
/* With another descriptor, and no spare page. */
void start_over(void);

/* These work: the index of a peer's grants, or a slot. */
uint64_t add_peer(uint32_t domid, uint64_t index, uint32_t count,
		  uint32_t flags);
void renew_pages(uint32_t domid, const struct pages *pages, uint32_t flags);
void revoke_pages(uint32_t domid, uint64_t index, uint32_t count);
long peer_maps(const char *mode, const uint32_t *which, uint32_t count);
void peer_lets_go(long slot);

/* While a case looks at references that grant nothing any more. */
void keep_old_refs(void);
void use_old_refs(void);
/*
 * Claim all references of the grant table; how many more pages are used then
 * comes back. free_table() gives them back.
 */
long fill_table(void);
void free_table(void);

/* Pages of this process that are pinned. */
long pinned(void);
/* The counts that a descriptor has of itself. */
void assert_status(int of, uint32_t listed, uint32_t spare, uint32_t lingers);
void set_notify(uint64_t index, uint32_t offset, uint32_t action, int port);
/* The end of a page that may be written, and a page that may not. */
void *half_writable(void);

/* test-module-peers.c */
void a_peer_is_added(void **state);
void two_domains_map_a_page(void **state);
void a_page_has_one_grant_for_a_domain(void **state);
void each_grant_has_its_notification(void **state);
void a_share_ends_for_its_peer(void **state);
void a_share_ends_while_a_peer_stays(void **state);
void grants_of_a_peer_are_no_pages(void **state);
void add_peer_refuses(void **state);
void add_peer_fails_half_way(void **state);

/* test-module-renew.c */
void pages_are_renewed(void **state);
void many_pages_are_renewed(void **state);
void a_renewal_leaves_the_old_peer_its_page(void **state);
void renewals_have_a_bound(void **state);
void renew_and_revoke_refuse(void **state);
void renew_and_revoke_fail_half_way(void **state);

/* test-module-revoke.c */
void a_grant_is_revoked(void **state);
void a_revoked_page_lingers(void **state);
void a_revocation_needs_no_room(void **state);
void revoked_places_are_used_again(void **state);

/* test-module-memory.c */
bool can_share_private(void);
unsigned char *memory(uint32_t count, int prot, int flags, int file);
unsigned char *private_memory(uint32_t count);
/* With the peer. */
uint64_t share_memory(const void *at, uint32_t count, uint32_t flags);
int sized_file(int file, uint32_t count);
void memory_is_shared(void **state);
void huge_pages_are_shared(void **state);
void zeros_that_are_written_later(void **state);
void memory_that_is_read_only(void **state);
void memory_is_shared_twice(void **state);

/* test-module-refused.c */
void memory_of_others_is_refused(void **state);
void memory_that_may_not_be_written_is_refused(void **state);
void share_memory_refuses(void **state);
void share_memory_fails_half_way(void **state);
void memory_may_be_locked_up_to_a_limit(void **state);

/* test-module-pinned.c */
void a_child_has_a_copy(void **state);
void memory_is_unmapped_and_moved(void **state);
void memory_is_thrown_away(void **state);
void memory_is_protected(void **state);
void a_seal_waits_for_the_end(void **state);
void memory_is_pinned_while_it_lingers(void **state);

/* test-module-killed.c */
void a_killed_process_had_peers(void **state);
void a_killed_process_had_renewed(void **state);
void memory_outlives_its_program(void **state);
void a_killed_process_had_memory(void **state);

/* test-module-told.c */
void poll_tells_when_all_are_back(void **state);
void poll_tells_of_all_kinds(void **state);
void poll_tells_of_no_others(void **state);
void news_are_withdrawn(void **state);
void news_come_once_to_an_edge(void **state);
void all_who_wait_are_told(void **state);
void status_counts(void **state);
void status_loses_no_news(void **state);
void status_refuses(void **state);

/* test-module-bounded.c */
void a_bounded_descriptor_has_one_peer(void **state);
void a_bounded_descriptor_has_so_many(void **state);
void a_bound_counts_what_lingers(void **state);
void a_bound_costs_the_others_nothing(void **state);
void a_renewal_counts_ahead(void **state);
void spare_pages_of_a_bound_give_way(void **state);
void chunks_take_no_bound(void **state);
void a_bound_may_have_chunks(void **state);
void restrict_refuses(void **state);
void a_bound_stays(void **state);
int still_bounded(int of);

#endif
