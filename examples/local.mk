# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs to start from. They are built with the tests and not installed.

check_PROGRAMS += examples/share_page examples/frontend examples/backend
examples_share_page_LDADD = src/libgntshr.la

examples_frontend_SOURCES = examples/frontend.c examples/common.h \
	examples/protocol.h
examples_frontend_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_frontend_LDADD = src/libgntshr.la $(PEER_LIBS) $(XEN_LIBS)

examples_backend_SOURCES = examples/backend.c examples/common.h \
	examples/protocol.h
examples_backend_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_backend_LDADD = $(PEER_LIBS)
