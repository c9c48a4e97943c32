/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lengths of iterations and rates: each side resampled, and the differences of the replicates. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "diff/bootstrap.h"
#include "diff/compare_internal.h"
#include "diff/noise.h"
#include "diff/stats.h"
#include "diff/values.h"

enum { MIN_BEYOND = 10 /* iterations beyond a quantile, to speak of it */ };

/*
 * Lengths of two runs differ by this much, in any case: what other work does to caches and clocks is nothing to an
 * iteration of milliseconds, and much to one of microseconds.
 */
static const double RUN_TO_RUN_NS = 12000;

/* Differences smaller than these are no one's concern. */
static const double MIN_LENGTH_NS = 5000, MIN_SHARE = 0.0002;

static const struct {
	const char *name;
	enum unit unit;
	double quantile; /* 0: none */
	bool gates, judged;
} metrics[NR_METRICS] = {
	[METRIC_P50] = {"p50", UNIT_NS, 0.5, false, true},
	[METRIC_P90] = {"p90", UNIT_NS, 0.9, false, true},
	[METRIC_P99] = {"p99", UNIT_NS, 0.99, true, true},
	[METRIC_P999] = {"p99.9", UNIT_NS, 0.999, false, true},
	[METRIC_MAX] = {"max", UNIT_NS, 0, false, false},
	[METRIC_STALLS_PER_S] = {"stalls_per_s", UNIT_PER_S, 0, true, true},
	[METRIC_STALLED_SHARE] = {"stalled_share", UNIT_SHARE, 0, true, true},
	[METRIC_BUSY_SHARE] = {"busy_share", UNIT_SHARE, 0, false, false},
	[METRIC_ITERATIONS_PER_S] = {"iterations_per_s", UNIT_PER_S, 0, false, false},
};

const char *metric__name(enum metric m)
{
	return metrics[m].name;
}

enum unit metric__unit(enum metric m)
{
	return metrics[m].unit;
}

double metric__quantile(enum metric m)
{
	return metrics[m].quantile;
}

struct resampled {
	double (*replicates[2])[REPLICATES]; /* [metric][replicate], mean of the side's recordings
					      */
	struct estimate *estimates[2];
};

static void free_resampled(struct resampled *s)
{
	for (int side = 0; side < 2; side++) {
		free(s->replicates[side]);
		free(s->estimates[side]);
	}
}

static int resample_sides(const struct comparison *c, struct resampled *s)
{
	struct rng rng = {.state = 0x6c6f6f707374616c};
	int err = 0;

	for (int side = 0; side < 2; side++) {
		const struct side *from = &c->sides[side];

		s->replicates[side] = calloc(NR_METRICS, sizeof(*s->replicates[side]));
		s->estimates[side] = calloc(from->n, sizeof(*s->estimates[side]));
		if (!s->replicates[side] || !s->estimates[side])
			return -ENOMEM;
		for (size_t i = 0; i < from->n && !err; i++)
			err = bootstrap__add(from->recordings[i], &rng, 1 / (double)from->n,
					     s->replicates[side], &s->estimates[side][i]);
	}
	return err;
}

/* The interval of a difference that resampling gives: percentiles, wider the fewer blocks there are
 * (Hesterberg 2015, section 5.3: they are too narrow by that much). */
static void percentile_interval(double *differences, double center, double tail, double nr_blocks,
				double *low, double *high)
{
	double t = stats__t_quantile(tail, fmax(nr_blocks - 1, 2)) *
		   sqrt(nr_blocks / fmax(nr_blocks - 1, 1));
	double at = stats__normal_tail(t) * REPLICATES, m, se = 0;

	stats__sort(differences, REPLICATES);
	if (at >= 4) {
		*low = differences[(size_t)at];
		*high = differences[REPLICATES - 1 - (size_t)at];
		return;
	}
	m = noise__mean(differences, REPLICATES); /* too far out to count replicates */
	for (size_t i = 0; i < REPLICATES; i++)
		se += pow(differences[i] - m, 2) / REPLICATES;
	*low = fmin(center - t * sqrt(se), differences[0]);
	*high = fmax(center + t * sqrt(se), differences[REPLICATES - 1]);
}

