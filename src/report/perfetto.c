/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Events as they come, one a line. A stall is a complete event ("X") on its loop's track; its
 * causes lie below it, greatest first: when within the stall each came about is not known, and
 * their args say so. Slices give counters: busy share and iterations of each loop. Times are
 * microseconds of CLOCK_MONOTONIC, so that the trace lines up with others of the same machine.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/jsonw.h"
#include "model/lines.h"
#include "model/settle.h"
#include "model/names.h"
#include "report/perfetto.h"

struct perfetto {
	struct jsonw w;
	int nr_events;
};

static void put_us(struct jsonw *w, const char *key, uint64_t ns)
{
	uint64_t us = ns / 1000; /* apart: so that the remainder keeps its digits */

	jsonw__fraction(w, key, (double)us + (double)(ns % 1000) / 1000, 3);
}

static struct jsonw *open_event(struct perfetto *p, const char *ph, const char *name, int pid,
				int tid)
{
	jsonw__newline(&p->w);
	p->w.comma = p->nr_events++ > 0;
	jsonw__object(&p->w, NULL);
	jsonw__str(&p->w, "ph", ph);
	jsonw__str(&p->w, "name", name);
	jsonw__i64(&p->w, "pid", pid);
	jsonw__i64(&p->w, "tid", tid);
	return &p->w;
}

static int close_event(struct perfetto *p)
{
	jsonw__end_object(&p->w);
	return p->w.err;
}

static int put_name(struct perfetto *p, const char *what, const char *name, int pid, int tid)
{
	struct jsonw *w = open_event(p, "M", what, pid, tid);

	jsonw__object(w, "args");
	jsonw__str(w, "name", name);
	jsonw__end_object(w);
	return close_event(p);
}

static int on_start(void *self, const struct ls_start *start)
{
	struct perfetto *p = self;

	jsonw__object(&p->w, NULL);
	jsonw__str(&p->w, "displayTimeUnit", "ms");
	jsonw__object(&p->w, "otherData");
	jsonw__str(&p->w, "host", start->host);
	jsonw__str(&p->w, "kernel", start->kernel);
	jsonw__str(&p->w, "loopstall", start->version);
	jsonw__time(&p->w, "time", start->time_ns);
	jsonw__end_object(&p->w);
	jsonw__array(&p->w, "traceEvents");
	return p->w.err;
}

static int on_loop(void *self, const struct ls_loop *loop)
{
	const char *comm = loop->comm ? loop->comm : "?";
	struct perfetto *p = self;
	char name[128];
	int err;

	snprintf(name, sizeof(name), "%s loop (%s)", loop->kind ? loop->kind : "event", comm);
	err = loop->pid == loop->tid ? put_name(p, "process_name", comm, loop->pid, loop->tid) : 0;
	return err ? err : put_name(p, "thread_name", name, loop->pid, loop->tid);
}

static void put_stack(struct jsonw *w, const struct ls_stack *stack)
{
	char place[600];

	jsonw__array(w, "stack");
	for (size_t i = 0; i < stack->nr_frames; i++)
		jsonw__str(w, NULL, names__place(&stack->frames[i], place, sizeof(place)));
	jsonw__end_array(w);
}

static void put_place(struct jsonw *w, const char *key, const struct ls_frame *frame)
{
	char place[600];

	if (frame)
		jsonw__str(w, key, names__place(frame, place, sizeof(place)));
}

static void put_blame_args(struct jsonw *w, const struct ls_blame *b)
{
	jsonw__object(w, "args");
	lines__blame(w, b);
	lines__call(w, &b->call);
	put_place(w, "site", b->site);
	put_place(w, "callee", b->callee);
	jsonw__str(w, "task", b->task);
	jsonw__str(w, "advice", b->advice);
	if (b->holder.tid) {
		jsonw__i64(w, "holder_tid", b->holder.tid);
		jsonw__str(w, "holder_comm", b->holder.comm);
	}
	put_stack(w, &b->stack);
	jsonw__str(w, "note", "placed by size, not by time");
	jsonw__end_object(w);
}

