/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A capture becomes a blame: one stack of kernel and user frames, the site and what it called, the
 * call and its object, the holder of a lock, and advice.
 */
#ifndef LS_TRACE_RESOLVE_H
#define LS_TRACE_RESOLVE_H

#include <stdbool.h>

#include "events.h"
#include "model/stall.h"
#include "python_abi.h"
#include "trace/dispatch.h"

struct strings;
struct symbolizer;

struct resolver {
	struct strings *strings;
	struct symbolizer *symbolizer;
	struct python *python;
};

/* Pools of names, empty. 0 or -ENOMEM. */
int resolver__init(struct resolver *r);
void resolver__free(struct resolver *r);

enum { RESOLVED_FRAMES_MAX = 384 };

/* Frames of the last capture resolved; a blame made from it borrows them. */
struct resolved {
	struct ls_frame frames[RESOLVED_FRAMES_MAX];
	size_t nr_frames;
	struct native_frame native[192];
	size_t nr_native;
	bool native_truncated, truncated;
	struct ls_frame held[LS_PYFRAMES_MAX]; /* of the GIL's holder */
	struct py_capture walked;              /* a Python stack that was read from outside */
};

/* What accompanies a capture: the interpreter's frames, and those of the GIL's holder; NULL: none. */
struct capture_extras {
	const struct ls_ev_python *python, *holder;
};

/* Unwinds the capture's user stack into out->native. `live`: the thread has not moved since. */
void resolve__native(const struct resolver *r, const struct ls_ev_capture *ev, bool live,
		     struct resolved *out);

/* Fills *blame, which borrows from out and the string pool. `kind`: of the loop. */
void resolve__blame(const struct resolver *r, const struct ls_ev_capture *ev,
		    const struct capture_extras *extras, const struct home_stack *home,
		    const char *kind, bool live, struct resolved *out, struct ls_blame *blame);

/* Kind of the loop that the stack last resolved belongs to; NULL when it does not show. *runs_loop:
 * a function that runs such a loop is on the stack. */
const char *resolve__kind(const struct resolver *r, pid_t tgid, const struct resolved *out,
			  bool *runs_loop);

#endif
