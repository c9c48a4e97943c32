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
	OFF_NOT,       /* it runs */
	OFF_PREEMPTED, /* runnable: another task has the CPU */
	OFF_BLOCKED,   /* in a blocking call or a fault, mid-iteration */
	OFF_IDLE,      /* in the home wait: not part of an iteration */
};

/* A global function of its own in BPF: the verifier need not follow its branches at each call. */
#ifdef __bpf__
#define ACCOUNT_GLOBAL __attribute__((weak))
#else
#define ACCOUNT_GLOBAL static inline
#endif

/* Position of the highest bit, 0 for 0. Written out: BPF (clang 14) has no count-leading-zeros. */
ACCOUNT_GLOBAL __u32 log2_floor(__u64 v)
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

/* --- one loop, from event to event ------------------------------------------------------------- */

static inline void charge(struct ls_loop_state *s, __u32 cause, __u64 ns, __u32 count)
{
	if (cause >= LS_NR_CAUSES)
		return;
	s->mixed |= cause != LS_CPU;
	s->ledger_ns[cause] += ns;
	s->counts[cause] += count;
	s->pending_ns[cause] += ns;
	s->pending_counts[cause] += count;
}

/* CPU time up to now. */
static inline void charge_cpu(struct ls_loop_state *s, __u64 now)
{
	if (now > s->on_since_ns)
		charge(s, LS_CPU, now - s->on_since_ns, 0);
	s->on_since_ns = now;
}

/*
 * When the thread really left the CPU, by the scheduler's clock of its CPU time, `exec_ns`: the truth
 * that getrusage() and top tell, which the switches seen from here miss in three ways.
 * - The switch comes late: a CPU about to idle first looks for work elsewhere (newidle_balance), with the
 *   sleeper's clock stopped. That time belongs to the sleep.
 * - It began to run before the switch in that we saw: a wake-up on an idle CPU and the switch share one
 *   reading of the clock (rq_clock_skip_update, kernel/sched/). That time is its own, not the run queue's.
 * - A hypervisor or long interrupts had the CPU meanwhile (rq_clock_task leaves them out). The thread was
 *   waiting for a CPU then.
 * Unknown (0) for the stint in which an iteration began.
 */
#define MAX_SEARCH_NS 1000000

static inline __u64 settle_stint(struct ls_loop_state *s, __u64 exec_ns, __u64 now)
{
	__u64 ran = exec_ns - s->stint_exec_ns, seen = now - s->stint_since_ns, gap;

	if (!s->stint_exec_ns)
		return now;
	if (ran > seen) {
		gap = ran - seen < s->stint_queued_ns ? ran - seen : s->stint_queued_ns;
		s->ledger_ns[LS_RUNQUEUE] -= gap;
		charge(s, LS_CPU, gap, 0);
		return now;
	}
	gap = seen - ran;
	if (gap < MAX_SEARCH_NS)
		return now - gap > s->on_since_ns ? now - gap : s->on_since_ns;
	charge_cpu(s, now);
	if (gap > s->ledger_ns[LS_CPU])
		gap = s->ledger_ns[LS_CPU];
	s->ledger_ns[LS_CPU] -= gap;
	s->pending_ns[LS_CPU] -= gap < s->pending_ns[LS_CPU] ? gap : s->pending_ns[LS_CPU];
	charge(s, LS_RUNQUEUE, gap, 1);
	return now;
}

/* A wake-up this long before the switch was for an earlier sleep that did not come about. */
#define STALE_WAKEUP_NS 20000

/* The thread leaves the CPU mid-iteration. `cause` is that of a block, unused when preempted. */
static inline void leave_cpu(struct ls_loop_state *s, enum off_kind kind, __u8 cause, __u64 now)
{
	if (kind != OFF_IDLE)
		charge_cpu(s, now);
	s->off_kind = kind;
	s->off_cause = cause;
	s->off_since_ns = now;
	/* The waker may be ahead of the sleeper's switch: then the sleep is all run queue. */
	if (s->woken_ns && now > s->woken_ns + STALE_WAKEUP_NS)
		s->woken_ns = 0;
}

static inline void wake(struct ls_loop_state *s, __u64 now)
{
	if (!s->woken_ns)
		s->woken_ns = now;
}

/* The thread gets the CPU again. Returns how long it was blocked, 0 when it was not. */
static inline __u64 enter_cpu(struct ls_loop_state *s, __u64 exec_ns, __u64 now)
{
	__u64 since = s->off_since_ns, woken = s->woken_ns, blocked = 0;
	__u32 queue = s->throttled ? LS_THROTTLED : LS_RUNQUEUE;

	s->stint_exec_ns = exec_ns;
	s->stint_since_ns = now;
	s->stint_queued_ns = 0;

	if (s->off_kind == OFF_PREEMPTED) {
		charge(s, queue, now - since, 1);
	} else if (s->off_kind == OFF_BLOCKED) {
		if (!woken || woken > now)
			woken = now;
		if (woken < since)
			woken = since;
		blocked = woken - since;
		charge(s, s->off_cause, blocked, 1);
		if (now > woken) {
			charge(s, queue, now - woken, 1);
			s->stint_queued_ns = s->throttled ? 0 : now - woken;
		}
	}
	s->off_kind = OFF_NOT;
	s->off_since_ns = 0;
	s->woken_ns = 0;
	s->throttled = 0;
	s->on_since_ns = now;
	return blocked;
}

/* A healthy iteration has CPU time alone: then there is little to clear, 60,000 times a second. */
static inline void clear_ledger(struct ls_loop_state *s)
{
	__u32 i;

	s->ledger_ns[LS_CPU] = 0;
	s->pending_ns[LS_CPU] = 0;
	if (!s->mixed)
		return;
	for (i = 0; i < LS_NR_CAUSES; i++) {
		s->ledger_ns[i] = 0;
		s->counts[i] = 0;
		s->pending_ns[i] = 0;
		s->pending_counts[i] = 0;
	}
	s->mixed = 0;
}

static inline void begin_iteration(struct ls_loop_state *s, __u64 now)
{
	clear_ledger(s);
	s->captures = 0;
	s->held_ns = 0;
	s->taken_place = 0;
	s->before_attach = 0;
	s->iteration++;
	s->on_since_ns = now;
	s->wait_since_ns = 0;
	s->stint_exec_ns = 0;
	s->start_ns = now;
}

/* The iteration under way ends at `now`, with all its time charged. Returns its length. */
static inline __u64 end_iteration(struct ls_loop_state *s, __u64 now)
{
	__u64 wall = now - s->start_ns;

	charge_cpu(s, now);
	s->busy_ns += wall;
	if (!s->before_attach) { /* its length is not known */
		s->iterations++;
		s->histogram[hist_bucket(wall)]++;
		if (wall > s->max_ns)
			s->max_ns = wall;
	}
	return wall;
}

#endif
