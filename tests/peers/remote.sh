# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash
#
# For test scripts in a domain: counts what holds, and gives orders to the peer
# in dom0, see peer.c and in-domain. Sourced; it leaves the script in a directory
# of its own.

node=/local/domain/$XEN_DOMID/data/peer
seq=$(($$ << 12))
passed=0
failed=0
cd "$(mktemp -d)" || exit

check() { # WHAT COMMAND...
	what=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
		tail -n 20 out err | sed 's/^/    /'
	fi
}

verdict() {
	echo "$passed passed, $failed failed"
	[ $failed = 0 ]
}

# Only ever waited for in full when a test fails.
await() { # COMMAND...
	tries=600
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# The peer's answer, if it succeeds.
remote() { # ORDER...
	seq=$((seq + 1))
	xenstore-write "$node/request" "$seq $*"
	answer=''
	until [ "${answer%% *}" = $seq ]; do
		sleep 0.05
		answer=$(xenstore-read "$node/reply" 2>/dev/null)
	done
	answer=${answer#* }
	[ "${answer% *}" = 0 ] && answer=${answer#* }
}

answers() { # NUMBER ORDER...
	number=$1
	shift
	remote "$@" && [ "$answer" = "$number" ]
}

refused() { # ORDER...
	! remote "$@"
}
