# SPDX-License-Identifier: LGPL-2.1-or-later
# Who maps what the tests of all other folders share, and how they order it
# about; the device without a library.

xen_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/peers $(PEER_CFLAGS) \
	$(CMOCKA_CFLAGS)
xen_remote = tests/peers/remote.c tests/peers/remote.h \
	tests/peers/cases.h
xen_anypeer = tests/peers/anypeer.c tests/peers/anypeer.h \
	tests/peers/events.h tests/peers/mute.h $(xen_remote)
xen_module = tests/peers/module.c tests/peers/module.h
xen_device = tests/peers/device.c tests/peers/device.h $(xen_module)

check_PROGRAMS += tests/peers/peer
EXTRA_DIST += tests/peers/in-domain tests/peers/remote.sh
tests_peers_peer_SOURCES = tests/peers/peer.c tests/peers/remote.h \
	tests/peers/events.h tests/peers/mute.h
tests_peers_peer_CPPFLAGS = $(xen_cppflags)
tests_peers_peer_LDADD = $(PEER_LIBS)
