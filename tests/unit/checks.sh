# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# For the tests of documents: counted checks, and a look into manual pages.

passed=0
failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

check() { # WHAT COMMAND...
	what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
	fi
}

is_empty() { # FILE
	[ ! -s "$1" ] || { cat "$1"; false; }
}

# The lines of a section of a manual page, or of a part of it.
section() { # PAGE SECTION [PART]
	awk -v section="$2" -v part="${3-}" '
		$1 == ".SH" { in_it = substr($0, 5) == section; in_part = 0; next }
		$1 == ".SS" { in_part = substr($0, 5) == part; next }
		in_it && (part == "" || in_part)' "$1"
}

verdict() {
	echo "$passed passed, $failed failed"
	[ "$passed" -gt 0 ] && [ "$failed" = 0 ]
}
