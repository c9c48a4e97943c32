/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A family after the other, each with its HELP and TYPE, then its series: the formats want it so. The
 * labels of a loop are written once a scrape and copied into each of its lines; a thousand loops have
 * some forty thousand lines.
 */
#include <stdlib.h>
#include <string.h>

#include "export/buffer.h"
#include "export/exposition.h"
#include "export/labels.h"
#include "export/metrics.h"

struct writer {
	const struct metrics *m;
	struct buffer *out;
	bool open;            /* OpenMetrics */
	struct buffer labels; /* of all loops, one after the other */
	size_t *ends;         /* of each loop's labels */
	struct buffer bounds[ITERATION_BUCKETS_MAX];
	size_t nr_bounds;
};

/* --- negotiation ------------------------------------------------------------------------------- */

const char *exposition__content_type(enum exposition_format format)
{
	return format == FORMAT_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* The weight of the media range at `at`, which ends at a comma. */
static double weight_of(const char *at)
{
	size_t length = strcspn(at, ",");
	const char *q = memmem(at, length, "q=", 2);

	return q ? strtod(q + 2, NULL) : 1;
}

enum exposition_format exposition__negotiate(const char *accept)
{
	const char *open = accept ? strcasestr(accept, "application/openmetrics-text") : NULL;
	const char *text = accept ? strcasestr(accept, "text/plain") : NULL;

	if (!open || weight_of(open) <= 0)
		return FORMAT_TEXT;
	return text && weight_of(text) > weight_of(open) ? FORMAT_TEXT : FORMAT_OPENMETRICS;
}

/* --- pieces ------------------------------------------------------------------------------------ */

enum type { COUNTER, GAUGE, HISTOGRAM, INFO, SUMMARY };

/* `name` is the family's, without _total or _info. */
static void write_head(struct writer *w, const char *name, enum type type, const char *unit,
		       const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "info", "summary"};
	const char *suffix = "";

	if (!w->open && type == COUNTER)
		suffix = "_total";
	if (!w->open && type == INFO)
		suffix = "_info";
	buffer__printf(w->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
		       !w->open && type == INFO ? "gauge" : types[type]);
	if (w->open && unit)
		buffer__printf(w->out, "# UNIT %s %s\n", name, unit);
}

static void write_loop_labels(struct writer *w, size_t i)
{
	size_t from = i ? w->ends[i - 1] : 0;

	buffer__add(w->out, w->labels.text + from, w->ends[i] - from);
}

static const char *cause_name(int cause)
{
	return cause == LS_NR_CAUSES ? "unaccounted" : ls_cause__name(cause);
}

/* name{labels of the loop */
static void begin_line(struct writer *w, const char *name, size_t loop)
{
	buffer__puts(w->out, name);
	buffer__add(w->out, "{", 1);
	write_loop_labels(w, loop);
}

static void end_u64(struct writer *w, uint64_t v)
{
	buffer__add(w->out, "} ", 2);
	buffer__u64(w->out, v);
	buffer__add(w->out, "\n", 1);
}

static void end_seconds(struct writer *w, uint64_t ns)
{
	buffer__add(w->out, "} ", 2);
	buffer__seconds(w->out, ns);
	buffer__add(w->out, "\n", 1);
}

/* The value of `le`: OpenMetrics wants 1.0, and one series must not have two spellings. */
static void write_bound(struct buffer *out, uint64_t ns)
{
	if (ns == UINT64_MAX) {
		buffer__puts(out, "+Inf");
		return;
	}
	buffer__seconds(out, ns);
	if (ns % 1000000000 == 0)
		buffer__puts(out, ".0");
}

/* --- loops ------------------------------------------------------------------------------------- */

static void write_iterations_of(struct writer *w, size_t loop)
{
	const struct loop_series *s = w->m->series[loop];
	uint64_t total = 0;

	for (size_t i = 0; i < w->nr_bounds; i++) {
		total += s->iterations[i];
		begin_line(w, "loopstall_iteration_seconds_bucket", loop);
		buffer__add(w->out, w->bounds[i].text, w->bounds[i].bytes);
		buffer__u64(w->out, total);
		buffer__add(w->out, "\n", 1);
	}
	begin_line(w, "loopstall_iteration_seconds_sum", loop);
	end_seconds(w, s->busy_ns);
	begin_line(w, "loopstall_iteration_seconds_count", loop);
	end_u64(w, total);
}

static void write_iterations(struct writer *w)
{
	uint64_t bounds[ITERATION_BUCKETS_MAX];

	w->nr_bounds = metrics__iteration_bounds(w->m, bounds);
	for (size_t i = 0; i < w->nr_bounds; i++) {
		buffer__puts(&w->bounds[i], ",le=\"");
		write_bound(&w->bounds[i], bounds[i]);
		buffer__puts(&w->bounds[i], "\"} ");
	}
	write_head(w, "loopstall_iteration_seconds", HISTOGRAM, "seconds",
		   "Time from the return of an event loop's wait to its next wait.");
	for (size_t i = 0; i < w->m->nr_series; i++)
		write_iterations_of(w, i);
}

