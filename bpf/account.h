/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Time accounting without BPF helpers, so that tests build it natively: which histogram bucket a
 * length falls into, and how the state of a loop moves at each event. Every nanosecond of an
 * iteration is put into exactly one class here.
 */
#ifndef LS_ACCOUNT_H
#define LS_ACCOUNT_H

#include "events.h"

/* Why a loop thread is off the CPU. */
enum off_kind {
	OFF_NOT,	/* it runs */
	OFF_PREEMPTED,	/* runnable: another task has the CPU */
	OFF_BLOCKED,	/* in a blocking call or a fault, mid-iteration */
	OFF_IDLE,	/* in the home wait: not part of an iteration */
};

/* Position of the highest bit, 0 for 0. Written out: BPF (clang 14) has no count-leading-zeros. */
static inline __u32 log2_floor(__u64 v)
{
	__u32 r = 0;

	if (v >> 32) {
		v >>= 32;
		r += 32;
	}
	if (v >> 16) {
		v >>= 16;
		r += 16;
	}
	if (v >> 8) {
		v >>= 8;
		r += 8;
	}
	if (v >> 4) {
		v >>= 4;
		r += 4;
	}
	if (v >> 2) {
		v >>= 2;
		r += 2;
	}
	return r + (v >> 1 ? 1 : 0);
}

/* Bucket of a length: the first LS_HIST_SUB are 1 ns wide, then LS_HIST_SUB linear ones a power of two. */
static inline __u32 hist_bucket(__u64 ns)
{
	__u32 log, bucket;

	if (ns < LS_HIST_SUB)
		return ns;
	log = log2_floor(ns); /* >= 3 */
	bucket = (log - 2) * LS_HIST_SUB + ((ns >> (log - 3)) & (LS_HIST_SUB - 1));
	return bucket < LS_HIST_BUCKETS ? bucket : LS_HIST_BUCKETS - 1;
}

#endif
