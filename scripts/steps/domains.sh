# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The steps of scripts/check that boot Xen in QEMU. Sourced by it.

# shellcheck disable=SC2034,SC2154 # what common.sh and count.sh know

# What runs: an architecture, a Xen where it is not the usual one (options of
# harness/run), the tree with its programs, and its guests.
arch=x86_64
xen=()
tree=$build/gcc
guests='pv pvh'
guest_memory=256

# A step on arm64, which has one kind of guest; with less memory its kernel lacks
# what tests take.
on_arm64() { # COMMAND...
	arch=arm64 special+='arm64, ' tree=$build/arm64
	guests=pvh guest_memory=512
	once arm64_programs
	"$@"
}

arm64_programs() {
	local dir=''

	find_tree arm64
	quietly "$build/arm64/log/programs" make -C "$build/arm64" -j"$jobs" \
		check TESTS=
	quietly "$build/arm64/log/install" make -C "$build/arm64" install
}

# A step on another Xen.
on_xen() { # VERSION COMMAND...
	xen=(--xen "$1") special+="Xen $1, "
	"${@:2}"
}

# A program for harness/run, of that tree.
program() { # NAME
	echo "--add $(echo "$tree"/tests/*/"$1")"
}

# Run in domains, show what is worth showing, and count: TIER OPTION...
in_xen() {
	local tier=$1 log

	shift
	tier=$special$tier
	log=$build/log/${tier//[ ,]/-}
	"$top/harness/run" --arch "$arch" "${xen[@]}" "$@" | tee "$log" |
		grep -v 'RUN  \|  OK \]'
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	last_log=$log
}

# The library's two halves on one module, in all three kinds of domain: at the
# same time, but where harness/README.md knows that a PVH guest would not survive.
xen_tests() { # KERNEL MODULE
	local names='test-calls test-calls-xengnttab' boots=("dom0 $guests")
	local boot domain

	echo "Linux $1, module $2: dom0 and guests ($guests)"
	[ "$2" = stock ] || names+=' test-module'
	[ "$1" != 5.10 ] || boots=('dom0 pv' pvh)
	for boot in "${boots[@]}"; do
		in_domains "$boot" "Linux $1, $2" "$names" \
			--kernel "$1" --module "$2"
		for domain in $boot; do
			count "Linux $1, module $2, $domain" "$last_log" \
				"[$domain]"
		done
	done
}

# dom0's peers are there in any case.
in_domains() { # DOMAINS TIER PROGRAMS OPTION...
	local guests=${1#dom0} tier=$2 names=$3 dom0=''

	[ "$guests" = "$1" ] || dom0=" --limit 600 $names"
	shift 3
	# shellcheck disable=SC2046,SC2086
	in_xen "$tier" "$@" --timeout 900 --guest-memory $guest_memory \
		$(printf ' --guest %s' $guests) \
		--add "$top/tests/peers/in-domain" \
		$(for name in peer $names; do program "$name"; done) \
		--in-dom0 "in-domain$dom0" \
		--in-guest "in-domain --limit 600 $names"
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
	local where=(--in-dom0 test-scale)

	# The grant table of an ARM dom0 is small.
	[ "$arch" = x86_64 ] ||
		where=(--guest pvh --guest-memory 900 --in-guest test-scale)
	echo "98,304 pages in a call; 30,000 shares at once"
	# shellcheck disable=SC2046
	in_xen scale --icount --xen-args gnttab_max_frames=512 \
		--module-params limit=200000 --dom0-memory 1400 \
		$(program test-scale) "${where[@]}"
	count "scale" "$last_log"
}

# The library's own tests, where the machine is emulated: in dom0.
units_in_dom0() {
	local test add=() names=()

	for test in "$tree"/tests/unit/test-*; do
		if [ -f "$test" ] && [ -x "$test" ]; then
			add+=(--add "$test")
			names+=("${test##*/}")
		fi
	done
	in_xen "unit tests in dom0" --module none "${add[@]}" \
		--in-dom0 "for test in ${names[*]}; do \$test || status=1; done
			exit \$status"
	count "unit tests in dom0" "$last_log"
}

# Rows of the torture table, short ones.
torture() {
	local row number wrong

	"$top/tests/torture/torture" --arch "$arch" --build "$tree" \
		--steps 20000 --kills 200 --vcpus 1 hostile death fuzz |
		tee "$build/log/torture-$arch"
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	while read -r row _ number wrong _; do
		result "torture, $row: $number" $((wrong == 0)) "$wrong" 0
	done < <(grep -E '^(hostile|death|fuzz) ' "$build/log/torture-$arch")
}

# That the measurements can be made: what they say fails nothing.
measurements() {
	"$top/bench/run" --arch "$arch" --quick --traces --build "$tree" \
		--json "$build/log/bench-$arch.json" || fail "bench/run failed"
	result "bench/run --quick --traces" 1 0 0
}

# Programs of others: the installed library's user, and Xen's own vchan.
others() {
	local name users=() vchan=/usr/local/bin/test-vchan

	echo "vchan-socket-proxy, and programs of the installed library"
	# Installed for this machine.
	if [ "$arch" = x86_64 ]; then
		for name in share_page_c share_page_cc share_page_static; do
			users+=(--add "$build/$name" --in-dom0 "$name </dev/null")
		done
	fi
	LD_LIBRARY_PATH=$tree/install/lib \
		in_xen others --guest pvh --guest-memory $guest_memory \
		"${users[@]}" --add "$top/tests/system/test-vchan:$vchan" \
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
		--guest-memory $guest_memory \
		--add "$tree/install/lib/libgntshr/${object##*/}:$object" \
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
	local guest=${2:+--guest $2 --guest-memory $guest_memory}

	echo "gntshr, the tool, module $1"
	# shellcheck disable=SC2046,SC2086
	in_xen "tool $1" --module "$1" $guest --timeout 600 \
		--add "$top/tests/peers/in-domain" --add "$top/tests/is-json" \
		--add "$top/tests/peers/remote.sh" \
		--add "$top/tests/system/test-tool" --add "$tree/tools/gntshr" \
		$(program peer) $(program hold-port) \
		--in-dom0 "in-domain test-tool" \
		${guest:+--in-guest "in-domain test-tool"}
	count "gntshr, module $1, dom0" "$last_log" "${2:+[dom0]}"
	[ -z "$guest" ] || count "gntshr, module $1, $2" "$last_log" "[$2]"
}

# An example, for harness/run, from the tree that gcc built.
example() { # NAME
	echo "--add $tree/examples/$1"
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
		--add "$tree/tools/gntshr" $(program peer; program hold-port
		for name in launcher pool broadcast; do
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
	"$top/tests/ledger/ledger" --arch "$arch" --build "$tree" |
		tee "$build/log/ledger-$arch"
	[ "${PIPESTATUS[0]}" = 0 ] || broken=1
	count "ledger" "$build/log/ledger-$arch"
}

demonstration() {
	quietly "$build/log/demo-$arch" "$top/scripts/demo" --arch "$arch"
	echo "passed"
	result "scripts/demo" 1 0 0
}
