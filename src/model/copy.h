/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Deep copies of the model's borrowed structures into an arena: for readers which keep something.
 */
#ifndef LS_MODEL_COPY_H
#define LS_MODEL_COPY_H

#include "model/stall.h"

struct arena;

/* NULL: errno. */
struct ls_stall *copy__stall(struct arena *a, const struct ls_stall *stall);

#endif
