# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that run in Xen domains: scripts/check starts them, not make check.

check_PROGRAMS += tests/xen/peer tests/xen/test-calls \
	tests/xen/test-calls-xengnttab tests/xen/test-module tests/xen/stress \
	tests/xen/test-scale tests/xen/test-faults
EXTRA_DIST += tests/xen/test-vchan tests/xen/run tests/xen/fetch tests/xen/image \
	tests/xen/in-domain tests/xen/test-dkms \
	tests/xen/init-common tests/xen/init-dom0 tests/xen/init-guest \
	tests/xen/verdict tests/xen/debug-kernel tests/xen/debug.config \
	tests/xen/torture

xen_cppflags = $(AM_CPPFLAGS) $(PEER_CFLAGS) $(CMOCKA_CFLAGS)
xen_remote = tests/xen/remote.c tests/xen/remote.h

tests_xen_peer_SOURCES = tests/xen/peer.c tests/xen/remote.h
tests_xen_peer_CPPFLAGS = $(xen_cppflags)
tests_xen_peer_LDADD = $(PEER_LIBS)

xen_calls = tests/xen/test-calls.c tests/xen/test-calls.h tests/xen/api.h \
	tests/xen/test-calls-notify.c $(xen_remote)
tests_xen_test_calls_SOURCES = $(xen_calls) tests/xen/test-calls-child.c \
	tests/xen/test-calls-own.c
tests_xen_test_calls_CPPFLAGS = $(xen_cppflags)
tests_xen_test_calls_LDADD = src/libgntshr.la $(PEER_LIBS) $(CMOCKA_LIBS)

# libxengnttab in place of ours; xen_calls compiled again.
tests_xen_test_calls_xengnttab_SOURCES = $(xen_calls)
tests_xen_test_calls_xengnttab_CPPFLAGS = $(xen_cppflags) -DWITH_XENGNTTAB
tests_xen_test_calls_xengnttab_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)

tests_xen_test_module_SOURCES = tests/xen/test-module.c \
	tests/xen/test-module.h tests/xen/test-module-map.c \
	tests/xen/test-module-end.c $(xen_remote)
tests_xen_test_module_CPPFLAGS = $(xen_cppflags)
tests_xen_test_module_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)

tests_xen_stress_CPPFLAGS = $(xen_cppflags)
tests_xen_stress_LDADD = $(PEER_LIBS)

tests_xen_test_scale_CPPFLAGS = $(xen_cppflags)
tests_xen_test_scale_LDADD = src/libgntshr.la $(CMOCKA_LIBS)

tests_xen_test_faults_SOURCES = tests/xen/test-faults.c tests/xen/faults.c \
	tests/xen/faults.h $(xen_remote)
tests_xen_test_faults_CPPFLAGS = $(xen_cppflags)
tests_xen_test_faults_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)

# What the stock module and library get wrong, case by case: tests/xen/ledger.
check_PROGRAMS += tests/xen/ledger-cases
EXTRA_DIST += tests/xen/ledger tests/xen/own tests/xen/vchan-to-itself
tests_xen_ledger_cases_SOURCES = tests/xen/ledger-cases.c tests/xen/ledger.h \
	tests/xen/ledger-calls.c tests/xen/ledger-memory.c \
	tests/xen/ledger-library.c tests/xen/ledger-table.c $(xen_remote)
tests_xen_ledger_cases_CPPFLAGS = $(xen_cppflags) -D_GNU_SOURCE
tests_xen_ledger_cases_LDADD = src/libgntshr.la $(PEER_LIBS)

# Another driver of the domain beside programs that share.
check_PROGRAMS += tests/xen/beside-taker
EXTRA_DIST += tests/xen/test-refs tests/xen/taker
tests_xen_beside_taker_CPPFLAGS = $(xen_cppflags)

# A program for libxengnttab as it is, and ported to libgntshr by sed.
check_PROGRAMS += tests/xen/port tests/xen/port-gntshr
EXTRA_DIST += tests/xen/preloaded
tests_xen_port_CPPFLAGS = $(xen_cppflags)
tests_xen_port_LDADD = $(PEER_LIBS)

nodist_tests_xen_port_gntshr_SOURCES = tests/xen/port-gntshr.c
tests_xen_port_gntshr_CPPFLAGS = $(xen_cppflags) -include gntshr.h
tests_xen_port_gntshr_LDADD = src/libgntshr.la $(PEER_LIBS)
CLEANFILES += tests/xen/port-gntshr.c

tests/xen/port-gntshr.c: tests/xen/port.c
	$(AM_V_at)$(MKDIR_P) tests/xen
	$(AM_V_GEN)sed 's/xengntshr_/gntshr_/g' \
		$(srcdir)/tests/xen/port.c >$@

# The command-line tool.
check_PROGRAMS += tests/xen/hold-port
EXTRA_DIST += tests/xen/test-tool
tests_xen_hold_port_CPPFLAGS = $(xen_cppflags)
tests_xen_hold_port_LDADD = $(PEER_LIBS)

# A guest that is saved and restored; tests/xen/test-suspend runs it.
check_PROGRAMS += tests/xen/suspend-shares
EXTRA_DIST += tests/xen/test-suspend
tests_xen_suspend_shares_SOURCES = tests/xen/suspend-shares.c $(xen_remote)
tests_xen_suspend_shares_CPPFLAGS = $(xen_cppflags)
tests_xen_suspend_shares_LDADD = src/libgntshr.la $(PEER_LIBS) $(CMOCKA_LIBS)

# Death at every moment.
check_PROGRAMS += tests/xen/test-death
xen_anypeer = tests/xen/anypeer.c tests/xen/anypeer.h $(xen_remote)
tests_xen_test_death_SOURCES = tests/xen/test-death.c \
	tests/xen/test-death-life.c tests/xen/test-death.h $(xen_anypeer)
tests_xen_test_death_CPPFLAGS = $(xen_cppflags) -D_GNU_SOURCE
tests_xen_test_death_LDADD = src/libgntshr.la $(PEER_LIBS)

# Hostile peers and users.
check_PROGRAMS += tests/xen/test-hostile
tests_xen_test_hostile_SOURCES = tests/xen/test-hostile.c \
	tests/xen/test-hostile.h tests/xen/test-hostile-bounds.c \
	tests/xen/test-hostile-peer.c tests/xen/test-hostile-reload.c \
	tests/xen/test-hostile-ring.c tests/xen/test-hostile-user.c \
	tests/xen/test-hostile-window.c $(xen_anypeer)
tests_xen_test_hostile_CPPFLAGS = $(xen_cppflags) -D_GNU_SOURCE \
	-I$(top_srcdir)/kmod
tests_xen_test_hostile_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)

# Random calls of several processes beside a model of the module.
check_PROGRAMS += tests/xen/fuzz-module
tests_xen_fuzz_module_SOURCES = tests/xen/fuzz-module.c tests/xen/fuzz.h \
	tests/xen/fuzz-model.c tests/xen/fuzz-choose.c tests/xen/fuzz-print.c \
	tests/xen/fuzz-requests.c tests/xen/fuzz-memory.c tests/xen/fuzz-peer.c \
	tests/xen/fuzz-turns.c tests/xen/fuzz-events.c $(xen_remote)
tests_xen_fuzz_module_CPPFLAGS = $(xen_cppflags) -D_GNU_SOURCE \
	-I$(srcdir)/kmod
tests_xen_fuzz_module_LDADD = $(PEER_LIBS)
