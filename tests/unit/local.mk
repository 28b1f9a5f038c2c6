# SPDX-License-Identifier: LGPL-2.1-or-later
# The library on a device that the tests play themselves (fake.c), and its
# system calls alone (test-sys.c).

unit_programs = tests/unit/test-share tests/unit/test-notify \
	tests/unit/test-failures tests/unit/test-arena-failures \
	tests/unit/test-fork tests/unit/test-reasons tests/unit/test-threads \
	tests/unit/test-arena tests/unit/test-arena-ends \
	tests/unit/test-peer tests/unit/test-memory tests/unit/test-status \
	tests/unit/test-borrow-failures \
	tests/unit/test-domid tests/unit/test-sys
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)

check_LTLIBRARIES = tests/unit/libfake.la
tests_unit_libfake_la_SOURCES = tests/unit/fake.c tests/unit/fake.h \
	tests/unit/fake-device.c tests/unit/fake-device.h \
	tests/unit/fake-machine.c \
	tests/unit/fake-steps.c tests/unit/fake-steps.h \
	tests/unit/fake-arena.c tests/unit/fake-arena.h \
	tests/unit/fake-borrow.c
tests_unit_libfake_la_LIBADD = src/libgntshr-core.la

# Whoever names nothing else is linked so.
LDADD = tests/unit/libfake.la $(CMOCKA_LIBS) $(XEN_LIBS)
unit_wrap = -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=free \
	-Wl,--wrap=tsearch -Wl,--wrap=tdelete -Wl,--wrap=tfind \
	-Wl,--wrap=pthread_mutex_init -Wl,--wrap=pthread_mutex_destroy \
	-Wl,--wrap=pthread_mutex_lock -Wl,--wrap=pthread_mutex_unlock \
	-Wl,--wrap=pthread_setcancelstate -Wl,--wrap=pthread_atfork
unit_ldflags = $(AM_LDFLAGS) -no-install $(unit_wrap)
tests_unit_test_share_LDFLAGS = $(unit_ldflags)
tests_unit_test_notify_LDFLAGS = $(unit_ldflags)
tests_unit_test_failures_LDFLAGS = $(unit_ldflags)
tests_unit_test_arena_failures_LDFLAGS = $(unit_ldflags)
tests_unit_test_fork_LDFLAGS = $(unit_ldflags)
tests_unit_test_reasons_LDFLAGS = $(unit_ldflags)
tests_unit_test_threads_LDFLAGS = $(unit_ldflags)
tests_unit_test_arena_LDFLAGS = $(unit_ldflags)
tests_unit_test_arena_ends_LDFLAGS = $(unit_ldflags)
tests_unit_test_peer_LDFLAGS = $(unit_ldflags)
tests_unit_test_memory_LDFLAGS = $(unit_ldflags)
tests_unit_test_status_LDFLAGS = $(unit_ldflags)
tests_unit_test_borrow_failures_LDFLAGS = $(unit_ldflags)
tests_unit_test_domid_LDFLAGS = $(unit_ldflags)

unit_arenas = tests/unit/arenas.c tests/unit/arenas.h
tests_unit_test_arena_SOURCES = tests/unit/test-arena.c $(unit_arenas)
tests_unit_test_arena_ends_SOURCES = tests/unit/test-arena-ends.c $(unit_arenas)
tests_unit_test_peer_SOURCES = tests/unit/test-peer.c $(unit_arenas)
tests_unit_test_memory_SOURCES = tests/unit/test-memory.c $(unit_arenas)
tests_unit_test_status_SOURCES = tests/unit/test-status.c $(unit_arenas)

unit_failures = tests/unit/failures.c tests/unit/failures.h
tests_unit_test_failures_SOURCES = tests/unit/test-failures.c $(unit_failures)
tests_unit_test_arena_failures_SOURCES = tests/unit/test-arena-failures.c \
	$(unit_failures)
tests_unit_test_borrow_failures_SOURCES = tests/unit/test-borrow-failures.c \
	$(unit_failures)

