# SPDX-License-Identifier: LGPL-2.1-or-later

harness_command = gntshr-xen-run
harnessdir = $(pkgdatadir)/harness
harness_files = harness/README.md harness/options harness/arch-x86_64 \
	harness/arch-arm64 harness/end-arm64.c \
	harness/fetch harness/fetch-kernel harness/debug-kernel \
	harness/debug.config harness/guest-again harness/image \
	harness/module harness/qemu harness/verdict \
	harness/init-common harness/init-dom0 harness/init-guest \
	harness/init-x86_64 harness/init-arm64
EXTRA_DIST += harness/run $(harness_files)

# No part of "make install": who uses the library need not have it. The link is
# a relative one, so that it is right below DESTDIR, too.
install-harness:
	$(MKDIR_P) '$(DESTDIR)$(harnessdir)' '$(DESTDIR)$(bindir)' \
		'$(DESTDIR)$(man1dir)'
	$(INSTALL_SCRIPT) '$(srcdir)/harness/run' '$(DESTDIR)$(harnessdir)'
	@for file in $(harness_files); do \
		echo "installing $$file"; \
		$(INSTALL_DATA) '$(srcdir)'/$$file \
			'$(DESTDIR)$(harnessdir)' || exit; \
	done
	ln -sfr '$(DESTDIR)$(harnessdir)/run' \
		'$(DESTDIR)$(bindir)/$(harness_command)'
	$(INSTALL_DATA) '$(srcdir)/man/$(harness_command).1' \
		'$(DESTDIR)$(man1dir)'

uninstall-harness:
	rm '$(DESTDIR)$(bindir)/$(harness_command)'
	rm '$(DESTDIR)$(man1dir)/$(harness_command).1'
	@cd '$(DESTDIR)$(harnessdir)' && \
		for file in harness/run $(harness_files); do \
			rm -v "$${file#harness/}"; \
		done
	rmdir '$(DESTDIR)$(harnessdir)'
	rmdir --ignore-fail-on-non-empty '$(DESTDIR)$(pkgdatadir)'
