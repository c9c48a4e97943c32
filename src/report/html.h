/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One page that needs nothing else: timeline, histogram, sites, flame graph. */
#ifndef LS_REPORT_HTML_H
#define LS_REPORT_HTML_H

#include <stdio.h>

#include "model/stall.h"

/* Writes at the summary, to `out`, which stays the caller's. 0 or -errno; ends with r->free(*self).
 */
int report_html__new(FILE *out, struct reporter *r, void **self);

#endif
