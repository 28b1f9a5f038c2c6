# SPDX-License-Identifier: LGPL-2.1-or-later
# The module broken on purpose: tests/torture/torture runs all of it.

check_PROGRAMS += tests/torture/faults/test-faults \
	tests/torture/fuzz/fuzz-module tests/torture/death/test-death \
	tests/torture/hostile/test-hostile
EXTRA_DIST += tests/torture/torture
torture_cppflags = $(xen_cppflags) -I$(top_srcdir)/tests/torture \
	-D_GNU_SOURCE

tests_torture_faults_test_faults_SOURCES = \
	tests/torture/faults/test-faults.c \
	tests/torture/faults/test-faults.h tests/torture/faults/fault-ops.c \
	tests/torture/faults/fault-peers.c tests/torture/faults/faults.c \
	tests/torture/asks.h \
	tests/torture/faults/faults.h $(xen_remote) $(xen_device)
tests_torture_faults_test_faults_CPPFLAGS = $(torture_cppflags)
tests_torture_faults_test_faults_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)

# Random calls of several processes beside a model of the module.
tests_torture_fuzz_fuzz_module_SOURCES = tests/torture/fuzz/fuzz-module.c \
	tests/torture/fuzz/fuzz.h tests/torture/fuzz/fuzz-model.c \
	tests/torture/fuzz/fuzz-choose.c tests/torture/fuzz/fuzz-print.c \
	tests/torture/fuzz/fuzz-requests.c tests/torture/fuzz/fuzz-memory.c \
	tests/torture/fuzz/fuzz-share.c tests/torture/fuzz/fuzz-grants.c \
	tests/torture/fuzz/fuzz-peers.c tests/torture/fuzz/fuzz-told.c \
	tests/torture/asks.h \
	tests/torture/fuzz/fuzz-peer.c tests/torture/fuzz/fuzz-turns.c \
	tests/torture/fuzz/fuzz-events.c tests/peers/mute.h \
	$(xen_remote) $(xen_module)
tests_torture_fuzz_fuzz_module_CPPFLAGS = $(torture_cppflags)
tests_torture_fuzz_fuzz_module_LDADD = $(PEER_LIBS)

tests_torture_death_test_death_SOURCES = tests/torture/death/test-death.c \
	tests/torture/death/test-death-life.c \
	tests/torture/death/test-death-calls.c \
	tests/torture/death/test-death.h tests/torture/asks.h $(xen_anypeer) \
	$(xen_device)
tests_torture_death_test_death_CPPFLAGS = $(torture_cppflags)
tests_torture_death_test_death_LDADD = src/libgntshr.la $(PEER_LIBS)

# Hostile peers and users.
tests_torture_hostile_test_hostile_SOURCES = \
	tests/torture/hostile/test-hostile.c \
	tests/torture/hostile/test-hostile.h \
	tests/torture/hostile/test-hostile-bounds.c \
	tests/torture/hostile/test-hostile-faults.c \
	tests/torture/hostile/test-hostile-peer.c \
	tests/torture/hostile/test-hostile-reload.c \
	tests/torture/hostile/test-hostile-ring.c \
	tests/torture/hostile/test-hostile-user.c \
	tests/torture/hostile/test-hostile-arena.c \
	tests/torture/hostile/test-hostile-memory.c \
	tests/torture/hostile/test-hostile-peers.c \
	tests/torture/hostile/test-hostile-pins.c \
	tests/torture/hostile/test-hostile-restrict.c tests/torture/asks.h \
	tests/torture/hostile/test-hostile-spare.c $(xen_anypeer) \
	$(xen_device)
tests_torture_hostile_test_hostile_CPPFLAGS = $(torture_cppflags)
tests_torture_hostile_test_hostile_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)
