# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How bench/run's lines, "DOMAIN MODULE LIBRARY MEASURE NUMBER NAME=VALUE...",
# stand beside what they shall be at most: parts of the stock module with
# libxengnttab.

function judge(domain, what, x, y, pv, pvh,		most) {
	most = domain == "pvh" ? pvh : pv
	if (x != "" && y)
		printf("%-5s %-42s %.2f of %.2f%s\n", domain, what, x / y,
			most, x / y > most ? ", too much" : "")
}

$NF ~ /^sum=/ {
	key = $4 SUBSEP $5
	if (!(($1, key) in known))
		order[++count] = $1 SUBSEP key
	known[$1, key] = 1
	sum[$1, $2, $3, key] = substr($NF, 5)
}

END {
	for (i = 1; i <= count; i++) {
		split(order[i], part, SUBSEP)
		d = part[1]
		n = part[3] + 0
		what = part[2] " " n
		key = part[2] SUBSEP part[3]
		stock = sum[d, "stock", "libxengnttab", key]
		ours = sum[d, "ours", "libgntshr", key]
		if (part[2] == "hot")
			judge(d, what, ours, stock, n == 1 ? .18 : n < 64 ? .15 : .14,
				n == 1 ? .18 : n < 64 ? .23 : .27)
		else if (part[2] == "cold" && n >= 512)
			judge(d, what, ours, stock, .80, .75)
		else if (part[2] == "live" && n == 30000)
			judge(d, what " / 0", ours, sum[d, "ours", "libgntshr",
				"live" SUBSEP 0], 1.1, 1.1)
		else if (part[2] ~ /^trace-/)
			judge(d, what, ours, stock, .30, .40)
		judge(d, what ", preloaded", sum[d, "ours", "libpreloaded", key],
			stock, .40, .50)
		if (part[2] ~ /^(hot|cold|trace)/)
			judge(d, what ", libxengnttab",
				sum[d, "ours", "libxengnttab", key], stock, 1, 1)
	}
}
