/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What formats which are written as a whole begin with: samples, and what start and summary said,
 * gathered by a reporter which calls `write` at the end.
 */
#ifndef LS_REPORT_COLLECT_H
#define LS_REPORT_COLLECT_H

#include <stdio.h>

#include "model/stall.h"
#include "report/samples.h"

struct collected {
	FILE *out;
	struct samples *samples;
	uint64_t time_ns, threshold_ns; /* of the start */
	const struct ls_summary *summary;
};

/* 0 or -errno. Ends with r->free(*self). */
int collect__new(FILE *out, int (*write)(const struct collected *c), struct reporter *r,
		 void **self);

/* The -errno of a FILE whose writing may have failed; flushes it. */
int collect__flush(FILE *out);

#endif
