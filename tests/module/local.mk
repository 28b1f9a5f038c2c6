# SPDX-License-Identifier: LGPL-2.1-or-later
# What only our module promises.

check_PROGRAMS += tests/module/test-module tests/module/beside-taker
EXTRA_DIST += tests/module/test-params tests/module/test-refs \
	tests/module/taker

tests_module_test_module_SOURCES = tests/module/test-module.c \
	tests/module/test-module.h tests/module/test-module-map.c \
	tests/module/test-module-end.c tests/module/test-module-arena.h \
	tests/module/test-module-arena.c tests/module/test-module-held.c \
	tests/module/test-module-places.c tests/module/test-module-spare.c \
	tests/module/test-module-grants.h tests/module/test-module-grants.c \
	tests/module/test-module-peers.c tests/module/test-module-renew.c \
	tests/module/test-module-revoke.c tests/module/test-module-killed.c \
	tests/module/test-module-memory.c tests/module/test-module-refused.c \
	tests/module/test-module-pinned.c tests/module/test-module-told.c \
	tests/module/test-module-bounded.c \
	$(xen_remote) $(xen_device)
tests_module_test_module_CPPFLAGS = $(xen_cppflags)
tests_module_test_module_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)

# Another driver of the domain beside programs that share: test-refs runs it.
tests_module_beside_taker_SOURCES = tests/module/beside-taker.c $(xen_device)
tests_module_beside_taker_CPPFLAGS = $(xen_cppflags)
