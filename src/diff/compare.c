/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Iteration lengths and rates are compared by resampling blocks of bins within each recording;
 * ledger and sites by the same in closed form. What recordings of one side differ by beyond that is
 * added: measured when there are several, assumed when there is one. Each family of findings shares
 * out its part of the false alarms that the whole may raise.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/compare.h"
#include "diff/stats.h"
#include "diff/values.h"
#include "model/histogram.h"
#include "model/intern.h"

enum {
	REPLICATES = 4000,
	MIN_BINS = 5,
	MIN_ITERATIONS = 100,
	MIN_BEYOND = 10, /* iterations beyond a quantile, to speak of it */
};

/* What part of the false alarms each family may raise. */
static const double GATE_PART = 0.5, SITES_PART = 0.3, DETAIL_PART = 0.2;

/* Runs of one program differ by about this much, relatively, when nothing is changed. */
static const double RUN_TO_RUN = 0.015;
static const double RUN_TO_RUN_WEIGHT =
	2; /* in recordings: how much measuring it takes to change that */

/*
 * More where stalls are in good part a wait for a CPU: that is the machine's doing, it comes and
 * goes with its other work, and a short recording does not see it come and go. In runs whose stalls
 * were so for 3 to 14 %, the 99th percentile differed by 24 % (docs/diff.md).
 */
static const double RUN_TO_RUN_CONTENTION = 1.5;

/* A wait of a percent or two lies in few iterations, which the 99th percentile does not notice: in 21 runs
 * with 0.5 to 2.8 % it differed by no more than resampling shows (tests/bench/diff_real.sh). */
static const double LITTLE_CONTENTION = 0.03;

/*
 * And lengths by this much, in any case: what other work does to caches and clocks is nothing to an
 * iteration of milliseconds, and much to one of microseconds.
 */
static const double RUN_TO_RUN_NS = 12000;

/* Differences smaller than these are no one's concern. */
static const double MIN_LENGTH_NS = 5000, MIN_SHARE = 0.0002, MIN_NS_PER_S = 100000;
static const double MIN_SITE_EFFECT = 0.10;

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

enum { NR_GATES = 3, NR_DETAILS = 3 + LEDGER_CLASSES };

const char *metric__name(enum metric m)
{
	return metrics[m].name;
}

enum unit metric__unit(enum metric m)
{
	return metrics[m].unit;
}

/* Shown, but neither better nor worse: no change of the program. */
static bool machines_doing(int class)
{
	return class == LS_RUNQUEUE || class == LS_THROTTLED;
}

/* --- the numbers of a sum of bins --- */

static double quantile(const double *histogram, double total, double q)
{
	double rank = q * total, seen = 0, lower, upper;

	for (unsigned int i = 0; i < LS_HIST_BUCKETS; i++) {
		if (histogram[i] <= 0 || seen + histogram[i] < rank) {
			seen += histogram[i];
			continue;
		}
		lower = (double)histogram__lower_ns(i);
		upper = (double)histogram__lower_ns(i + 1);
		return lower + (upper - lower) * (rank - seen) / histogram[i];
	}
	return 0;
}

static double histogram_total(const double *histogram)
{
	double total = 0;

	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		total += histogram[i];
	return total;
}

static void measure(const struct recording *r, const struct bin *sum, double *values)
{
	double total = histogram_total(sum->histogram), seconds = sum->seconds;
	double loop_ns = seconds * 1e9 * (double)(r->nr_loops ? r->nr_loops : 1);

	for (int m = 0; m < NR_METRICS; m++) {
		if (metrics[m].quantile > 0)
			values[m] = fmax(quantile(sum->histogram, total, metrics[m].quantile), 1);
	}
	values[METRIC_MAX] = r->max_ns;
	values[METRIC_STALLS_PER_S] = sum->stalls / seconds;
	values[METRIC_STALLED_SHARE] = sum->stalled_ns / loop_ns;
	values[METRIC_BUSY_SHARE] = sum->busy_ns / loop_ns;
	values[METRIC_ITERATIONS_PER_S] = sum->iterations / seconds;
}

