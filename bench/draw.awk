# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Draws bench/run's lines as pages.svg, live.svg and traces.svg in the directory
# dir, a panel for each domain. Lines: "DOMAIN MODULE LIBRARY MEASURE NUMBER
# NAME=VALUE...".

function log10(x) {
	return log(x) / log(10)
}

function fail(why) {
	print "bench/run: " why >"/dev/stderr"
	failed = 1
	exit 1
}

function out(what) {
	print what >file
}

function text(x, y, class, anchor, what) {
	out(sprintf("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">%s</text>",
		x, y, class, anchor, what))
}

function segment(x1, y1, x2, y2, class) {
	out(sprintf("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>",
		x1, y1, x2, y2, class))
}

# Where a number lies in the panel.
function x_of(n) {
	return left + width * (linear ? n / x_most : \
		log10(n) / log10(x_most))
}

function y_of(v) {
	return top + height * (y_last - log10(v)) / (y_last - y_first)
}

function short(n) {
	return n >= 1e6 ? n / 1e6 "M" : n >= 1000 && n % 1000 == 0 ? \
		n / 1000 "k" : n
}

function grid(		e, i, n, labelled) {
	for (e = y_first; e <= y_last; e++) {
		segment(left, y_of(10 ^ e), left + width, y_of(10 ^ e), "grid")
		if (panel == 0)
			text(left - 6, y_of(10 ^ e) + 4, "", "end",
				short(10 ^ e))
		for (i = 2; i < 10 && e < y_last; i++)
			segment(left, y_of(i * 10 ^ e), left + width,
				y_of(i * 10 ^ e), "fine")
	}
	for (i = 1; i <= x_count; i++) {
		n = x_at[i]
		segment(x_of(n), top, x_of(n), top + height, "fine")
		if (i > 1 && x_of(n) - labelled < 20)
			continue
		labelled = x_of(n)
		text(labelled, top + height + 16, "", "middle", short(n))
	}
}

# One line: the sums of MEASURE.
function curve(module, measure, class,		i, key, points, library) {
	library = module == "ours" ? "libgntshr" : "libxengnttab"
	for (i = 1; i <= x_count; i++) {
		key = domain SUBSEP module SUBSEP library SUBSEP measure SUBSEP x_at[i]
		if (!(key in sum))
			continue
		points = points sprintf(" %.1f,%.1f", x_of(x_at[i]),
			y_of(sum[key]))
		out(sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"dot %s\"/>",
			x_of(x_at[i]), y_of(sum[key]), class))
	}
	out("<polyline points=\"" substr(points, 2) "\" class=\"" class "\"/>")
}

function legend(class, label,		length_of) {
	length_of = 46 + 7 * length(label)
	if (legend_x + length_of > total && legend_x > 60) {
		legend_x = 60
		legend_y += 18
	}
	segment(legend_x, legend_y, legend_x + 24, legend_y, class)
	text(legend_x + 30, legend_y + 4, "", "start", label)
	legend_x += length_of
}

# What is drawn: a line each, or its entry above.
function each_curve(key, as_legend,		i, part) {
	for (i = 1; i <= curve_count[key]; i++) {
		split(curves[key, i], part, ";")
		if (as_legend)
			legend(part[3], part[4])
		else
			curve(part[1], part[2], part[3])
	}
}

# The numbers of MEASURE, and the decades that its values lie in.
function scale(measure, others,		i, key, part, low, high) {
	x_count = x_most = 0
	low = 1e12
	high = 1
	for (i = 1; i <= number_count[measure]; i++) {
		x_at[++x_count] = numbers[measure, i]
		if (x_at[x_count] > x_most)
			x_most = x_at[x_count]
	}
	for (key in sum) {
		split(key, part, SUBSEP)
		if (index(" " measure " " others " ", " " part[4] " ") == 0)
			continue
		if (sum[key] < low)
			low = sum[key]
		if (sum[key] > high)
			high = sum[key]
	}
	y_first = int(log10(low))
	y_last = int(log10(high)) + 1
}

function head() {
	out("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " total " 360\" width=\"" total "\" height=\"360\">")
	out("<style>")
	out("text{font:12px sans-serif;fill:#777}.title{font-weight:bold}")
	out("line,polyline{fill:none;stroke-width:2}.grid{stroke:#888;stroke-width:.7}")
	out(".fine{stroke:#888;stroke-width:.25}.dot{stroke:none}")
	out(".bar{stroke:none}.stock{stroke:#d2601a}.ours{stroke:#1f7ae0}.floor{stroke:#888}.private{stroke:#888;stroke-dasharray:2 3}")
	out(".far{stroke-dasharray:6 4}")
	out(".theirs{stroke:#888}.preloaded{stroke:#7fb4ee}")
	out(".bar.theirs{fill:#888}.bar.preloaded{fill:#7fb4ee}")
	out(".dot.stock,.bar.stock{fill:#d2601a}.dot.ours,.bar.ours{fill:#1f7ae0}.dot.floor,.dot.private{fill:#888}")
	out("@media (prefers-color-scheme:light){text{fill:#444}}@media (prefers-color-scheme:dark){text{fill:#ccc}}")
	out("</style>")
}

