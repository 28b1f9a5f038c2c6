# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # for the others
#
# The rows of the ledger: sourced by it.

# A row: its ID; in which boot it is tried; what the stock module is known for:
# broken, crashes (then it gets a boot of its own), or fine; what is promised.
#	table	a small grant table, which is soon full
#	time	instructions are counted
#	none	nothing to run: the script looks itself
#	own	a script in tests/ledger/own tries it, before and now
rows='
K1 table broken after a failed call the count of pages is right
K2 table crashes a mapping of two allocations leaves those of others alone
K3 table broken a call that fails keeps no memory
K4 table broken an mmap() that fails keeps no pages
K5 time broken one page costs the same however many are shared
K6 table broken pages that the peer still maps count against the limit
K7 table broken part of a mapping that goes ends the grants of its pages
K8 table broken unknown flags, reserved domids and count 0 are refused
K9 table broken 32-bit programs can use the device
K10 table crashes a huge count is an error and nothing more
K11 none fine it does not load where a page is not 4096 bytes
K12 table broken memory is charged to its user, the limit fits and is explained
K13 table fine a run that is not wholly there changes nothing
K14 table fine a call that fails half way returns an error and no references
K15 table fine a grant is tested and ended in one step
K16 table broken a grant number rests before it is used again
K18 table broken a group has the device, and it is there after boot
L1 table broken the descriptor of the library is closed by exec
L2 table broken outputs are untouched after a failure
L3 table broken errno tells of the first failure
L4 table broken only what the handle shares can be unshared
L5 table broken no count makes the library do what was not asked
L6 table broken a notification can be set at any time on any page
L7 table broken nothing is printed without a logger
L8 none broken the header names calls that there are
L9 none broken there are tests
O1 own broken no driver of the domain lacks references because of ours that rest
O2 own broken no architecture gets a module that is wrong there
O3 own crashes what is only read cannot be set, and no parameter breaks the module
O4 own broken errno is what the call found, whatever the explanation does
O5 own broken constructors can open handles, whoever is linked how
O6 own broken kmod/Makefile removes what it says, and takes any path
O7 own broken memcheck and MemorySanitizer know what the device wrote
O8 own broken a busy machine is not taken for a broken kernel
O9 own broken with two processors the module is as its model says
O10 own broken a share with the own domain that cannot work is refused
'

# Why the stock module of today does not show it.
declare -A why=(
	[K11]='has no such check; cannot be tried on x86'
	[K14]='fixed there; older drivers returned success'
	[K15]='fixed there (CVE-2022-23039)'
)

# By the boot that a row is tried in.
# shellcheck disable=SC2034 # boot() has them by reference
{
# A table that is full with 10,240 pages still has room for a 4K framebuffer.
table_options=(--xen-args gnttab_max_frames=20 --timeout 400)
time_options=(--icount --timeout 600)
}

row() { # ID: the row's other columns
	awk -v id="$1" '$1 == id { sub(/^[^ ]+ /, ""); print }' <<<"$rows"
}

field() { # ID NUMBER: of the row; the last one has several words
	if [ "$2" = 3 ]; then
		row "$1" | cut -d ' ' -f 3-
	else
		row "$1" | cut -d ' ' -f "$2"
	fi
}

# What the first column of a row is about.
name_of() { # MODULE ID
	if [ "$1" = stock ] && [ "$(field "$2" 1)" = own ]; then
		echo before
	else
		echo "$1"
	fi
}
