/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Strings, frames and stacks, each kept once and known by a number from 0. A stall names few places
 * many times: this is what makes a trace file small and a flame graph quick.
 */
#ifndef LS_MODEL_STACKS_H
#define LS_MODEL_STACKS_H

#include "model/stall.h"

struct stacks;

struct stacks *stacks__new(size_t max_bytes); /* NULL: errno */
void stacks__free(struct stacks *t);

/* A number, new or known; -ENOMEM, or -E2BIG beyond max_bytes of anything. */
int64_t stacks__string(struct stacks *t, const char *s);
int64_t stacks__frame(struct stacks *t, const struct ls_frame *frame);
int64_t stacks__stack(struct stacks *t, const struct ls_stack *stack);
/* The same from numbers of known frames. */
int64_t stacks__stack_of(struct stacks *t, const uint32_t *frames, size_t n, bool truncated);

size_t stacks__nr_strings(const struct stacks *t);
size_t stacks__nr_frames(const struct stacks *t);
size_t stacks__nr_stacks(const struct stacks *t);

/* Borrowed from the table until it is freed. */
const char *stacks__string_at(const struct stacks *t, size_t id);
const struct ls_frame *stacks__frame_at(const struct stacks *t, size_t id);
const uint32_t *stacks__stack_at(const struct stacks *t, size_t id, size_t *n, bool *truncated);

#endif
