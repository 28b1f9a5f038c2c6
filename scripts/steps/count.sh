# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# How scripts/check runs a step, and counts what its tests said. Sourced by it.

# shellcheck disable=SC2154 # what common.sh defines

# What the steps of this run tell comes together here, a file a step and kind.
state=$build/check

begin_counts() {
	rm -rf "$state"
	mkdir -p "$state" "$build/log"
}

clock() { # SECONDS
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# What several steps need is made once in a run; the others wait for it.
once() { # COMMAND...
	(
		flock 9
		[ ! -e "$state/$1.made" ] || exit 0
		"$@" || fail "'$*' failed"
		touch "$state/$1.made"
	) 9>"$state/$1.lock" || exit
}

# A step that fails ends alone. One that tells of no test did not run.
run_step() { # NAME NEEDS COMMAND...
	local step=$1 name=$1 needs=$2 began=$SECONDS broken=0
	local title ok bad skip
	local results=$state/$1.results failures=$state/$1.failures

	shift 2
	echo "begins"
	: >"$results"
	(
		[ "$needs" = - ] || once "$needs"
		"$@"
		exit "$broken"
	) || broken=1
	[ -s "$results" ] || broken=1
	if [ "$broken" = 1 ] && ! cut -f 3 "$results" | grep -q '[^0]'; then
		result "$name, the step itself" 0 1 0
	fi
	began=$(clock $((SECONDS - began)))
	echo "ends after $began"
	name=$(printf '%-15s %5s' "$name" "$began")
	while IFS=$'\t' read -r title ok bad skip; do
		printf '%-21s  %-40s %4d passed %4d failed %4d skipped\n' \
			"$name" "$title" "$ok" "$bad" "$skip"
		name=
	done <"$results" >"$state/$step.part"
	mv "$state/$step.part" "$state/$step.summary"
}

summary() { # NAME OF A STEP...
	local name passed failed skipped lost=0

	step "Summary"
	for name; do
		cat "$state/$name.summary" 2>/dev/null && continue
		echo "$name did not end"
		lost=1
	done
	for name; do
		[ ! -e "$state/$name.failures" ] || cat "$state/$name.failures"
	done
	read -r passed failed skipped < <(cat "$state"/*.results |
		awk -F '\t' '
			{ ok += $2; bad += $3; skip += $4 }
			END { print ok + 0, bad + 0, skip + 0 }')
	printf '%d passed, %d failed, %d skipped\n' \
		"$passed" "$failed" "$skipped"
	[ "$passed" -gt 0 ] && [ "$failed$skipped$lost" = 000 ]
}

# What a step runs on, before its titles; nothing where that is the usual.
special=''

result() { # TITLE PASSED FAILED SKIPPED
	printf '%s\t%d\t%d\t%d\n' "$special$1" "${@:2}" >>"$results"
}

# Add up what cmocka and the like said: TITLE LOG [LINE PREFIX]
count() {
	local ok bad skip

	read -r ok bad skip < <(awk -v prefix="${3-}" '
		prefix != "" && index($0, prefix) != 1 { next }
		/\[  PASSED  \] [0-9]+ test/ { sub(/.*PASSED  \] /, ""); ok += $1 }
		/\[  FAILED  \] [0-9]+ test/ { sub(/.*FAILED  \] /, ""); bad += $1 }
		/\[  SKIPPED \] [0-9]+ test/ { sub(/.*SKIPPED \] /, ""); skip += $1 }
		/^(\[[a-z0-9]+\] )?[0-9]+ passed, [0-9]+ failed$/ {
			sub(/^\[[a-z0-9]+\] /, ""); ok += $1; bad += $3
		}
		/^[0-9]+ rows; / { ok += $3; bad += $7 }
		/\[==========\] Running / { begun++ }
		/\[==========\] [0-9]+ test\(s\) run/ { begun-- }
		END { print ok + 0, bad + (begun > 0), skip + 0 }' "$2")
	# Tests that tell of nothing did not run.
	[ $((ok + bad)) -gt 0 ] || bad=1
	result "$1" "$ok" "$bad" "$skip"
	[ "$bad" = 0 ] || printf '%s\n' "" "$1:" \
		"$(failed_tests "$2" "${3-}")" >>"$failures"
}

# What went wrong, again, for who reads the end first: LOG [LINE PREFIX]
failed_tests() {
	awk -v prefix="${2-}" '
		prefix != "" && index($0, prefix) != 1 { next }
		/\[   LINE   \]|\[  ERROR   \]|\[  FAILED  \]/ { said = 6 }
		/\[       OK \]|\[ RUN      \]|\[==========\]|^(\[[a-z0-9]+\] )?ok: / { said = 0 }
		/^(\[[a-z0-9]+\] )?FAILED: / { said = 20 }
		/\[ RUN      \]/ { begun = $0 }
		/\[       OK \]|\[  FAILED  \]|\[  SKIPPED \]/ { begun = "" }
		said-- > 0
		END {
			if (begun != "") {
				sub(/.*RUN      \] /, "", begun)
				print begun " did not end"
			}
		}' "$1" | head -n 60
}
