/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Slices, each loop's totals, and the summary. */
#include <math.h>
#include <string.h>

#include "account.h"
#include "model/tracereader_internal.h"

static int get_histogram(struct reader *rd, const json_t *o, uint32_t histogram[LS_HIST_BUCKETS])
{
	const json_t *pairs = jsonr__array(&rd->json, o, "histogram"), *lower, *count;

	memset(histogram, 0, LS_HIST_BUCKETS * sizeof(*histogram));
	for (size_t i = 0; pairs && i < json_array_size(pairs); i++) {
		lower = json_array_get(json_array_get(pairs, i), 0);
		count = json_array_get(json_array_get(pairs, i), 1);
		if (!json_is_integer(lower) || !json_is_integer(count) ||
		    json_integer_value(lower) < 0 || json_integer_value(count) < 0 ||
		    json_integer_value(count) > UINT32_MAX)
			return bad(rd, "a histogram is not one of [nanoseconds, count]");
		histogram[hist_bucket((__u64)json_integer_value(lower))] =
			(uint32_t)json_integer_value(count);
	}
	return 0;
}

int reader__on_slice(struct reader *rd, const json_t *o)
{
	struct ls_slice s = {0};
	int err;

	jsonr__int(&rd->json, o, "pid", &s.pid);
	jsonr__int(&rd->json, o, "tid", &s.tid);
	jsonr__u64(&rd->json, o, "start_ns", JSONR_MAX_NS, &s.start_ns);
	jsonr__u64(&rd->json, o, "end_ns", JSONR_MAX_NS, &s.end_ns);
	jsonr__u64(&rd->json, o, "iterations", JSONR_MAX, &s.iterations);
	jsonr__u64(&rd->json, o, "stalls", JSONR_MAX, &s.stalls);
	jsonr__u64(&rd->json, o, "busy_ns", JSONR_MAX_NS, &s.busy_ns);
	jsonr__u64(&rd->json, o, "wait_ns", JSONR_MAX_NS, &s.wait_ns);
	jsonr__u64(&rd->json, o, "stalled_wall_ns", JSONR_MAX_NS, &s.stalled_wall_ns);
	reader__get_ledger(rd, o, &s.ledger);
	if ((err = get_histogram(rd, o, s.histogram)) != 0 || (err = reader__check(rd)) != 0)
		return err;
	if (s.end_ns <= s.start_ns)
		return bad(rd, "a slice ends before it begins");
	return rd->out->slice ? rd->out->slice(rd->self, &s) : 0;
}

static int keep_frame(struct reader *rd, struct ls_frame *f)
{
	int err;

	if ((err = reader__keep(rd, &f->function)) || (err = reader__keep(rd, &f->file)))
		return err;
	return reader__keep(rd, &f->module);
}

static int get_top_frame(struct reader *rd, const json_t *o, const char *key, struct ls_frame *f,
			 bool *has)
{
	const json_t *frame = jsonr__object(&rd->json, o, key);

	*has = frame;
	if (!frame)
		return 0;
	reader__get_frame(rd, frame, f);
	return keep_frame(rd, f);
}

static int get_top_line(struct reader *rd, const json_t *o, struct ls_site_total *t)
{
	int err;

	t->cause = reader__get_cause(rd, o);
	jsonr__str(&rd->json, o, "advice", &t->advice);
	jsonr__u64(&rd->json, o, "ns", JSONR_MAX_NS, &t->ns);
	jsonr__u64(&rd->json, o, "count", JSONR_MAX, &t->count);
	if ((err = get_top_frame(rd, o, "site", &t->site, &t->has_site)) ||
	    (err = get_top_frame(rd, o, "callee", &t->callee, &t->has_callee)) ||
	    (err = reader__get_call(rd, o, &t->call)))
		return err;
	return reader__keep(rd, &t->advice);
}

static int get_top(struct reader *rd, const json_t *o, struct ls_loop_summary *s)
{
	const json_t *lines = jsonr__array(&rd->json, o, "top");
	size_t n = lines ? json_array_size(lines) : 0;
	struct ls_site_total *top;
	int err = 0;

	if (n > MAX_TOP)
		return bad(rd, "%zu worst sites", n);
	top = arena__alloc(rd->arena, (n + 1) * sizeof(*top));
	if (!top)
		return errno == E2BIG ? bad(rd, "more totals than a trace holds") : -errno;
	for (size_t i = 0; i < n && !err; i++)
		err = get_top_line(rd, json_array_get(lines, i), &top[i]);
	s->top = top;
	s->nr_top = n;
	return err;
}

