/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One JSON object a line: the contract of --json and `report --format json`. */
#ifndef LS_REPORT_JSON_H
#define LS_REPORT_JSON_H

#include <stdio.h>

#include "model/stall.h"

/* Writes to `out`, which stays the caller's, and flushes each line. 0 or -errno; ends with
 * r->free(*self). */
int report_json__new(FILE *out, struct reporter *r, void **self);

#endif
