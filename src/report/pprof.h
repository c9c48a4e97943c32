/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pprof: a gzipped protobuf, https://github.com/google/pprof/blob/main/proto/profile.proto */
#ifndef LS_REPORT_PPROF_H
#define LS_REPORT_PPROF_H

#include <stdio.h>

#include "model/stall.h"

/* Writes at the summary, to `out`, which stays the caller's. 0 or -errno; ends with r->free(*self).
 */
int report_pprof__new(FILE *out, struct reporter *r, void **self);

#endif
