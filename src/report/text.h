/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* For people: a block for each stall, a summary at the end. */
#ifndef LS_REPORT_TEXT_H
#define LS_REPORT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "model/stall.h"

struct text_options {
	bool user_only, kernel_only; /* -U, -K: which part of a stack */
	bool recorded;               /* it is over: when and where is of interest */
	int width;                   /* columns; 0: the terminal's, or 100 */
};

/* Writes to `out`, which stays the caller's; in colour when it is a terminal and NO_COLOR is unset.
 * Lines are cut at the width, never wrapped. 0 or -errno; ends with r->free(*self). */
int report_text__new(FILE *out, const struct text_options *options, struct reporter *r,
		     void **self);

#endif
