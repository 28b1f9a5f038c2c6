# SPDX-License-Identifier: LGPL-2.1-or-later
# What both libraries promise, on both modules.

check_PROGRAMS += tests/calls/test-calls tests/calls/test-calls-xengnttab

xen_calls = tests/calls/test-calls.c tests/calls/test-calls.h \
	tests/calls/api.h tests/calls/test-calls-notify.c $(xen_remote)
tests_calls_test_calls_SOURCES = $(xen_calls) tests/calls/test-calls-child.c \
	tests/calls/test-calls-own.c
tests_calls_test_calls_CPPFLAGS = $(xen_cppflags)
tests_calls_test_calls_LDADD = src/libgntshr.la $(PEER_LIBS) $(CMOCKA_LIBS)

# libxengnttab in place of ours; xen_calls compiled again.
tests_calls_test_calls_xengnttab_SOURCES = $(xen_calls) \
	tests/calls/test-calls-held.c
tests_calls_test_calls_xengnttab_CPPFLAGS = $(xen_cppflags) -DWITH_XENGNTTAB
tests_calls_test_calls_xengnttab_LDADD = $(PEER_LIBS) $(CMOCKA_LIBS)
