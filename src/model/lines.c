/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "model/histogram.h"
#include "model/jsonw.h"
#include "model/lines.h"

void lines__start(struct jsonw *w, const struct ls_start *start)
{
	jsonw__str(w, "type", "start");
	jsonw__u64(w, "v", 1);
	jsonw__time(w, "time", start->time_ns);
	jsonw__u64(w, "mono_ns", start->mono_ns);
	jsonw__str(w, "host", start->host);
	jsonw__str(w, "kernel", start->kernel);
	jsonw__str(w, "loopstall", start->version);
	jsonw__str(w, "attach", start->attach);
	jsonw__u64(w, "threshold_ns", start->threshold_ns);
	jsonw__array(w, "pids");
	for (size_t i = 0; i < start->nr_pids; i++)
		jsonw__i64(w, NULL, start->pids[i]);
	jsonw__end_array(w);
	if (!start->commands)
		return;
	jsonw__array(w, "commands");
	for (size_t i = 0; i < start->nr_pids; i++)
		jsonw__str(w, NULL, start->commands[i] ? start->commands[i] : "");
	jsonw__end_array(w);
}

void lines__loop(struct jsonw *w, const struct ls_loop *loop)
{
	jsonw__str(w, "type", "loop");
	jsonw__i64(w, "pid", loop->pid);
	jsonw__i64(w, "tid", loop->tid);
	jsonw__str(w, "comm", loop->comm);
	jsonw__str(w, "kind", loop->kind);
	jsonw__str(w, "wait", loop->wait);
}

void lines__ledger(struct jsonw *w, const struct ls_ledger *ledger)
{
	jsonw__object(w, "ledger");
	for (int i = 0; i < LS_NR_CAUSES; i++)
		jsonw__u64(w, ls_cause__name(i), ledger->ns[i]);
	jsonw__u64(w, "unaccounted", ledger->unaccounted_ns);
	jsonw__end_object(w);
}

void lines__stall(struct jsonw *w, const struct ls_stall *stall)
{
	jsonw__str(w, "type", "stall");
	jsonw__i64(w, "pid", stall->pid);
	jsonw__i64(w, "tid", stall->tid);
	jsonw__str(w, "comm", stall->comm);
	jsonw__str(w, "kind", stall->kind);
	jsonw__u64(w, "iteration", stall->iteration);
	jsonw__u64(w, "start_ns", stall->start_ns);
	jsonw__time(w, "time", stall->time_ns);
	jsonw__u64(w, "wall_ns", stall->wall_ns);
	jsonw__bool(w, "ongoing", stall->ongoing);
	if (stall->before_attach)
		jsonw__bool(w, "before_attach", true);
	if (stall->ready >= 0)
		jsonw__i64(w, "ready", stall->ready);
	lines__ledger(w, &stall->ledger);
}

void lines__blame(struct jsonw *w, const struct ls_blame *blame)
{
	jsonw__str(w, "cause", ls_cause__name(blame->cause));
	jsonw__u64(w, "ns", blame->ns);
	jsonw__u64(w, "count", blame->count);
}

void lines__call(struct jsonw *w, const struct ls_blocking_call *call)
{
	if (!call->name && !call->object)
		return;
	jsonw__object(w, "call");
	jsonw__str(w, "name", call->name);
	if (call->fd >= 0)
		jsonw__i64(w, "fd", call->fd);
	jsonw__str(w, "object", call->object);
	jsonw__end_object(w);
}

void lines__frame(struct jsonw *w, const struct ls_frame *frame)
{
	jsonw__str(w, "kind", ls_frame_kind__name(frame->kind));
	jsonw__str(w, "function", frame->function);
	jsonw__str(w, "file", frame->file);
	if (frame->line)
		jsonw__u64(w, "line", frame->line);
	jsonw__str(w, "module", frame->module);
	if (frame->has_offset &&
	    frame->offset <= INT64_MAX) /* more is nonsense, and no JSON integer */
		jsonw__u64(w, "offset", frame->offset);
	if (frame->inlined)
		jsonw__bool(w, "inlined", true);
	if (frame->async)
		jsonw__bool(w, "async", true);
}

void lines__histogram(struct jsonw *w, const uint32_t histogram[LS_HIST_BUCKETS])
{
	jsonw__array(w, "histogram");
	for (unsigned int i = 0; i < LS_HIST_BUCKETS; i++) {
		if (!histogram[i])
			continue;
		jsonw__array(w, NULL);
		jsonw__u64(w, NULL, histogram__lower_ns(i));
		jsonw__u64(w, NULL, histogram[i]);
		jsonw__end_array(w);
	}
	jsonw__end_array(w);
}

