/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * samples -> tree -> SVG. The root lies at the bottom; a box is as wide as its stalled time; its
 * colour is the cause that most of that time went to. The script in it only moves what is there:
 * without scripts the drawing is whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/assets.h"
#include "report/collect.h"
#include "report/flamegraph.h"
#include "report/flametree.h"
#include "model/names.h"
#include "model/xml.h"

enum {
	LEFT = 10,
	WIDTH = 1180, /* of the root; as in flame.js */
	ROW = 17,
	HEAD = 64, /* title, buttons, one line of keys */
	KEYS_ROW = 20,
	FOOT = 34,
};

static const double MIN_WIDTH = 0.3; /* narrower boxes are not drawn, but counted */
static const double CHAR_WIDTH = 7.25;

struct drawing {
	FILE *out;
	const struct flame_node *nodes;
	uint32_t max_depth;
	int head;
	size_t too_narrow;
	uint64_t total_ns;
};

static double width_of(const struct drawing *d, uint64_t ns)
{
	return (double)ns / (double)d->total_ns * WIDTH;
}

/* Coordinates with two digits, whatever the locale's decimal point. */
static void put_number(FILE *out, double v)
{
	long long n = (long long)(v * 1000 + 0.5);

	fprintf(out, "%lld.%03lld", n / 1000, n % 1000);
}

static void put_attribute(FILE *out, const char *name, double v)
{
	fprintf(out, " %s=\"", name);
	put_number(out, v);
	fputc('"', out);
}

/* The causes that a tenth of the time, or more, went to: what the legend's filter keeps. */
static void put_causes(FILE *out, const struct flame_node *node)
{
	const char *space = "";

	fputs(" data-c=\"", out);
	for (int i = 0; i < FLAME_NR_CAUSES; i++) {
		if (!node->cause_ns[i] || node->cause_ns[i] < node->ns / 10)
			continue;
		fprintf(out, "%s%s", space, sample__cause_name(i));
		space = " ";
	}
	fputc('"', out);
}

static void put_frame_title(FILE *out, const struct ls_frame *frame)
{
	char place[700];

	if (!frame)
		return;
	fputs("&#10;", out);
	xml__put(out, names__place(frame, place, sizeof(place)), (size_t)-1);
	if (frame->module && frame->file) {
		fputs("&#10;", out);
		xml__put(out, frame->module, (size_t)-1);
	}
	fprintf(out, "&#10;%s%s%s", ls_frame_kind__name(frame->kind),
		frame->inlined ? ", inlined" : "", frame->async ? ", async" : "");
}

/* "get: 80 ms, 61.2 %, 2 stalls", where it is, and its causes. */
static void put_title(const struct drawing *d, const struct flame_node *node)
{
	char length[32];

	fputs("<title>", d->out);
	xml__put(d->out, node->label, (size_t)-1);
	fprintf(d->out, "&#10;%s, ", names__length(node->ns, length, sizeof(length)));
	put_number(d->out, 100 * (double)node->ns / (double)d->total_ns);
	fputs(" % of the stalled time", d->out);
	put_frame_title(d->out, node->frame);
	for (int i = 0; i < FLAME_NR_CAUSES; i++) {
		if (node->cause_ns[i])
			fprintf(d->out, "&#10;%s %s", sample__cause_name(i),
				names__length(node->cause_ns[i], length, sizeof(length)));
	}
	fputs("</title>", d->out);
}

static void put_box(const struct drawing *d, const struct flame_node *node, double x, double width)
{
	double y = d->head + (double)(d->max_depth - node->depth) * ROW;
	size_t chars = width > 6 ? (size_t)((width - 6) / CHAR_WIDTH) : 0;

	fprintf(d->out, "<g class=\"f\" data-d=\"%u\"", node->depth);
	put_attribute(d->out, "data-x", x);
	put_attribute(d->out, "data-w", width);
	put_causes(d->out, node);
	fputs(" data-n=\"", d->out);
	xml__put(d->out, node->label, (size_t)-1);
	fputs("\">", d->out);
	put_title(d, node);
	fprintf(d->out, "<rect class=\"%s\"",
		node->depth < 2 ? "base" : sample__cause_name(flame_node__cause(node)));
	put_attribute(d->out, "x", LEFT + x);
	put_attribute(d->out, "y", y);
	put_attribute(d->out, "width", width);
	fprintf(d->out, " height=\"%d\"/><text", ROW - 1);
	put_attribute(d->out, "x", LEFT + x + 3);
	put_attribute(d->out, "y", y + 12);
	fputc('>', d->out);
	if (chars >= 3)
		xml__put(d->out, node->label, chars);
	fputs("</text></g>\n", d->out);
}

/* Where each node begins: parents come before their children. The caller frees it. */
static double *lay_out(struct drawing *d, size_t n)
{
	double *x = calloc(n, sizeof(*x)), at;

	for (size_t i = 0; x && i < n; i++) {
		if (width_of(d, d->nodes[i].ns) < MIN_WIDTH) {
			d->too_narrow++;
			continue;
		}
		if (d->nodes[i].depth > d->max_depth)
			d->max_depth = d->nodes[i].depth;
		at = x[i];
		for (uint32_t c = d->nodes[i].first_child; c; c = d->nodes[c].next_sibling) {
			x[c] = at;
			at += width_of(d, d->nodes[c].ns);
		}
	}
	return x;
}