/* Lengths are compared, and averaged, as ratios. */
static double to_scale(int m, double value)
{
	return metrics[m].unit == UNIT_NS ? log(fmax(value, 1)) : value;
}

/* --- resampling --- */

/* Of one recording: its numbers, the variance that resampling shows, and how many blocks it has. */
struct estimate {
	double value[NR_METRICS], variance[NR_METRICS]; /* on the metric's scale */
	double nr_blocks;
};

/* Series whose dependence on their neighbours sets the block length. */
static size_t choose_block(const struct recording *r)
{
	double slow_ns = quantile(r->total.histogram, histogram_total(r->total.histogram), 0.9);
	double series[3][MAX_BINS];
	size_t block = 1, length;
	unsigned int from = 0;

	while (from + 1 < LS_HIST_BUCKETS && (double)histogram__lower_ns(from + 1) <= slow_ns)
		from++;
	for (size_t i = 0; i < r->nr_bins; i++) {
		double slow = 0;

		for (unsigned int b = from; b < LS_HIST_BUCKETS; b++)
			slow += r->bins[i].histogram[b];
		series[0][i] = r->bins[i].iterations > 0 ? slow / r->bins[i].iterations : 0;
		series[1][i] = r->bins[i].stalls / r->bins[i].seconds;
		series[2][i] = r->bins[i].stalled_ns / r->bins[i].seconds;
	}
	for (int s = 0; s < 3; s++) {
		length = stats__block_length(series[s], r->nr_bins);
		block = length > block ? length : block;
	}
	return block;
}

/* The buckets in use, side by side: what resampling adds up most often. */
struct packed {
	unsigned int from, n;
	double *rows; /* nr_bins rows of n */
};

static int pack(const struct recording *r, struct packed *p)
{
	unsigned int to = 0;

	p->from = LS_HIST_BUCKETS;
	for (unsigned int i = 0; i < LS_HIST_BUCKETS; i++) {
		if (r->total.histogram[i] <= 0)
			continue;
		p->from = i < p->from ? i : p->from;
		to = i + 1;
	}
	p->n = to > p->from ? to - p->from : 0;
	p->rows = calloc(r->nr_bins * p->n + 1, sizeof(*p->rows));
	for (size_t i = 0; i < r->nr_bins && p->rows; i++)
		memcpy(p->rows + i * p->n, r->bins[i].histogram + p->from, p->n * sizeof(*p->rows));
	return p->rows ? 0 : -ENOMEM;
}

static void add_row(struct bin *sum, const struct recording *r, const struct packed *p, size_t i)
{
	const double *restrict row = p->rows + i * p->n;
	double *restrict histogram = sum->histogram + p->from;

	for (unsigned int b = 0; b < p->n; b++)
		histogram[b] += row[b];
	sum->seconds += r->bins[i].seconds;
	sum->iterations += r->bins[i].iterations;
	sum->stalls += r->bins[i].stalls;
	sum->stalled_ns += r->bins[i].stalled_ns;
	sum->busy_ns += r->bins[i].busy_ns;
}

/* One replicate: blocks from anywhere, the series closed to a ring, until there are as many bins.
 */
static void resample(const struct recording *r, const struct packed *p, size_t block,
		     struct rng *rng, struct bin *sum)
{
	size_t i = 0;

	memset(sum, 0, sizeof(*sum));
	for (size_t n = 0; n < r->nr_bins; n++) {
		if (n % block == 0)
			i = rng__below(rng, (uint32_t)r->nr_bins);
		add_row(sum, r, p, i);
		i = (i + 1) % r->nr_bins;
	}
}

/* Adds `weight` of each replicate to replicates[metric][REPLICATES]. */
static int bootstrap(const struct recording *r, struct rng *rng, double weight,
		     double (*replicates)[REPLICATES], struct estimate *e)
{
	double sum[NR_METRICS] = {0}, squares[NR_METRICS] = {0}, values[NR_METRICS], v, d;
	size_t block = choose_block(r);
	struct packed p;
	struct bin bins;

	e->nr_blocks = (double)r->nr_bins / (double)block;
	measure(r, &r->total, values);
	for (int m = 0; m < NR_METRICS; m++)
		e->value[m] = to_scale(m, values[m]);
	if (pack(r, &p) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < REPLICATES; i++) {
		resample(r, &p, block, rng, &bins);
		measure(r, &bins, values);
		for (int m = 0; m < NR_METRICS; m++) {
			v = to_scale(m, values[m]);
			d = v - e->value[m];
			sum[m] += d;
			squares[m] += d * d;
			replicates[m][i] += weight * v;
		}
	}
	for (int m = 0; m < NR_METRICS; m++)
		e->variance[m] = fmax(0, squares[m] / REPLICATES - pow(sum[m] / REPLICATES, 2));
	free(p.rows);
	return 0;
}

