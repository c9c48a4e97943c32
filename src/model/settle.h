/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A reporter before another which lets each stall through once: a stall reported while it was under
 * way is held back until its final record, which replaces it, or until the end. For readers that
 * add up. Live views want the stall at once and do without.
 */
#ifndef LS_MODEL_SETTLE_H
#define LS_MODEL_SETTLE_H

#include "model/stall.h"

/* In: the reader, as its constructor made it; out: the same with the filter before it. On error
 * (-ENOMEM) the reader is freed. */
int settle__wrap(struct reporter *r, void **self);

#endif