int reader__on_total(struct reader *rd, const json_t *o)
{
	struct ls_loop_summary *s;
	int err;

	if (rd->nr_totals >= MAX_LOOPS)
		return bad(rd, "more loops than a trace holds");
	err = reader__grow(&rd->totals, &rd->totals_size, rd->nr_totals, sizeof(*rd->totals));
	if (err)
		return err;
	s = &rd->totals[rd->nr_totals++];
	memset(s, 0, sizeof(*s));
	jsonr__u64(&rd->json, o, "iterations", JSONR_MAX, &s->iterations);
	jsonr__u64(&rd->json, o, "stalls", JSONR_MAX, &s->stalls);
	jsonr__u64(&rd->json, o, "busy_ns", JSONR_MAX_NS, &s->busy_ns);
	jsonr__u64(&rd->json, o, "wait_ns", JSONR_MAX_NS, &s->wait_ns);
	jsonr__u64(&rd->json, o, "stalled_wall_ns", JSONR_MAX_NS, &s->stalled_wall_ns);
	jsonr__u64(&rd->json, o, "p50_ns", JSONR_MAX_NS, &s->p50_ns);
	jsonr__u64(&rd->json, o, "p90_ns", JSONR_MAX_NS, &s->p90_ns);
	jsonr__u64(&rd->json, o, "p99_ns", JSONR_MAX_NS, &s->p99_ns);
	jsonr__u64(&rd->json, o, "max_ns", JSONR_MAX_NS, &s->max_ns);
	reader__get_ledger(rd, o, &s->ledger);
	if ((err = reader__get_loop(rd, o, &s->loop)) || (err = get_top(rd, o, s)) ||
	    (err = get_histogram(rd, o, s->histogram)))
		return err;
	return reader__check(rd);
}

static void get_losses(struct reader *rd, const json_t *o, struct ls_losses *lost)
{
	const json_t *l = jsonr__object(&rd->json, o, "lost");

	jsonr__u64(&rd->json, l, "events", JSONR_MAX, &lost->events);
	jsonr__u64(&rd->json, l, "stacks", JSONR_MAX, &lost->captures);
	jsonr__u64(&rd->json, l, "stalls", JSONR_MAX, &lost->stalls);
	jsonr__u64(&rd->json, l, "loops", JSONR_MAX, &lost->loops);
	jsonr__u64(&rd->json, l, "samples", JSONR_MAX, &lost->samples);
}

static void get_overhead(struct reader *rd, const json_t *o, struct ls_overhead *overhead)
{
	const json_t *v = jsonr__object(&rd->json, o, "overhead");

	jsonr__u64(&rd->json, v, "bpf_ns", JSONR_MAX_NS, &overhead->bpf_ns);
	jsonr__u64(&rd->json, v, "bpf_runs", JSONR_MAX, &overhead->bpf_runs);
	jsonr__u64(&rd->json, v, "tracer_cpu_ns", JSONR_MAX_NS, &overhead->tracer_cpu_ns);
	jsonr__u64(&rd->json, v, "tracer_rss_bytes", JSONR_MAX_NS, &overhead->tracer_rss_bytes);
}

static int get_modules(struct reader *rd, const json_t *o, struct ls_summary *s)
{
	json_t *modules = jsonr__array(&rd->json, o, "modules"), *module;
	size_t n = modules ? json_array_size(modules) : 0;
	struct ls_module *known = arena__alloc(rd->arena, (n + 1) * sizeof(*known));

	if (!known)
		return errno == E2BIG ? bad(rd, "more modules than a trace holds") : -errno;
	for (size_t i = 0; i < n; i++) {
		module = json_array_get(modules, i);
		jsonr__str(&rd->json, module, "path", &known[s->nr_modules].path);
		jsonr__str(&rd->json, module, "build_id", &known[s->nr_modules].build_id);
		if (known[s->nr_modules].path && known[s->nr_modules].build_id)
			s->nr_modules++;
	}
	s->modules = known;
	return 0;
}

int reader__on_summary(struct reader *rd, const json_t *o)
{
	const json_t *frames = jsonr__object(&rd->json, o, "frames");
	struct ls_summary s = {.seconds = json_number_value(json_object_get(o, "seconds"))};
	int err;

	get_losses(rd, o, &s.lost);
	get_overhead(rd, o, &s.overhead);
	jsonr__u64(&rd->json, frames, "total", JSONR_MAX, &s.frames_total);
	jsonr__u64(&rd->json, frames, "symbolized", JSONR_MAX, &s.frames_symbolized);
	if ((err = get_modules(rd, o, &s)) != 0 || (err = reader__check(rd)) != 0)
		return err;
	if (!(s.seconds >= 0 && s.seconds < 1e9))
		return bad(rd, "\"seconds\" is not what it should be");
	s.loops = rd->totals;
	s.nr_loops = rd->nr_totals;
	rd->ended = true;
	return rd->out->summary ? rd->out->summary(rd->self, &s) : 0;
}
