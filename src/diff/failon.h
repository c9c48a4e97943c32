/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Conditions under which a comparison fails: `p99>+10%`, `stalls_per_s>0.1`, `new-site>50ms`. */
#ifndef LS_DIFF_FAILON_H
#define LS_DIFF_FAILON_H

#include <stdbool.h>
#include <stddef.h>

#include "diff/compare.h"

enum failon_subject {
	FAILON_REGRESSION, /* the default verdict */
	FAILON_METRIC,
	FAILON_LEDGER,
	FAILON_NEW_SITE,
	FAILON_WORSE_SITE,
};

enum failon_kind {
	FAILON_ABSOLUTE,   /* the value after */
	FAILON_DIFFERENCE, /* after less before */
	FAILON_RELATIVE,   /* the difference, as a share of before */
};

struct failon {
	const char *text; /* borrowed */
	enum failon_subject subject;
	int which; /* enum metric, or class of the ledger */
	bool less, or_equal;
	enum failon_kind kind;
	double value; /* in the subject's unit: ns, per second, share, ns per second */
};

/* False: *at is the offset of the fault in the text, `why` says what was expected there. */
bool failon__parse(const char *text, struct failon *f, size_t *at, char *why, size_t why_bytes);

enum failon_result { FAILON_PASSES, FAILON_HOLDS, FAILON_UNJUDGED /* too few iterations */ };

/* Whether the condition holds; `detail` says with which numbers, or why it cannot be told. */
enum failon_result failon__judge(const struct failon *f, const struct comparison *c, char *detail,
				 size_t bytes);

#endif
