# SPDX-License-Identifier: LGPL-2.1-or-later
# What the stock module and library get wrong, and what we did, case by case.

check_PROGRAMS += tests/ledger/ledger-cases
EXTRA_DIST += tests/ledger/ledger tests/ledger/rows.sh \
	tests/ledger/boots.sh tests/ledger/looks.sh tests/ledger/prints.sh \
	tests/ledger/own tests/ledger/ioctl32.c

tests_ledger_ledger_cases_SOURCES = tests/ledger/ledger-cases.c \
	tests/ledger/ledger.h tests/ledger/ledger-calls.c \
	tests/ledger/ledger-memory.c tests/ledger/ledger-library.c \
	tests/ledger/ledger-table.c $(xen_anypeer) $(xen_device)
tests_ledger_ledger_cases_CPPFLAGS = $(xen_cppflags) -D_GNU_SOURCE
tests_ledger_ledger_cases_LDADD = src/libgntshr.la $(PEER_LIBS)

# For arm64, where the ledger has it made.
ARM32_CC = arm-linux-gnueabihf-gcc
CLEANFILES += tests/ledger/ioctl32
tests/ledger/ioctl32: tests/ledger/ioctl32.c
	$(AM_V_CC)$(ARM32_CC) $(WARNINGS) -O2 -static -o $@ \
		$(top_srcdir)/tests/ledger/ioctl32.c
