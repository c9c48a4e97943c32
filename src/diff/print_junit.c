/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * JUnit XML: a test case for each condition, or, without conditions, for each finding that can be a
 * regression. What failed here is what makes the exit status 1.
 */
#include "diff/values.h"
#include "diff/verdict.h"
#include "model/xml.h"

static const size_t WHOLE = (size_t)-1;

enum outcome { PASSED, FAILED, SKIPPED, IN_ERROR, NR_OUTCOMES };

/* out NULL: only counts. */
struct cases {
	FILE *out;
	size_t n, of[NR_OUTCOMES];
};

static void put_case(struct cases *to, const char *class, const char *name, const char *detail,
		     enum outcome outcome)
{
	static const char *const elements[] = {NULL, "failure", "skipped", "error"};

	to->n++;
	to->of[outcome]++;
	if (!to->out)
		return;
	fprintf(to->out, "  <testcase classname=\"loopstall.%s\" name=\"", class);
	xml__put(to->out, name, WHOLE);
	if (outcome == PASSED) {
		fputs("\"/>\n", to->out);
		return;
	}
	fprintf(to->out, "\">\n    <%s message=\"", elements[outcome]);
	xml__put(to->out, detail, WHOLE);
	fputs("\"/>\n  </testcase>\n", to->out);
}

static void put_finding(struct cases *to, const char *class, const char *name,
			const struct finding *f, enum outcome outcome)
{
	char before[32], after[32], interval[80], detail[300];

	snprintf(detail, sizeof(detail), "%s: %s before, %s after, change %s",
		 f->too_few ? "too few iterations" : judgement__name(f->judgement),
		 values__put(f->unit, f->before, before, sizeof(before)),
		 values__put(f->unit, f->after, after, sizeof(after)),
		 finding__interval(f, interval, sizeof(interval)));
	put_case(to, class, name, detail, outcome);
}

static bool site_failed(const struct comparison *c, const struct site_finding *s)
{
	return !c->sites_excused &&
	       (s->f.judgement == JUDGED_NEW || s->f.judgement == JUDGED_WORSE);
}

static void put_conditions(struct cases *to, const struct verdict *v)
{
	static const enum outcome outcomes[] = {
		[FAILON_PASSES] = PASSED,
		[FAILON_HOLDS] = FAILED,
		[FAILON_UNJUDGED] = IN_ERROR,
	};

	for (size_t i = 0; i < v->nr_conditions; i++)
		put_case(to, "condition", v->conditions[i].failon.text, v->conditions[i].detail,
			 outcomes[v->conditions[i].result]);
}

static void put_metrics(struct cases *to, const struct comparison *c)
{
	const struct finding *f;

	for (int m = 0; m < NR_METRICS; m++) {
		f = &c->metrics[m];
		if (f->gates)
			put_finding(to, "metric", f->name, f,
				    f->too_few                     ? SKIPPED
				    : f->judgement == JUDGED_WORSE ? FAILED
								   : PASSED);
	}
}

static void put_sites(struct cases *to, const struct comparison *c)
{
	const struct site_finding *s;
	char place[700];

	for (size_t i = 0; i < c->nr_sites; i++) {
		s = &c->sites[i];
		site_finding__place(s, place, sizeof(place));
		put_finding(to, "site", place, &s->f, site_failed(c, s) ? FAILED : PASSED);
	}
}

static void put_cases(struct cases *to, const struct verdict *v)
{
	put_conditions(to, v);
	if (v->nr_conditions)
		return;
	put_metrics(to, v->comparison);
	put_sites(to, v->comparison);
}

/* The headline and the notes. */
static void put_words(FILE *out, const struct verdict *v)
{
	char headline[500], note[200];

	fputs("  <system-out>", out);
	xml__put(out, verdict__headline(v, headline, sizeof(headline)), WHOLE);
	for (int i = 0; i < NR_NOTES; i++) {
		if (!verdict__note(v, i, note, sizeof(note)))
			continue;
		fputs("\nnote: ", out);
		xml__put(out, note, WHOLE);
	}
	fputs("</system-out>\n", out);
}

static int print(FILE *out, const struct verdict *v)
{
	struct cases count = {0}, cases = {.out = out};

	put_cases(&count, v);
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites>\n <testsuite name=\"loopstall diff\" tests=\"%zu\" failures=\"%zu\" "
		"errors=\"%zu\" skipped=\"%zu\">\n",
		count.n, count.of[FAILED], count.of[IN_ERROR], count.of[SKIPPED]);
	put_cases(&cases, v);
	put_words(out, v);
	fputs(" </testsuite>\n</testsuites>\n", out);
	return diff__flush(out);
}

const struct diff_format diff_junit = {"junit", print};