/* A summary as client libraries keep them: quantiles of the last while; its sum and count are above. */
static void write_quantiles(struct writer *w)
{
	write_head(w, "loopstall_iteration_quantile_seconds", SUMMARY, "seconds",
		   "Quantiles of the iterations of the last 30 to 60 seconds, right to 6.25 %.");
	for (size_t i = 0; i < w->m->nr_series; i++) {
		const struct loop_series *s = w->m->series[i];

		if (s->ended || !s->has_quantiles)
			continue;
		for (int q = 0; q < ITERATION_QUANTILES; q++) {
			begin_line(w, "loopstall_iteration_quantile_seconds", i);
			buffer__printf(w->out, ",quantile=\"%g\"", iteration_quantiles[q]);
			end_seconds(w, s->quantiles_ns[q]);
		}
	}
}

static void write_exemplar(struct writer *w, const struct exemplar *e)
{
	buffer__puts(w->out, " # {");
	label__write(w->out, "site", e->site, false);
	buffer__puts(w->out, "} ");
	buffer__seconds(w->out, e->wall_ns);
	buffer__puts(w->out, " ");
	buffer__seconds(w->out, e->time_ns / 1000000 * 1000000);
}

static void begin_stall_line(struct writer *w, const char *name, size_t loop, int cause)
{
	begin_line(w, name, loop);
	label__write(w->out, "cause", cause_name(cause), true);
}

static void write_stalls_of(struct writer *w, size_t loop, int cause)
{
	const struct stall_series *s = w->m->series[loop]->stalls[cause];
	uint64_t total = 0, below = 0;

	for (int i = 0; i < STALL_BUCKETS; below = stall_bounds_ns[i++]) {
		total += s->counts[i];
		if (stall_bounds_ns[i] <= w->m->options.threshold_ns)
			continue; /* nothing so short is a stall */
		begin_stall_line(w, "loopstall_stall_seconds_bucket", loop, cause);
		buffer__puts(w->out, ",le=\"");
		write_bound(w->out, stall_bounds_ns[i]);
		buffer__puts(w->out, "\"} ");
		buffer__u64(w->out, total);
		if (w->open && s->last.time_ns && s->last.wall_ns > below &&
		    s->last.wall_ns <= stall_bounds_ns[i])
			write_exemplar(w, &s->last);
		buffer__add(w->out, "\n", 1);
	}
	begin_stall_line(w, "loopstall_stall_seconds_sum", loop, cause);
	end_seconds(w, s->sum_ns);
	begin_stall_line(w, "loopstall_stall_seconds_count", loop, cause);
	end_u64(w, total);
}

static void write_stalls(struct writer *w)
{
	write_head(w, "loopstall_stall_seconds", HISTOGRAM, "seconds",
		   "Length of stalls, by the cause of most of each one's time.");
	for (size_t i = 0; i < w->m->nr_series; i++)
		for (int cause = 0; cause < STALL_CAUSES; cause++)
			if (w->m->series[i]->stalls[cause])
				write_stalls_of(w, i, cause);
}

static void write_stalled(struct writer *w)
{
	write_head(w, "loopstall_stalled_seconds", COUNTER, "seconds",
		   "Time in stalls, by what each part of it went to.");
	for (size_t i = 0; i < w->m->nr_series; i++)
		for (int cause = 0; cause < STALL_CAUSES; cause++) {
			if (!w->m->series[i]->stalled_ns[cause])
				continue;
			begin_line(w, "loopstall_stalled_seconds_total", i);
			label__write(w->out, "cause", cause_name(cause), true);
			end_seconds(w, w->m->series[i]->stalled_ns[cause]);
		}
}

static void write_gauges(struct writer *w)
{
	const struct metrics *m = w->m;

	write_head(w, "loopstall_loop_busy_ratio", GAUGE, "ratio",
		   "Share of the last 10 to 20 seconds that the loop was not idle in its wait.");
	for (size_t i = 0; i < m->nr_series; i++) {
		if (m->series[i]->ended)
			continue;
		begin_line(w, "loopstall_loop_busy_ratio", i);
		buffer__printf(w->out, "} %.6g\n", m->series[i]->busy_ratio);
	}
	write_head(w, "loopstall_ongoing_stall_seconds", GAUGE, "seconds",
		   "How long the stall has lasted that the loop is in now; 0 when in none.");
	for (size_t i = 0; i < m->nr_series; i++) {
		if (m->series[i]->ended)
			continue;
		begin_line(w, "loopstall_ongoing_stall_seconds", i);
		end_seconds(w, m->series[i]->ongoing_ns);
	}
}

/* --- sites ------------------------------------------------------------------------------------- */

static void write_site(struct writer *w, const char *comm, int cause, const char *site, uint64_t ns)
{
	buffer__puts(w->out, "loopstall_site_seconds_total{");
	label__write(w->out, "comm", comm, false);
	label__write(w->out, "cause", cause_name(cause), true);
	label__write(w->out, "site", site, true);
	end_seconds(w, ns);
}