static void write_top(struct jsonw *w, const struct ls_site_total *top)
{
	jsonw__object(w, NULL);
	if (top->has_site) {
		jsonw__object(w, "site");
		lines__frame(w, &top->site);
		jsonw__end_object(w);
	}
	if (top->has_callee) {
		jsonw__object(w, "callee");
		lines__frame(w, &top->callee);
		jsonw__end_object(w);
	}
	jsonw__str(w, "cause", ls_cause__name(top->cause));
	lines__call(w, &top->call);
	jsonw__str(w, "advice", top->advice);
	jsonw__u64(w, "ns", top->ns);
	jsonw__u64(w, "count", top->count);
	jsonw__end_object(w);
}

void lines__loop_summary(struct jsonw *w, const struct ls_loop_summary *s)
{
	jsonw__i64(w, "pid", s->loop.pid);
	jsonw__i64(w, "tid", s->loop.tid);
	jsonw__str(w, "comm", s->loop.comm);
	jsonw__str(w, "kind", s->loop.kind);
	jsonw__str(w, "wait", s->loop.wait);
	jsonw__u64(w, "iterations", s->iterations);
	jsonw__u64(w, "stalls", s->stalls);
	jsonw__u64(w, "busy_ns", s->busy_ns);
	jsonw__u64(w, "wait_ns", s->wait_ns);
	jsonw__u64(w, "stalled_wall_ns", s->stalled_wall_ns);
	jsonw__u64(w, "p50_ns", s->p50_ns);
	jsonw__u64(w, "p90_ns", s->p90_ns);
	jsonw__u64(w, "p99_ns", s->p99_ns);
	jsonw__u64(w, "max_ns", s->max_ns);
	lines__ledger(w, &s->ledger);
	jsonw__array(w, "top");
	for (size_t i = 0; i < s->nr_top; i++)
		write_top(w, &s->top[i]);
	jsonw__end_array(w);
	lines__histogram(w, s->histogram);
}

/* The contract has "events" and "stacks"; the others are named as the model names them. */
static void write_lost(struct jsonw *w, const struct ls_losses *lost)
{
	jsonw__object(w, "lost");
	jsonw__u64(w, "events", lost->events);
	jsonw__u64(w, "stacks", lost->captures);
	jsonw__u64(w, "stalls", lost->stalls);
	jsonw__u64(w, "loops", lost->loops);
	jsonw__u64(w, "samples", lost->samples);
	jsonw__end_object(w);
}

static void write_modules(struct jsonw *w, const struct ls_summary *summary)
{
	if (!summary->nr_modules)
		return;
	jsonw__array(w, "modules");
	for (size_t i = 0; i < summary->nr_modules; i++) {
		jsonw__object(w, NULL);
		jsonw__str(w, "path", summary->modules[i].path);
		jsonw__str(w, "build_id", summary->modules[i].build_id);
		jsonw__end_object(w);
	}
	jsonw__end_array(w);
}

static void write_unnamed(struct jsonw *w, const struct ls_summary *summary)
{
	if (!summary->nr_unnamed)
		return;
	jsonw__array(w, "unnamed");
	for (size_t i = 0; i < summary->nr_unnamed; i++) {
		jsonw__object(w, NULL);
		jsonw__str(w, "module", summary->unnamed[i].module);
		jsonw__u64(w, "frames", summary->unnamed[i].frames);
		jsonw__end_object(w);
	}
	jsonw__end_array(w);
}

void lines__summary(struct jsonw *w, const struct ls_summary *summary)
{
	jsonw__str(w, "type", "summary");
	jsonw__fraction(w, "seconds", summary->seconds, 6);
	jsonw__array(w, "loops");
	for (size_t i = 0; i < summary->nr_loops; i++) {
		jsonw__object(w, NULL);
		lines__loop_summary(w, &summary->loops[i]);
		jsonw__end_object(w);
	}
	jsonw__end_array(w);
	write_lost(w, &summary->lost);
	jsonw__object(w, "overhead");
	jsonw__u64(w, "bpf_ns", summary->overhead.bpf_ns);
	jsonw__u64(w, "bpf_runs", summary->overhead.bpf_runs);
	jsonw__u64(w, "tracer_cpu_ns", summary->overhead.tracer_cpu_ns);
	jsonw__u64(w, "tracer_rss_bytes", summary->overhead.tracer_rss_bytes);
	jsonw__end_object(w);
	jsonw__object(w, "frames");
	jsonw__u64(w, "total", summary->frames_total);
	jsonw__u64(w, "symbolized", summary->frames_symbolized);
	write_unnamed(w, summary);
	jsonw__end_object(w);
	write_modules(w, summary);
}
