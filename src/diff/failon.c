/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * condition  = "regression" | subject ( ">" | ">=" | "<" | "<=" ) value
 * subject    = "p50" ... "iterations_per_s" | a class of the ledger | "new-site" | "worse-site"
 * value      = [ "+" | "-" ] number [ unit ]
 *
 * A sign makes it a comparison with before, which must also be beyond the noise: not for sites, and
 * not for max, which is one iteration and has no noise to be estimated. docs/diff.md has
 * it for users.
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/failon.h"
#include "diff/values.h"

struct parser {
	const char *text, *p;
	struct failon *f;
	char *why;
	size_t why_bytes;
};

__attribute__((format(printf, 2, 3))) static bool expect(struct parser *ps, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(ps->why, ps->why_bytes, fmt, args);
	va_end(args);
	return false;
}

static void skip_space(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

static size_t word_bytes(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '-' || p[n] == '.')
		n++;
	return n;
}

static bool is(const char *word, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(word, name, n) == 0;
}

static bool find_subject(struct failon *f, const char *word, size_t n)
{
	for (int m = 0; m < NR_METRICS; m++) {
		if (!is(word, n, metric__name(m)))
			continue;
		f->subject = FAILON_METRIC;
		f->which = m;
		return true;
	}
	for (int i = 0; i < LEDGER_CLASSES; i++) {
		if (!is(word, n, ledger_class__name(i)))
			continue;
		f->subject = FAILON_LEDGER;
		f->which = i;
		return true;
	}
	f->subject = is(word, n, "new-site")     ? FAILON_NEW_SITE
		     : is(word, n, "worse-site") ? FAILON_WORSE_SITE
						 : FAILON_REGRESSION;
	return f->subject != FAILON_REGRESSION || is(word, n, "regression");
}

static bool parse_subject(struct parser *ps)
{
	size_t n;

	skip_space(ps);
	n = word_bytes(ps->p);
	if (!n || !find_subject(ps->f, ps->p, n))
		return expect(ps,
			      "expected p50, p90, p99, p99.9, max, stalls_per_s, stalled_share, "
			      "busy_share, iterations_per_s, a cause, new-site, worse-site or "
			      "regression");
	ps->p += n;
	return true;
}

static bool parse_operator(struct parser *ps)
{
	skip_space(ps);
	if (*ps->p != '>' && *ps->p != '<')
		return expect(ps, "expected > or <");
	if (*ps->p == '<' && ps->f->subject >= FAILON_NEW_SITE)
		return expect(ps, "a site's condition takes >");
	ps->f->less = *ps->p++ == '<';
	ps->f->or_equal = *ps->p == '=';
	ps->p += ps->f->or_equal;
	return true;
}

/* Digits with one point: no exponents, no "inf", no locale. */
static bool parse_number(struct parser *ps, double *value)
{
	double scale = 0.1;
	const char *begin;

	skip_space(ps);
	begin = ps->p;
	for (*value = 0; isdigit((unsigned char)*ps->p); ps->p++)
		*value = *value * 10 + (*ps->p - '0');
	if (*ps->p == '.' && isdigit((unsigned char)ps->p[1])) {
		for (ps->p++; isdigit((unsigned char)*ps->p); ps->p++) {
			*value += scale * (*ps->p - '0');
			scale /= 10;
		}
	}
	return ps->p > begin || expect(ps, "expected a number");
}

static bool is_max(const struct failon *f)
{
	return f->subject == FAILON_METRIC && f->which == METRIC_MAX;
}

static enum unit unit_of(const struct failon *f)
{
	if (f->subject == FAILON_METRIC)
		return metric__unit(f->which);
	return f->subject == FAILON_LEDGER ? UNIT_NS_PER_S : UNIT_NS;
}

