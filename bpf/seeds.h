/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What user space tells BPF of a thread that it is to look at from outside. */
#ifndef LS_SEEDS_H
#define LS_SEEDS_H

#include "events.h"

struct ls_seed {
	struct ls_home
		home; /* the wait it sits in (or, when hung, the descriptor it must come from) */
	__u32 hung;   /* a loop thread which is not in its wait: begin its iteration now */
	__u32 complete; /* nothing new: a known loop hangs, and the kernel side of its capture is wanted */
};

#endif
