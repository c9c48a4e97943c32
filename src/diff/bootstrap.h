/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a recording's metrics are, and how much they vary by what its bins show. */
#ifndef LS_DIFF_BOOTSTRAP_H
#define LS_DIFF_BOOTSTRAP_H

#include "diff/compare.h"
#include "diff/stats.h"

enum { REPLICATES = 4000 };

/* Of one recording: its numbers, the variance that resampling shows, and how many blocks it has. */
struct estimate {
	double value[NR_METRICS], variance[NR_METRICS]; /* on the metric's scale */
	double nr_blocks;
};

/* Adds `weight` of each replicate to replicates[metric][REPLICATES]. 0 or -errno. */
int bootstrap__add(const struct recording *r, struct rng *rng, double weight,
		   double (*replicates)[REPLICATES], struct estimate *e);

/* Iterations in a histogram of LS_HIST_BUCKETS. */
double bootstrap__total(const double *histogram);

#endif
