/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the cases of test-calls share, and the cases, by file. */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include "api.h"
#include "cases.h"
#include "remote.h"

#define MAX_PAGES 512
/* How long "nothing comes" is believed after. */
#define SILENCE_MS 500
/* Of the byte that is to be cleared. */
#define OFFSET 1234

/* A handle of each case, and room for its references. */
extern gntshr_handle *h;
extern uint32_t refs[MAX_PAGES];

void assert_ended(const uint32_t *ref);

#define DECLARE_NOTIFY_TESTS(how) \
	void how##_silent(void **state); \
	void how##_byte(void **state); \
	void how##_event(void **state); \
	void how##_both(void **state)

DECLARE_NOTIFY_TESTS(unshare);
DECLARE_NOTIFY_TESTS(exit);
DECLARE_NOTIFY_TESTS(kill);
DECLARE_NOTIFY_TESTS(exec);

#ifndef WITH_XENGNTTAB
DECLARE_NOTIFY_TESTS(close);

void set_later(void **state);
void change_and_cancel(void **state);
void a_closed_port_is_refused(void **state);

void own_domain_is_a_peer_or_refused(void **state);

void a_child_may_close(void **state);
void a_child_may_do_nothing_else(void **state);
void a_child_keeps_pages(void **state);
void a_child_that_closes_does_not(void **state);
void a_child_that_execs_does_not(void **state);
void a_child_can_be_kept_out(void **state);
void a_child_may_close_what_it_has_not(void **state);
#else
void munmap_ends_a_share(void **state);
void parts_go_one_by_one(void **state);
void two_shares_go_at_once(void **state);
void a_share_outlives_its_handle(void **state);
void a_child_has_its_own_end(void **state);
void so_has_a_clone(void **state);
void a_share_can_be_moved(void **state);
void a_share_can_be_covered(void **state);
void a_share_can_be_protected(void **state);
#endif

#endif
