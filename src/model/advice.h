/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One sentence on what to do about a stall, by its cause, its call and the runtime. */
#ifndef LS_MODEL_ADVICE_H
#define LS_MODEL_ADVICE_H

#include "model/stall.h"

/* `kind`: of the loop. `call`, and `callee`, the function in C that Python code called, may be NULL.
 * Static; NULL where there is none to give. */
const char *advice__for(enum ls_cause cause, const char *kind, const char *call,
			const char *callee);

/* The same where native code called a library which sleeps, as a database's busy handler does: there is
 * no timer to put in its place. NULL: it is not so. */
const char *advice__for_naps(const struct ls_blame *blame);

/* The same for Python code in a middleware of an ASGI application, which every request passes. */
const char *advice__in_middleware(enum ls_cause cause);

/* The same for Python code that calls a function of the standard library for which there is something
 * better to say; NULL: there is not. */
const char *advice__for_callee(enum ls_cause cause, const struct ls_frame *callee);

/* CPU time in a function that has given the GIL away meanwhile. */
const char *advice__without_gil(bool in_middleware);

#endif
