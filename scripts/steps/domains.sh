# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The steps of scripts/check that boot Xen in QEMU. Sourced by it.

# shellcheck disable=SC2034,SC2154 # what common.sh and count.sh know

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
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	last_log=$log
}

# The library's two halves on one module, in all three kinds of domain.
xen_tests() { # KERNEL MODULE
	local names='test-calls test-calls-xengnttab' domain

	echo "Linux $1, module $2: dom0, PV guest and PVH guest"
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
	echo "Linux $1: eight threads for 60 s"
	# shellcheck disable=SC2046
	in_xen "stress $1" --kernel "$1" --vcpus 2 $(program stress) \
		--in-dom0 "stress 60"
	count "Linux $1, stress" "$last_log"
}

# Other drivers of the domain, which need grant references as well.
references() { # MODULE FRAMES...
	echo "Module $1: a disk and a network card beside programs that share"
	"$top/tests/module/test-refs" --module "$1" --frames "${*:2}" --program \
		"$build/gcc/tests/module/beside-taker" | tee "$build/log/refs-$1"
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	count "references, module $1" "$build/log/refs-$1"
}

# What users share, and what one page more costs, in instructions.
scale() {
	echo "98,304 pages in a call; 30,000 shares at once"
	# shellcheck disable=SC2046
	in_xen scale --icount --xen-args gnttab_max_frames=512 \
		--module-params limit=200000 --dom0-memory 1400 \
		$(program test-scale) --in-dom0 test-scale
	count "scale" "$last_log"
}

# That the measurements can be made: what they say fails nothing.
measurements() {
	"$top/bench/run" --quick --traces --build "$build/gcc" \
		--json "$build/log/bench.json" || fail "bench/run failed"
	result "bench/run --quick --traces" 1 0 0
}

# Programs of others: the installed library's user, and Xen's own vchan.
others() {
	echo "vchan-socket-proxy, and a program of the installed library"
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
	echo "Module $1: guests that are saved and restored"
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

	echo "Module $1: libxengnttab's programs and vchan on libgntshr"
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

	echo "gntshr, the tool, module $1"
	# shellcheck disable=SC2046,SC2086
	in_xen "tool $1" --module "$1" $guest --timeout 600 \
		--add "$top/tests/peers/in-domain" --add "$top/tests/is-json" \
		--add "$top/tests/peers/remote.sh" \
		--add "$top/tests/system/test-tool" --add "$build/gcc/tools/gntshr" \
		$(program peer) $(program hold-port) \
		--in-dom0 "in-domain test-tool" \
		${guest:+--in-guest "in-domain test-tool"}
	count "gntshr, module $1, dom0" "$last_log" "${2:+[dom0]}"
	[ -z "$guest" ] || count "gntshr, module $1, $2" "$last_log" "[$2]"
}

# An example, for harness/run, from the tree that gcc built.
example() { # NAME
	echo "--add $build/gcc/examples/$1"
}

# Programs to start from: one that is bound, a pool that nobody copies, and a
# page for three domains.
examples() {
	local name domain

	echo "launcher, pool and broadcast, with three guests"
	# shellcheck disable=SC2046
	in_xen examples --timeout 900 --guest pv --guest pvh --guest pvh \
		--guest-memory 160 --add "$top/tests/peers/in-domain" \
		--add "$top/tests/peers/remote.sh" \
		$(program peer; for name in launcher pool broadcast; do
			echo "--add $top/tests/system/test-$name"
		done; for name in launcher confined pool compositor \
			broadcast listener; do
			example "$name"
		done) \
		--in-dom0 in-domain --in-guest 'in-domain test-launcher' \
		--in-dom0 test-pool --in-guest test-pool \
		--in-dom0 test-broadcast --in-guest test-broadcast
	for domain in dom0 pv pvh1 pvh2; do
		count "examples, $domain" "$last_log" "[$domain]"
	done
}

# A frontend that goes on after its backend's domain was destroyed, and its own
# was restored.
survivors() {
	local domain

	echo "survivors in two guests, and their clerk in a third"
	# shellcheck disable=SC2046
	in_xen survivors --timeout 900 --guest pv --guest pvh --guest pvh \
		--guest-memory 160 --dom0-memory 1400 \
		--add "$top/tests/system/test-survivor" \
		$(example survivor) $(example clerk) \
		--in-dom0 test-survivor --in-guest test-survivor
	for domain in dom0 pv pvh1 pvh2; do
		count "survivors, $domain" "$last_log" "[$domain]"
	done
}

# Installed by dkms and make, found by modprobe, loaded.
module_life() { # KERNEL
	echo "Linux $1: dkms, modprobe, udev"
	as_root "$top/tests/system/test-dkms" --kernel "$1" 2>&1 |
		tee "$build/log/dkms-$1" | grep -v '^ok:'
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	count "Linux $1, dkms and modprobe" "$build/log/dkms-$1"
}

ledger() {
	echo "Ledger: what the stock driver gets wrong, beside ours"
	"$top/tests/ledger/ledger" --build "$build/gcc" | tee "$build/log/ledger"
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	count "ledger" "$build/log/ledger"
}

demonstration() {
	quietly "$build/log/demo" "$top/scripts/demo"
	echo "passed"
	result "scripts/demo" 1 0 0
}
