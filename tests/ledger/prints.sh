# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the others
#
# Telling what was seen: sourced by the ledger.

# A row that the stock module holds is one that does not show here.
show_verdict() { # MODULE ID
	local verdict=${verdict_of[$1.$2]--}

	[ "$(name_of "$1" "$2").$verdict" = stock.holds ] && verdict='not seen'
	echo "$verdict"
}

# What was seen, with the reason where one is known.
show_seen() { # MODULE ID
	local text=${seen[$1.$2]-} verdict=${verdict_of[$1.$2]-}

	if [ "$(name_of "$1" "$2").$verdict" = stock.holds ]; then
		text+=${text:+; }${why[$2]-refused there as it should be}
	fi
	echo "$text"
}

# Does the stock module do what the row says that it is known for?
unexpected() { # ID
	case $(field "$1" 2),${verdict_of[stock.$1]--} in
	broken,broken | crashes,crashes | fine,holds | *,-) return 1 ;;
	esac
}

print() {
	local id module heading=''

	[ -z "$debug" ] || linux='6.1, the debug kernel'
	echo "What was seen${linux:+ on Linux $linux}"
	for id in "${ids[@]}"; do
		printf '\n%-4s %s\n' "$id" "$(field "$id" 3)"
		for module in "${modules[@]}"; do
			printf '%s: %s: %s\n' "$(name_of "$module" "$id")" \
				"$(show_verdict "$module" "$id")" \
				"$(show_seen "$module" "$id")" |
				fold -s -w 74 | sed '1s/^/     /; 1!s/^/       /'
		done
	done
	for id in "${ids[@]}"; do
		if [ "$(name_of stock "$id")" != "$heading" ]; then
			heading=$(name_of stock "$id")
			printf '\n%-4s %-9s %-9s %s\n' id "$heading" ours \
				'what is promised'
		fi
		printf '%-4s %-9s %-9s %s\n' "$id" \
			"$(show_verdict stock "$id")" \
			"$(show_verdict ours "$id")" "$(field "$id" 3)"
	done
	printf '\n'
	for id in "${ids[@]}"; do
		unexpected "$id" &&
			echo "Note: $(name_of stock "$id") was expected to be" \
				"$(field "$id" 2) in $id."
	done
}

print_tsv() {
	local id

	for id in "${ids[@]}"; do
		printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$(field "$id" 3)" \
			"$(show_verdict stock "$id")" \
			"$(show_seen stock "$id")" \
			"$(show_verdict ours "$id")" "$(show_seen ours "$id")"
	done
}
