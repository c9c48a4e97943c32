/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* An iteration that became a stall: its ledger and its captures become what the reporter gets. */

#include "clock.h"
#include "model/advice.h"
#include "trace/session_internal.h"

void session__fill_ledger(struct ls_ledger *ledger, const __u64 ns[LS_NR_CAUSES], uint64_t wall_ns)
{
	uint64_t left = wall_ns;

	for (int i = 0; i < LS_NR_CAUSES; i++) {
		ledger->ns[i] = ns[i] < left ? ns[i] : left; /* never more than the wall */
		left -= ledger->ns[i];
	}
	ledger->unaccounted_ns = left;
}

static uint64_t real_time_of(uint64_t mono_ns)
{
	return clock__real_ns() - (clock__mono_ns() - mono_ns);
}

void session__set_stall(struct ls_stall *stall, const struct traced_loop *loop, uint64_t start_ns,
			uint64_t wall_ns)
{
	*stall = (struct ls_stall){
		.pid = loop->tgid,
		.tid = loop->tid,
		.comm = loop->model.comm,
		.kind = loop->model.kind,
		.iteration = loop->iteration,
		.start_ns = start_ns,
		.time_ns = real_time_of(start_ns),
		.wall_ns = wall_ns,
		.ready = -1,
	};
}

static void name_unplaced(struct blames *list, const char *kind)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!list->items[i].advice)
			list->items[i].advice = advice__for(list->items[i].cause, kind, NULL, NULL);
}

static void filter_out(struct traced_loop *loop, const struct ls_stall *stall)
{
	loop->filtered++;
	loop->filtered_wall_ns += stall->wall_ns;
	for (int i = 0; i < LS_NR_CAUSES; i++)
		loop->filtered_ledger.ns[i] += stall->ledger.ns[i];
	loop->filtered_ledger.unaccounted_ns += stall->ledger.unaccounted_ns;
}

/* Hands the stall over with the blames collected so far. */
void session__report_stall(struct session *s, struct traced_loop *loop, struct ls_stall *stall,
			   const uint32_t counts[LS_NR_CAUSES])
{
	session__fail(s, blames__balance(&loop->blames, &stall->ledger, counts));
	name_unplaced(&loop->blames, loop->model.kind);
	stall->kind = loop->model.kind;
	stall->causes = loop->blames.items;
	stall->nr_causes = loop->blames.nr;
	session__announce(s, loop);
	if (!stall->ongoing && !s->options.always_on)
		session__fail(s, sites__add(&loop->sites, stall));
	if (s->reporter->stall && !s->err)
		session__fail(s, s->reporter->stall(s->self, stall));
}

void session__on_stall(struct session *s, const struct ls_ev_stall *ev)
{
	struct traced_loop *loop = session__loop(s, &ev->hdr, ev->slot);
	struct ls_stall stall;

	if (!loop)
		return;
	loop__enter(loop, ev->iteration);
	loop->suspect = false; /* it came to its wait: a loop after all */
	session__set_stall(&stall, loop, ev->start_ns, ev->end_ns - ev->start_ns);
	stall.before_attach = ev->before_attach;
	stall.ready = ev->ready;
	session__fill_ledger(&stall.ledger, ev->ledger_ns, stall.wall_ns);
	if (s->options.max_ns && stall.wall_ns > s->options.max_ns) {
		filter_out(loop, &stall);
	} else {
		session__blame_held(s, loop);
		session__report_stall(s, loop, &stall, ev->counts);
	}
	loop__enter(loop, 0);
}
