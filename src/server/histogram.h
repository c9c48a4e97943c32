/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Times in doubling buckets from 0.1 ms to 13 s, as Prometheus wants them. One thread only. */
#ifndef SERVER_HISTOGRAM_H
#define SERVER_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 18 /* bucket i holds up to 100 us << i; one more for the rest */

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS + 1];
	uint64_t sum_ns;
	uint64_t count;
};

static inline uint64_t histogram__limit_ns(unsigned int bucket)
{
	return 100000ull << bucket;
}

static inline void histogram__add(struct histogram *h, uint64_t ns)
{
	unsigned int i = 0;

	while (i < HISTOGRAM_BUCKETS && ns > histogram__limit_ns(i))
		i++;
	h->counts[i]++;
	h->count++;
	h->sum_ns += ns;
}

#endif
