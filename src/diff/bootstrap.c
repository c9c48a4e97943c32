/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Resampling: blocks of a recording's bins, drawn at random, and the metrics computed anew of each draw. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff/bootstrap.h"
#include "diff/compare_internal.h"
#include "diff/values.h"
#include "model/histogram.h"

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

double bootstrap__total(const double *histogram)
{
	double total = 0;

	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		total += histogram[i];
	return total;
}

static void measure(const struct recording *r, const struct bin *sum, double *values)
{
	double total = bootstrap__total(sum->histogram), seconds = sum->seconds;
	double loop_ns = seconds * 1e9 * (double)(r->nr_loops ? r->nr_loops : 1);

	for (int m = 0; m < NR_METRICS; m++) {
		if (metric__quantile(m) > 0)
			values[m] = fmax(quantile(sum->histogram, total, metric__quantile(m)), 1);
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
	return metric__unit(m) == UNIT_NS ? log(fmax(value, 1)) : value;
}

/* Series whose dependence on their neighbours sets the block length. */
static size_t choose_block(const struct recording *r)
{
	double slow_ns = quantile(r->total.histogram, bootstrap__total(r->total.histogram), 0.9);
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

int bootstrap__add(const struct recording *r, struct rng *rng, double weight,
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
