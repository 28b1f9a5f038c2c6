# SPDX-License-Identifier: LGPL-2.1-or-later
# Many pages, many shares, many threads.

check_PROGRAMS += tests/scale/stress tests/scale/test-scale

tests_scale_stress_SOURCES = tests/scale/stress.c tests/peers/mute.h \
	$(xen_device)
tests_scale_stress_CPPFLAGS = $(xen_cppflags)
tests_scale_stress_LDADD = $(PEER_LIBS)

tests_scale_test_scale_CPPFLAGS = $(xen_cppflags)
tests_scale_test_scale_LDADD = src/libgntshr.la $(CMOCKA_LIBS)
