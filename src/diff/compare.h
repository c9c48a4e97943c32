/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Two sets of recordings -> what changed beyond the noise. docs/diff.md says how, in the same
 * terms.
 */
#ifndef LS_DIFF_COMPARE_H
#define LS_DIFF_COMPARE_H

#include <stdbool.h>

#include "diff/recording.h"

enum metric {
	METRIC_P50,
	METRIC_P90,
	METRIC_P99,
	METRIC_P999,
	METRIC_MAX,
	METRIC_STALLS_PER_S,
	METRIC_STALLED_SHARE, /* of the loops' time */
	METRIC_BUSY_SHARE,
	METRIC_ITERATIONS_PER_S,
	NR_METRICS,
};

enum unit { UNIT_NS, UNIT_PER_S, UNIT_SHARE, UNIT_NS_PER_S };

enum judgement {
	JUDGED_NOT,  /* too little data, or nothing that has a better and a worse */
	JUDGED_SAME, /* no difference beyond the noise */
	JUDGED_BETTER,
	JUDGED_WORSE,
	JUDGED_GONE, /* sites */
	JUDGED_NEW,
};

/* A number of both sides. Its difference lies in [low, high] with the family's confidence. */
struct finding {
	const char *name;
	enum unit unit;
	double before, after;
	double low, high;
	bool gates;   /* worse makes the verdict a regression */
	bool too_few; /* iterations on a side, to speak of such a quantile */
	enum judgement judgement;
};

struct site_finding {
	struct finding f; /* stalled nanoseconds a second */
	enum ls_cause cause;
	uint32_t line;             /* 0 unknown; of the side that has most */
	const char *callee, *call; /* NULL unknown; likewise */
	double stalls[2],
		max_ns[2];  /* before and after: a recording's mean, and the most in one stall */
	double total_ns[2]; /* a recording's mean */
};

struct compare_options {
	double confidence; /* of the whole comparison: 0.95 */
	double min_effect; /* relative differences below it are none: 0.05 */
};

struct side {
	struct recording **recordings;
	size_t n;
};

struct comparison {
	struct compare_options options;
	struct side sides[2]; /* before, after */
	struct finding metrics[NR_METRICS];
	struct finding ledger[LEDGER_CLASSES];
	struct site_finding *sites; /* the greatest change first */
	size_t nr_sites;
	double contention; /* part of the stalled time that was a wait for a CPU */
	/* How much single runs are taken to differ, relatively: rates, ledger and sites; lengths. */
	double run_to_run, run_to_run_lengths;
	bool sites_excused; /* sites are new or worse, but the stalled time as a whole fell */
	bool regression;
};

/* Borrows the recordings. NULL: why in `why`, one line (too little data, or unlike recordings). */
struct comparison *comparison__new(const struct side sides[2],
				   const struct compare_options *options, char *why,
				   size_t why_bytes);
void comparison__free(struct comparison *c);

double side__iterations(const struct side *side);

/* How many iterations a side must have for the metric to be judged; 0: any number will do. */
double metric__least_iterations(enum metric m);

const char *judgement__name(enum judgement j);
/* after / before - 1. False when there is nothing before. */
bool finding__relative(const struct finding *f, double difference, double *relative);

#endif
