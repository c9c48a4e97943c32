/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The page is assets/page.html with the data put in at its marks: @TITLE@, @CSS@, @FLAME@, @DATA@,
 * @JS@. The data is JSON in a <script>; the page's own script builds everything from it with
 * textContent. Of the stalls the longest MAX_STALLS are in the page, all of them in its sums.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/jsonw.h"
#include "model/lines.h"
#include "model/settle.h"
#include "model/sitetable.h"
#include "report/assets.h"
#include "report/collect.h"
#include "report/flamegraph.h"
#include "report/html.h"
#include "model/names.h"
#include "report/samples.h"
#include "model/xml.h"

enum { MAX_STALLS = 4000, MAX_SITES = 500, MAX_SLICES = 20000, MAX_CAUSES_A_STALL = 8 };

/* What the timeline shows of a stall. Sites are numbers in `places`. */
struct spot {
	int pid, tid;
	uint64_t start_ns, wall_ns;
	int64_t ready;
	bool ongoing;
	uint32_t nr_causes;
	struct {
		uint32_t cause, text; /* text: "call at site", by number */
		uint64_t ns;
	} causes[MAX_CAUSES_A_STALL];
};

struct html {
	FILE *out;
	struct jsonw w;
	struct samples *samples;
	struct sitetable *sites;
	struct stacks *texts;
	struct spot *spots; /* a heap, the shortest at the top, once it is full */
	size_t nr_spots;
	uint64_t stalls, rest_stalls;
	uint64_t mono_ns;
	char *start; /* the start's JSON */
	size_t start_bytes;
	char *slices; /* JSON, comma-separated */
	size_t slices_bytes;
	FILE *slices_out;
	struct jsonw slices_w;
	size_t nr_slices;
	char title[256];
};

static int on_start(void *self, const struct ls_start *start)
{
	struct html *h = self;
	FILE *out = open_memstream(&h->start, &h->start_bytes);
	struct jsonw w;

	if (!out)
		return -ENOMEM;
	h->mono_ns = start->mono_ns;
	snprintf(h->title, sizeof(h->title), "Event-loop stalls%s%s", start->host ? " on " : "",
		 start->host ? start->host : "");
	jsonw__init(&w, out);
	w.html_safe = true;
	jsonw__object(&w, NULL);
	lines__start(&w, start);
	jsonw__end_object(&w);
	return fclose(out) == 0 ? w.err : -ENOMEM;
}

/* --- the longest stalls --- */

static void sift_down(struct html *h)
{
	size_t at = 0, least;
	struct spot swap;

	for (;;) {
		least = at;
		for (size_t c = 2 * at + 1; c <= 2 * at + 2 && c < h->nr_spots; c++) {
			if (h->spots[c].wall_ns < h->spots[least].wall_ns)
				least = c;
		}
		if (least == at)
			return;
		swap = h->spots[at];
		h->spots[at] = h->spots[least];
		h->spots[least] = swap;
		at = least;
	}
}

static int shortest_first(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	return (x->wall_ns > y->wall_ns) - (x->wall_ns < y->wall_ns);
}

/* A sorted array is a heap. */
static void put_spot(struct html *h, const struct spot *spot)
{
	if (h->nr_spots < MAX_STALLS) {
		h->spots[h->nr_spots++] = *spot;
		if (h->nr_spots == MAX_STALLS)
			qsort(h->spots, h->nr_spots, sizeof(*h->spots), shortest_first);
		return;
	}
	if (spot->wall_ns <= h->spots[0].wall_ns)
		return;
	h->spots[0] = *spot;
	sift_down(h);
}

static int put_text(struct html *h, const struct ls_blame *b, uint32_t *number)
{
	char call[300], place[700] = "", text[1100];
	int64_t id;

	names__call(b->call.name, b->call.object, call, sizeof(call));
	if (b->site)
		names__place(b->site, place, sizeof(place));
	snprintf(text, sizeof(text), "%s%s%s", call, call[0] && place[0] ? " at " : "", place);
	id = stacks__string(h->texts, text);
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id;
	return 0;
}

