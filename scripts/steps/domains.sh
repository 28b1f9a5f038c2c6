# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The steps of scripts/check. Sourced by it.

# shellcheck disable=SC2154 # what common.sh defines

summary=() failures=()
passed=0 failed=0 skipped=0

# Add up what cmocka and the like said: TIER LOG [LINE PREFIX]
count() {
	local tier=$1 ok bad skip
	local -a numbers

	mapfile -t numbers < <(awk -v prefix="${3-}" '
		prefix != "" && index($0, prefix) != 1 { next }
		/\[  PASSED  \] [0-9]+ test/ { sub(/.*PASSED  \] /, ""); ok += $1 }
		/\[  FAILED  \] [0-9]+ test/ { sub(/.*FAILED  \] /, ""); bad += $1 }
		/\[  SKIPPED \] [0-9]+ test/ { sub(/.*SKIPPED \] /, ""); skip += $1 }
		/^(\[[a-z0-9]+\] )?[0-9]+ passed, [0-9]+ failed$/ {
			sub(/^\[[a-z0-9]+\] /, ""); ok += $1; bad += $3
		}
		/^[0-9]+ rows; / { ok += $3; bad += $7 }
		END { print ok + 0; print bad + 0; print skip + 0 }' "$2")
	ok=${numbers[0]} bad=${numbers[1]} skip=${numbers[2]}
	summary+=("$(printf '%-34s %4d passed %4d failed %4d skipped' \
		"$tier" "$ok" "$bad" "$skip")")
	passed=$((passed + ok)) failed=$((failed + bad))
	skipped=$((skipped + skip))
	# A tier that tells of no test did not run.
	[ "$ok" -gt 0 ] || failed=$((failed + 1))
	[ "$bad" = 0 ] || failures+=("" "$tier:" "$(failed_tests "$2" "${3-}")")
}

# What went wrong, again, for who reads the end first: LOG [LINE PREFIX]
failed_tests() {
	awk -v prefix="${2-}" '
		prefix != "" && index($0, prefix) != 1 { next }
		/\[   LINE   \]|\[  ERROR   \]|\[  FAILED  \]/ { said = 6 }
		/\[       OK \]|\[ RUN      \]|\[==========\]|^(\[[a-z0-9]+\] )?ok: / { said = 0 }
		/^(\[[a-z0-9]+\] )?FAILED: / { said = 20 }
		said-- > 0' "$1" | head -n 60
}

unit_tests() { # COMPILER C++-COMPILER
	step "Library and unit tests, $1"
	build_in "$1" CC="$1" CXX="$2" --enable-werror \
		--prefix="$build/$1/install"
	make -C "$build/$1" -j"$jobs" check >"$build/$1/log/check" 2>&1 ||
		failed=$((failed + 1))
	cat "$build/$1"/tests/unit/*.log >"$build/$1/log/unit"
	grep -h 'FAILED\|ERROR\|LINE' "$build/$1/log/unit"
	count "unit, $1" "$build/$1/log/unit"
}

# A target of make with a verdict of its own, whose last lines are worth seeing.
verdict() { # TARGET LINES [VARIABLE=VALUE]...
	local target=$1 lines=$2 log=$build/log/$1

	shift 2
	step "make $target"
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
	verdict "$1" 0 || failed=$((failed + 1))
	cat "$build/gcc/$1"/tests/unit/*.log >"$build/log/$1-tests"
	count "unit, $1" "$build/log/$1-tests"
	printf '%s\n' "${summary[-1]}"
}

# One that passes or fails as a whole.
passes() { # TARGET LINES [VARIABLE=VALUE]...
	if verdict "$@"; then
		summary+=("$(printf '%-34s %4d passed' "make $1" 1)")
		passed=$((passed + 1))
	else
		summary+=("$(printf '%-34s %4d passed %4d failed' "make $1" 0 1)")
		failures+=("" "make $1: see $build/log/$1")
		failed=$((failed + 1))
	fi
}

# The installed library is found by pkg-config and used from C and C++, and
# from a program that is linked statically.
installed_programs() {
	local prefix=$build/gcc/install flags static_flags

	step "Installed library"
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
	echo "examples/share_page.c compiled as C and as C++, and static"
}

distribution() {
	step "make distcheck"
	quietly "$build/log/distcheck" make -C "$build/gcc" -j"$jobs" distcheck
	echo "passed"
	summary+=("$(printf '%-34s %4d passed' "make distcheck" 1)")
	passed=$((passed + 1))
}

# A program for harness/run, from the tree that gcc built.
program() { # NAME
	echo "--add $(echo "$build"/gcc/tests/*/"$1")"
}

