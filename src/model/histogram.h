/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Histograms of iteration lengths: base 2, LS_HIST_SUB linear buckets a power of two, counted in BPF
 * (bpf/account.h has the same bucket function) and read here.
 */
#ifndef LS_MODEL_HISTOGRAM_H
#define LS_MODEL_HISTOGRAM_H

#include <stdint.h>

#include "events.h"

/* Lengths of bucket `i` lie in [lower(i), lower(i + 1)); nanoseconds. */
uint64_t histogram__lower_ns(unsigned int i);

uint64_t histogram__total(const uint32_t buckets[LS_HIST_BUCKETS]);

/* The length below which a share q (0..1) of the iterations lies; linear within a bucket, never more
 * than max_ns (pass UINT64_MAX if unknown). 0 when empty. */
uint64_t histogram__quantile_ns(const uint32_t buckets[LS_HIST_BUCKETS], double q, uint64_t max_ns);

/* The middle of the bucket in which the quantile lies: with LS_HIST_SUB buckets a power of two never
 * further from it than 6.25 %. 0 when empty. */
uint64_t histogram__middle_ns(const uint32_t buckets[LS_HIST_BUCKETS], double q);

#endif
