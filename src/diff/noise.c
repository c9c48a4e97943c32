/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs of one program differ by more than resampling shows within them: how much is assumed of single ones,
 * what several show, and what either does to an interval.
 */
#include <math.h>

#include "diff/noise.h"

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

void noise__assume(double contention, double *sums, double *lengths)
{
	*sums = hypot(RUN_TO_RUN, RUN_TO_RUN_CONTENTION * contention);
	*lengths = hypot(RUN_TO_RUN, RUN_TO_RUN_CONTENTION * contention * contention /
					     (contention + LITTLE_CONTENTION));
}

double noise__mean(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return n ? sum / (double)n : 0;
}

struct spread noise__spread(double *const values[2], double *const variances[2], const size_t n[2],
			    double run_to_run)
{
	double squares = 0, within = 0, df = 0, all = (double)(n[0] + n[1]), m;
	double assumed = run_to_run * run_to_run, measured, weight;
	double per_side = 1 / (double)n[0] + 1 / (double)n[1];
	struct spread s;

	for (int side = 0; side < 2; side++) {
		m = noise__mean(values[side], n[side]);
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

void noise__widen(double center, double by, double *low, double *high)
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
void noise__widen_ratio(double before, double after, double by, double *low, double *high)
{
	double greater = fmax(before, after), center = after - before;
	double half = greater > 0 ? fmin(by / greater / 2, 50) : 0;

	if (half <= 0)
		return;
	*low = -farthest(after, before, half, center - *low);
	*high = farthest(before, after, half, *high - center);
}
