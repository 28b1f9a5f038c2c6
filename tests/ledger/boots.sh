# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the others
#
# Trying rows, on Xen: sourced by the ledger.

declare -A verdict_of seen
boots=0 linux=''

# One boot; says how it ended. Rows come out in $work/out.
boot() { # MODULE GROUP ID...
	local module=$1 group=$2 status
	local -n options=${group}_options
	local request=/local/domain/\$XEN_DOMID/data/peer/request
	local -a commands

	shift 2
	if [ -n "$debug" ]; then
		commands=(--guest pvh --timeout 900
			--add "$dir/tests/peers/peer"
			--in-dom0 "peer \$XEN_PEER_DOMIDS"
			--in-guest "ledger-cases $*
				xenstore-write $request '1 quit'")
	else
		commands=(--in-dom0 "ledger-cases $*")
	fi
	boots=$((boots + 1))
	echo "ledger: $module module: $*" >&2
	"$top/harness/run" --arch "$arch" "${kernel[@]}" --module "$module" \
		"${options[@]}" "${programs[@]}" "${commands[@]}" \
		2>"$work/err" | sed 's/^\[pvh\] //' >"$work/out"
	status=${PIPESTATUS[0]}
	grep -E '^run: [0-9]+ s$|^run: booting' "$work/err" >&2
	linux=$(sed -n 's/^run: booting.*, Linux \([^,]*\),.*/\1/p' "$work/err")
	return "$status"
}

first_complaint() {
	# shellcheck source=harness/verdict
	sed -n 's/^  | //p' "$work/err" |
		(. "$top/harness/verdict" && complaints_in) | head -n 1 |
		sed 's/^[0-9]*://; s/^(XEN) //; s/^\[ *[0-9.]*\] *//
			s/[[:space:]]*$//'
}

# Try rows until each has its verdict. What ends the kernel is the first row
# without one; the others get another boot.
try() { # MODULE GROUP ID...
	local module=$1 group=$2 status id verdict text
	local -a left

	shift 2
	while [ $# -gt 0 ]; do
		boot "$module" "$group" "$@"
		status=$?
		case $status in
		0 | 122 | 123 | 124) ;;
		*)	cat "$work/err" >&2
			[ $status = 77 ] && exit 77
			exit 125 ;;
		esac
		while IFS=$'\t' read -r id verdict text; do
			[[ " $* " = *" $id "* ]] || continue
			verdict_of[$module.$id]=$verdict
			seen[$module.$id]=$text
		done <"$work/out"
		left=()
		for id; do
			[ -n "${verdict_of[$module.$id]-}" ] || left+=("$id")
		done
		if [ $status = 0 ] && [ ${#left[@]} = 0 ]; then
			return
		fi
		# All was said, so it was the end of the last one, or the module
		# could not be unloaded after it.
		[ ${#left[@]} -gt 0 ] || left=("${@: -1}")
		id=${left[0]}
		case $status in
		0)	verdict=error text="said nothing" ;;
		124)	verdict=error text="did not end" ;;
		*)	verdict=crashes text=$(first_complaint)
			[ -n "$text" ] || text=$(tail -n 1 "$work/err") ;;
		esac
		verdict_of[$module.$id]=$verdict
		seen[$module.$id]=$text
		set -- "${left[@]:1}"
	done
}

# Our sources before the faults of the rows O were mended, built.
before=778c5c5
build_before() {
	local tree=$build/before/tree

	[ ! -e "$build/before/built" ] || return 0
	git -C "$top" cat-file -e "$before^{commit}" 2>/dev/null || return
	echo "ledger: building $before" >&2
	rm -rf "$build/before"
	mkdir -p "$tree" "$build/before/gcc"
	git -C "$top" archive "$before" | tar -x -C "$tree"
	quietly "$work/before" "$tree/bootstrap"
	(cd "$build/before/gcc" && quietly "$work/before" "$tree/configure" \
		CC=gcc CXX=g++ && quietly "$work/before" make -j"$jobs") ||
		exit 125
	: >"$build/before/built"
}

# The rows O, each with its own script.
own_rows() {
	local module id tree obj

	for id in "${ids[@]}"; do
		[ "$(field "$id" 1)" = own ] || continue
		for module in "${modules[@]}"; do
			tree=$top obj=$dir
			if [ "$module" = stock ]; then
				build_before || continue
				tree=$build/before/tree obj=$build/before/gcc
			fi
			echo "ledger: $(name_of "$module" "$id"): $id" >&2
			seen[$module.$id]=$("$here/own/$id" "$tree" "$obj" "$dir")
			case $? in
			0) verdict_of[$module.$id]=holds ;;
			1) verdict_of[$module.$id]=broken ;;
			2) verdict_of[$module.$id]=crashes ;;
			*) verdict_of[$module.$id]=error ;;
			esac
		done
	done
}
