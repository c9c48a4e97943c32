/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Iterations that do not end: reported as ongoing, once, by what can be seen from outside. */

#include "account.h"
#include "trace/session_internal.h"

static const uint64_t hang_ns = 500000000; /* an iteration this long is reported as ongoing */
static const uint64_t hang_before_attach_ns = 200000000; /* one that was there before us, sooner */
static const uint64_t least_seen_ns = 20000000;          /* of it not waiting for a CPU */

/* The block which the loop is in now, seen from outside. */
static void blame_current(struct session *s, struct traced_loop *loop, uint64_t now)
{
	const struct ls_loop_state *state;
	struct capture_extras extras = {0};
	const struct ls_ev_capture *held;
	struct ls_ev_capture *ev;
	uint32_t nr;

	tracer__complete_capture(s->tracer, loop->tid);
	held = tracer__current_capture(s->tracer, loop->slot, &extras.python);
	if (!held)
		return;
	state = &tracer__states(s->tracer, &nr)[loop->slot];
	ev = (struct ls_ev_capture *)held; /* our own copy of it */
	ev->hdr.tgid = loop->tgid;
	ev->hdr.tid = loop->tid;
	ev->ns = state->pending_ns[ev->cause % LS_NR_CAUSES] + (now - state->off_since_ns);
	ev->count = state->pending_counts[ev->cause % LS_NR_CAUSES] + 1;
	ev->waker_tid = 0;
	session__blame_capture(s, loop, ev, &extras);
}

/* Of the iteration under way, the time in which the thread only waited for a CPU. */
static uint64_t queued_ns(const struct ls_loop_state *state, uint64_t now)
{
	uint64_t queued = state->ledger_ns[LS_RUNQUEUE] + state->ledger_ns[LS_THROTTLED];

	if (state->off_kind == OFF_PREEMPTED && now > state->off_since_ns)
		queued += now - state->off_since_ns;
	return queued;
}

static bool is_ongoing(const struct session *s, const struct ls_loop_state *state, uint64_t now)
{
	uint64_t least = state->before_attach ? hang_before_attach_ns : hang_ns;

	if (least < s->options.tracer.threshold_ns)
		least = s->options.tracer.threshold_ns;
	/* One that was busy when we came may come to its wait as soon as it gets a CPU. */
	if (state->before_attach && least < queued_ns(state, now) + least_seen_ns)
		least = queued_ns(state, now) + least_seen_ns;
	return state->tid && state->start_ns && now > state->start_ns &&
	       now - state->start_ns >= least &&
	       (!s->options.max_ns || now - state->start_ns <= s->options.max_ns);
}

/*
 * A thread which hung before we came, and whose stack names no known loop. It is taken for one when
 * nobody waits on the process's epoll descriptor, no other thread has shown itself as a loop, and it
 * is the main thread (or the only one). One that was seen to wait only once must name its loop.
 */
bool session__is_likely_loop(const struct session *s, const struct traced_loop *loop)
{
	uint32_t nr;
	const struct ls_loop_state *state = &tracer__states(s->tracer, &nr)[loop->slot];

	if (loop->tid != loop->tgid || !state->before_attach)
		return false;
	for (size_t i = 0; i < s->loops.nr; i++)
		if (s->loops.items[i]->tgid == loop->tgid && !s->loops.items[i]->suspect)
			return false;
	return !targets__waits_on(loop->tgid, state->home.fd);
}

static void swap_blames(struct blames *a, struct blames *b)
{
	struct blames old = *a;

	*a = *b;
	*b = old;
}

static void report_ongoing(struct session *s, struct traced_loop *loop,
			   const struct ls_loop_state *live, uint64_t now)
{
	struct ls_loop_state state = *live; /* it may move while we look */
	struct blames so_far = {0};
	struct ls_stall stall;

	if (state.start_ns != live->start_ns || loop->reported_ns == state.start_ns)
		return;
	loop__enter(loop, state.iteration);
	session__blame_held(s, loop);
	/* The end will have the block under way, whole: what is known now goes to a copy. */
	session__fail(s, blames__copy(&so_far, &loop->blames));
	swap_blames(&so_far, &loop->blames);
	if (state.off_since_ns)
		blame_current(s, loop, now);
	if (loop->suspect && !session__is_likely_loop(s, loop)) {
		swap_blames(&so_far, &loop->blames);
		blames__clear(&so_far);
		return;
	}
	session__set_stall(&stall, loop, state.start_ns, now - state.start_ns);
	stall.ongoing = true;
	stall.before_attach = state.before_attach;
	if (state.off_kind == OFF_NOT)
		charge_cpu(&state, now);
	else
		enter_cpu(&state, 0, now); /* in our copy, as if it came back now */
	session__fill_ledger(&stall.ledger, state.ledger_ns, stall.wall_ns);
	loop->reported_ns = state.start_ns;
	session__report_stall(s, loop, &stall, state.counts);
	swap_blames(&so_far, &loop->blames);
	blames__clear(&so_far);
}

void session__look_for_hangs(struct session *s, uint64_t now)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		struct traced_loop *loop;
		struct ls_event_hdr hdr = {.tgid = states[i].tgid, .tid = states[i].tid};

		if (!is_ongoing(s, &states[i], now))
			continue;
		loop = session__loop(s, &hdr, i);
		if (loop)
			report_ongoing(s, loop, &states[i], now);
	}
}