/* --- between recordings --- */

struct spread {
	double variance; /* of the difference of the sides' means, beyond what resampling shows */
	double df;       /* how well it is known */
};

static double mean(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n ? sum / (double)n : 0;
}

/*
 * values[side][recording] and what resampling says of each one's variance. The spread that runs
 * show beyond that, weighed against what is assumed of it.
 */
static struct spread spread_of(double *const values[2], double *const variances[2],
			       const size_t n[2], double run_to_run)
{
	double squares = 0, within = 0, df = 0, all = (double)(n[0] + n[1]), m;
	double assumed = run_to_run * run_to_run, measured, weight;
	double per_side = 1 / (double)n[0] + 1 / (double)n[1];
	struct spread s;

	for (int side = 0; side < 2; side++) {
		m = mean(values[side], n[side]);
		for (size_t i = 0; i < n[side]; i++) {
			squares += pow(values[side][i] - m, 2);
			within += variances[side][i] / all;
		}
		df += (double)(n[side] - 1);
	}
	measured = df > 0 ? fmax(0, squares / df - within) : 0;
	weight = df / (df + RUN_TO_RUN_WEIGHT);
	s.variance = per_side * ((1 - weight) * assumed + weight * measured);
	s.df = measured > 0 ? df * pow(s.variance / (per_side * weight * measured), 2) : INFINITY;
	return s;
}

/* --- metrics --- */

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
			err = bootstrap(from->recordings[i], &rng, 1 / (double)from->n,
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
	m = mean(differences, REPLICATES); /* too far out to count replicates */
	for (size_t i = 0; i < REPLICATES; i++)
		se += pow(differences[i] - m, 2) / REPLICATES;
	*low = fmin(center - t * sqrt(se), differences[0]);
	*high = fmax(center + t * sqrt(se), differences[REPLICATES - 1]);
}

static void widen(double center, double by, double *low, double *high)
{
	*low = center - hypot(center - *low, by);
	*high = center + hypot(*high - center, by);
}

/*
 * The most that after - before can be where both may be off by a factor of exp(half), either way, and
 * resampling makes it `width` more: the worst of both together, as they are independent. What
 * resampling shows is in proportion to the sums, so it shrinks and grows with them.
 */
static double farthest(double before, double after, double half, double width)
{
	enum { STEPS = 64 };
	double most = after - before + width, a, b, v, at;

	for (int i = 1; i <= STEPS; i++) {
		v = (double)i / STEPS;
		a = after * exp(v * half);
		b = before * exp(-v * half);
		at = a - b + sqrt(1 - v * v) * width * (a + b) / (after + before);
		most = fmax(most, at);
	}
	return most;
}

/*
 * Likewise for sums and rates. Runs differ in proportion, so what is nothing on one side owes nothing to
 * that, and keeps its sign: the noise is on the ratio of the sides, `by` as a part of the greater, half of
 * it to each.
 */
static void widen_ratio(double before, double after, double by, double *low, double *high)
{
	double greater = fmax(before, after), center = after - before;
	double half = greater > 0 ? fmin(by / greater / 2, 50) : 0;

	if (half <= 0)
		return;
	*low = -farthest(after, before, half, center - *low);
	*high = farthest(before, after, half, *high - center);
}

