/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A trace as a comparison needs it: what all loops together did in each bin of the run's time, and
 * each site's stalled time in each bin.
 */
#ifndef LS_DIFF_RECORDING_H
#define LS_DIFF_RECORDING_H

#include "model/stall.h"

enum { MAX_BINS = 128, LEDGER_CLASSES = LS_NR_CAUSES + 1 /* the last: unaccounted */ };

struct bin {
	double seconds;
	double iterations, stalls, stalled_ns, busy_ns;
	double ledger_ns[LEDGER_CLASSES];
	double histogram[LS_HIST_BUCKETS];
};

/* Named alike in every recording: the function, the last two parts of its file, and the cause. */
struct rec_site {
	char *key;
	const char *name; /* "function (file)"; lies in key */
	enum ls_cause cause;
	uint32_t line;
	char *callee, *call; /* of the longest stall; NULL unknown */
	double ns, stalls, max_ns;
	double bin_ns[MAX_BINS];
};

struct recording {
	const char *path;
	uint64_t threshold_ns;
	double seconds;
	size_t nr_bins;
	struct bin bins[MAX_BINS];
	struct bin total;
	size_t nr_loops;
	double max_ns;
	struct rec_site *sites;
	size_t nr_sites;
	uint64_t lost;        /* events, stalls and stacks together */
	uint64_t nr_added_up; /* stalls that the recording did not keep one by one */
};

/* NULL: why in `why`, one line. */
struct recording *recording__read(const char *path, char *why, size_t why_bytes);
void recording__free(struct recording *r);

/* The same for a reporter's calls, without a file. `path` is borrowed. NULL: errno. */
struct recording *recording__new(const char *path);
extern const struct reporter recording__reporter;

#endif