tests_unit_test_sys_SOURCES = tests/unit/test-sys.c tests/unit/played.c \
	tests/unit/played.h src/sys.c
tests_unit_test_sys_LDADD = $(CMOCKA_LIBS) $(XEN_LIBS)

# Headers, library and documents alone: the head of each says what it looks at.
dist_check_SCRIPTS = tests/unit/test-header tests/unit/test-device-header \
	tests/unit/test-readme \
	tests/unit/test-symbols tests/unit/test-man tests/unit/test-docs \
	tests/unit/test-version \
	tests/unit/test-map tests/unit/test-tool tests/unit/test-harness \
	tests/unit/test-constructors \
	tests/unit/test-kbuild tests/unit/test-kmod-make tests/unit/test-verdict
EXTRA_DIST += tests/unit/checks.sh tests/unit/early.cc tests/is-json
TESTS += $(dist_check_SCRIPTS)
AM_TESTS_ENVIRONMENT = CC='$(CC)' CXX='$(CXX)' NM='$(NM)' \
	XEN_CFLAGS='$(XEN_CFLAGS)' PEER_CFLAGS='$(PEER_CFLAGS)' \
	PEER_LIBS='$(PEER_LIBS)' PKG_CONFIG='$(PKG_CONFIG)' \
	top_srcdir='$(top_srcdir)'; \
	export CC CXX NM XEN_CFLAGS PEER_CFLAGS PEER_LIBS PKG_CONFIG \
	top_srcdir;

# The unit tests built otherwise, each in a directory of its own; a report of a
# sanitizer fails the test.
EXTRA_DIST += tests/unit/subbuild tests/unit/coverage
subbuild = top_srcdir='$(abs_top_srcdir)' MAKE='$(MAKE)' \
	$(SHELL) $(srcdir)/tests/unit/subbuild
sanitize = -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all

check-asan:
	$(subbuild) $@ '$(unit_programs)' CC='$(CC)' \
		CFLAGS='$(sanitize) -fsanitize=address,undefined'
# With gcc: --wrap would get at the runtime that clang links in statically.
check-tsan:
	$(subbuild) $@ '$(unit_programs)' CC=gcc \
		CFLAGS='$(sanitize) -fsanitize=thread'
check-valgrind:
	$(subbuild) $@ '$(unit_programs)' CC='$(CC)' CFLAGS='-g -O1' \
		LOG_COMPILER='valgrind -q --error-exitcode=99 --leak-check=full'
# With gcc, whose counts gcov reads.
coverage:
	$(subbuild) $@ '$(unit_programs)' CC=gcc CFLAGS='-g -O0 --coverage'
	$(SHELL) $(srcdir)/tests/unit/coverage $@

.PHONY: check-asan check-tsan check-valgrind coverage
clean-local:
	rm -rf check-asan check-tsan check-valgrind coverage abi tests/fuzz/seeds

# libxengnttab's calls on top of ours; its header and itself are needed.
if HAVE_PEER
unit_programs += tests/unit/test-xengntshr tests/unit/test-xengntshr-arena
unit_compat = compat/xengntshr.c tests/unit/compat-handle.c \
	tests/unit/compat-handle.h
unit_compat_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/src $(PEER_CFLAGS)
tests_unit_test_xengntshr_SOURCES = tests/unit/test-xengntshr.c $(unit_compat)
tests_unit_test_xengntshr_CPPFLAGS = $(unit_compat_cppflags)
tests_unit_test_xengntshr_LDFLAGS = $(unit_ldflags)
tests_unit_test_xengntshr_arena_SOURCES = tests/unit/test-xengntshr-arena.c \
	$(unit_compat)
tests_unit_test_xengntshr_arena_CPPFLAGS = $(unit_compat_cppflags)
tests_unit_test_xengntshr_arena_LDFLAGS = $(unit_ldflags)
TESTS += tests/unit/test-compat
endif
EXTRA_DIST += tests/unit/test-compat
