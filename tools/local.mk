# SPDX-License-Identifier: LGPL-2.1-or-later
# gntshr(1). What the library does not export of its system calls, the size of
# the grant table and the own domid, is compiled in.

bin_PROGRAMS = tools/gntshr
tools_gntshr_SOURCES = tools/main.c tools/tool.h tools/driver.c tools/json.c \
	tools/info.c tools/info.h tools/problems.c tools/report.c \
	tools/share.c tools/share.h tools/hold.c tools/memory.c \
	tools/watch.c src/domid.c src/sys.c src/internal.h
tools_gntshr_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src
tools_gntshr_LDADD = src/libgntshr.la $(XEN_LIBS)

bashcompdir = $(datadir)/bash-completion/completions
EXTRA_DIST += tools/gntshr.bash-completion

install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompdir)'
	$(INSTALL_DATA) '$(srcdir)/tools/gntshr.bash-completion' \
		'$(DESTDIR)$(bashcompdir)/gntshr'

uninstall-local:
	rm -f '$(DESTDIR)$(bashcompdir)/gntshr'