static const char *unit_wanted(const struct failon *f)
{
	bool sign = f->kind != FAILON_ABSOLUTE;

	switch (unit_of(f)) {
	case UNIT_NS:
		return f->subject >= FAILON_NEW_SITE || is_max(f) ? "expected ns, us, ms or s"
		       : sign                                     ? "expected %, ns, us, ms or s"
			      : "expected ns, us, ms or s (or a sign and %)";
	case UNIT_NS_PER_S:
		return sign ? "expected %, us/s or ms/s"
			    : "expected us/s or ms/s (or a sign and %)";
	case UNIT_SHARE:
		return "expected %";
	default:
		return sign ? "expected % or the end" : "expected the end (or a sign and %)";
	}
}

static bool parse_unit(struct parser *ps, double *value)
{
	static const struct {
		const char *name;
		enum unit unit;
		double factor;
	} units[] = {
		{"ns", UNIT_NS, 1},    {"us", UNIT_NS, 1e3},         {"ms", UNIT_NS, 1e6},
		{"s", UNIT_NS, 1e9},   {"us/s", UNIT_NS_PER_S, 1e3}, {"ms/s", UNIT_NS_PER_S, 1e6},
		{"/s", UNIT_PER_S, 1}, {"", UNIT_PER_S, 1},
	};
	struct failon *f = ps->f;
	size_t n = strcspn(ps->p, " \t");

	if (is(ps->p, n, "%") && f->kind == FAILON_DIFFERENCE && f->subject < FAILON_NEW_SITE) {
		f->kind = FAILON_RELATIVE;
		*value /= 100;
		ps->p += n;
		return true;
	}
	if (is(ps->p, n, "%") && unit_of(f) == UNIT_SHARE) {
		*value /= 100;
		ps->p += n;
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit != unit_of(f) || !is(ps->p, n, units[i].name))
			continue;
		*value *= units[i].factor;
		ps->p += n;
		return true;
	}
	return expect(ps, "%s", unit_wanted(f));
}

static bool parse_value(struct parser *ps)
{
	struct failon *f = ps->f;
	bool negative;

	skip_space(ps);
	negative = *ps->p == '-';
	if (*ps->p == '+' || *ps->p == '-') {
		if (f->subject >= FAILON_NEW_SITE)
			return expect(ps, "a site's condition takes no sign");
		if (is_max(f))
			return expect(ps, "max takes no sign: its noise cannot be estimated (p99.9 "
					  "does)");
		f->kind = FAILON_DIFFERENCE;
		ps->p++;
	}
	if (!parse_number(ps, &f->value) || !parse_unit(ps, &f->value))
		return false;
	if (negative)
		f->value = -f->value;
	skip_space(ps);
	return !*ps->p || expect(ps, "expected nothing more");
}

static bool parse(struct parser *ps)
{
	if (!parse_subject(ps))
		return false;
	if (ps->f->subject != FAILON_REGRESSION)
		return parse_operator(ps) && parse_value(ps);
	skip_space(ps);
	return !*ps->p || expect(ps, "expected nothing more");
}

bool failon__parse(const char *text, struct failon *f, size_t *at, char *why, size_t why_bytes)
{
	struct parser ps = {.text = text, .p = text, .f = f, .why = why, .why_bytes = why_bytes};
	bool ok;

	*f = (struct failon){.text = text};
	ok = parse(&ps);
	*at = (size_t)(ps.p - text);
	return ok;
}

/* --- does it hold? --- */

static bool compares(const struct failon *f, double value)
{
	if (f->less)
		return f->or_equal ? value <= f->value : value < f->value;
	return f->or_equal ? value >= f->value : value > f->value;
}

/* A quantile which so few iterations do not show: any answer would be luck. */
static bool cannot_be_judged(const struct failon *f, const struct comparison *c, char *detail,
			     size_t bytes)
{
	if (f->subject != FAILON_METRIC || !c->metrics[f->which].too_few)
		return false;
	snprintf(detail, bytes,
		 "too few iterations to judge %s: %.0f before and %.0f after, %.0f a side are "
		 "needed",
		 c->metrics[f->which].name, side__iterations(&c->sides[0]),
		 side__iterations(&c->sides[1]), metric__least_iterations(f->which));
	return true;
}