static int put_blame(struct perfetto *p, const struct ls_stall *s, const struct ls_blame *b,
		     uint64_t from_ns, uint64_t ns)
{
	char name[400], call[300];
	struct jsonw *w;

	names__call(b->call.name, b->call.object, call, sizeof(call));
	snprintf(name, sizeof(name), "%s%s%s", ls_cause__name(b->cause), call[0] ? ": " : "", call);
	w = open_event(p, "X", name, s->pid, s->tid);
	jsonw__str(w, "cat", ls_cause__name(b->cause));
	put_us(w, "ts", from_ns);
	put_us(w, "dur", ns);
	put_blame_args(w, b);
	return close_event(p);
}

static int put_stall(struct perfetto *p, const struct ls_stall *s)
{
	const struct ls_blame *worst = s->nr_causes ? &s->causes[0] : NULL;
	char name[700], place[600] = "";
	struct jsonw *w;

	if (worst && worst->site)
		names__frame(worst->site, place, sizeof(place));
	snprintf(name, sizeof(name), "stall%s%s", place[0] ? ": " : "", place);
	w = open_event(p, "X", name, s->pid, s->tid);
	jsonw__str(w, "cat", "stall");
	put_us(w, "ts", s->start_ns);
	put_us(w, "dur", s->wall_ns);
	jsonw__object(w, "args");
	jsonw__u64(w, "iteration", s->iteration);
	jsonw__time(w, "time", s->time_ns);
	if (s->ongoing)
		jsonw__bool(w, "ongoing", true);
	if (s->before_attach)
		jsonw__bool(w, "before_attach", true);
	if (s->ready >= 0)
		jsonw__i64(w, "ready", s->ready);
	lines__ledger(w, &s->ledger);
	jsonw__end_object(w);
	return close_event(p);
}

static int on_stall(void *self, const struct ls_stall *s)
{
	struct perfetto *p = self;
	uint64_t at = s->start_ns, left = s->wall_ns, ns;
	int err = put_stall(p, s);

	for (size_t i = 0; i < s->nr_causes && !err; i++) {
		ns = s->causes[i].ns < left ? s->causes[i].ns : left;
		err = put_blame(p, s, &s->causes[i], at, ns);
		at += ns;
		left -= ns;
	}
	return err;
}

static int put_counter(struct perfetto *p, const struct ls_slice *s, const char *what, double value)
{
	struct jsonw *w;
	char name[64];

	snprintf(name, sizeof(name), "%s, loop %d", what, s->tid);
	w = open_event(p, "C", name, s->pid, s->tid);
	put_us(w, "ts", s->start_ns);
	jsonw__object(w, "args");
	jsonw__fraction(w, "value", value, 3);
	jsonw__end_object(w);
	return close_event(p);
}

static int on_slice(void *self, const struct ls_slice *s)
{
	double length = (double)(s->end_ns - s->start_ns);
	int err = put_counter(self, s, "busy %", 100 * (double)s->busy_ns / length);

	return err ? err
		   : put_counter(self, s, "iterations/s", (double)s->iterations * 1e9 / length);
}

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct perfetto *p = self;
	struct jsonw *w;

	if (!rest->stalls)
		return 0;
	w = open_event(p, "M", "process_labels", rest->pid, rest->tid);
	jsonw__object(w, "args");
	jsonw__str(w, "labels", "some stalls are not shown: the recording added them up");
	jsonw__u64(w, "stalls", rest->stalls);
	jsonw__end_object(w);
	return close_event(p);
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct perfetto *p = self;

	(void)summary;
	jsonw__newline(&p->w);
	jsonw__end_array(&p->w);
	jsonw__end_object(&p->w);
	return jsonw__line(&p->w);
}

int report_perfetto__new(FILE *out, struct reporter *r, void **self)
{
	struct perfetto *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	jsonw__init(&p->w, out);
	*r = (struct reporter){
		.start = on_start,
		.loop = on_loop,
		.stall = on_stall,
		.slice = on_slice,
		.rest = on_rest,
		.summary = on_summary,
		.free = free,
	};
	*self = p;
	return settle__wrap(r, self);
}