static int make_spot(struct html *h, const struct ls_stall *s, struct spot *spot)
{
	int err = 0;

	*spot = (struct spot){.pid = s->pid,
			      .tid = s->tid,
			      .start_ns = s->start_ns,
			      .wall_ns = s->wall_ns,
			      .ready = s->ready,
			      .ongoing = s->ongoing};
	for (size_t i = 0; i < s->nr_causes && i < MAX_CAUSES_A_STALL && !err; i++) {
		spot->causes[i].cause = s->causes[i].cause;
		spot->causes[i].ns = s->causes[i].ns;
		err = put_text(h, &s->causes[i], &spot->causes[i].text);
		spot->nr_causes++;
	}
	return err;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct html *h = self;
	struct spot spot;
	int err;

	h->stalls++;
	if (h->nr_spots < MAX_STALLS || stall->wall_ns > h->spots[0].wall_ns) {
		err = make_spot(h, stall, &spot);
		if (err)
			return err;
		put_spot(h, &spot);
	}
	err = samples__add(h->samples, stall);
	return err ? err : sitetable__add(h->sites, stall);
}

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct html *h = self;
	int err = samples__add_rest(h->samples, rest);

	h->stalls += rest->stalls;
	h->rest_stalls += rest->stalls;
	return err ? err : sitetable__add_rest(h->sites, rest);
}

static int on_slice(void *self, const struct ls_slice *slice)
{
	struct html *h = self;
	struct jsonw *w = &h->slices_w;

	if (h->nr_slices++ >= MAX_SLICES)
		return 0;
	jsonw__array(w, NULL);
	jsonw__i64(w, NULL, slice->tid);
	jsonw__u64(w, NULL, (slice->start_ns - h->mono_ns) / 1000000);
	jsonw__u64(w, NULL, (slice->end_ns - h->mono_ns) / 1000000);
	jsonw__u64(w, NULL, slice->iterations);
	jsonw__u64(w, NULL, slice->busy_ns / 1000);
	jsonw__u64(w, NULL, slice->stalled_wall_ns / 1000);
	jsonw__end_array(w);
	return w->err;
}

/* --- the data --- */

static void put_stalls(struct html *h)
{
	jsonw__array(&h->w, "stalls");
	for (const struct spot *s = h->spots; s < h->spots + h->nr_spots; s++) {
		jsonw__array(&h->w, NULL);
		jsonw__i64(&h->w, NULL, s->tid);
		jsonw__i64(&h->w, NULL, (int64_t)(s->start_ns - h->mono_ns) / 1000);
		jsonw__u64(&h->w, NULL, s->wall_ns / 1000);
		jsonw__i64(&h->w, NULL, s->ready);
		jsonw__u64(&h->w, NULL, s->ongoing);
		for (uint32_t i = 0; i < s->nr_causes; i++) {
			jsonw__u64(&h->w, NULL, s->causes[i].cause);
			jsonw__u64(&h->w, NULL, s->causes[i].ns / 1000);
			jsonw__u64(&h->w, NULL, s->causes[i].text);
		}
		jsonw__end_array(&h->w);
	}
	jsonw__end_array(&h->w);
	jsonw__array(&h->w, "texts");
	for (size_t i = 0; i < stacks__nr_strings(h->texts); i++)
		jsonw__str(&h->w, NULL, stacks__string_at(h->texts, i));
	jsonw__end_array(&h->w);
}

static int by_weight(const void *a, const void *b)
{
	const struct site *const *x = a, *const *y = b;

	return ((*x)->ns < (*y)->ns) - ((*x)->ns > (*y)->ns);
}

static void put_site(struct jsonw *w, const struct site *s)
{
	jsonw__object(w, NULL);
	jsonw__str(w, "function", s->function);
	jsonw__str(w, "file", s->file ? s->file : s->module);
	if (s->line)
		jsonw__u64(w, "line", s->line);
	jsonw__str(w, "callee", s->callee);
	jsonw__str(w, "cause", ls_cause__name(s->cause));
	jsonw__str(w, "call", s->call);
	jsonw__str(w, "object", s->object);
	jsonw__str(w, "advice", s->advice);
	jsonw__u64(w, "ns", s->ns);
	jsonw__u64(w, "stalls", s->stalls);
	jsonw__u64(w, "max_ns", s->max_ns);
	jsonw__end_object(w);
}