/* Estimates of one metric as arrays, for spread_of. */
static struct spread metric_spread(const struct comparison *c, const struct resampled *s, int m,
				   double run_to_run)
{
	size_t n[2] = {c->sides[0].n, c->sides[1].n};
	double *values[2], *variances[2];
	struct spread spread = {.df = INFINITY};

	for (int side = 0; side < 2; side++) {
		values[side] = calloc(n[side], sizeof(double));
		variances[side] = calloc(n[side], sizeof(double));
		for (size_t i = 0; i < n[side] && values[side] && variances[side]; i++) {
			values[side][i] = s->estimates[side][i].value[m];
			variances[side][i] = s->estimates[side][i].variance[m];
		}
	}
	if (values[0] && values[1] && variances[0] && variances[1])
		spread = spread_of(values, variances, n, run_to_run);
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
		sum += histogram_total(side->recordings[i]->total.histogram);
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

/* Beyond the noise is not enough: it must also be large enough to matter. */
static enum judgement judge(const struct finding *f, double min_effect, double min_difference)
{
	double difference = f->after - f->before;

	if (f->low <= 0 && f->high >= 0)
		return JUDGED_SAME;
	if (fabs(difference) < min_difference || fabs(difference) < min_effect * f->before)
		return JUDGED_SAME;
	return difference > 0 ? JUDGED_WORSE : JUDGED_BETTER;
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
		widen(b - a, noise, &f->low, &f->high);
	else
		widen_ratio(a, b, noise, &f->low, &f->high);
	f->before = logarithmic ? exp(a) : a;
	f->after = logarithmic ? exp(b) : b;
	if (logarithmic) {
		f->low = f->before * expm1(f->low);
		f->high = f->before * expm1(f->high);
		widen(f->after - f->before, short_noise(c, tail), &f->low, &f->high);
	}
	f->low = fmax(f->low, -f->before); /* nothing falls below zero */
	f->gates = metrics[m].gates;
	f->too_few = !enough(c, m);
	if (metrics[m].judged && !f->too_few)
		f->judgement = judge(f, c->options.min_effect, min);
}

static int compare_metrics(struct comparison *c)
{
	double alarms = 1 - c->options.confidence;
	struct resampled s = {0};
	int err = resample_sides(c, &s);

	for (int m = 0; m < NR_METRICS && !err; m++)
		compare_metric(c, &s, m,
			       metrics[m].gates ? alarms * GATE_PART / NR_GATES / 2
						: alarms * DETAIL_PART / NR_DETAILS / 2);
	free_resampled(&s);
	return err;
}

/* --- sums a second: ledger and sites --- */

/* A series of one recording: nanoseconds a second in each bin. NULL: all zero. */
typedef const double *(*series_fn)(const struct recording *r, const void *arg, double *buf);

struct sums {
	double *values[2], *variances[2]; /* one a recording */
	double nr_blocks;                 /* of the side with fewer */
};

static void measure_sums(const struct comparison *c, series_fn series, const void *arg,
			 struct sums *s)
{
	double buf[MAX_BINS], blocks[2] = {0};
	const struct recording *r;
	const double *v;
	size_t block;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < c->sides[side].n; i++) {
			r = c->sides[side].recordings[i];
			v = series(r, arg, buf);
			block = v ? stats__block_length(v, r->nr_bins) : 1;
			s->values[side][i] = v ? mean(v, r->nr_bins) : 0;
			s->variances[side][i] = v ? stats__mean_variance(v, r->nr_bins, block) : 0;
			blocks[side] += (double)r->nr_bins / (double)block;
		}
	}
	s->nr_blocks = fmin(blocks[0], blocks[1]);
}

static void compare_sums(const struct comparison *c, series_fn series, const void *arg,
			 const struct sums *scratch, double tail, struct finding *f)
{
	size_t n[2] = {c->sides[0].n, c->sides[1].n};
	struct sums s = *scratch;
	double variance = 0, half;
	struct spread spread;

	measure_sums(c, series, arg, &s);
	f->unit = UNIT_NS_PER_S;
	f->before = mean(s.values[0], n[0]);
	f->after = mean(s.values[1], n[1]);
	for (int side = 0; side < 2; side++)
		variance += mean(s.variances[side], n[side]) / (double)n[side];
	spread = spread_of(s.values, s.variances, n, fmax(f->before, f->after) * c->run_to_run);
	half = stats__t_quantile(tail, fmax(s.nr_blocks - 1, 2)) * sqrt(variance);
	f->low = f->after - f->before - half;
	f->high = f->after - f->before + half;
	widen_ratio(f->before, f->after, stats__t_quantile(tail, spread.df) * sqrt(spread.variance),
		    &f->low, &f->high);
	f->low = fmax(f->low, -f->before);
	f->judgement = judge(f, fmax(c->options.min_effect, MIN_SITE_EFFECT), MIN_NS_PER_S);
}

