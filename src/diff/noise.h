/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How much recordings of one program differ among themselves, beyond what resampling each shows. */
#ifndef LS_DIFF_NOISE_H
#define LS_DIFF_NOISE_H

#include <stddef.h>

struct spread {
	double variance; /* of the difference of the sides' means, beyond what resampling shows */
	double df;       /* how well it is known */
};

/* What single runs are taken to differ by, relatively, where `contention` of the stalled time was a wait for a CPU:
 * rates and sums; lengths. */
void noise__assume(double contention, double *sums, double *lengths);

/*
 * values[side][recording] and what resampling says of each one's variance. The spread that runs
 * show beyond that, weighed against what is assumed of it.
 */
struct spread noise__spread(double *const values[2], double *const variances[2], const size_t n[2],
			    double run_to_run);

/* An interval about `center`, wider by `by` to either side: independent, so squares add up. */
void noise__widen(double center, double by, double *low, double *high);

/* That of after - before, when runs differ in proportion. */
void noise__widen_ratio(double before, double after, double by, double *low, double *high);

double noise__mean(const double *v, size_t n); /* 0 of none */

#endif