static bool finding_holds(const struct failon *f, const struct finding *v, char *detail,
			  size_t bytes)
{
	bool beyond_noise = v->low > 0 || v->high < 0;
	double difference = v->after - v->before, relative = 0;
	char before[32], after[32], low[32], high[32];

	values__put(v->unit, v->before, before, sizeof(before));
	values__put(v->unit, v->after, after, sizeof(after));
	if (f->kind == FAILON_ABSOLUTE) {
		snprintf(detail, bytes, "%s is %s", v->name, after);
		return compares(f, v->after);
	}
	values__put_difference(v, v->low, low, sizeof(low));
	values__put_difference(v, v->high, high, sizeof(high));
	snprintf(detail, bytes, "%s went from %s to %s (%s to %s)%s", v->name, before, after, low,
		 high, beyond_noise ? "" : ": within the noise");
	if (!beyond_noise)
		return false;
	if (f->kind == FAILON_DIFFERENCE)
		return compares(f, difference);
	if (!finding__relative(v, difference, &relative))
		relative = INFINITY; /* from nothing to something */
	return compares(f, relative);
}

static bool new_site_holds(const struct failon *f, const struct comparison *c, char *detail,
			   size_t bytes)
{
	const struct site_finding *worst = NULL;
	char total[32];

	for (size_t i = 0; i < c->nr_sites; i++) {
		if (!c->sites[i].f.gates) /* a wait for a CPU: the machine's doing */
			continue;
		if (c->sites[i].total_ns[0] > 0 || c->sites[i].total_ns[1] <= 0)
			continue;
		if (!worst || c->sites[i].total_ns[1] > worst->total_ns[1])
			worst = &c->sites[i];
	}
	if (!worst) {
		snprintf(detail, bytes, "no site is new");
		return false;
	}
	values__put(UNIT_NS, worst->total_ns[1], total, sizeof(total));
	snprintf(detail, bytes, "new: %s, %s in stalls", worst->f.name, total);
	return compares(f, worst->total_ns[1]);
}

/* By how much more of its time than before, in the length of a recording after. */
static bool worse_site_holds(const struct failon *f, const struct comparison *c, char *detail,
			     size_t bytes)
{
	const struct site_finding *worst = NULL;
	double difference, most = 0, seconds = c->sides[1].recordings[0]->seconds;
	char total[32];

	for (size_t i = 0; i < c->nr_sites; i++) {
		difference = (c->sites[i].f.after - c->sites[i].f.before) * seconds;
		if (c->sites[i].f.judgement != JUDGED_WORSE || difference <= most)
			continue;
		worst = &c->sites[i];
		most = difference;
	}
	if (!worst) {
		snprintf(detail, bytes, "no site is worse");
		return false;
	}
	values__put(UNIT_NS, most, total, sizeof(total));
	snprintf(detail, bytes, "worse: %s, by %s in stalls", worst->f.name, total);
	return compares(f, most);
}

static bool holds(const struct failon *f, const struct comparison *c, char *detail, size_t bytes)
{
	switch (f->subject) {
	case FAILON_METRIC:
		return finding_holds(f, &c->metrics[f->which], detail, bytes);
	case FAILON_LEDGER:
		return finding_holds(f, &c->ledger[f->which], detail, bytes);
	case FAILON_NEW_SITE:
		return new_site_holds(f, c, detail, bytes);
	case FAILON_WORSE_SITE:
		return worse_site_holds(f, c, detail, bytes);
	default:
		snprintf(detail, bytes, "%s", c->regression ? "a regression" : "no regression");
		return c->regression;
	}
}

enum failon_result failon__judge(const struct failon *f, const struct comparison *c, char *detail,
				 size_t bytes)
{
	if (cannot_be_judged(f, c, detail, bytes))
		return FAILON_UNJUDGED;
	return holds(f, c, detail, bytes) ? FAILON_HOLDS : FAILON_PASSES;
}
