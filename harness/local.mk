# SPDX-License-Identifier: LGPL-2.1-or-later

EXTRA_DIST += harness/README.md harness/run harness/options \
	harness/arch-x86_64 harness/fetch harness/fetch-kernel \
	harness/debug-kernel harness/debug.config harness/image \
	harness/module harness/qemu harness/verdict harness/init-common \
	harness/init-dom0 harness/init-guest harness/init-x86_64
