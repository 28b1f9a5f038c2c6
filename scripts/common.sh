# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What scripts/demo and scripts/check share: sourced by both.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 1)

# Everything that is built lies below this; nothing else in the tree is touched.
build=$top/build

step() {
	printf '\n== %s\n' "$*"
}

fail() {
	printf '\n%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Run a command, its output in a log that is shown only when it fails.
quietly() { # LOG COMMAND...
	local log=$1

	shift
	mkdir -p "${log%/*}"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 60 "$log" >&2
		fail "'$*' failed; its whole output is in $log"
	fi
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "packages are missing and this user is not root and has no" \
			"sudo. As root: apt-get install --no-install-recommends ${missing[*]}"
	fi
}

# Install those of the packages that are not there.
install_packages() { # PACKAGE...
	local package
	missing=()

	step "Packages"
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
			grep -qx installed || missing+=("$package")
	done
	if [ ${#missing[@]} = 0 ]; then
		echo "all ${#} that are needed are installed"
		return
	fi
	command -v apt-get >/dev/null ||
		fail "this is not Debian: install what these packages hold: ${missing[*]}"
	echo "installing ${missing[*]}"
	quietly "$build/log/apt-update" as_root apt-get update
	quietly "$build/log/apt-install" as_root \
		env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${missing[@]}"
}

# What building and the Xen harness take.
# shellcheck disable=SC2034
packages=(
	autoconf automake libtool make gcc g++ libc6-dev pkg-config
	libxen-dev libcmocka-dev
	qemu-system-x86 busybox-static cpio binutils xz-utils libelf-dev
)

# And for arm64. What its programs are linked with harness/run fetches.
# shellcheck disable=SC2034
arm64_packages=(gcc-aarch64-linux-gnu qemu-system-arm gcc-arm-linux-gnueabihf
	libc6-dev-armhf-cross)

# Configure and build in a directory of its own: NAME [CONFIGURE ARGUMENT...]
build_in() {
	local dir=$build/$1

	shift
	mkdir -p "$dir"
	# Another step may be at it.
	(
		flock 9
		[ -x "$top/configure" ] ||
			quietly "$build/log/bootstrap" "$top/bootstrap"
	) 9>"$build/bootstrap.lock" || exit
	(cd "$dir" && quietly "$dir/log/configure" "$top/configure" "$@") &&
		quietly "$dir/log/make" make -C "$dir" -j"$jobs"
}

# The same for another architecture than this machine's: ARCH NAME [...]
build_for() {
	local sysroot

	if [ "$1" = x86_64 ]; then
		build_in "${@:2}"
		return
	fi
	sysroot=$("$top/harness/run" --arch "$1" --print-sysroot) || exit
	PKG_CONFIG_LIBDIR=$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig \
		PKG_CONFIG_SYSROOT_DIR=$sysroot build_in "${@:2}" \
		--host=aarch64-linux-gnu \
		CC="aarch64-linux-gnu-gcc --sysroot=$sysroot" CXX=false \
		LDFLAGS="-Wl,-rpath-link,$sysroot/usr/lib/aarch64-linux-gnu"
}

# Sets $dir, unless it is set, to the tree with the programs of an architecture.
find_tree() { # ARCH
	local name=gcc

	[ "$1" = x86_64 ] || name=$1
	if [ -z "$dir" ]; then
		dir=$build/$name
		[ -f "$dir/Makefile" ] || build_for "$1" "$name" CC=gcc \
			CXX=g++ --enable-werror --prefix="$dir/install"
	fi
	[ -f "$dir/Makefile" ] || wrong "nothing is configured in $dir"
}