static double bottom(const struct drawing *d)
{
	return d->head + (double)(d->max_depth + 1) * ROW;
}

static void put_button(FILE *out, const char *class, int x, const char *anchor, const char *text)
{
	fprintf(out, "<text class=\"button %s\" x=\"%d\" y=\"24\" text-anchor=\"%s\">%s</text>\n",
		class, x, anchor, text);
}

static int key_width(const struct flame_node *root, int cause, char *length, size_t bytes)
{
	names__length(root->cause_ns[cause], length, bytes);
	return 32 +
	       (int)(CHAR_WIDTH * (double)(strlen(sample__cause_name(cause)) + 1 + strlen(length)));
}

/* A key a cause that there is, with its time; as many to a line as fit. Without `out`, only the
 * height is found. */
static int put_keys(const struct drawing *d, FILE *out)
{
	int x = LEFT, y = 42, width;
	char length[32];

	for (int i = 0; i < FLAME_NR_CAUSES; i++) {
		if (!d->nodes->cause_ns[i])
			continue;
		width = key_width(d->nodes, i, length, sizeof(length));
		if (x + width > LEFT + WIDTH) {
			x = LEFT;
			y += KEYS_ROW;
		}
		if (out)
			fprintf(out,
				"<g class=\"key\" data-c=\"%s\"><title>show only %s</title><rect "
				"class=\"%s\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" "
				"rx=\"3\"/><text x=\"%d\" y=\"%d\">%s %s</text></g>\n",
				sample__cause_name(i), sample__cause_name(i), sample__cause_name(i),
				x, y, x + 17, y + 11, sample__cause_name(i), length);
		x += width;
	}
	return y - 42;
}

static void put_head(const struct drawing *d, bool alone)
{
	int height = (int)bottom(d) + FOOT;
	char length[32];

	fprintf(d->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flame%s\" viewBox=\"0 0 1200 "
		"%d\" "
		"width=\"100%%\" role=\"img\" aria-label=\"Flame graph of stalled time\">\n",
		alone ? " alone" : "", height);
	if (alone)
		fprintf(d->out, "<style>\n%s</style>\n", asset_flame_css);
	fprintf(d->out, "<rect class=\"paper\" width=\"1200\" height=\"%d\"/>\n", height);
	fprintf(d->out, "<text class=\"title\" x=\"%d\" y=\"24\">%s of event-loop stalls</text>\n",
		LEFT, names__length(d->total_ns, length, sizeof(length)));
	fputs("<g style=\"display:none\" class=\"unzoom\">", d->out);
	put_button(d->out, "reset", 1060, "end", "reset zoom");
	fputs("</g>\n", d->out);
	put_button(d->out, "search", LEFT + WIDTH, "end", "search");
	put_keys(d, d->out);
}

static void put_foot(const struct drawing *d, bool alone)
{
	fprintf(d->out,
		"<text class=\"details\" x=\"%d\" y=\"%d\">click a box to zoom; click a cause to "
		"show "
		"only it</text>\n",
		LEFT, (int)bottom(d) + 20);
	if (d->too_narrow)
		fprintf(d->out,
			"<text class=\"note\" text-anchor=\"end\" x=\"%d\" y=\"%d\">%zu boxes are "
			"too "
			"narrow to draw</text>\n",
			LEFT + WIDTH, (int)bottom(d) + 20, d->too_narrow);
	if (alone)
		fprintf(d->out, "<script><![CDATA[\n%s]]></script>\n", asset_flame_js);
	fputs("</svg>\n", d->out);
}

static void put_nothing(FILE *out, bool alone)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"empty\" viewBox=\"0 0 1200 60\" "
		"width=\"100%%\"><text x=\"10\" y=\"35\" font-family=\"sans-serif\"%s>no stalls"
		"</text></svg>\n",
		alone ? "" : " fill=\"currentColor\"");
}

int flamegraph__write(FILE *out, const struct samples *samples, bool alone)
{
	struct flametree *tree = flametree__new(samples);
	struct drawing d = {.out = out};
	double *x = NULL;
	int err = tree ? 0 : -errno;
	size_t n = 0;

	if (tree)
		d.nodes = flametree__nodes(tree, &n);
	d.total_ns = n ? d.nodes[0].ns : 0;
	if (d.total_ns) {
		x = lay_out(&d, n);
		err = x ? 0 : -ENOMEM;
	} else if (!err) {
		put_nothing(out, alone);
	}
	if (x) {
		d.head = HEAD + put_keys(&d, NULL);
		put_head(&d, alone);
		fputs("<g class=\"frames\">\n", out);
		for (size_t i = 0; i < n; i++) {
			if (width_of(&d, d.nodes[i].ns) >= MIN_WIDTH)
				put_box(&d, &d.nodes[i], x[i], width_of(&d, d.nodes[i].ns));
		}
		fputs("</g>\n", out);
		put_foot(&d, alone);
	}
	free(x);
	flametree__free(tree);
	return err;
}

static int write_flamegraph(const struct collected *c)
{
	int err = flamegraph__write(c->out, c->samples, true);

	return err ? err : collect__flush(c->out);
}

int report_flamegraph__new(FILE *out, struct reporter *r, void **self)
{
	return collect__new(out, write_flamegraph, r, self);
}
