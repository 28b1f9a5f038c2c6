# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the others
#
# Rows that nothing is run for: sourced by the ledger.

# K11 is about machines that are not here.
page_size() {
	verdict_of[stock.K11]=holds
	seen[stock.K11]=
	if grep -A 4 'PAGE_SIZE != XEN_PAGE_SIZE' "$top/kmod/main.c" |
		grep -q 'return -EOPNOTSUPP'; then
		verdict_of[ours.K11]=holds
		seen[ours.K11]='by construction: kmod/main.c says why and returns EOPNOTSUPP'
	else
		verdict_of[ours.K11]=broken
		seen[ours.K11]='kmod/main.c does not refuse to load'
	fi
}

# Our module for a kernel that harness/run has, and that kernel's own.
module_for() { # MODULE KERNEL
	local kdir

	kdir=$("$top/harness/run" --arch "$arch" --kernel "$2" --print-kdir) ||
		exit
	if [ "$1" = stock ]; then
		echo "${kdir%/usr/src/*}/modules/xen-gntalloc.ko"
		return
	fi
	cp -rL "$top/kmod" "$work/kmod-$2"
	quietly "$work/make" make -C "$work/kmod-$2" KDIR="$kdir" ARCH=arm64 \
		CROSS_COMPILE=aarch64-linux-gnu-
	echo "$work/kmod-$2/xen-gntalloc.ko"
}

# K11 on a machine of that kind: a dom0 whose pages are larger than Xen's.
large_pages() {
	local module file command

	[[ " ${ids[*]} " = *' K11 '* ]] || return
	command="insmod xen-gntalloc.ko && { timeout 5 gntshr share"
	command+=" --domid 0 && echo shared || echo loaded; }"
	for module in "${modules[@]}"; do
		file=$(module_for "$module" 16k) || exit 125
		boots=$((boots + 1))
		echo "ledger: $module module, pages of 16 KiB: K11" >&2
		"$top/harness/run" --arch "$arch" --kernel 16k --module none \
			--add "$file" \
			--add "$dir/tools/gntshr" \
			--in-dom0 "{ $command; } 2>&1 || true" \
			>"$work/out" 2>"$work/err" ||
			{ cat "$work/out" "$work/err" >&2; exit 125; }
		verdict_of[$module.K11]=holds
		seen[$module.K11]=$(paste -s -d ' ' "$work/out")
		[ "$(tail -n 1 "$work/out")" != loaded ] ||
			verdict_of[$module.K11]=broken
	done
}

# K18: no udev runs in the domain, so the files of ours are read.
access_files() {
	local rule group load

	seen[stock.K18]+="; Debian's packages of Linux and Xen have no rule for"
	seen[stock.K18]+=" it and nothing loads it (read, not run)"
	rule=$(grep -h '^[^#]*KERNEL=="xen/gntalloc"' "$top"/kmod/*.rules)
	group=$(sed -n 's/.*GROUP="\([^"]*\)".*/\1/p' <<<"$rule")
	load=$(grep -lx 'xen-gntalloc' "$top"/kmod/*.conf)
	seen[ours.K18]="udev rule: group ${group:-none}, mode $(
		sed -n 's/.*MODE="\([^"]*\)".*/\1/p' <<<"$rule"
	); loaded at boot by: ${load##*/}"
	if [ -n "$group" ] && [ "$group" != root ] && [ -n "$load" ] &&
		[[ $rule =~ MODE=\"0?66[0-9]\" ]] &&
		grep -q 'rules' "$top/kmod/Makefile" &&
		grep -q 'modules-load' "$top/kmod/Makefile"; then
		verdict_of[ours.K18]=holds
	else
		verdict_of[ours.K18]=broken
		seen[ours.K18]+="; not all there, or not installed by kmod/Makefile"
	fi
}

# L8: each call that a header mentions is one that its library has. Our check
# of header, map file and manual pages is a unit test.
unknown_calls() { # HEADER PREFIX LIBRARY
	comm -23 <(grep -o "\b$2_[a-z_]*()" "$1" | tr -d '()' | sort -u) \
		<(nm -D --defined-only "$3" | awk '{ print $3 }' |
			sed 's/@.*//' | sort -u) | paste -s -d ' '
}

header() {
	local module verdict unknown
	local stock ours=$dir/src/.libs/libgntshr.so

	stock=$(ldconfig -p | sed -n 's/.*libxengnttab\.so .*=> //p' | head -n 1)
	for module in stock ours; do
		if [ $module = stock ]; then
			unknown=$(unknown_calls "$(pkg-config \
				--variable=includedir xengnttab)/xengnttab.h" \
				xengntshr "$stock")
		else
			unknown=$(unknown_calls "$top/include/gntshr.h" \
				gntshr "$ours")
		fi
		verdict=holds
		[ -z "$unknown" ] || verdict=broken
		verdict_of[$module.L8]=$verdict
		seen[$module.L8]="named but not there: ${unknown:-nothing}"
	done
}

cases_in() { # FOLDER...
	(cd "$top/tests" && find "$@" -name 'test-*.c' -exec cat {} +) |
		grep -c '^		\(cmocka_unit_\|notify_\)\?tests\?('
}

# L9: scripts/check runs them.
tests_there() {
	verdict_of[stock.L9]=broken
	seen[stock.L9]="none in Xen's repository (read, not run)"
	verdict_of[ours.L9]=broken
	seen[ours.L9]="$(cases_in unit) in tests/unit, $(
		cases_in calls module scale system torture) on a real Xen"
	[[ ${seen[ours.L9]} = [1-9]*', '[1-9]* ]] && verdict_of[ours.L9]=holds
}
