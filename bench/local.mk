# SPDX-License-Identifier: LGPL-2.1-or-later
# What sharing costs: built by make check, run by bench/run.

check_PROGRAMS += bench/bench-gntshr bench/bench-xengnttab \
	bench/user-gntshr bench/user-xengnttab
EXTRA_DIST += bench/run bench/table.awk bench/draw.awk bench/bars.awk \
	bench/profile bench/groups.awk bench/profile-plugin.c \
	bench/results/linux-6.1.json bench/results/linux-6.1.md \
	bench/results/linux-7.2.json bench/results/linux-7.2.md \
	bench/results/live.svg bench/results/pages.svg \
	bench/results/traces.svg bench/traces

bench_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir) $(PEER_CFLAGS) -D_GNU_SOURCE
bench_common = bench/clock.c bench/clock.h bench/measure.c bench/measure.h

bench_bench_gntshr_SOURCES = bench/bench.c bench/others.c \
	bench/borrowed.c bench/replay.c \
	$(bench_common) $(xen_remote)
bench_bench_gntshr_CPPFLAGS = $(bench_cppflags)
bench_bench_gntshr_LDADD = src/libgntshr.la $(PEER_LIBS)
bench_bench_xengnttab_SOURCES = $(bench_bench_gntshr_SOURCES)
bench_bench_xengnttab_CPPFLAGS = $(bench_cppflags) -DWITH_XENGNTTAB
bench_bench_xengnttab_LDADD = $(PEER_LIBS)

bench_user_gntshr_SOURCES = bench/user.c $(bench_common)
bench_user_gntshr_CPPFLAGS = $(bench_cppflags)
bench_user_gntshr_LDADD = src/libgntshr.la
bench_user_xengnttab_SOURCES = $(bench_user_gntshr_SOURCES)
bench_user_xengnttab_CPPFLAGS = $(bench_cppflags) -DWITH_XENGNTTAB
bench_user_xengnttab_LDADD = $(PEER_LIBS)
