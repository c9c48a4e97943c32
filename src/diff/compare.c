/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Iteration lengths and rates are compared by resampling blocks of bins within each recording
 * (metrics.c, bootstrap.c); ledger and sites by the same in closed form (sums.c). What recordings of one
 * side differ by beyond that is added: measured when there are several, assumed when there is one
 * (noise.c). Each family of findings shares out its part of the false alarms that the whole may raise.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/compare_internal.h"
#include "diff/noise.h"

enum { MIN_BINS = 5, MIN_ITERATIONS = 100 };

/* What part of the false alarms each family may raise. */
static const double parts[] = {[FAMILY_GATES] = 0.5, [FAMILY_SITES] = 0.3, [FAMILY_DETAILS] = 0.2};

double comparison__tail(const struct comparison *c, enum family family, size_t nr)
{
	return (1 - c->options.confidence) * parts[family] / (double)nr / 2;
}

enum judgement finding__judge(const struct finding *f, double min_effect, double min_difference)
{
	double difference = f->after - f->before;

	if (f->low <= 0 && f->high >= 0)
		return JUDGED_SAME;
	if (fabs(difference) < min_difference || fabs(difference) < min_effect * f->before)
		return JUDGED_SAME;
	return difference > 0 ? JUDGED_WORSE : JUDGED_BETTER;
}

static void add_contention(const struct side *side, double *waited, double *stalled)
{
	const struct recording *r;
	double waits = 0, all = 0, seconds = 0;

	for (size_t i = 0; i < side->n; i++) {
		r = side->recordings[i];
		waits += r->total.ledger_ns[LS_RUNQUEUE] + r->total.ledger_ns[LS_THROTTLED];
		all += r->total.stalled_ns;
		seconds += r->total.seconds;
	}
	*waited = fmax(*waited, waits / seconds);
	*stalled = fmax(*stalled, all / seconds);
}

/*
 * What part of the stalled time was a wait for a CPU, in the side with most of each: the few stalls of a
 * program without a bug are all of that kind, and must not hide the bug of the other side.
 */
static double contention(const struct side sides[2])
{
	double waited = 0, stalled = 0;

	for (int side = 0; side < 2; side++)
		add_contention(&sides[side], &waited, &stalled);
	return stalled > 0 ? fmin(waited / stalled, 1) : 0;
}

/* A site that is new or worse while the stalled time as a whole fell is said, but is no regression.
 */
static void decide(struct comparison *c)
{
	bool fell = c->metrics[METRIC_STALLED_SHARE].judgement == JUDGED_BETTER;

	for (int m = 0; m < NR_METRICS; m++)
		c->regression |= c->metrics[m].gates && c->metrics[m].judgement == JUDGED_WORSE;
	for (size_t i = 0; i < c->nr_sites; i++) {
		if (c->sites[i].f.judgement != JUDGED_NEW &&
		    c->sites[i].f.judgement != JUDGED_WORSE)
			continue;
		c->sites_excused |= fell;
		c->regression |= !fell;
	}
}

__attribute__((format(printf, 3, 4))) static bool refuse(char *why, size_t bytes, const char *fmt,
							 ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, bytes, fmt, args);
	va_end(args);
	return false;
}

static bool recording_suits(const struct recording *r, const struct recording *first, char *why,
			    size_t bytes)
{
	if (r->threshold_ns != first->threshold_ns)
		return refuse(
			why, bytes,
			"%s has a threshold of %g ms, %s of %g ms: their stalls are not alike",
			r->path, (double)r->threshold_ns / 1e6, first->path,
			(double)first->threshold_ns / 1e6);
	if (!r->nr_loops)
		return refuse(why, bytes, "%s has no loop", r->path);
	if (!(r->total.seconds > 0))
		return refuse(why, bytes, "%s has no time slices", r->path);
	if (r->total.iterations < MIN_ITERATIONS)
		return refuse(why, bytes, "%s has too few iterations: %.0f, and %d are needed",
			      r->path, r->total.iterations, MIN_ITERATIONS);
	if (r->nr_bins < MIN_BINS)
		return refuse(why, bytes, "%s is too short: %zu time slices, and %d are needed",
			      r->path, r->nr_bins, MIN_BINS);
	return true;
}

static bool sides_suit(const struct side sides[2], char *why, size_t bytes)
{
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < sides[side].n; i++) {
			if (!recording_suits(sides[side].recordings[i], sides[0].recordings[0], why,
					     bytes))
				return false;
		}
	}
	return true;
}

struct comparison *comparison__new(const struct side sides[2],
				   const struct compare_options *options, char *why,
				   size_t why_bytes)
{
	struct comparison *c;
	int err;

	if (!sides_suit(sides, why, why_bytes))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c) {
		c->options = *options;
		memcpy(c->sides, sides, sizeof(c->sides));
		c->contention = contention(sides);
		noise__assume(c->contention, &c->run_to_run, &c->run_to_run_lengths);
	}
	err = c ? comparison__metrics(c) : -ENOMEM;
	if (!err)
		err = comparison__sums(c);
	if (!err) {
		decide(c);
		return c;
	}
	snprintf(why, why_bytes, "%s", strerror(-err));
	comparison__free(c);
	return NULL;
}

void comparison__free(struct comparison *c)
{
	if (!c)
		return;
	free(c->sites);
	free(c);
}

const char *judgement__name(enum judgement j)
{
	static const char *const names[] = {
		[JUDGED_NOT] = "not judged", [JUDGED_SAME] = "same", [JUDGED_BETTER] = "better",
		[JUDGED_WORSE] = "worse",    [JUDGED_GONE] = "gone", [JUDGED_NEW] = "new",
	};

	return names[j];
}

bool finding__relative(const struct finding *f, double difference, double *relative)
{
	if (f->before <= 0)
		return false;
	*relative = difference / f->before;
	return true;
}
