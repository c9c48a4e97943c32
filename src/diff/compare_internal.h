/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the parts of a comparison share: compare.c, metrics.c, bootstrap.c, sums.c. */
#ifndef LS_DIFF_COMPARE_INTERNAL_H
#define LS_DIFF_COMPARE_INTERNAL_H

#include "diff/compare.h"

/* Findings that share the false alarms which they may raise together. */
enum family { FAMILY_GATES, FAMILY_SITES, FAMILY_DETAILS };
enum { NR_GATES = 3, NR_DETAILS = 3 + LEDGER_CLASSES };

/* What may lie beyond either end of the interval of one of `nr` findings. */
double comparison__tail(const struct comparison *c, enum family family, size_t nr);

/* Fill in c->metrics; c->ledger and c->sites. 0 or -errno. */
int comparison__metrics(struct comparison *c);
int comparison__sums(struct comparison *c);

double metric__quantile(enum metric m); /* 0: it is none */

/* Beyond the noise is not enough: it must also be large enough to matter. */
enum judgement finding__judge(const struct finding *f, double min_effect, double min_difference);

#endif
