/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * JUnit XML: a test case for each condition, or, without conditions, for each finding that can be a
 * regression. What failed here is what makes the exit status 1.
 */
#include "diff/values.h"
#include "diff/verdict.h"
#include "model/xml.h"

static const size_t WHOLE = (size_t)-1;

static void put_case(FILE *out, const char *class, const char *name, const char *detail,
		     bool failed)
{
	fprintf(out, "  <testcase classname=\"loopstall.%s\" name=\"", class);
	xml__put(out, name, WHOLE);
	if (!failed) {
		fputs("\"/>\n", out);
		return;
	}
	fputs("\">\n    <failure message=\"", out);
	xml__put(out, detail, WHOLE);
	fputs("\"/>\n  </testcase>\n", out);
}

static void put_finding(FILE *out, const char *class, const char *name, const struct finding *f,
			bool failed)
{
	char before[32], after[32], interval[80], detail[300];

	snprintf(detail, sizeof(detail), "%s: %s before, %s after, change %s",
		 judgement__name(f->judgement),
		 values__put(f->unit, f->before, before, sizeof(before)),
		 values__put(f->unit, f->after, after, sizeof(after)),
		 finding__interval(f, interval, sizeof(interval)));
	put_case(out, class, name, detail, failed);
}

static bool site_failed(const struct comparison *c, const struct site_finding *s)
{
	return !c->sites_excused &&
	       (s->f.judgement == JUDGED_NEW || s->f.judgement == JUDGED_WORSE);
}

/* Counts with out NULL. */
static void put_cases(FILE *out, const struct verdict *v, size_t *tests, size_t *failures)
{
	const struct comparison *c = v->comparison;
	const struct finding *f;
	char place[700];

	*tests = *failures = 0;
	for (size_t i = 0; i < v->nr_conditions; i++, ++*tests) {
		*failures += v->conditions[i].holds;
		if (out)
			put_case(out, "condition", v->conditions[i].failon.text,
				 v->conditions[i].detail, v->conditions[i].holds);
	}
	for (int m = 0; m < NR_METRICS && !v->nr_conditions; m++) {
		f = &c->metrics[m];
		if (!f->gates)
			continue;
		++*tests;
		*failures += f->judgement == JUDGED_WORSE;
		if (out)
			put_finding(out, "metric", f->name, f, f->judgement == JUDGED_WORSE);
	}
	for (size_t i = 0; i < c->nr_sites && !v->nr_conditions; i++) {
		++*tests;
		*failures += site_failed(c, &c->sites[i]);
		site_finding__place(&c->sites[i], place, sizeof(place));
		if (out)
			put_finding(out, "site", place, &c->sites[i].f,
				    site_failed(c, &c->sites[i]));
	}
}

static int print(FILE *out, const struct verdict *v)
{
	size_t tests, failures;
	char headline[500];

	put_cases(NULL, v, &tests, &failures);
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites>\n <testsuite name=\"loopstall diff\" tests=\"%zu\" failures=\"%zu\" "
		"errors=\"0\" skipped=\"0\">\n",
		tests, failures);
	put_cases(out, v, &tests, &failures);
	fputs("  <system-out>", out);
	xml__put(out, verdict__headline(v, headline, sizeof(headline)), WHOLE);
	fputs("</system-out>\n </testsuite>\n</testsuites>\n", out);
	return diff__flush(out);
}

const struct diff_format diff_junit = {"junit", print};