# Opens the drawing, and leaves room for the legend.
function begin(name) {
	file = dir "/" name ".svg"
	width = 300
	height = 240
	top = 70
	gap = 44
	total = 60 + domain_count * (width + gap)
	head()
	legend_x = 60
	legend_y = 16
}

function end(what) {
	out(sprintf("<text transform=\"rotate(-90 14 %d)\" x=\"14\" y=\"%d\" text-anchor=\"middle\">%s</text>",
		top + height / 2, top + height / 2, what))
	out("</svg>")
	if (close(file))
		fail("cannot write " file)
}

# Where the panel is, and whose.
function frame(number) {
	domain = domain_of[number]
	panel = number - 1
	left = 60 + panel * (width + gap)
	text(left + width / 2, top - 8, "title", "middle", title[domain])
}

function draw(name, measure, others, axis,		d) {
	scale(measure, others)
	if (x_count < 2)
		return
	begin(name)
	each_curve(name, 1)
	for (d = 1; d <= domain_count; d++) {
		frame(d)
		grid()
		each_curve(name, 0)
		text(left + width / 2, top + height + 36, "", "middle", axis)
	}
	end("instructions a page")
}

# 0 if one of both is not known.
function part_of(way, trace,		part, number, stock) {
	split(way, part, ";")
	number = numbers[trace, 1]
	stock = sum[domain, "stock", "libxengnttab", trace, number]
	return stock ? sum[domain, part[1], part[2], trace, number] / stock : 0
}

# The bars of one session, as parts of what it costs on the stock module.
function session(at, trace,		i, x, high, wide, part) {
	x = left + width * (at - .9) / trace_count
	wide = .8 * width / trace_count / way_count
	for (i = 1; i <= way_count; i++) {
		split(ways[i], part, ";")
		high = part_of(ways[i], trace) / fifths * 5 * height
		out(sprintf("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"bar %s\"/>",
			x + (i - 1) * wide, top + height - high, wide, high,
			part[3]))
	}
	text(x + way_count * wide / 2, top + height + 16, "", "middle",
		substr(trace, 7))
}

function draw_traces(		d, i, t, y, part) {
	fifths = 5
	for (d = 1; d <= domain_count; d++) {
		domain = domain_of[d]
		for (t = 1; t <= trace_count; t++)
			for (i = 1; i <= way_count; i++)
				while (part_of(ways[i], traces[t]) > fifths / 5)
					fifths++
	}
	begin("traces")
	for (i = 1; i <= way_count; i++) {
		split(ways[i], part, ";")
		legend(part[3], part[4])
	}
	for (d = 1; d <= domain_count; d++) {
		frame(d)
		for (i = 0; i <= fifths; i++) {
			y = top + height * (1 - i / fifths)
			segment(left, y, left + width, y, "grid")
			if (d == 1)
				text(left - 6, y + 4, "", "end",
					sprintf("%.1f", i / 5))
		}
		for (t = 1; t <= trace_count; t++)
			session(t, traces[t])
	}
	end("part of what the stock driver costs")
}

function add_curve(name, curve_text) {
	curves[name, ++curve_count[name]] = curve_text
}

BEGIN {
	if (dir == "")
		fail("--svg needs a directory")
	title["dom0"] = "PV dom0"
	title["pv"] = "PV guest"
	title["pvh"] = "PVH guest"
	add_curve("pages", "stock;hot;stock;stock, hot")
	add_curve("pages", "stock;cold;stock far;stock, cold")
	add_curve("pages", "ours;hot;ours;ours, hot")
	add_curve("pages", "ours;cold;ours far;ours, cold")
	add_curve("pages", "ours;floor-shared;floor;shared memory")
	add_curve("pages", "ours;floor-private;private;private memory")
	add_curve("live", "stock;live;stock;stock")
	add_curve("live", "ours;live;ours;ours")
	add_curve("live", "stock;live-elsewhere;stock far;stock, others'")
	add_curve("live", "ours;live-elsewhere;ours far;ours, others'")
	ways[++way_count] = "stock;libxengnttab;stock;libxengnttab, stock"
	ways[++way_count] = "ours;libxengnttab;theirs;libxengnttab, ours"
	ways[++way_count] = "ours;libpreloaded;preloaded;preloaded, ours"
	ways[++way_count] = "ours;libgntshr;ours;libgntshr, ours"
}

{
	if (!($1 in domains)) {
		domains[$1] = 1
		domain_of[++domain_count] = $1
	}
	if (!(($4, $5) in known)) {
		known[$4, $5] = 1
		numbers[$4, ++number_count[$4]] = $5
		if ($4 ~ /^trace-/)
			traces[++trace_count] = $4
	}
	if (sub(/^sum=/, "", $NF))
		sum[$1, $2, $3, $4, $5] = $NF + 0
}

END {
	if (failed)
		exit 1
	# Which has all numbers.
	draw("pages", "floor-shared", "hot cold floor-private", "pages a call")
	linear = 1
	draw("live", "live", "live-elsewhere", "shares alive")
	if (trace_count)
		draw_traces()
}
