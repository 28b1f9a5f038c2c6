# SPDX-License-Identifier: LGPL-2.1-or-later
# For LD_PRELOAD: libxengnttab's xengntshr_* calls on top of the library. It has
# the library's code inside, as it needs more of it than the library exports.

pkglib_LTLIBRARIES = compat/xengntshr-preload.la
compat_xengntshr_preload_la_SOURCES = compat/xengntshr.c src/sys.c
compat_xengntshr_preload_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src \
	$(PEER_CFLAGS)
compat_xengntshr_preload_la_LIBADD = src/libgntshr-core.la $(XEN_LIBS)
compat_xengntshr_preload_la_LDFLAGS = $(AM_LDFLAGS) \
	-module -avoid-version -shared -no-undefined \
	-Wl,--version-script=$(top_srcdir)/compat/xengntshr.map
EXTRA_compat_xengntshr_preload_la_DEPENDENCIES = compat/xengntshr.map
EXTRA_DIST += compat/xengntshr.map
