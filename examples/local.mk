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

# What no other library can do. tests/system/ has a test for each pair.
check_PROGRAMS += examples/launcher examples/confined examples/pool \
	examples/compositor examples/broadcast examples/listener \
	examples/survivor examples/clerk
examples_launcher_SOURCES = examples/launcher.c examples/common.h
examples_launcher_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_launcher_LDADD = src/libgntshr.la $(PEER_LIBS) $(XEN_LIBS)

examples_confined_SOURCES = examples/confined.c examples/common.h
examples_confined_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_confined_LDADD = src/libgntshr.la $(PEER_LIBS)

examples_pool_SOURCES = examples/pool.c examples/pool.h examples/wait.h \
	examples/common.h
examples_pool_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_pool_LDADD = src/libgntshr.la $(PEER_LIBS)

examples_compositor_SOURCES = examples/compositor.c examples/pool.h \
	examples/wait.h examples/common.h
examples_compositor_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_compositor_LDADD = $(PEER_LIBS)

examples_broadcast_SOURCES = examples/broadcast.c examples/broadcast.h \
	examples/wait.h examples/common.h
examples_broadcast_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_broadcast_LDADD = src/libgntshr.la $(PEER_LIBS) $(XEN_LIBS)

examples_listener_SOURCES = examples/listener.c examples/broadcast.h \
	examples/wait.h examples/common.h
examples_listener_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_listener_LDADD = $(PEER_LIBS)

examples_survivor_SOURCES = examples/survivor.c examples/survivor.h \
	examples/wait.h examples/common.h
examples_survivor_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_survivor_LDADD = src/libgntshr.la $(PEER_LIBS) $(XEN_LIBS)

examples_clerk_SOURCES = examples/clerk.c examples/survivor.h \
	examples/wait.h examples/common.h
examples_clerk_CFLAGS = $(AM_CFLAGS) $(PEER_CFLAGS)
examples_clerk_LDADD = $(PEER_LIBS)
