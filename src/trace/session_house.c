/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A run for weeks: nothing grows, and what was missed once is made good. */
#include <malloc.h>
#include <stddef.h>

#include "symbols/python.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"
#include "trace/proc.h"
#include "trace/pythons.h"
#include "trace/session_internal.h"

enum { KEEP_BYTES = 1 << 20 };

static const uint64_t gone_ns = 1000000000;
static const uint64_t sweep_ns = 10000000000; /* how often ends that were not seen are looked for */

/* Records of an iteration which ended without becoming a stall. Its end may wait in the ring buffer:
 * they go when it has been over for a tick. */
static void drop_records(struct traced_loop *loop, const struct ls_loop_state *state)
{
	if (!loop->raw.size || state->iteration == loop->iteration)
		return;
	if (loop->over == loop->iteration)
		raw__free(&loop->raw);
	loop->over = loop->iteration;
}

/* A loop whose first stack was lost is a loop nevertheless. */
static void find_quiet(struct session *s, uint32_t slot, const struct ls_loop_state *state)
{
	struct ls_event_hdr hdr = {.tgid = state->tgid, .tid = state->tid};
	struct traced_loop *loop;

	if (!state->iterations || state->before_attach)
		return;
	loop = session__loop(s, &hdr, slot);
	if (loop && !loop->suspect)
		session__announce(s, loop);
}

/* It was taken for a loop because it seemed to hang; now that others show themselves, it is not. */
static void withdraw(struct session *s, struct traced_loop *loop, const struct ls_loop_state *state)
{
	loop->announced = false;
	if (s->reporter->ended)
		session__fail(s, s->reporter->ended(s->self, &loop->model, state));
}

/* The pool of names is bounded and forgets nothing: in the end all that is new would be nameless. It
 * begins anew, with all that refers to it. */
static void renew_names(struct session *s)
{
	struct resolver fresh;

	if (!strings__nearly_full(s->resolver.strings) || resolver__init(&fresh))
		return;
	for (size_t i = 0; i < s->loops.nr; i++) {
		struct traced_loop *loop = s->loops.items[i];

		blames__clear(&loop->blames);
		loop->model.comm = strings__intern(fresh.strings, loop->model.comm);
	}
	resolver__free(&s->resolver);
	s->resolver = fresh;
	for (size_t i = 0; i < s->nr_targets; i++)
		pythons__attach(s->resolver.python, s->tracer, s->targets[i]);
}

static void sweep_targets(struct session *s)
{
	for (size_t i = s->nr_targets; i-- > 0;) {
		pid_t pid = s->targets[i];

		if (proc__exists(pid))
			continue;
		tracer__drop_target(s->tracer, pid);
		session__end_process(s, pid);
	}
}

/* Loading and symbol tables leave freed memory behind, which malloc keeps. */
static void give_back(void)
{
	if (mallinfo2().fordblks > KEEP_BYTES)
		malloc_trim(KEEP_BYTES / 2);
}

void session__end_gone(struct session *s, uint64_t now)
{
	if (now - s->swept_ns < gone_ns)
		return;
	s->swept_ns = now;
	sweep_targets(s);
	give_back();
}

/* Ends whose records were lost. */
static void sweep(struct session *s)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	sweep_targets(s);
	for (uint32_t i = 0; i < nr; i++) {
		if (!states[i].tid || proc__has_thread(states[i].tgid, states[i].tid))
			continue;
		if (s->by_slot[i])
			session__end_loop(s, s->by_slot[i]);
		else
			tracer__release(s->tracer, i);
	}
}

void session__keep_house(struct session *s, uint64_t now)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		if (!states[i].tid)
			continue;
		if (!s->by_slot[i]) {
			find_quiet(s, i, &states[i]);
			continue;
		}
		drop_records(s->by_slot[i], &states[i]);
		if (s->by_slot[i]->suspect && s->by_slot[i]->announced &&
		    !session__is_likely_loop(s, s->by_slot[i]))
			withdraw(s, s->by_slot[i], &states[i]);
	}
	if (now - s->swept_ns >= sweep_ns) {
		s->swept_ns = now;
		sweep(s);
		symbolizer__trim(s->resolver.symbolizer);
		renew_names(s);
		give_back();
	}
}
