/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Values of maps which user space reads by look-up. */
#ifndef LS_MAPS_ABI_H
#define LS_MAPS_ABI_H

#include "events.h"

/* A block's capture, kept until its length is known: each record with room for its tail. */
struct capture_buffer {
	struct ls_ev_capture ev;
	__u8 stack[LS_STACK_MAX];
	struct ls_ev_python python;
	struct ls_pyframe python_frames[LS_PYFRAMES_MAX];
	struct ls_ev_python holder;
	struct ls_pyframe holder_frames[LS_PYFRAMES_MAX];
};

#endif
