/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Brendan Gregg's folded stacks: "comm;outermost;...;leaf nanoseconds", one line a distinct stack.
 */
#ifndef LS_REPORT_FOLDED_H
#define LS_REPORT_FOLDED_H

#include <stdio.h>

#include "model/stall.h"

struct folded_options {
	bool user_only;   /* -U: without kernel frames */
	bool kernel_only; /* -K: kernel frames alone */
};

/* Writes at the summary, to `out`, which stays the caller's. 0 or -errno; ends with r->free(*self).
 */
int report_folded__new(FILE *out, const struct folded_options *options, struct reporter *r,
		       void **self);

#endif
