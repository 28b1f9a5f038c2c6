# SPDX-License-Identifier: LGPL-2.1-or-later

EXTRA_DIST += harness/README.md harness/run harness/fetch harness/image \
	harness/verdict harness/init-common harness/init-dom0 \
	harness/init-guest harness/debug-kernel harness/debug.config
