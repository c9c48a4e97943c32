/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Values of maps which user space reads by look-up. */
#ifndef LS_MAPS_ABI_H
#define LS_MAPS_ABI_H

#include "python_abi.h"

enum { LS_KSTACK_READ = 64 };

/* A block's capture, kept until its length is known: each record with room for its tail. */
struct capture_buffer {
	struct ls_ev_capture ev;
	__u8 stack[LS_STACK_MAX];
	__u64 kernel[LS_KSTACK_READ]; /* a sample's, with the interrupt's own frames on top */
	struct py_capture python, holder;
};

#endif
