/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Builds the report page from its data. Text from the trace only ever becomes textContent. */
(function () {
	"use strict";
	var data = JSON.parse(document.getElementById("data").textContent);
	var summary = data.summary, start = data.start || {}, seconds = summary.seconds || 0;
	var threshold = start.threshold_ns || 0, tip = document.getElementById("tip");
	var COLOURS = {}, CAUSES = data.causes.concat(["unaccounted"]);

	function byId(id) {
		return document.getElementById(id);
	}

	function add(parent, tag, text, className) {
		var e = document.createElement(tag);
		if (text !== undefined && text !== null)
			e.textContent = text;
		if (className)
			e.className = className;
		parent.appendChild(e);
		return e;
	}

	function svg(parent, tag, attributes, text) {
		var e = document.createElementNS("http://www.w3.org/2000/svg", tag);
		Object.keys(attributes).forEach(function (k) {
			e.setAttribute(k, attributes[k]);
		});
		if (text !== undefined)
			e.textContent = text;
		parent.appendChild(e);
		return e;
	}

	function length(ns) {
		var units = ["ns", "us", "ms", "s"], u = 0;
		while (u < 3 && ns >= 999.5) {
			ns /= 1000;
			u++;
		}
		return (u === 0 || ns >= 99.95 ? ns.toFixed(0) : ns.toPrecision(3)) + " " + units[u];
	}

	function count(n) {
		return n >= 1e6 ? (n / 1e6).toFixed(2) + " M" : n >= 1e5 ? (n / 1e3).toFixed(0) + " k" : String(n);
	}

	/* The style sheet has a fill for each cause; HTML elements need it as a background. */
	function colour(cause) {
		if (!COLOURS[cause]) {
			var probe = svg(document.body, "svg", { width: 0, height: 0 });
			var rect = svg(probe, "rect", { "class": cause });
			COLOURS[cause] = getComputedStyle(rect).fill;
			probe.remove();
		}
		return COLOURS[cause];
	}

	function swatch(parent, cause) {
		add(parent, "span", "", "swatch").style.background = colour(cause);
	}

	function loopName(l) {
		return (l.comm || "?") + " " + l.tid + (l.kind ? " (" + l.kind + ")" : "");
	}

	function about() {
		var facts = [];
		if (start.time)
			facts.push(start.time.replace("T", " ").replace(/\.\d+Z$/, " UTC"));
		facts.push(seconds.toFixed(1) + " s recorded");
		facts.push("stall: an iteration over " + length(threshold));
		if (start.kernel)
			facts.push("kernel " + start.kernel);
		if (start.loopstall)
			facts.push("loopstall " + start.loopstall);
		byId("about").textContent = facts.join(" · ");
		(start.commands || []).forEach(function (c) {
			if (c)
				add(add(byId("about"), "div"), "code", c);
		});
	}

	function total(key) {
		return summary.loops.reduce(function (sum, l) {
			return sum + l[key];
		}, 0);
	}

	/* Quantile of all loops' iterations together. */
	function quantile(buckets, q) {
		var n = 0, seen = 0, rank;
		buckets.forEach(function (b) {
			n += b.n;
		});
		rank = q * n;
		for (var i = 0; i < buckets.length; i++) {
			if (buckets[i].n && seen + buckets[i].n >= rank)
				return buckets[i].lower + (buckets[i].upper - buckets[i].lower) * (rank - seen) / buckets[i].n;
			seen += buckets[i].n;
		}
		return 0;
	}

	/* Eight linear buckets a power of two: the next lower bound is the upper one. */
	function upperOf(lower) {
		return lower < 8 ? lower + 1 : lower + Math.pow(2, Math.floor(Math.log2(lower)) - 3);
	}

	function mergedHistogram(tid) {
		var merged = new Map();
		summary.loops.forEach(function (l) {
			if (tid && l.tid !== tid)
				return;
			l.histogram.forEach(function (b) {
				merged.set(b[0], (merged.get(b[0]) || 0) + b[1]);
			});
		});
		return Array.from(merged.keys()).sort(function (a, b) {
			return a - b;
		}).map(function (lower) {
			return { lower: lower, upper: upperOf(lower), n: merged.get(lower) };
		});
	}

	function tiles() {
		var where = byId("tiles"), stalled = total("stalled_wall_ns");
		var worst = summary.loops.reduce(function (m, l) {
			return Math.max(m, l.max_ns);
		}, 0);
		function tile(value, label, bad) {
			var t = add(where, "div", null, bad ? "tile bad" : "tile");
			add(t, "b", value);
			add(t, "span", label);
		}
		tile(count(data.nr_stalls), "stalls" + (seconds ? ", " + (data.nr_stalls / seconds).toFixed(data.nr_stalls < seconds ? 2 : 1) + " a second" : ""), data.nr_stalls > 0);
		tile(length(stalled), "stalled" + (seconds && summary.loops.length ? ", " + (stalled / seconds / 1e7 / summary.loops.length).toFixed(1) + " % of the time" : ""));
		tile(length(worst), "longest iteration");
		tile(length(quantile(mergedHistogram(), .99)), "p99 of iterations");
		tile(count(total("iterations")), "iterations in " + summary.loops.length + (summary.loops.length === 1 ? " loop" : " loops"));
	}

	function ledger() {
		var sums = {}, all = 0, bar, keys;
		summary.loops.forEach(function (l) {
			CAUSES.forEach(function (c) {
				sums[c] = (sums[c] || 0) + (l.ledger[c] || 0);
				all += l.ledger[c] || 0;
			});
		});
		if (!all) {
			add(byId("ledger"), "p", "No iteration was longer than the threshold.", "note");
			return;
		}
		bar = add(byId("ledger"), "div", null, "bar");
		keys = add(byId("ledger"), "div", null, "keys");
		CAUSES.filter(function (c) {
			return sums[c] > 0;
		}).sort(function (a, b) {
			return sums[b] - sums[a];
		}).forEach(function (c) {
			var part = add(bar, "div"), key = add(keys, "span");
			part.style.background = colour(c);
			part.style.flex = sums[c] / all;
			part.title = c + " " + length(sums[c]);
			swatch(key, c);
			key.appendChild(document.createTextNode(c.replace("_", " ")));
			add(key, "b", length(sums[c]));
			key.appendChild(document.createTextNode(" " + (100 * sums[c] / all).toFixed(1) + " %"));
		});
	}

	function showTip(event, fill) {
		tip.textContent = "";
		fill(tip);
		tip.hidden = false;
		var x = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
		var y = event.clientY + 14 + tip.offsetHeight > window.innerHeight
			? event.clientY - tip.offsetHeight - 10 : event.clientY + 14;
		tip.style.left = Math.max(x, 4) + "px";
		tip.style.top = Math.max(y, 4) + "px";
	}

	function describe(where, s) {
		add(where, "b", length(s[2] * 1e3) + " stall" + (s[4] ? ", still under way" : ""));
		add(where, "div", (s[1] / 1e6).toFixed(3) + " s after the start, thread " + s[0] +
			(s[3] >= 0 ? ", " + s[3] + " events waited behind it" : ""), "note");
		for (var i = 5; i < s.length; i += 3) {
			var line = add(where, "div"), cause = CAUSES[s[i]];
			swatch(line, cause);
			line.appendChild(document.createTextNode(cause + " " + length(s[i + 1] * 1e3) + " "));
			add(line, "span", data.texts[s[i + 2]]);
		}
	}

	function ticks(max, n) {
		var step = Math.pow(10, Math.floor(Math.log10(max / n))), list = [], v;
		if (max / n / step > 5)
			step *= 10;
		else if (max / n / step > 2)
			step *= 5;
		else if (max / n / step > 1)
			step *= 2;
		for (v = 0; v <= max * 1.0001; v += step)
			list.push(v);
		return list;
	}

	function decades(low, high) {
		var list = [], v;
		for (v = Math.pow(10, Math.ceil(Math.log10(low) - 1e-9)); v <= high * 1.0001; v *= 10)
			list.push(v);
		return list;
	}

	function timeline(tid) {
		var W = 1180, H = 300, L = 58, B = 26, T = 10, where = byId("timeline");
		var stalls = data.stalls.filter(function (s) {
			return !tid || s[0] === tid;
		});
		var low = Math.max(threshold, 1e3) * .9, high = low * 10, end = seconds, shaded = false, chart;
		where.textContent = "";
		stalls.forEach(function (s) {
			high = Math.max(high, s[2] * 1.3e3);
			end = Math.max(end, s[1] / 1e6);
		});
		end = end || 1;
		function x(t) {
			return L + (W - L - 24) * t / end;
		}
		function y(ns) {
			return T + (H - T - B) * (1 - Math.log(Math.max(ns, low) / low) / Math.log(high / low));
		}
		chart = svg(where, "svg", { "class": "chart", viewBox: "0 0 " + W + " " + H });
		data.slices.forEach(function (s) {
			if ((tid && s[0] !== tid) || (!tid && summary.loops.length > 1))
				return;
			shaded = true;
			var busy = Math.min(1, s[4] / 1e3 / Math.max(1, s[2] - s[1])) * (H - T - B);
			svg(chart, "rect", { "class": "busy", x: x(s[1] / 1e3), width: Math.max(0, x(s[2] / 1e3) - x(s[1] / 1e3)),
				y: H - B - busy, height: busy });
		});
		ticks(end, 10).forEach(function (t) {
			svg(chart, "line", { "class": "grid", x1: x(t), x2: x(t), y1: T, y2: H - B });
			svg(chart, "text", { x: x(t), y: H - 8, "text-anchor": "middle" }, +t.toPrecision(4) + " s");
		});
		decades(low, high).forEach(function (v) {
			svg(chart, "line", { "class": "grid", x1: L, x2: W - 24, y1: y(v), y2: y(v) });
			svg(chart, "text", { x: L - 8, y: y(v) + 4, "text-anchor": "end" }, length(v).replace(/\.0+ /, " "));
		});
		stalls.sort(function (a, b) {
			return b[2] - a[2];
		}).forEach(function (s) {
			var dot = svg(chart, "circle", { "class": "dot " + (s.length > 5 ? CAUSES[s[5]] : "unaccounted"),
				cx: x(Math.max(0, s[1] / 1e6)), cy: y(s[2] * 1e3), r: stalls.length > 800 ? 3.2 : 5 });
			dot.addEventListener("mousemove", function (e) {
				showTip(e, function (t) {
					describe(t, s);
				});
			});
			dot.addEventListener("mouseleave", function () {
				tip.hidden = true;
			});
		});
		byId("dots").textContent = (stalls.length ? "Each dot is a stall, placed at its beginning. Point at one to see its causes."
			: "No stalls.") + (shaded ? " The shade is how busy the loop was." : "") +
			(data.nr_stalls > data.stalls.length ? " Of " + data.nr_stalls + " stalls of all loops the " +
				data.stalls.length + " longest are kept here." : "");
	}

	function histogram(tid) {
		var W = 1180, H = 220, L = 58, B = 26, T = 12, where = byId("histogram");
		var buckets = mergedHistogram(tid), most = 1, low, high, chart;
		where.textContent = byId("quantiles").textContent = "";
		if (!buckets.length) {
			add(where, "p", "No iteration was seen.", "note");
			return;
		}
		low = Math.max(buckets[0].lower, 1) * .8;
		high = buckets[buckets.length - 1].upper * 1.1;
		buckets.forEach(function (b) {
			most = Math.max(most, b.n);
		});
		function x(ns) {
			return L + (W - L - 24) * Math.log(Math.max(ns, low) / low) / Math.log(high / low);
		}
		function y(n) {
			return T + (H - T - B) * (1 - Math.log10(n * 2) / Math.log10(most * 2));
		}
		chart = svg(where, "svg", { "class": "chart", viewBox: "0 0 " + W + " " + H });
		decades(1, most).forEach(function (n) {
			svg(chart, "line", { "class": "grid", x1: L, x2: W - 24, y1: y(n), y2: y(n) });
			svg(chart, "text", { x: L - 8, y: y(n) + 4, "text-anchor": "end" }, count(n));
		});
		decades(low, high).forEach(function (v) {
			svg(chart, "text", { x: x(v), y: H - 8, "text-anchor": "middle" }, length(v).replace(/\.0+ /, " "));
		});
		buckets.forEach(function (b) {
			var bar = svg(chart, "rect", { "class": b.lower >= threshold ? "long" : "short", x: x(b.lower), y: y(b.n),
				width: Math.max(1, x(b.upper) - x(b.lower) - .6), height: H - B - y(b.n) });
			svg(bar, "title", {}, b.n + " iterations of " + length(b.lower) + " to " + length(b.upper));
		});
		if (threshold > low && threshold < high) {
			svg(chart, "line", { "class": "threshold", x1: x(threshold), x2: x(threshold), y1: T, y2: H - B });
			var right = x(threshold) > W - 150;
			svg(chart, "text", { "class": "threshold-label", x: x(threshold) + (right ? -5 : 5), y: T + 10,
				"text-anchor": right ? "end" : "start" }, "threshold " + length(threshold));
		}
		byId("quantiles").textContent = [[.5, "p50"], [.9, "p90"], [.99, "p99"]].map(function (q) {
			return q[1] + " " + length(quantile(buckets, q[0]));
		}).join(" · ");
	}

	/* columns: [heading, numeric, value for sorting, fill cell] */
	function table(where, columns, rows, sorted) {
		var head, body, ascending = false, shown = 20, more;
		function fill() {
			body.textContent = "";
			rows.sort(function (a, b) {
				var x = columns[sorted][2](a), y = columns[sorted][2](b);
				return (x < y ? -1 : x > y ? 1 : 0) * (ascending ? 1 : -1);
			}).slice(0, shown).forEach(function (row) {
				var tr = add(body, "tr");
				columns.forEach(function (c) {
					c[3](add(tr, "td", null, c[1] ? "n" : ""), row);
				});
			});
		}
		head = add(add(where, "thead"), "tr");
		body = add(where, "tbody");
		columns.forEach(function (c, i) {
			add(head, "th", c[0], c[1] ? "n" : "").addEventListener("click", function () {
				ascending = sorted === i ? !ascending : !c[1];
				sorted = i;
				fill();
			});
		});
		fill();
		if (rows.length <= shown)
			return;
		more = add(where.parentNode, "button", "Show all " + rows.length);
		more.addEventListener("click", function () {
			shown = rows.length;
			more.remove();
			fill();
		});
	}

	function numeric(key, show) {
		return [function (r) {
			return r[key];
		}, function (td, r) {
			td.textContent = show(r[key]);
		}];
	}

	function sites() {
		var most = data.sites.length ? data.sites[0].ns : 1;
		table(byId("sites"), [
			["Site", false, function (s) {
				return s.function || "";
			}, function (td, s) {
				add(td, "code", s.function || (s.cause === "runqueue" || s.cause === "throttled" ? "(no site)" : "(not known)"));
				if (s.file)
					add(td, "div", s.file + (s.line ? ":" + s.line : ""), "where");
				if (s.advice)
					add(td, "div", s.advice, "advice");
			}],
			["Cause", false, function (s) {
				return s.cause;
			}, function (td, s) {
				td.className = "cause";
				swatch(td, s.cause);
				td.appendChild(document.createTextNode(s.cause.replace("_", " ")));
			}],
			["Called", false, function (s) {
				return s.callee || "";
			}, function (td, s) {
				if (s.callee)
					add(td, "code", s.callee);
				if (s.call)
					add(td, "div", s.call + (s.object ? " " + s.object : ""), "where");
			}],
			["Stalls", true].concat(numeric("stalls", count)),
			["Longest", true].concat(numeric("max_ns", length)),
			["Total", true, function (s) {
				return s.ns;
			}, function (td, s) {
				td.textContent = length(s.ns);
			}],
			["", false, function (s) {
				return s.ns;
			}, function (td, s) {
				var bar = add(td, "span", "", "share");
				bar.style.width = Math.max(2, 110 * s.ns / most) + "px";
				bar.style.background = colour(s.cause);
			}],
		], data.sites, 5);
	}

	function loops() {
		var lost = summary.lost, cost = summary.overhead, words = [];
		table(byId("loops"), [
			["Loop", false, loopName, function (td, l) {
				td.textContent = loopName(l);
			}],
			["Iterations", true].concat(numeric("iterations", count)),
			["Stalls", true].concat(numeric("stalls", count)),
			["Stalled", true].concat(numeric("stalled_wall_ns", length)),
			["Busy", true].concat(numeric("busy_ns", length)),
			["Idle", true].concat(numeric("wait_ns", length)),
			["p50", true].concat(numeric("p50_ns", length)),
			["p99", true].concat(numeric("p99_ns", length)),
			["Longest", true].concat(numeric("max_ns", length)),
		], summary.loops.slice(), 3);
		Object.keys(lost).forEach(function (k) {
			if (lost[k])
				words.push(lost[k] + " " + k);
		});
		byId("cost").textContent = (words.length ? "Lost: " + words.join(", ") + ". " : "Nothing was lost. ") +
			"Cost of tracing: " + length(cost.bpf_ns) + " in the kernel (" + count(cost.bpf_runs) + " runs), " +
			length(cost.tracer_cpu_ns) + " CPU and " + (cost.tracer_rss_bytes / 1048576).toFixed(1) + " MiB in loopstall. " +
			summary.frames.symbolized + " of " + summary.frames.total + " frames have names." +
			(data.nr_added_up ? " " + data.nr_added_up + " stalls were added up by the recording and have no dot." : "");
	}

	function pick() {
		var select = byId("loop");
		if (summary.loops.length < 2)
			return;
		byId("pick").hidden = false;
		add(select, "option", "all").value = "0";
		summary.loops.forEach(function (l) {
			add(select, "option", loopName(l)).value = l.tid;
		});
		select.addEventListener("change", function () {
			timeline(+select.value);
			histogram(+select.value);
		});
	}

	byId("search").addEventListener("input", function (e) {
		var graph = document.querySelector("svg.flame");
		var share = graph && graph.search ? graph.search(e.target.value) : 0;
		byId("found").textContent = e.target.value ? (100 * share).toFixed(1) + " % of the stalled time" : "";
	});
	about();
	tiles();
	ledger();
	pick();
	timeline(0);
	histogram(0);
	sites();
	loops();
})();