# Run in domains, show what is worth showing, and count: TIER OPTION...
in_xen() {
	local tier=$1 log

	shift
	log=$build/log/${tier//[ ,]/-}
	"$top/harness/run" "$@" | tee "$log" | grep -v 'RUN  \|  OK \]'
	[ "${PIPESTATUS[0]}" = 0 ] || failed=$((failed + 1))
	last_log=$log
}

# The library's two halves on one module, in all three kinds of domain.
xen_tests() { # KERNEL MODULE
	local names='test-calls test-calls-xengnttab' domain

	step "Linux $1, module $2: dom0, PV guest and PVH guest"
	[ "$2" = stock ] || names+=' test-module'
	# shellcheck disable=SC2046
	in_xen "Linux $1, $2" --kernel "$1" --module "$2" --timeout 900 \
		--guest pv --guest pvh --add "$top/tests/peers/in-domain" \
		$(for name in peer $names; do program "$name"; done) \
		--in-dom0 "in-domain $names" --in-guest "in-domain $names"
	for domain in dom0 pv pvh; do
		count "Linux $1, module $2, $domain" "$last_log" "[$domain]"
	done
}

# Everybody's pages at once, on two processors.
stress() { # KERNEL
	step "Linux $1: eight threads for 60 s"
	# shellcheck disable=SC2046
	in_xen "stress $1" --kernel "$1" --vcpus 2 $(program stress) \
		--in-dom0 "stress 60"
	count "Linux $1, stress" "$last_log"
}

# Other drivers of the domain, which need grant references as well.
references() { # MODULE FRAMES
	step "Module $1: a disk and a network card beside programs that share"
	"$top/tests/module/test-refs" --module "$1" --frames "$2" --program \
		"$build/gcc/tests/module/beside-taker" | tee "$build/log/refs-$1"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=$((failed + 1))
	count "references, module $1" "$build/log/refs-$1"
}

# What users share, and what one page more costs, in instructions.
scale() {
	step "98,304 pages in a call; 30,000 shares at once"
	# shellcheck disable=SC2046
	in_xen scale --icount --xen-args gnttab_max_frames=512 \
		--module-params limit=200000 --dom0-memory 1400 \
		$(program test-scale) --in-dom0 test-scale
	count "scale" "$last_log"
}

# That the measurements can be made: what they say fails nothing.
measurements() {
	step "bench/run --quick"
	if "$top/bench/run" --quick --build "$build/gcc" \
		--json "$build/log/bench.json"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	summary+=("bench/run --quick")
}

# Programs of others: the installed library's user, and Xen's own vchan.
others() {
	step "vchan-socket-proxy, and a program of the installed library"
	LD_LIBRARY_PATH=$build/gcc/install/lib \
		in_xen others --guest pvh --add "$build/share_page_c" \
		--add "$build/share_page_cc" --add "$build/share_page_static" \
		--add "$top/tests/system/test-vchan:/usr/local/bin/test-vchan" \
		--in-dom0 'share_page_c </dev/null' \
		--in-dom0 'share_page_cc </dev/null' \
		--in-dom0 'share_page_static </dev/null' \
		--in-dom0 test-vchan --in-guest test-vchan
	count "vchan, dom0" "$last_log" "[dom0]"
	count "vchan, pvh" "$last_log" "[pvh]"
}

# Guests saved and restored with pages shared. The stock module is not asked for
# events: it closes those of others then.
suspended() { # MODULE [no-events]
	step "Module $1: guests that are saved and restored"
	# shellcheck disable=SC2046
	in_xen "suspended, $1" --module "$1" --timeout 900 --guest pv \
		--guest pvh --guest-memory 160 --dom0-memory 1400 \
		--add "$top/tests/system/test-suspend:/usr/local/bin/test-suspend" \
		$(for name in peer suspend-shares test-calls; do
			program "$name"
		done) \
		--in-dom0 test-suspend --in-guest "test-suspend ${2-}"
	count "saved and restored, module $1, pv" "$last_log" "[pv]"
	count "saved and restored, module $1, pvh" "$last_log" "[pvh]"
}

# Programs of libxengnttab: one that sed ports, and all with our calls put in
# place of its own.
preloaded() { # MODULE
	local object=/usr/local/lib/libgntshr/xengntshr-preload.so
	local with="preloaded $object"

	step "Module $1: libxengnttab's programs and vchan on libgntshr"
	# shellcheck disable=SC2046
	in_xen "preloaded, $1" --module "$1" --timeout 900 --guest pvh \
		--add "$build/gcc/install/lib/libgntshr/${object##*/}:$object" \
		--add "$top/tests/system/preloaded" --add "$top/tests/peers/in-domain" \
		--add "$top/tests/system/test-vchan:/usr/local/bin/test-vchan" \
		$(for name in peer port port-gntshr test-calls-xengnttab; do
			program "$name"
		done) \
		--in-dom0 port --in-dom0 port-gntshr --in-dom0 "$with port" \
		--in-dom0 "$with in-domain test-calls-xengnttab" \
		--in-guest "$with in-domain test-calls-xengnttab" \
		--in-dom0 "$with test-vchan" --in-guest "$with test-vchan"
	count "preloaded, module $1, dom0" "$last_log" "[dom0]"
	count "preloaded, module $1, pvh" "$last_log" "[pvh]"
}

# gntshr(1), on our module and on the stock one.
tool() { # MODULE [GUEST]
	local guest=${2:+--guest $2}

	step "gntshr, the tool, module $1"
	# shellcheck disable=SC2046,SC2086
	in_xen "tool $1" --module "$1" $guest --timeout 600 \
		--add "$top/tests/peers/in-domain" --add "$top/tests/is-json" \
		--add "$top/tests/system/test-tool" --add "$build/gcc/tools/gntshr" \
		$(program peer) $(program hold-port) \
		--in-dom0 "in-domain test-tool" \
		${guest:+--in-guest "in-domain test-tool"}
	count "gntshr, module $1, dom0" "$last_log" "${2:+[dom0]}"
	[ -z "$guest" ] || count "gntshr, module $1, $2" "$last_log" "[$2]"
}

# The module without a warning from compiler and sparse. Headers that lack what
# the kernel's makefiles need to call sparse, as those of 7.2, leave it out.
module_builds() { # KERNEL
	local kdir log=$build/log/kmod-$1

	step "Linux $1: the module without warnings"
	kdir=$("$top/harness/run" --kernel "$1" --print-kdir) ||
		fail "no kernel headers"
	rm -rf "$build/kmod"
	cp -rL "$top/kmod" "$build/kmod"
	quietly "$log" make -C "$build/kmod" KDIR="$kdir" W=1 C=2 \
		KCFLAGS=-Werror
	if grep -E 'kmod/.*(warning|error): ' "$log"; then
		fail "sparse found something on Linux $1"
	fi
	if grep -q '^  CHECK ' "$log"; then
		echo "W=1 and sparse are silent"
	else
		echo "W=1 is silent; these headers do not run sparse"
	fi
}

# Installed by dkms and make, found by modprobe, loaded.
module_life() { # KERNEL
	step "Linux $1: dkms, modprobe, udev"
	as_root "$top/tests/system/test-dkms" --kernel "$1" 2>&1 |
		tee "$build/log/dkms-$1" | grep -v '^ok:'
	[ "${PIPESTATUS[0]}" = 0 ] || failed=$((failed + 1))
	count "Linux $1, dkms and modprobe" "$build/log/dkms-$1"
}

ledger() {
	step "Ledger: what the stock driver gets wrong, beside ours"
	"$top/tests/ledger/ledger" --build "$build/gcc" | tee "$build/log/ledger"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=$((failed + 1))
	count "ledger" "$build/log/ledger"
}

demonstration() {
	step "scripts/demo"
	if "$top/scripts/demo" >"$build/log/demo" 2>&1; then
		echo "passed"
		passed=$((passed + 1))
	else
		tail -n 60 "$build/log/demo"
		failed=$((failed + 1))
	fi
	summary+=("scripts/demo")
}

