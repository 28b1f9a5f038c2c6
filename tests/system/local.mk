# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs of others, and what an administrator does.

check_PROGRAMS += tests/system/port tests/system/port-gntshr \
	tests/system/hold-port tests/system/suspend-shares
EXTRA_DIST += tests/system/preloaded tests/system/test-broadcast \
	tests/system/test-dkms tests/system/test-launcher \
	tests/system/test-packages tests/system/test-pool \
	tests/system/test-suspend \
	tests/system/test-survivor tests/system/test-tool \
	tests/system/test-vchan tests/system/vchan-to-itself

# A program for libxengnttab as it is, and ported to libgntshr by sed.
tests_system_port_CPPFLAGS = $(xen_cppflags)
tests_system_port_LDADD = $(PEER_LIBS)

nodist_tests_system_port_gntshr_SOURCES = tests/system/port-gntshr.c
tests_system_port_gntshr_CPPFLAGS = $(xen_cppflags) -include gntshr.h
tests_system_port_gntshr_LDADD = src/libgntshr.la $(PEER_LIBS)
CLEANFILES += tests/system/port-gntshr.c

tests/system/port-gntshr.c: tests/system/port.c
	$(AM_V_at)$(MKDIR_P) tests/system
	$(AM_V_GEN)sed 's/xengntshr_/gntshr_/g' \
		$(srcdir)/tests/system/port.c >$@

# For the command-line tool: test-tool.
tests_system_hold_port_CPPFLAGS = $(xen_cppflags)
tests_system_hold_port_LDADD = $(PEER_LIBS)

# A guest that is saved and restored; test-suspend runs it.
tests_system_suspend_shares_SOURCES = tests/system/suspend-shares.c \
	$(xen_remote) $(xen_module)
tests_system_suspend_shares_CPPFLAGS = $(xen_cppflags)
tests_system_suspend_shares_LDADD = src/libgntshr.la $(PEER_LIBS) \
	$(CMOCKA_LIBS)
