/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>

#include "model/histogram.h"

uint64_t histogram__lower_ns(unsigned int i)
{
	unsigned int power = i / LS_HIST_SUB, sub = i % LS_HIST_SUB;

	if (power == 0)
		return sub;
	return (uint64_t)(LS_HIST_SUB + sub) << (power - 1);
}

uint64_t histogram__total(const uint32_t buckets[LS_HIST_BUCKETS])
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < LS_HIST_BUCKETS; i++)
		total += buckets[i];
	return total;
}

uint64_t histogram__quantile_ns(const uint32_t buckets[LS_HIST_BUCKETS], double q, uint64_t max_ns)
{
	double rank = q * (double)histogram__total(buckets), seen = 0;
	uint64_t lower, upper;

	if (rank <= 0)
		return 0;
	for (unsigned int i = 0; i < LS_HIST_BUCKETS; i++) {
		if (!buckets[i] || seen + buckets[i] < rank) {
			seen += buckets[i];
			continue;
		}
		lower = histogram__lower_ns(i);
		upper = histogram__lower_ns(i + 1);
		if (upper > max_ns)
			upper = max_ns > lower ? max_ns : lower;
		return lower + (uint64_t)((double)(upper - lower) * (rank - seen) / buckets[i]);
	}
	return max_ns;
}

uint64_t histogram__middle_ns(const uint32_t buckets[LS_HIST_BUCKETS], double q)
{
	uint64_t rank = ceil(q * (double)histogram__total(buckets)), seen = 0;

	for (unsigned int i = 0; rank && i < LS_HIST_BUCKETS; i++) {
		seen += buckets[i];
		if (seen >= rank)
			return (histogram__lower_ns(i) + histogram__lower_ns(i + 1)) / 2;
	}
	return 0;
}
