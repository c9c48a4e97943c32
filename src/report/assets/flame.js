/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Zoom, search and filter of a flame graph. No dependencies; works in an SVG alone and in a page. */
document.querySelectorAll("svg.flame").forEach(function (svg) {
	"use strict";
	var LEFT = 10, WIDTH = 1180, CHAR = 7.25;
	var frames = Array.prototype.slice.call(svg.querySelectorAll(".f"));
	var details = svg.querySelector(".details"), unzoom = svg.querySelector(".unzoom");
	var searching = svg.querySelector(".search"), hint = details.textContent;

	function number(g, name) {
		return parseFloat(g.getAttribute("data-" + name));
	}

	function fit(name, width) {
		var chars = Math.floor((width - 6) / CHAR);
		if (chars < 3)
			return "";
		return name.length <= chars ? name : name.slice(0, chars - 2) + "..";
	}

	function place(g, x, width) {
		var rect = g.querySelector("rect"), text = g.querySelector("text");
		rect.setAttribute("x", LEFT + x);
		rect.setAttribute("width", Math.max(width, 0));
		text.setAttribute("x", LEFT + x + 3);
		text.textContent = fit(g.getAttribute("data-n"), width);
	}

	/* x, w and d of a frame are in the whole graph's units: WIDTH wide, d rows up. */
	function zoom(target) {
		var x0 = number(target, "x"), w0 = number(target, "w"), d0 = number(target, "d");
		var scale = WIDTH / w0, slack = 1e-6 * WIDTH;
		frames.forEach(function (g) {
			var x = number(g, "x"), w = number(g, "w"), above = number(g, "d") >= d0;
			var inside = x >= x0 - slack && x + w <= x0 + w0 + slack;
			var ancestor = !above && x <= x0 + slack && x + w >= x0 + w0 - slack;
			g.style.display = (above && inside) || ancestor ? "" : "none";
			g.classList.toggle("faded", ancestor);
			if (ancestor)
				place(g, 0, WIDTH);
			else if (above && inside)
				place(g, (x - x0) * scale, w * scale);
		});
		unzoom.style.display = d0 > 0 ? "" : "none";
	}

	/* Marks frames whose name matches; says what share of the time they cover, each column once. */
	function search(term) {
		var pattern = null, covered = [], share = 0, end = -1;
		if (term) {
			try {
				pattern = new RegExp(term, "i");
			} catch (e) {
				pattern = new RegExp(term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
			}
		}
		frames.forEach(function (g) {
			var found = pattern !== null && pattern.test(g.getAttribute("data-n"));
			g.classList.toggle("found", found);
			if (found)
				covered.push([number(g, "x"), number(g, "x") + number(g, "w")]);
		});
		covered.sort(function (a, b) {
			return a[0] - b[0];
		});
		covered.forEach(function (c) {
			if (c[1] <= end)
				return;
			share += c[1] - Math.max(c[0], end);
			end = c[1];
		});
		details.textContent = pattern === null ? hint
			: "/" + term + "/ matches " + (100 * share / WIDTH).toFixed(1) + " % of the stalled time";
		return share / WIDTH;
	}

	function filter(cause) {
		var same = svg.getAttribute("data-cause") === cause;
		svg.setAttribute("data-cause", same ? "" : cause);
		frames.forEach(function (g) {
			g.classList.toggle("dim", !same && !g.getAttribute("data-c").split(" ").includes(cause));
		});
		svg.querySelectorAll(".key").forEach(function (key) {
			key.classList.toggle("dim", !same && key.getAttribute("data-c") !== cause);
		});
	}

	function ask() {
		var term = window.prompt("Search (a regular expression)", "");
		if (term !== null)
			search(term);
	}

	frames.forEach(function (g) {
		g.addEventListener("click", function () {
			zoom(g);
		});
		g.addEventListener("mouseenter", function () {
			details.textContent = g.querySelector("title").textContent.split("\n").slice(0, 2).join("  ");
		});
	});
	svg.querySelectorAll(".key").forEach(function (key) {
		key.addEventListener("click", function () {
			filter(key.getAttribute("data-c"));
		});
	});
	unzoom.addEventListener("click", function () {
		zoom(frames[0]);
	});
	searching.addEventListener("click", ask);
	if (svg.classList.contains("alone"))
		window.addEventListener("keydown", function (e) {
			if ((e.ctrlKey && e.key === "f") || e.key === "F3") {
				e.preventDefault();
				ask();
			} else if (e.key === "Escape") {
				zoom(frames[0]);
				search("");
			}
		});
	svg.search = search;
	svg.zoom = zoom;
});
