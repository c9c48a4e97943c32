/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Event loops in native stacks: what kind of loop it is, where the loop ends and its callback begins.
 * The frames of the home wait, unwound once, show the loop's own activations: a stall's stack shares
 * them up to the function which dispatches.
 */
#ifndef LS_TRACE_DISPATCH_H
#define LS_TRACE_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbols/symbolizer.h"

enum { HOME_FRAMES_MAX = 64 };

/* The stack of a loop in its home wait. */
struct home_stack {
	size_t nr; /* 0: not known */
	struct {
		uint64_t pc, sp;
	} frames[HOME_FRAMES_MAX]; /* leaf first */
};

void home_stack__set(struct home_stack *home, const struct native_frame *frames, size_t nr);

/* "redis", "nginx", "libuv" ... by the names in a loop's stack; NULL when none tells. */
const char *dispatch__kind(const struct native_frame *frames, size_t nr);

/* A known loop's own function is on the stack: the thread runs a loop, whatever it does now. */
bool dispatch__runs_loop(const struct native_frame *frames, size_t nr);

/* Index of the frame of the callback that the loop dispatched; -1 when it cannot be told. The frame
 * may be that of the loop itself, where the callback was inlined into it. */
ssize_t dispatch__site(const struct home_stack *home, const struct native_frame *frames, size_t nr);

#endif
