# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The steps of scripts/check that make packages of packaging/, and that build
# without glibc. Sourced by it.
#
# Debian's packages are built, installed and removed in systems of their release
# below a directory, which go away afterwards. What these begin with is kept in
# the cache: remove chroots/ there for newer ones.

# shellcheck disable=SC2034,SC2154 # what common.sh and count.sh know

package_tools=(mmdebstrap rpm rpmlint musl-tools)
systems=${XDG_CACHE_HOME:-$HOME/.cache}/libgntshr/chroots

archives() { # RELEASE
	local main=${GNTSHR_DEBIAN_URI:-http://deb.debian.org/debian}

	cat <<-END
	deb $main $1 main
	deb $main $1-updates main
	deb ${GNTSHR_DEBIAN_SECURITY_URI:-$main-security} $1-security main
	END
}

# NAME is a release, with no more than apt, or RELEASE-build, with what building
# takes.
make_system() { # NAME
	local file=$systems/$1.tar release=${1%-build} more=()

	mkdir -p "$systems/debs-$release/partial"
	[ ! -e "$file" ] || return 0
	# shellcheck disable=SC2016 # mmdebstrap's
	[ "$1" = "$release" ] || more=(--include=build-essential
		--include=lintian
		--customize-hook="copy-in $top/packaging/debian /tmp"
		--customize-hook='chroot "$1" apt-get build-dep -y \
			--no-install-recommends /tmp'
		--customize-hook='rm -r "$1/tmp/debian"')
	archives "$release" >"$work/archives"
	quietly "$build/log/system-$1" as_root mmdebstrap --variant=apt \
		"${more[@]}" "$release" "$work/system.tar" "$work/archives"
	mv "$work/system.tar" "$file"
}

# A system that goes away with the step, in $root.
new_system() { # NAME
	make_system "$1"
	root=$work/$1
	mkdir "$root"
	as_root tar -xf "$systems/$1.tar" -C "$root"
	as_root cp -L /etc/resolv.conf "$root/etc/"
	as_root touch "$root/goes-away"
}

# A namespace of its own takes mounts and processes away, however this ends.
inside() { # COMMAND...
	# shellcheck disable=SC2016
	as_root unshare --mount --pid --fork --kill-child sh -euc '
		mount -t proc proc "$0/proc"
		mount --rbind /dev "$0/dev"
		mount --bind "$1" "$0/var/cache/apt/archives"
		shift
		exec chroot "$0" "$@"' "$root" "$systems/debs-$release" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+"http_proxy=$http_proxy"} "$@"
}

# As from a fresh clone, with packaging/debian in its place.
put_sources() { # DIRECTORY
	as_root mkdir -p "$1"
	git -C "$top" ls-files -z | tar -C "$top" --null -T - -c |
		as_root tar -x --no-same-owner -C "$1"
	as_root cp -r "$1/packaging/debian" "$1/"
}

build_packages() { # DIRECTORY VARIABLE=VALUE...
	local dir=$1

	shift
	# shellcheck disable=SC2016
	quietly "$build/log/packages-$release-${dir%%/*}" \
		inside env "$@" sh -ec 'cd "$0" && dpkg-buildpackage -us -uc' \
		"/$dir"
}

# Counted as one test: TITLE COMMAND...
passes_as() {
	local title=$1

	shift
	if "$@"; then
		result "$title" 1 0 0
	else
		result "$title" 0 1 0
		printf '%s\n' "" "$title failed" >>"$failures"
	fi
}

# In another place, at another time and of another zone, and one by one.
are_reproducible() {
	(cd "$root/one" && sha256sum ./*.deb ./*.dsc ./*.tar.xz) |
		as_root tee "$root/sums" >/dev/null
	(cd "$root/elsewhere/two" && sha256sum --quiet -c "$root/sums")
}

lintian_finds_nothing() {
	inside sh -c 'lintian --allow-root --fail-on error,warning \
		--tag-display-limit 0 /one/*.changes'
}

# Built twice, looked at, and used as an administrator would.
packages() { # RELEASE
	local release=$1 root work debs=$build/packages/$1 lock

	mkdir -p "$systems"
	# What apt has downloaded is for one at a time.
	exec {lock}>"$systems/lock-$release"
	flock "$lock" || fail "no lock in $systems"
	work=$(mktemp -d "$systems/tmp.XXXXXX") || fail "no room in $systems"
	# shellcheck disable=SC2064 # now
	trap "as_root rm -rf --one-file-system '$work'" EXIT
	echo "Debian $release: building twice"
	make_packages
	echo "Debian $release: installed, used, upgraded, removed, purged"
	use_packages
}

make_packages() {
	new_system "$release-build"
	quietly "$build/log/packages-$release-update" inside apt-get update
	put_sources "$root/one/libgntshr"
	put_sources "$root/elsewhere/two/libgntshr"
	build_packages one/libgntshr DEB_BUILD_OPTIONS="parallel=$jobs"
	build_packages elsewhere/two/libgntshr TZ=Asia/Tokyo \
		DEB_BUILD_OPTIONS="nocheck parallel=1"
	passes_as "Debian $release, both builds the same" are_reproducible
	passes_as "Debian $release, lintian" lintian_finds_nothing
	rm -rf "$debs"
	mkdir -p "$debs"
	cp "$root"/one/*.deb "$debs"
}

use_packages() {
	local stock

	stock=$("$top/harness/run" --kernel 6.1 --print-kdir) || fail "no kernel"
	stock=${stock%/usr/src/*}/modules/xen-gntalloc.ko
	new_system "$release"
	as_root mkdir "$root/debs"
	as_root cp "$debs"/*.deb "$stock" "$top/tests/system/test-packages" \
		"$root/debs"
	inside /debs/test-packages /debs 2>&1 |
		tee "$build/log/packages-$release" | grep -v '^ok:'
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	count "Debian $release, the packages" "$build/log/packages-$release"
}

# From a release's tarball, on a machine whose packages rpm does not know. What
# it compiles and tests is what the other steps do, without the RPM's flags.
rpm_packages() {
	local dir=$build/rpm

	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$dir" && quietly "$build/log/rpm-configure" "$top/configure") ||
		exit
	quietly "$build/log/rpm-dist" make -C "$dir" dist
	quietly "$build/log/rpm" rpmbuild --nodeps --nocheck -ta \
		--define "_topdir $dir/top" --define "_smp_mflags -j$jobs" \
		"$dir"/libgntshr-*.tar.xz
	passes_as "RPM, all packages" rpms_are_there
	passes_as "RPM, each file in one package" rpms_share_nothing
	finds_nothing rpmlint rpmlint_looks
}

rpms_are_there() {
	diff <(printf '%s\n' gntshr gntshr-xen-run libgntshr libgntshr-devel \
		libgntshr-preload libgntshr-static xen-gntalloc-dkms) \
		<(rpm -qp --qf '%{NAME}\n' "$build"/rpm/top/RPMS/*/*.rpm | sort)
}

rpms_share_nothing() {
	! rpm -qp --qf '[%{FILENAMES}\n]' "$build"/rpm/top/RPMS/*/*.rpm |
		grep -v '/.build-id' | sort | uniq -d | grep .
}

rpmlint_looks() {
	rpmlint -c "$top/packaging/rpm/rpmlint.toml" \
		"$top/packaging/rpm/libgntshr.spec" "$build"/rpm/top/SRPMS/*.rpm \
		"$build"/rpm/top/RPMS/*/*.rpm
}

# musl-gcc has no headers but musl's. Linux's and Xen's are put beside them, so
# that none of glibc's comes in. Xen's libraries are not built for musl here: what
# is called of them is named, and a program that calls it ends.
xen_calls=(xencall_open xencall_close xencall3 xencall_alloc_buffer
	xencall_free_buffer xtl_createlogger_stdiostream xtl_logger_destroy
	xtl_logv)

musl_builds() {
	local include=$build/musl/include libs

	rm -rf "$build/musl"
	mkdir -p "$include"
	ln -s /usr/include/{linux,asm-generic,xen*} \
		"/usr/include/$(gcc -print-multiarch)/asm" "$include"
	libs=$(printf ' -Wl,--defsym=%s=0' "${xen_calls[@]}")
	build_in musl CC=musl-gcc --enable-werror \
		XEN_CFLAGS="-isystem $include" XEN_LIBS="$libs" \
		PEER_CFLAGS="-isystem $include" PEER_LIBS="$libs"
	quietly "$build/musl/log/programs" make -C "$build/musl" -j"$jobs" \
		examples/share_page
	echo "library, gntshr and object for LD_PRELOAD built with musl"
	passes_as "musl, gntshr" starts_with_musl tools/gntshr --version
	passes_as "musl, share_page" starts_with_musl examples/share_page
}

# There is no device on this machine, or it is not Xen's to be shared by.
starts_with_musl() { # PROGRAM ARGUMENT...
	local said

	said=$(cd "$build/musl" && "./$1" "${@:2}" 2>&1 </dev/null)
	echo "$said"
	[[ $said = gntshr* ]]
}