static int make_scratch(const struct comparison *c, struct sums *s)
{
	for (int side = 0; side < 2; side++) {
		s->values[side] = calloc(c->sides[side].n, sizeof(double));
		s->variances[side] = calloc(c->sides[side].n, sizeof(double));
		if (!s->values[side] || !s->variances[side])
			return -ENOMEM;
	}
	return 0;
}

static void free_scratch(struct sums *s)
{
	for (int side = 0; side < 2; side++) {
		free(s->values[side]);
		free(s->variances[side]);
	}
}

static const double *ledger_series(const struct recording *r, const void *arg, double *buf)
{
	const int *class = arg;

	for (size_t i = 0; i < r->nr_bins; i++)
		buf[i] = r->bins[i].ledger_ns[*class] / r->bins[i].seconds;
	return buf;
}

static void compare_ledger(struct comparison *c, const struct sums *scratch)
{
	double tail = (1 - c->options.confidence) * DETAIL_PART / NR_DETAILS / 2;

	for (int i = 0; i < LEDGER_CLASSES; i++) {
		c->ledger[i].name = ledger_class__name(i);
		compare_sums(c, ledger_series, &i, scratch, tail, &c->ledger[i]);
		if (machines_doing(i))
			c->ledger[i].judgement = JUDGED_NOT;
	}
}

/* --- sites --- */

/* Which site of each recording has a key: numbers in sites[], by recording, before's first. */
struct site_table {
	struct intern *keys;
	int32_t *numbers; /* keys x recordings; -1 none */
	size_t nr_recordings;
};

struct site_arg {
	const struct comparison *c;
	const struct site_table *table;
	size_t key;
};

static size_t recording_number(const struct comparison *c, const struct recording *r)
{
	for (size_t i = 0; i < c->sides[0].n; i++) {
		if (c->sides[0].recordings[i] == r)
			return i;
	}
	for (size_t i = 0; i < c->sides[1].n; i++) {
		if (c->sides[1].recordings[i] == r)
			return c->sides[0].n + i;
	}
	return 0;
}

static const struct rec_site *site_in(const struct site_arg *a, const struct recording *r)
{
	int32_t number =
		a->table->numbers[a->key * a->table->nr_recordings + recording_number(a->c, r)];

	return number < 0 ? NULL : &r->sites[number];
}

static const double *site_series(const struct recording *r, const void *arg, double *buf)
{
	const struct rec_site *site = site_in(arg, r);

	for (size_t i = 0; i < r->nr_bins && site; i++)
		buf[i] = site->bin_ns[i] / r->bins[i].seconds;
	return site ? buf : NULL;
}

static int build_table(const struct comparison *c, struct site_table *t)
{
	size_t nr = c->sides[0].n + c->sides[1].n;
	const struct recording *r;
	int64_t id;

	t->nr_recordings = nr;
	t->keys = intern__new(SIZE_MAX);
	if (!t->keys)
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < nr; i++) {
			r = i < c->sides[0].n ? c->sides[0].recordings[i]
					      : c->sides[1].recordings[i - c->sides[0].n];
			for (size_t s = 0; s < r->nr_sites; s++) {
				id = intern__id(t->keys, r->sites[s].key,
						strlen(r->sites[s].key) + 1);
				if (id < 0)
					return (int)id;
				if (pass)
					t->numbers[(size_t)id * nr + i] = (int32_t)s;
			}
		}
		if (pass)
			break;
		t->numbers = malloc((intern__count(t->keys) * nr + 1) * sizeof(*t->numbers));
		if (!t->numbers)
			return -ENOMEM;
		memset(t->numbers, 0xff, intern__count(t->keys) * nr * sizeof(*t->numbers));
	}
	return 0;
}

