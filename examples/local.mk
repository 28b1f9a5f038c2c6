# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs to start from. They are built with the tests and not installed.

check_PROGRAMS += examples/share_page
examples_share_page_LDADD = src/libgntshr.la
