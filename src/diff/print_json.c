/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One object, one line; described in docs/diff.md. Lengths are integer nanoseconds. */
#include <math.h>

#include "diff/values.h"
#include "diff/verdict.h"
#include "model/jsonw.h"

static const char *const units[] = {
	[UNIT_NS] = "ns",
	[UNIT_PER_S] = "per_s",
	[UNIT_SHARE] = "share",
	[UNIT_NS_PER_S] = "ns_per_s",
};

static void put_value(struct jsonw *w, const char *key, enum unit unit, double value)
{
	if (unit == UNIT_NS || unit == UNIT_NS_PER_S)
		jsonw__i64(w, key, llround(fmax(-9e18, fmin(9e18, value))));
	else
		jsonw__fraction(w, key, value, 6);
}

static void put_finding(struct jsonw *w, const struct finding *f)
{
	double relative;

	jsonw__str(w, "unit", units[f->unit]);
	put_value(w, "before", f->unit, f->before);
	put_value(w, "after", f->unit, f->after);
	put_value(w, "change", f->unit, f->after - f->before);
	put_value(w, "change_low", f->unit, f->low);
	put_value(w, "change_high", f->unit, f->high);
	if (finding__relative(f, f->after - f->before, &relative))
		jsonw__fraction(w, "relative", relative, 6);
	jsonw__str(w, "judgement", judgement__name(f->judgement));
}

static void put_findings(struct jsonw *w, const char *key, const struct finding *f, size_t n)
{
	jsonw__array(w, key);
	for (size_t i = 0; i < n; i++) {
		jsonw__object(w, NULL);
		jsonw__str(w, "name", f[i].name);
		put_finding(w, &f[i]);
		jsonw__end_object(w);
	}
	jsonw__end_array(w);
}

static void put_side(struct jsonw *w, const char *key, const struct side *side)
{
	const struct recording *r;

	jsonw__array(w, key);
	for (size_t i = 0; i < side->n; i++) {
		r = side->recordings[i];
		jsonw__object(w, NULL);
		jsonw__str(w, "file", r->path);
		jsonw__fraction(w, "seconds", r->seconds, 6);
		jsonw__u64(w, "loops", r->nr_loops);
		jsonw__u64(w, "iterations", (uint64_t)r->total.iterations);
		jsonw__u64(w, "stalls", (uint64_t)r->total.stalls);
		jsonw__u64(w, "lost", r->lost);
		jsonw__u64(w, "stalls_added_up", r->nr_added_up);
		jsonw__end_object(w);
	}
	jsonw__end_array(w);
}

static void put_site(struct jsonw *w, const struct site_finding *s)
{
	char place[700];

	jsonw__object(w, NULL);
	jsonw__str(w, "site", site_finding__place(s, place, sizeof(place)));
	jsonw__str(w, "cause", ls_cause__name(s->cause));
	jsonw__str(w, "callee", s->callee);
	jsonw__str(w, "call", s->call);
	put_finding(w, &s->f);
	for (int side = 0; side < 2; side++) {
		jsonw__object(w, side ? "after_totals" : "before_totals");
		jsonw__i64(w, "ns", llround(s->total_ns[side]));
		jsonw__fraction(w, "stalls", s->stalls[side], 2);
		jsonw__i64(w, "max_ns", llround(s->max_ns[side]));
		jsonw__end_object(w);
	}
	jsonw__end_object(w);
}

static void put_conditions(struct jsonw *w, const struct verdict *v)
{
	jsonw__array(w, "conditions");
	for (size_t i = 0; i < v->nr_conditions; i++) {
		jsonw__object(w, NULL);
		jsonw__str(w, "condition", v->conditions[i].failon.text);
		jsonw__bool(w, "failed", v->conditions[i].result == FAILON_HOLDS);
		jsonw__bool(w, "judged", v->conditions[i].result != FAILON_UNJUDGED);
		jsonw__str(w, "detail", v->conditions[i].detail);
		jsonw__end_object(w);
	}
	jsonw__end_array(w);
}

static int print(FILE *out, const struct verdict *v)
{
	const struct comparison *c = v->comparison;
	struct jsonw w;

	jsonw__init(&w, out);
	jsonw__object(&w, NULL);
	jsonw__str(&w, "type", "diff");
	jsonw__u64(&w, "v", 1);
	jsonw__bool(&w, "failed", v->failed);
	jsonw__bool(&w, "unjudged", v->unjudged);
	jsonw__bool(&w, "regression", c->regression);
	jsonw__fraction(&w, "confidence", c->options.confidence, 4);
	put_side(&w, "before", &c->sides[0]);
	put_side(&w, "after", &c->sides[1]);
	put_findings(&w, "metrics", c->metrics, NR_METRICS);
	put_findings(&w, "ledger", c->ledger, LEDGER_CLASSES);
	jsonw__array(&w, "sites");
	for (size_t i = 0; i < c->nr_sites; i++)
		put_site(&w, &c->sites[i]);
	jsonw__end_array(&w);
	put_conditions(&w, v);
	jsonw__end_object(&w);
	return jsonw__line(&w);
}

const struct diff_format diff_json = {"json", print};
