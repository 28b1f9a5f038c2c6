# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What tools find wrong without running anything. Sourced by scripts/check.
# Sparse is not here: it runs where the module is built.

# shellcheck disable=SC2034,SC2154 # what common.sh and count.sh know

tools_release=12
static_packages=(shellcheck clang-format clang-tidy cppcheck perl)

static_checks() {
	cd "$top" || exit
	git ls-files >/dev/null || fail "the static checks need git's list of files"
	finds_nothing shellcheck check_scripts
	finds_nothing clang-format check_format
	finds_nothing clang-tidy check_by_clang
	finds_nothing cppcheck check_by_cppcheck
	finds_nothing checkpatch check_kernel_style
}

# Each version has findings of its own. Those of other releases than Debian's
# $tools_release are only shown.
finds_nothing() { # TOOL COMMAND
	local log=$build/log/static-$1 release

	if "$2" >"$log" 2>&1; then
		result "static, $1" 1 0 0
		echo "$1: nothing"
		return
	fi
	grep -vE '^[0-9]+ warnings? generated|, 0 checks, ' "$log"
	release=$(sed -n 's/^VERSION_ID="*\([0-9]*\).*/\1/p' /etc/os-release)
	if [ "${CI-}" = true ] || [ "$release" = "$tools_release" ]; then
		result "static, $1" 0 1 0
		printf '%s\n' "" "static, $1: see $log" >>"$failures"
	else
		echo "$1: another version than Debian $tools_release's, so" \
			"this is no failure"
		result "static, $1, of another release" 0 0 0
	fi
}

# What says that it is a script: by its first line, or by telling
# the linter the shell.
check_scripts() {
	local scripts

	mapfile -t scripts < <(git ls-files | while read -r file; do
		[ -f "$file" ] && head -n 3 "$file" | grep -aqE \
			'^#!.*\<(ba|da)?sh\>|^# shellcheck shell=' &&
			echo "$file"
	done)
	[ ${#scripts[@]} -gt 0 ] && shellcheck -x -P SCRIPTDIR "${scripts[@]}"
}

check_format() {
	git ls-files '*.[ch]' '*.cc' |
		xargs clang-format --dry-run -Werror
}

# One file at a time: with several, version 14 takes every va_list but those of
# the first for uninitialised.
check_by_clang() {
	printf '%s\n' src/*.c tools/*.c compat/*.c examples/*.c |
		xargs -P "$jobs" -I{} clang-tidy --quiet {} -- -D_GNU_SOURCE \
			-DPACKAGE_VERSION='"0"' -Iinclude -Isrc
}

# Variables are declared at the top of a function here, and unions pad.
check_by_cppcheck() {
	cppcheck -q --std=c99 -Iinclude -Isrc --error-exitcode=1 \
		--enable=warning,style,performance,portability \
		--suppress=variableScope --suppress=unusedStructMember \
		src tools compat examples
}

# BIT_MACRO, LINE_SPACING: programs include xen-gntalloc.h, and have no BIT(); a
#	request follows its struct.
# DEPRECATED_API: kmap_atomic() is for kernels that lack the new one.
# OPEN_ENDED_LINE: clang-format breaks lines so.
# UNCOMMENTED_DEFINITION: what a lock guards is said above its struct.
check_kernel_style() {
	local ignored=BIT_MACRO,LINE_SPACING,DEPRECATED_API,OPEN_ENDED_LINE

	fetch_checkpatch &&
		perl "$checkpatch/checkpatch.pl" -q --no-tree --strict \
			--terse --show-types --file \
			--ignore "$ignored,UNCOMMENTED_DEFINITION" \
			kmod/*.[ch] tests/module/taker/*.c
}

# The only package that has it is the kernel's source, 130 MB, which
# harness/run --kernel debug has downloaded, too.
fetch_checkpatch() {
	local cache=${XDG_CACHE_HOME:-$HOME/.cache}/libgntshr debs tmp

	checkpatch=$cache/checkpatch
	[ ! -e "$checkpatch" ] || return 0
	mkdir -p "$cache" && tmp=$(mktemp -d "$checkpatch.XXXXXX") || return
	debs=("$cache"/linux-source-*/*.deb)
	if [ ! -e "${debs[0]}" ]; then
		as_root apt-get update &&
			(cd "$tmp" && apt-get download "$(apt-cache depends \
				linux-source | sed -n 's/.*Depends: //p')")
		debs=("$tmp"/*.deb)
	fi
	mkdir "$tmp/out" && dpkg --fsys-tarfile "${debs[0]}" |
		tar -xO --wildcards '*.tar.xz' |
		tar -xJ -C "$tmp/out" --strip-components=2 --wildcards \
			'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
			'*/scripts/const_structs.checkpatch' &&
		mv -T "$tmp/out" "$checkpatch"
	rm -rf "$tmp"
	[ -e "$checkpatch" ]
}
