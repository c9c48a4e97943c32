/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The numbers behind /metrics. Two sources: the states of the loops, counted in the kernel and read in
 * place (metrics__observe), and finished stalls, which come as to any reporter. Every counter is 64
 * bits wide and outlives the loop thread: its series stays until it expires, and goes on when the same
 * process shows the same loop again after an exec.
 */
#ifndef LS_EXPORT_METRICS_H
#define LS_EXPORT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "export/labels.h"
#include "export/sites.h"
#include "model/stall.h"

enum {
	ITERATION_POWERS = 22, /* 2^12 ns (4 us) to 2^34 ns (17 s) */
	ITERATION_BUCKETS_MAX = ITERATION_POWERS * LS_HIST_SUB + 2, /* the last: +Inf */
	STALL_BUCKETS = 15,                                         /* the last: +Inf */
	STALL_CAUSES = LS_NR_CAUSES + 1,                            /* the last: unaccounted */
	ITERATION_QUANTILES = 3,
	EXEMPLAR_SITE_BYTES = 100, /* a set of exemplar labels has at most 128 characters */
};

struct metrics_options {
	uint64_t threshold_ns;
	uint64_t expire_ns; /* series of a loop that has ended go after this */
	size_t max_sites;
	size_t max_ended; /* the oldest go first; between two texts there may be twice as many */
	unsigned int buckets; /* of iteration_seconds, a power of two: 1, 2, 4 or 8 */
	bool cgroup;          /* cgroup and container as labels */
};

struct exemplar {
	uint64_t wall_ns, time_ns; /* time_ns 0: none */
	char site[EXEMPLAR_SITE_BYTES];
};

struct stall_series {
	uint64_t counts[STALL_BUCKETS]; /* not cumulative */
	uint64_t sum_ns;
	struct exemplar last;
};

/* Totals of a state as they were read: its histogram's cells are 32 bits wide and wrap. */
struct loop_reading {
	uint32_t cells[ITERATION_BUCKETS_MAX];
	uint64_t busy_ns, unaccounted_ns, stalled_ns[LS_NR_CAUSES];
};

/* The kernel's histogram as it was. */
struct cells_mark {
	uint64_t at_ns;
	uint32_t cells[LS_HIST_BUCKETS];
};

struct busy_mark {
	uint64_t at_ns, busy_ns, wait_ns;
};

struct loop_series {
	int pid, tid;
	char comm[48], kind[32];
	char cgroup[LABEL_CGROUP_BYTES], container[LABEL_CONTAINER_BYTES];
	bool ended;
	uint64_t ended_ns;
	uint64_t iterations[ITERATION_BUCKETS_MAX]; /* not cumulative */
	uint64_t busy_ns, stalled_ns[STALL_CAUSES];
	struct loop_reading read;
	struct cells_mark cells[2]; /* thirty and sixty seconds ago */
	uint64_t quantiles_ns[ITERATION_QUANTILES];
	bool has_quantiles;        /* false: no iteration since the older mark */
	struct busy_mark marks[2]; /* ten and twenty seconds ago */
	double busy_ratio;
	uint64_t ongoing_ns;
	struct stall_series *stalls[STALL_CAUSES]; /* NULL: none yet */
	struct loop_series *next;                  /* of the same hash */
};

struct metrics {
	struct metrics_options options;
	struct loop_series **series; /* in no order */
	size_t nr_series, size, nr_ended;
	struct loop_series *hash[1024];
	struct site_counters sites;
	uint64_t started_ns; /* of the day */
	/* Of the tracer; filled in by its owner before the metrics are written. */
	struct ls_losses lost;
	struct ls_overhead overhead;
	size_t nr_targets;
	uint64_t scrapes;
	uint64_t reranked_ns;
};

/* NULL: errno. */
struct metrics *metrics__new(const struct metrics_options *options);
void metrics__free(struct metrics *m);

/* As a reporter of a session; `self` is the struct metrics, and its owner frees it. */
extern const struct reporter metrics_reporter;

/* What a loop's state tells now; to be called before each scrape, and at least every ten minutes. */
void metrics__observe(struct metrics *m, const struct ls_loop *loop,
		      const struct ls_loop_state *state, uint64_t now_ns);

/* Series of long-ended loops go; sites change places. To be called every few seconds. */
void metrics__expire(struct metrics *m, uint64_t now_ns);

/* Of the iterations of the last 30 to 60 seconds, from the kernel's own buckets: right to 6.25 %. */
extern const double iteration_quantiles[ITERATION_QUANTILES];

/* Upper bounds in nanoseconds; UINT64_MAX is +Inf. */
size_t metrics__iteration_bounds(const struct metrics *m, uint64_t bounds[ITERATION_BUCKETS_MAX]);
extern const uint64_t stall_bounds_ns[STALL_BUCKETS];

#endif
