# SPDX-License-Identifier: LGPL-2.1-or-later
# The library on a device that a test program plays itself (fake.c).

unit_programs = tests/unit/test-share tests/unit/test-notify \
	tests/unit/test-failures tests/unit/test-fork tests/unit/test-reasons
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)

check_LTLIBRARIES = tests/unit/libfake.la
tests_unit_libfake_la_SOURCES = tests/unit/fake.c tests/unit/fake.h
tests_unit_libfake_la_CPPFLAGS = $(unit_cppflags)
tests_unit_libfake_la_LIBADD = src/libgntshr-core.la

unit_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/src $(CMOCKA_CFLAGS)
unit_ldflags = $(AM_LDFLAGS) -no-install \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=tsearch
unit_ldadd = tests/unit/libfake.la $(CMOCKA_LIBS) $(XEN_LIBS)

tests_unit_test_share_CPPFLAGS = $(unit_cppflags)
tests_unit_test_share_LDFLAGS = $(unit_ldflags)
tests_unit_test_share_LDADD = $(unit_ldadd)
tests_unit_test_notify_CPPFLAGS = $(unit_cppflags)
tests_unit_test_notify_LDFLAGS = $(unit_ldflags)
tests_unit_test_notify_LDADD = $(unit_ldadd)
tests_unit_test_failures_CPPFLAGS = $(unit_cppflags)
tests_unit_test_failures_LDFLAGS = $(unit_ldflags)
tests_unit_test_failures_LDADD = $(unit_ldadd)
tests_unit_test_fork_CPPFLAGS = $(unit_cppflags)
tests_unit_test_fork_LDFLAGS = $(unit_ldflags)
tests_unit_test_fork_LDADD = $(unit_ldadd)
tests_unit_test_reasons_CPPFLAGS = $(unit_cppflags)
tests_unit_test_reasons_LDFLAGS = $(unit_ldflags)
tests_unit_test_reasons_LDADD = $(unit_ldadd)

# The header is used alone, in strict C and in C++; the library exports what the
# map file lists and that is what the header declares; the README and the manual
# pages are right.
dist_check_SCRIPTS = tests/unit/test-header tests/unit/test-readme \
	tests/unit/test-symbols tests/unit/test-man tests/unit/test-docs
EXTRA_DIST += tests/unit/checks.sh
TESTS += $(dist_check_SCRIPTS)
AM_TESTS_ENVIRONMENT = CC='$(CC)' CXX='$(CXX)' NM='$(NM)' \
	XEN_CFLAGS='$(XEN_CFLAGS)' top_srcdir='$(top_srcdir)'; \
	export CC CXX NM XEN_CFLAGS top_srcdir;
