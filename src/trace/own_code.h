/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From the callback inwards to the line of the program's own that is to be changed: past what a
 * language's standard library puts around it, and from Node's engine to the JavaScript it runs.
 */
#ifndef LS_TRACE_OWN_CODE_H
#define LS_TRACE_OWN_CODE_H

#include <stddef.h>

struct ls_frame;

/* `frames`: user frames leaf first, inlined ones too; frames[callback] is what the loop dispatched.
 * *callee becomes NULL when the site called nothing. */
void own_code__find(const struct ls_frame *frames, size_t callback, const struct ls_frame **site,
		    const struct ls_frame **callee);

#endif
