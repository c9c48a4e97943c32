/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One SVG that needs nothing else: coloured by cause, sized by stalled time, searched and zoomed.
 */
#ifndef LS_REPORT_FLAMEGRAPH_H
#define LS_REPORT_FLAMEGRAPH_H

#include <stdio.h>

#include "model/stall.h"

/* Writes at the summary, to `out`, which stays the caller's. 0 or -errno; ends with r->free(*self).
 */
int report_flamegraph__new(FILE *out, struct reporter *r, void **self);

struct samples;

/* The drawing: with its style and script when it stands alone, without them in a page. 0 or -errno;
 * write errors are left to the FILE. */
int flamegraph__write(FILE *out, const struct samples *samples, bool alone);

#endif