/* Estimates of one metric as arrays, for noise__spread. */
static struct spread metric_spread(const struct comparison *c, const struct resampled *s, int m,
				   double run_to_run)
{
	size_t n[2] = {c->sides[0].n, c->sides[1].n};
	double *values[2], *variances[2];
	struct spread spread = {.df = INFINITY};

	for (int side = 0; side < 2; side++) {
		values[side] = calloc(n[side] + 1, sizeof(double));
		variances[side] = calloc(n[side] + 1, sizeof(double));
		for (size_t i = 0; i < n[side] && values[side] && variances[side]; i++) {
			values[side][i] = s->estimates[side][i].value[m];
			variances[side][i] = s->estimates[side][i].variance[m];
		}
	}
	if (values[0] && values[1] && variances[0] && variances[1])
		spread = noise__spread(values, variances, n, run_to_run);
	for (int side = 0; side < 2; side++) {
		free(values[side]);
		free(variances[side]);
	}
	return spread;
}

static double side_mean(const struct comparison *c, const struct resampled *s, int side, int m)
{
	double sum = 0;

	for (size_t i = 0; i < c->sides[side].n; i++)
		sum += s->estimates[side][i].value[m];
	return sum / (double)c->sides[side].n;
}

static double least_blocks(const struct comparison *c, const struct resampled *s)
{
	double least = INFINITY, sum;

	for (int side = 0; side < 2; side++) {
		sum = 0;
		for (size_t i = 0; i < c->sides[side].n; i++)
			sum += s->estimates[side][i].nr_blocks;
		least = fmin(least, sum);
	}
	return least;
}

double side__iterations(const struct side *side)
{
	double sum = 0;

	for (size_t i = 0; i < side->n; i++)
		sum += bootstrap__total(side->recordings[i]->total.histogram);
	return sum;
}

double metric__least_iterations(enum metric m)
{
	return metrics[m].quantile > 0 ? ceil(MIN_BEYOND / (1 - metrics[m].quantile) - 1e-6) : 0;
}

static bool enough(const struct comparison *c, int m)
{
	double least = metric__least_iterations(m);

	return side__iterations(&c->sides[0]) >= least && side__iterations(&c->sides[1]) >= least;
}

/* See RUN_TO_RUN_NS. */
static double short_noise(const struct comparison *c, double tail)
{
	double per_side = 1 / (double)c->sides[0].n + 1 / (double)c->sides[1].n;

	return stats__normal_quantile(tail) * RUN_TO_RUN_NS * sqrt(per_side);
}

static void compare_metric(struct comparison *c, const struct resampled *s, int m, double tail)
{
	double a = side_mean(c, s, 0, m), b = side_mean(c, s, 1, m);
	bool logarithmic = metrics[m].unit == UNIT_NS;
	struct spread spread = metric_spread(c, s, m,
					     logarithmic ? c->run_to_run_lengths
							 : c->run_to_run * fmax(fabs(a), fabs(b)));
	struct finding *f = &c->metrics[m];
	double min = logarithmic ? MIN_LENGTH_NS : metrics[m].unit == UNIT_SHARE ? MIN_SHARE : 0;
	double noise;

	*f = (struct finding){.name = metrics[m].name, .unit = metrics[m].unit};
	for (size_t i = 0; i < REPLICATES; i++)
		s->replicates[1][m][i] -= s->replicates[0][m][i];
	percentile_interval(s->replicates[1][m], b - a, tail, least_blocks(c, s), &f->low,
			    &f->high);
	noise = stats__t_quantile(tail, spread.df) * sqrt(spread.variance);
	if (logarithmic)
		noise__widen(b - a, noise, &f->low, &f->high);
	else
		noise__widen_ratio(a, b, noise, &f->low, &f->high);
	f->before = logarithmic ? exp(a) : a;
	f->after = logarithmic ? exp(b) : b;
	if (logarithmic) {
		f->low = f->before * expm1(f->low);
		f->high = f->before * expm1(f->high);
		noise__widen(f->after - f->before, short_noise(c, tail), &f->low, &f->high);
	}
	f->low = fmax(f->low, -f->before); /* nothing falls below zero */
	f->gates = metrics[m].gates;
	f->too_few = !enough(c, m);
	if (metrics[m].judged && !f->too_few)
		f->judgement = finding__judge(f, c->options.min_effect, min);
}

int comparison__metrics(struct comparison *c)
{
	struct resampled s = {0};
	int err = resample_sides(c, &s);

	for (int m = 0; m < NR_METRICS && !err; m++)
		compare_metric(c, &s, m,
			       metrics[m].gates ? comparison__tail(c, FAMILY_GATES, NR_GATES)
						: comparison__tail(c, FAMILY_DETAILS, NR_DETAILS));
	free_resampled(&s);
	return err;
}