static int put_sites(struct html *h)
{
	size_t n = sitetable__count(h->sites);
	const struct site **sorted = calloc(n + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = sitetable__at(h->sites, i);
	qsort(sorted, n, sizeof(*sorted), by_weight);
	jsonw__array(&h->w, "sites");
	for (size_t i = 0; i < n && i < MAX_SITES; i++)
		put_site(&h->w, sorted[i]);
	jsonw__end_array(&h->w);
	free(sorted);
	return 0;
}

static int put_data(struct html *h, const struct ls_summary *summary)
{
	struct jsonw *w = &h->w;
	int err;

	jsonw__init(w, h->out);
	w->html_safe = true;
	jsonw__object(w, NULL);
	jsonw__array(w, "causes");
	for (int i = 0; i < LS_NR_CAUSES; i++)
		jsonw__str(w, NULL, ls_cause__name(i));
	jsonw__end_array(w);
	jsonw__u64(w, "nr_stalls", h->stalls);
	jsonw__u64(w, "nr_added_up", h->rest_stalls);
	jsonw__object(w, "summary");
	lines__summary(w, summary);
	jsonw__end_object(w);
	put_stalls(h);
	err = put_sites(h);
	if (err)
		return err;
	fprintf(h->out, ",\"start\":%s,\"slices\":[%s]", h->start ? h->start : "null",
		h->slices ? h->slices : "");
	jsonw__end_object(w);
	return w->err;
}

/* --- the page --- */

static int put_mark(struct html *h, const char *mark, size_t bytes,
		    const struct ls_summary *summary)
{
	if (bytes == 5 && memcmp(mark, "TITLE", bytes) == 0)
		xml__put(h->out, h->title, (size_t)-1);
	else if (bytes == 3 && memcmp(mark, "CSS", bytes) == 0)
		fprintf(h->out, "%s%s", asset_page_css, asset_flame_css);
	else if (bytes == 5 && memcmp(mark, "FLAME", bytes) == 0)
		return flamegraph__write(h->out, h->samples, false);
	else if (bytes == 4 && memcmp(mark, "DATA", bytes) == 0)
		return put_data(h, summary);
	else if (bytes == 2 && memcmp(mark, "JS", bytes) == 0)
		fprintf(h->out, "%s%s", asset_flame_js, asset_page_js);
	return 0;
}

static int put_page(struct html *h, const struct ls_summary *summary)
{
	const char *page = asset_page_html, *mark, *end;
	int err = 0;

	while (!err && (mark = strchr(page, '@')) != NULL &&
	       (end = strchr(mark + 1, '@')) != NULL) {
		fwrite(page, 1, (size_t)(mark - page), h->out);
		err = put_mark(h, mark + 1, (size_t)(end - mark - 1), summary);
		page = end + 1;
	}
	if (!err)
		fputs(page, h->out);
	return err ? err : collect__flush(h->out);
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct html *h = self;
	FILE *slices = h->slices_out;

	h->slices_out = NULL;
	if (fclose(slices) != 0)
		return -ENOMEM;
	return put_page(h, summary);
}

static void on_free(void *self)
{
	struct html *h = self;

	if (!h)
		return;
	if (h->slices_out)
		fclose(h->slices_out);
	samples__free(h->samples);
	sitetable__free(h->sites);
	stacks__free(h->texts);
	free(h->spots);
	free(h->start);
	free(h->slices);
	free(h);
}

int report_html__new(FILE *out, struct reporter *r, void **self)
{
	struct html *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->out = out;
	h->samples = samples__new();
	h->sites = sitetable__new();
	h->texts = stacks__new(64 << 20);
	h->spots = calloc(MAX_STALLS, sizeof(*h->spots));
	h->slices_out = open_memstream(&h->slices, &h->slices_bytes);
	if (!h->samples || !h->sites || !h->texts || !h->spots || !h->slices_out) {
		on_free(h);
		return -ENOMEM;
	}
	jsonw__init(&h->slices_w, h->slices_out);
	*r = (struct reporter){
		.start = on_start,
		.stall = on_stall,
		.slice = on_slice,
		.rest = on_rest,
		.summary = on_summary,
		.free = on_free,
	};
	*self = h;
	return settle__wrap(r, self);
}
