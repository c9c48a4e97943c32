/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "diff/values.h"
#include "diff/verdict.h"

void verdict__decide(struct verdict *v)
{
	v->failed = v->unjudged = false;
	for (size_t i = 0; i < v->nr_conditions; i++) {
		struct condition *c = &v->conditions[i];

		c->result = failon__judge(&c->failon, v->comparison, c->detail, sizeof(c->detail));
		v->failed |= c->result == FAILON_HOLDS;
		v->unjudged |= c->result == FAILON_UNJUDGED;
	}
	if (!v->nr_conditions)
		v->failed = v->comparison->regression;
	v->unjudged &= !v->failed;
}

/* By default or by the condition "regression". */
static bool asks_for_regression(const struct verdict *v)
{
	bool asks = !v->nr_conditions;

	for (size_t i = 0; i < v->nr_conditions; i++)
		asks |= v->conditions[i].failon.subject == FAILON_REGRESSION;
	return asks;
}

static const char *note_unjudged(const struct verdict *v, char *buf, size_t bytes)
{
	const struct comparison *c = v->comparison;

	for (int m = 0; m < NR_METRICS && asks_for_regression(v); m++) {
		if (!c->metrics[m].gates || !c->metrics[m].too_few)
			continue;
		snprintf(buf, bytes,
			 "%s was not judged: too few iterations, %.0f before and %.0f after; it "
			 "takes %.0f a side",
			 c->metrics[m].name, side__iterations(&c->sides[0]),
			 side__iterations(&c->sides[1]), metric__least_iterations(m));
		return buf;
	}
	return NULL;
}

const char *verdict__note(const struct verdict *v, enum verdict_note note, char *buf, size_t bytes)
{
	static const char *const formats[] = {
		[NOTE_LOST] = "%llu events were lost while recording",
		[NOTE_ADDED_UP] =
			"%llu stalls were added up by the recordings, not kept one by one",
	};
	const struct comparison *c = v->comparison;
	const struct recording *r;
	unsigned long long n = 0;

	if (note == NOTE_UNJUDGED)
		return note_unjudged(v, buf, bytes);
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < c->sides[side].n; i++) {
			r = c->sides[side].recordings[i];
			n += note == NOTE_LOST ? r->lost : r->nr_added_up;
		}
	}
	snprintf(buf, bytes, formats[note], n);
	return n ? buf : NULL;
}

static size_t add(char *buf, size_t bytes, size_t n, const char *word)
{
	int more = snprintf(buf + n, bytes - n, "%s%s", n ? ", " : "", word);

	return more < 0 || (size_t)more >= bytes - n ? strlen(buf) : n + (size_t)more;
}

static size_t count_sites(const struct comparison *c, enum judgement a, enum judgement b)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nr_sites; i++)
		n += c->sites[i].f.judgement == a || c->sites[i].f.judgement == b;
	return n;
}

static void list_changes(const struct comparison *c, bool worse, char *buf, size_t bytes)
{
	size_t n = 0, sites = worse ? count_sites(c, JUDGED_WORSE, JUDGED_NEW)
				    : count_sites(c, JUDGED_BETTER, JUDGED_GONE);
	char word[64];

	buf[0] = '\0';
	for (int m = 0; m < NR_METRICS; m++) {
		if (c->metrics[m].judgement == (worse ? JUDGED_WORSE : JUDGED_BETTER))
			n = add(buf, bytes, n, c->metrics[m].name);
	}
	snprintf(word, sizeof(word), "%zu site%s", sites, sites == 1 ? "" : "s");
	if (sites)
		add(buf, bytes, n, word);
}

const char *verdict__headline(const struct verdict *v, char *buf, size_t bytes)
{
	const char *verdict = v->unjudged        ? "not judged"
			      : v->nr_conditions ? (v->failed ? "failed" : "passed")
						 : (v->failed ? "regression" : "no regression");
	char worse[200], better[200];

	list_changes(v->comparison, true, worse, sizeof(worse));
	list_changes(v->comparison, false, better, sizeof(better));
	snprintf(buf, bytes, "%s%s%s%s%s%s", verdict, worse[0] || better[0] ? ": " : "",
		 worse[0] ? "worse " : "", worse,
		 better[0] ? (worse[0] ? "; better " : "better ") : "", better);
	if (!worse[0] && !better[0])
		snprintf(buf, bytes, "%s: no difference beyond the noise", verdict);
	return buf;
}

bool site_finding__shown(const struct site_finding *s)
{
	return s->f.judgement > JUDGED_SAME;
}

const char *site_finding__place(const struct site_finding *s, char *buf, size_t bytes)
{
	size_t n = strlen(s->f.name);

	if (s->line && n && s->f.name[n - 1] == ')')
		snprintf(buf, bytes, "%.*s:%u)", (int)n - 1, s->f.name, s->line);
	else
		snprintf(buf, bytes, "%s", s->f.name);
	return buf;
}

const char *finding__interval(const struct finding *f, char *buf, size_t bytes)
{
	char low[32], high[32];

	snprintf(buf, bytes, "[%s, %s]", values__put_difference(f, f->low, low, sizeof(low)),
		 values__put_difference(f, f->high, high, sizeof(high)));
	return buf;
}

double side__seconds(const struct side *side)
{
	double n = 0;

	for (size_t i = 0; i < side->n; i++)
		n += side->recordings[i]->seconds;
	return n;
}

int diff__flush(FILE *out)
{
	errno = 0;
	if (fflush(out) != 0)
		return errno ? -errno : -EIO;
	return ferror(out) ? -EIO : 0;
}
