/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a run adds up to: slices of it as it goes, the summary at its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/histogram.h"
#include "symbols/symbolizer.h"
#include "trace/session_internal.h"

enum { TOP_SITES = 50 };

static const struct ls_loop_state *state_of(const struct session *s, const struct traced_loop *loop)
{
	uint32_t nr;

	return loop->ended ? &loop->last : &tracer__states(s->tracer, &nr)[loop->slot];
}

static uint64_t less(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

static void sum_stalls(const struct traced_loop *loop, const struct ls_loop_state *state,
		       struct stalled_totals *sum)
{
	sum->stalls = less(state->stalls, loop->filtered);
	sum->wall_ns = less(state->stalled_wall_ns, loop->filtered_wall_ns);
	for (int i = 0; i < LS_NR_CAUSES; i++)
		sum->ns[i] = less(state->stalled_ns[i], loop->filtered_ledger.ns[i]);
}

/* What is under way counts as far as it has come. */
static void add_open(const struct traced_loop *loop, struct ls_loop_state *state, uint64_t now)
{
	if (loop->ended)
		return;
	if (state->start_ns && state->start_ns < now)
		state->busy_ns += now - state->start_ns;
	else if (!state->start_ns && state->wait_since_ns && state->wait_since_ns < now)
		state->wait_ns += now - state->wait_since_ns;
}

static void fill_loop_summary(const struct session *s, struct traced_loop *loop, uint64_t now,
			      struct ls_loop_summary *out)
{
	struct ls_loop_state copy = *state_of(s, loop), *state = &copy;
	struct stalled_totals stalled;
	uint64_t sum = 0;

	add_open(loop, state, now);
	sum_stalls(loop, state, &stalled);
	sites__rank(&loop->sites, TOP_SITES);
	*out = (struct ls_loop_summary){
		.loop = loop->model,
		.iterations = state->iterations,
		.stalls = stalled.stalls,
		.busy_ns = state->busy_ns,
		.wait_ns = state->wait_ns,
		.max_ns = state->max_ns,
		.stalled_wall_ns = stalled.wall_ns,
		.top = loop->sites.items,
		.nr_top = loop->sites.nr,
	};
	memcpy(out->histogram, state->histogram, sizeof(out->histogram));
	out->p50_ns = histogram__quantile_ns(out->histogram, 0.50, state->max_ns);
	out->p90_ns = histogram__quantile_ns(out->histogram, 0.90, state->max_ns);
	out->p99_ns = histogram__quantile_ns(out->histogram, 0.99, state->max_ns);
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		out->ledger.ns[i] = stalled.ns[i];
		sum += out->ledger.ns[i];
	}
	out->ledger.unaccounted_ns = out->stalled_wall_ns > sum ? out->stalled_wall_ns - sum : 0;
}

static int by_stalled(const void *a, const void *b)
{
	const struct ls_loop_summary *x = a, *y = b;

	return (x->stalled_wall_ns < y->stalled_wall_ns) -
	       (x->stalled_wall_ns > y->stalled_wall_ns);
}

void session__report_summary(struct session *s, uint64_t now)
{
	struct ls_loop_summary *loops = calloc(s->loops.nr + 1, sizeof(*loops));
	struct ls_summary summary = {.seconds = (now - s->attached_ns) / 1e9, .loops = loops};

	if (!loops) {
		session__fail(s, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < s->loops.nr; i++)
		if (s->loops.items[i]->announced)
			fill_loop_summary(s, s->loops.items[i], now, &loops[summary.nr_loops++]);
	qsort(loops, summary.nr_loops, sizeof(*loops), by_stalled);
	session__cost(s, &summary.lost, &summary.overhead);
	symbolizer__counts(s->resolver.symbolizer, &summary.frames_total,
			   &summary.frames_symbolized);
	summary.unnamed = symbolizer__unnamed(s->resolver.symbolizer, &summary.nr_unnamed);
	summary.modules = symbolizer__modules(s->resolver.symbolizer, &summary.nr_modules);
	if (s->reporter->summary && !s->err)
		session__fail(s, s->reporter->summary(s->self, &summary));
	free(loops);
}

/* What was added since *from, which becomes `now`. The kernel counts a stall a moment before its record
 * says that -M leaves it out: a total that falls for that reason takes nothing away, and stays. */
static uint64_t advance(uint64_t *from, uint64_t now)
{
	uint64_t before = *from;

	if (now <= before)
		return 0;
	*from = now;
	return now - before;
}

static void report_slice(struct session *s, struct traced_loop *loop, uint64_t now)
{
	struct ls_loop_state state = *state_of(s, loop), *from = &loop->slice_from;
	struct stalled_totals stalled, *seen = &loop->slice_stalled;
	struct ls_slice slice = {
		.pid = loop->tgid,
		.tid = loop->tid,
		.start_ns = s->slice_ns,
		.end_ns = now,
		.iterations = state.iterations - from->iterations,
	};
	uint64_t sum = 0;

	add_open(loop, &state, now);
	slice.busy_ns = less(state.busy_ns, from->busy_ns);
	slice.wait_ns = less(state.wait_ns, from->wait_ns);
	if (!slice.iterations && !slice.wait_ns && !slice.busy_ns)
		return;
	sum_stalls(loop, &state, &stalled);
	slice.stalls = advance(&seen->stalls, stalled.stalls);
	slice.stalled_wall_ns = advance(&seen->wall_ns, stalled.wall_ns);
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		slice.ledger.ns[i] = advance(&seen->ns[i], stalled.ns[i]);
		sum += slice.ledger.ns[i];
	}
	slice.ledger.unaccounted_ns = slice.stalled_wall_ns > sum ? slice.stalled_wall_ns - sum : 0;
	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		slice.histogram[i] = state.histogram[i] - from->histogram[i];
	*from = state;
	session__fail(s, s->reporter->slice(s->self, &slice));
}

void session__report_slices(struct session *s, uint64_t now)
{
	if (!s->options.slice_ns || !s->reporter->slice)
		return;
	for (size_t i = 0; i < s->loops.nr && !s->err; i++)
		if (s->loops.items[i]->announced)
			report_slice(s, s->loops.items[i], now);
	s->slice_ns = now;
}
