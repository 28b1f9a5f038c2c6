# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes bench/run's tables of its lines,
# "DOMAIN MODULE LIBRARY MEASURE NUMBER NAME=VALUE...".

function library(module) {
	return module == "ours" ? "libgntshr" : "libxengnttab"
}

# NAME of a measure; empty where it was not taken.
function get(module, measure, number, name) {
	return value[domain, module, library(module), measure, number, name]
}

function show(x) {
	return x == "" ? "-" : sprintf(x < 1000 ? "%.1f" : "%.0f", x)
}

function ratio(x, y) {
	return x == "" || y == "" || y == 0 ? "-" : sprintf("%.2f", x / y)
}

function row(what, stock, ours, floor, private) {
	if (stock == "" && ours == "")
		return
	printf "| %-34s | %9s | %9s | %5s | %9s | %9s | %5s |\n", what,
		show(stock), show(ours), ratio(ours, stock), show(floor),
		show(private), ratio(ours, floor)
}

function row_of(what, measure, number, name) {
	row(what, get("stock", measure, number, name),
		get("ours", measure, number, name), "", "")
}

function pages(measure, number,		i, name, what) {
	for (i = 1; i <= 5; i++) {
		name = names[i]
		what = i > 1 ? "" : measure ", " number \
			(number == 1 ? " page" : " pages") " a call: "
		row(what name, get("stock", measure, number, name),
			get("ours", measure, number, name),
			get("ours", "floor-shared", number, name),
			get("ours", "floor-private", number, name))
	}
}

function table(		i, n) {
	printf "\n%s, instructions a page\n\n", title[domain]
	row_head()
	for (i = 1; i <= seen["hot"]; i++)
		pages("hot", number_of["hot", i])
	for (i = 1; i <= seen["cold"]; i++)
		pages("cold", number_of["cold", i])
	for (i = 1; i <= seen["live"]; i++) {
		n = number_of["live", i]
		row_of("1 page, " n " live here", "live", n, "sum")
		row_of("1 page, " n " live elsewhere", "live-elsewhere", n,
			"sum")
	}
	row_of("1 page with a notification", "share-notify", 1, "sum")
	row_of("set a notification: byte", "notify-byte", 1, "call")
	row_of("set a notification: event", "notify-event", 1, "call")
	for (i = 1; i <= seen["peer"]; i++) {
		n = number_of["peer", i]
		row_of("unshare " n " that the peer maps", "peer", n, "unshare")
		row_of("their return, in ms", "peer", n, "return_ms")
	}
	for (i = 1; i <= seen["memory"]; i++) {
		n = number_of["memory", i]
		row_of("kernel memory, " n " a call: bytes", "memory", n,
			"bytes")
	}
	for (i = 1; i <= seen["user"]; i++) {
		n = number_of["user", i]
		row_of("the library alone, " n " a call", "user", n, "sum")
	}
}

function row_head() {
	printf "| %-34s | %9s | %9s | %5s | %9s | %9s | %5s |\n", "", "stock",
		"ours", "ratio", "shared", "private", "ratio"
	print "|---|--:|--:|--:|--:|--:|--:|"
}

# The other two pairs of library and module, too.
function crossed(measure,		i, n, stock, line, p) {
	for (i = 1; i <= seen[measure]; i++) {
		n = number_of[measure, i]
		if (!((domain, "stock", "libgntshr", measure, n, "sum") in value))
			continue
		if (!headed++) {
			printf "\n%s, %s, sum and the part of stock," \
				" each library on each module\n\n",
				title[domain], measure
			print "| pages a call | libxengnttab, stock" \
				" | libgntshr, stock | libxengnttab, ours" \
				" | libgntshr, ours |"
			print "|--:|--:|--:|--:|--:|"
		}
		stock = value[domain, "stock", "libxengnttab", measure, n, "sum"]
		line = "| " n " | " show(stock) " |"
		for (p = 1; p <= 3; p++) {
			split(pairs[p], pair, " ")
			line = line in_part(value[domain, pair[1], pair[2],
				measure, n, "sum"], stock, 1)
		}
		print line
	}
	headed = 0
}

# What only ours has, beside what a program does without.
function borrowed(		i, n, pinned, copied, added, again) {
	if (!get("ours", "memory-pinned", number_of["memory-pinned", 1], "sum"))
		return
	printf "\n%s, memory of the program and one more peer, ours, sum" \
		" a page\n\n", title[domain]
	print "| pages a call | pinned | copied | ratio | peer added" \
		" | shared again | ratio |"
	print "|--:|--:|--:|--:|--:|--:|--:|"
	for (i = 1; i <= seen["memory-pinned"]; i++) {
		n = number_of["memory-pinned", i]
		pinned = get("ours", "memory-pinned", n, "sum")
		copied = get("ours", "memory-copied", n, "sum")
		added = get("ours", "peer-added", n, "sum")
		again = get("ours", "peer-shared-again", n, "sum")
		printf "| %d | %s | %s | %s | %s | %s | %s |\n", n,
			show(pinned), show(copied), ratio(pinned, copied),
			show(added), show(again), ratio(added, again)
	}
}

# Whole sessions: in millions, and in parts of the stock module with its library.
function traces(		i, n, name, stock, line, w) {
	for (i = 1; i <= trace_count; i++) {
		name = trace_name[i]
		n = number_of[name, 1]
		stock = value[domain, "stock", "libxengnttab", name, n, "sum"]
		if (stock == "")
			continue
		if (!headed++) {
			printf "\n%s, recorded sessions, millions of instructions" \
				" and the part of stock\n\n", title[domain]
			print "| session | shares | libxengnttab, stock |" \
				" libxengnttab, ours | preloaded, ours |" \
				" libgntshr, ours |"
			print "|---|--:|--:|--:|--:|--:|"
		}
		line = sprintf("| %s | %d | %.1f |", substr(name, 7), n,
			stock / 1e6)
		for (w = 1; w <= 3; w++)
			line = line in_part(value[domain, "ours", ways[w],
				name, n, "sum"], stock, 1e6)
		print line
	}
	headed = 0
}

function in_part(x, stock, unit) {
	return x == "" || !stock ? " - |" : sprintf(" %s: %.2f |",
		show(x / unit), x / stock)
}

BEGIN {
	split("libxengnttab libpreloaded libgntshr", ways, " ")
	pairs[1] = "stock libgntshr"
	pairs[2] = "ours libxengnttab"
	pairs[3] = "ours libgntshr"
	split("share touch unshare close sum", names, " ")
	title["dom0"] = "PV dom0"
	title["pv"] = "PV guest"
	title["pvh"] = "PVH guest"
}

{
	if (!(($4, $5) in known)) {
		known[$4, $5] = 1
		number_of[$4, ++seen[$4]] = $5
		if ($4 ~ /^trace-/)
			trace_name[++trace_count] = $4
	}
	if (!($1 in domains)) {
		domains[$1] = 1
		domain_of[++domain_count] = $1
	}
	for (i = 6; i <= NF; i++) {
		split($i, part, "=")
		value[$1, $2, $3, $4, $5, part[1]] = part[2]
	}
}

END {
	for (d = 1; d <= domain_count; d++) {
		domain = domain_of[d]
		table()
		crossed("hot")
		crossed("cold")
		borrowed()
		traces()
	}
}
