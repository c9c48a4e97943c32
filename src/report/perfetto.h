/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Chrome trace JSON for Perfetto and chrome://tracing: a track a loop, a slice a stall. */
#ifndef LS_REPORT_PERFETTO_H
#define LS_REPORT_PERFETTO_H

#include <stdio.h>

#include "model/stall.h"

/* Writes as stalls end, to `out`, which stays the caller's. 0 or -errno; ends with r->free(*self).
 */
int report_perfetto__new(FILE *out, struct reporter *r, void **self);

#endif
