/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* speedscope's own file format: https://www.speedscope.app/file-format-schema.json */
#ifndef LS_REPORT_SPEEDSCOPE_H
#define LS_REPORT_SPEEDSCOPE_H

#include <stdio.h>

#include "model/stall.h"

/* Writes at the summary, to `out`, which stays the caller's. 0 or -errno; ends with r->free(*self).
 */
int report_speedscope__new(FILE *out, struct reporter *r, void **self);

#endif
