# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The steps of scripts/check that need no Xen: the library, what is installed,
# what is packed, and that the module compiles. Sourced by it.

# shellcheck disable=SC2034,SC2154 # what common.sh and count.sh know

configured() { # COMPILER C++-COMPILER
	build_in "$1" CC="$1" CXX="$2" --enable-werror \
		--prefix="$build/$1/install"
}

# The tree that gcc built, with the programs of the tests.
programs() {
	configured gcc g++
	quietly "$build/gcc/log/programs" make -C "$build/gcc" -j"$jobs" \
		check TESTS=
}

unit_tests() { # COMPILER C++-COMPILER
	[ "$1" = gcc ] || configured "$@"
	make -C "$build/$1" -j"$jobs" check >"$build/$1/log/check" 2>&1 ||
		broken=1
	cat "$build/$1"/tests/unit/*.log >"$build/$1/log/unit"
	grep -h 'FAILED\|ERROR\|LINE' "$build/$1/log/unit"
	count "unit, $1" "$build/$1/log/unit"
}

# A target of make with a verdict of its own, whose last lines are worth seeing.
verdict() { # TARGET LINES [VARIABLE=VALUE]...
	local target=$1 lines=$2 log=$build/log/$1

	shift 2
	if make --no-print-directory -C "$build/gcc" "$target" "$@" \
		>"$log" 2>&1; then
		tail -n "$lines" "$log"
		return
	fi
	tail -n 60 "$log"
	false
}

# The unit tests, built and run in another way.
unit_tests_by() { # TARGET
	verdict "$1" 0 || broken=1
	cat "$build/gcc/$1"/tests/unit/*.log >"$build/log/$1-tests"
	count "unit, $1" "$build/log/$1-tests"
}

# One that passes or fails as a whole.
passes() { # TARGET LINES [VARIABLE=VALUE]...
	if verdict "$@"; then
		result "make $1" 1 0 0
	else
		result "make $1" 0 1 0
		printf '%s\n' "" "make $1: see $build/log/$1" \
			>>"$failures"
	fi
}

# The installed library is found by pkg-config and used from C and C++, and
# from a program that is linked statically.
installed() {
	local prefix=$build/gcc/install flags static_flags

	once programs
	rm -rf "$prefix"
	quietly "$build/gcc/log/install" make -C "$build/gcc" install
	flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
		pkg-config --cflags --libs libgntshr) ||
		fail "pkg-config does not find the installed library"
	static_flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig \
		pkg-config --static --cflags --libs libgntshr)
	# shellcheck disable=SC2015,SC2086
	gcc -Wall -Wextra -Werror -o "$build/share_page_c" \
		"$top/examples/share_page.c" $flags &&
		g++ -x c++ -Wall -Wextra -Werror -o "$build/share_page_cc" \
			"$top/examples/share_page.c" $flags &&
		gcc -static -o "$build/share_page_static" \
			"$top/examples/share_page.c" $static_flags ||
		fail "examples/share_page.c does not compile"
}

installed_programs() {
	once installed
	echo "examples/share_page.c compiled as C and as C++, and static"
	result "the installed library, used" 3 0 0
}

distribution() {
	quietly "$build/log/distcheck" make -C "$build/gcc" -j"$jobs" distcheck
	echo "passed"
	result "make distcheck" 1 0 0
}

# The module without a warning from compiler and sparse. Headers that lack what
# the kernel's makefiles need to call sparse, as those of 7.2, leave it out.
module_builds() { # KERNEL
	local kdir log=$build/log/kmod-$1

	kdir=$("$top/harness/run" --kernel "$1" --print-kdir) ||
		fail "no kernel headers"
	rm -rf "$build/kmod-$1"
	cp -rL "$top/kmod" "$build/kmod-$1"
	quietly "$log" make -C "$build/kmod-$1" KDIR="$kdir" W=1 C=2 \
		KCFLAGS=-Werror
	if grep -E 'kmod-[0-9.]*/.*(warning|error): ' "$log"; then
		fail "sparse found something on Linux $1"
	fi
	if grep -q '^  CHECK ' "$log"; then
		echo "W=1 and sparse are silent"
	else
		echo "W=1 is silent; these headers do not run sparse"
	fi
	result "Linux $1, the module without warnings" 1 0 0
}