static void write_sites(struct writer *w)
{
	const struct site_counters *sites = &w->m->sites;

	write_head(w, "loopstall_site_seconds", COUNTER, "seconds",
		   "Time in stalls by the place in the program that led to it; the worst, and the "
		   "rest.");
	for (size_t i = 0; i < sites->nr; i++)
		if (sites->items[i].shown)
			write_site(w, sites->items[i].comm, sites->items[i].cause,
				   sites->items[i].site, sites->items[i].ns);
	for (int cause = 0; cause < LS_NR_CAUSES; cause++)
		if (sites->other_ns[cause])
			write_site(w, "other", cause, "other", sites->other_ns[cause]);
}

/* --- the tracer -------------------------------------------------------------------------------- */

static void write_losses(struct writer *w)
{
	const struct ls_losses *lost = &w->m->lost;
	const struct {
		const char *event;
		uint64_t count;
	} rows[] = {
		{"stalls", lost->stalls},   {"captures", lost->captures}, {"loops", lost->loops},
		{"samples", lost->samples}, {"processes", lost->events},
	};

	write_head(w, "loopstall_lost_events", COUNTER, NULL,
		   "What the tracer could not record: stalls without a record or stack, loops "
		   "without a "
		   "slot.");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		buffer__printf(w->out, "loopstall_lost_events_total{event=\"%s\"} %llu\n",
			       rows[i].event, (unsigned long long)rows[i].count);
}

static void write_one(struct writer *w, const char *name, enum type type, const char *unit,
		      const char *help, uint64_t ns)
{
	write_head(w, name, type, unit, help);
	buffer__puts(w->out, name);
	buffer__puts(w->out, type == COUNTER ? "_total " : " ");
	buffer__seconds(w->out, ns);
	buffer__puts(w->out, "\n");
}

static void write_tracer(struct writer *w)
{
	const struct metrics *m = w->m;
	const uint64_t s = 1000000000;

	write_losses(w);
	write_one(w, "loopstall_bpf_seconds", COUNTER, "seconds",
		  "CPU time of the probes in the kernel, estimated from short windows.",
		  m->overhead.bpf_ns);
	write_one(w, "loopstall_loops", GAUGE, NULL, "Event loops that are traced.",
		  (m->nr_series - m->nr_ended) * s);
	write_one(w, "loopstall_processes", GAUGE, NULL,
		  "Processes that are watched for event loops.", m->nr_targets * s);
	write_one(w, "loopstall_threshold_seconds", GAUGE, "seconds",
		  "The length from which an iteration counts as a stall.", m->options.threshold_ns);
	write_one(w, "loopstall_scrapes", COUNTER, NULL, "Requests for these metrics.",
		  m->scrapes * s);
	write_one(w, "process_cpu_seconds", COUNTER, "seconds", "CPU time of the tracer itself.",
		  m->overhead.tracer_cpu_ns);
	write_one(w, "process_resident_memory_bytes", GAUGE, "bytes",
		  "Memory of the tracer itself.", m->overhead.tracer_rss_bytes * s);
	write_one(w, "process_start_time_seconds", GAUGE, "seconds",
		  "When the tracer began, since the epoch.", m->started_ns);
	write_head(w, "loopstall_build", INFO, NULL, "The program's version.");
	buffer__puts(w->out, "loopstall_build_info{version=\"" LS_VERSION "\"} 1\n");
}

/* --- all --------------------------------------------------------------------------------------- */

static void write_labels_of(struct writer *w, const struct loop_series *s)
{
	buffer__printf(&w->labels, "pid=\"%d\",tid=\"%d\"", s->pid, s->tid);
	label__write(&w->labels, "comm", s->comm, true);
	label__write(&w->labels, "kind", s->kind, true);
	if (!w->m->options.cgroup)
		return;
	label__write(&w->labels, "cgroup", s->cgroup, true);
	label__write(&w->labels, "container", s->container, true);
}

void exposition__write(const struct metrics *m, enum exposition_format format, struct buffer *out)
{
	struct writer *w = calloc(1, sizeof(*w));
	size_t *ends = calloc(m->nr_series + 1, sizeof(*ends));

	if (!w || !ends) {
		out->failed = true;
		goto out;
	}
	w->m = m;
	w->out = out;
	w->open = format == FORMAT_OPENMETRICS;
	w->ends = ends;
	for (size_t i = 0; i < m->nr_series; i++) {
		write_labels_of(w, m->series[i]);
		ends[i] = w->labels.bytes;
	}
	write_iterations(w);
	write_quantiles(w);
	write_stalls(w);
	write_stalled(w);
	write_gauges(w);
	write_sites(w);
	write_tracer(w);
	if (w->open)
		buffer__puts(out, "# EOF\n");
	out->failed = out->failed || w->labels.failed;
	for (size_t i = 0; i < w->nr_bounds; i++)
		buffer__free(&w->bounds[i]);
	buffer__free(&w->labels);
out:
	free(ends);
	free(w);
}