static void describe_site(const struct site_arg *a, struct site_finding *site)
{
	const struct rec_site *s, *most = NULL;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < a->c->sides[side].n; i++) {
			s = site_in(a, a->c->sides[side].recordings[i]);
			if (!s)
				continue;
			site->stalls[side] += s->stalls / (double)a->c->sides[side].n;
			site->total_ns[side] += s->ns / (double)a->c->sides[side].n;
			site->max_ns[side] = fmax(site->max_ns[side], s->max_ns);
			most = most && most->ns >= s->ns ? most : s;
		}
	}
	if (!most)
		return;
	site->f.name = most->name;
	site->cause = most->cause;
	site->line = most->line;
	site->callee = most->callee;
	site->call = most->call;
}

static void compare_site(const struct site_arg *a, const struct sums *scratch, double tail,
			 struct site_finding *site)
{
	describe_site(a, site);
	site->f.gates = !machines_doing((int)site->cause);
	compare_sums(a->c, site_series, a, scratch, tail, &site->f);
	if (!site->f.gates)
		site->f.judgement = JUDGED_NOT;
	if (site->f.judgement == JUDGED_WORSE && site->total_ns[0] <= 0)
		site->f.judgement = JUDGED_NEW;
	if (site->f.judgement == JUDGED_BETTER && site->total_ns[1] <= 0)
		site->f.judgement = JUDGED_GONE;
}

/* Sites that could be found different at all share the family's false alarms. */
static size_t nr_weighty_sites(const struct comparison *c, const struct site_table *t,
			       const struct sums *scratch)
{
	struct site_arg a = {.c = c, .table = t};
	struct sums s = *scratch;
	size_t n = 0;

	for (a.key = 0; a.key < intern__count(t->keys); a.key++) {
		measure_sums(c, site_series, &a, &s);
		n += fmax(mean(s.values[0], c->sides[0].n), mean(s.values[1], c->sides[1].n)) >=
		     MIN_NS_PER_S;
	}
	return n ? n : 1;
}

static int by_change(const void *a, const void *b)
{
	const struct site_finding *x = a, *y = b;
	double dx = fabs(x->f.after - x->f.before), dy = fabs(y->f.after - y->f.before);
	bool jx = x->f.judgement > JUDGED_SAME, jy = y->f.judgement > JUDGED_SAME;

	if (jx != jy)
		return jx ? -1 : 1;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	return strcmp(x->f.name, y->f.name);
}

static int compare_sites(struct comparison *c, const struct sums *scratch)
{
	struct site_table table = {0};
	struct site_arg a = {.c = c, .table = &table};
	int err = build_table(c, &table);
	double tail;

	if (err)
		goto out;
	c->nr_sites = intern__count(table.keys);
	c->sites = calloc(c->nr_sites + 1, sizeof(*c->sites));
	err = c->sites ? 0 : -ENOMEM;
	if (err)
		goto out;
	tail = (1 - c->options.confidence) * SITES_PART / 2 /
	       (double)nr_weighty_sites(c, &table, scratch);
	for (a.key = 0; a.key < c->nr_sites; a.key++)
		compare_site(&a, scratch, tail, &c->sites[a.key]);
	qsort(c->sites, c->nr_sites, sizeof(*c->sites), by_change);
out:
	intern__free(table.keys);
	free(table.numbers);
	return err;
}

/* --- the whole --- */

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
	struct sums scratch = {0};
	int err;

	if (!sides_suit(sides, why, why_bytes))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c) {
		c->options = *options;
		memcpy(c->sides, sides, sizeof(c->sides));
		c->contention = contention(sides);
		c->run_to_run = hypot(RUN_TO_RUN, RUN_TO_RUN_CONTENTION * c->contention);
		c->run_to_run_lengths =
			hypot(RUN_TO_RUN, RUN_TO_RUN_CONTENTION * c->contention * c->contention /
						  (c->contention + LITTLE_CONTENTION));
	}
	err = c ? make_scratch(c, &scratch) : -ENOMEM;
	if (!err)
		err = compare_metrics(c);
	if (!err) {
		compare_ledger(c, &scratch);
		err = compare_sites(c, &scratch);
	}
	free_scratch(&scratch);
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
