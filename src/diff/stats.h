/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* As much statistics as a comparison takes. */
#ifndef LS_DIFF_STATS_H
#define LS_DIFF_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Tail probabilities and quantiles of the normal distribution: P(Z > z), and z with P(Z > z) = p.
 */
double stats__normal_tail(double z);
double stats__normal_quantile(double tail);
/* t with P(T > t) = tail, for `df` degrees of freedom; the normal's beyond 1e6. */
double stats__t_quantile(double tail, double df);

/* A sequence that is the same in every run: equal files give equal verdicts. */
struct rng {
	uint64_t state;
};
uint64_t rng__next(struct rng *r);
/* 0 .. n-1 */
uint32_t rng__below(struct rng *r, uint32_t n);

/*
 * The block length for resampling a series: 1 when its values do not depend on their neighbours,
 * longer the more they do; at most a quarter of n.
 */
size_t stats__block_length(const double *series, size_t n);

/* Variance of the mean of a series in blocks of `block`: what resampling such blocks would give. */
double stats__mean_variance(const double *series, size_t n, size_t block);

/* Sorts ascending. */
void stats__sort(double *v, size_t n);

#endif
