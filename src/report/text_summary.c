/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The end of the human report: what each loop's time added up to, what was lost, what it cost. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/histogram.h"
#include "model/names.h"
#include "report/text_internal.h"

enum { BAR_COLUMNS = 40, LABEL_COLUMNS = 34, SITES_SHOWN = 10, SITE_COLUMN = 7 };
enum { ITERATION_COLUMN = 16, MANY_LOOPS = 4, LEAST_UNNAMED = 5 /* percent */, UNNAMED_MAX = 16 };

static void print_histogram(struct text *t, const uint32_t buckets[LS_HIST_BUCKETS])
{
	uint64_t powers[LS_HIST_BUCKETS / LS_HIST_SUB] = {0}, most = 0;
	int first = -1, last = -1, columns = BAR_COLUMNS;

	if (t->line.width < LABEL_COLUMNS + BAR_COLUMNS + 1)
		columns = (int)t->line.width - LABEL_COLUMNS - 1;
	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		powers[i / LS_HIST_SUB] += buckets[i];
	for (int i = 0; i < LS_HIST_BUCKETS / LS_HIST_SUB; i++) {
		if (!powers[i])
			continue;
		first = first < 0 ? i : first;
		last = i;
		most = powers[i] > most ? powers[i] : most;
	}
	for (int i = first; i >= 0 && i <= last; i++) {
		char lower[32], upper[32];
		int bar = (int)((powers[i] * columns + most - 1) / most);

		line__add(&t->line, PAINT_NONE, "  %9s - %-9s",
			  names__length(histogram__lower_ns(i * LS_HIST_SUB), lower, sizeof(lower)),
			  names__length(histogram__lower_ns((i + 1) * LS_HIST_SUB), upper,
					sizeof(upper)));
		line__add(&t->line, PAINT_DIM, "%10" PRIu64 " ", powers[i]);
		line__add(&t->line, PAINT_CYAN, "%.*s", bar,
			  "########################################");
		text__end(t);
	}
}

/* Numbers first: at the end of a long name they would be lost on a narrow terminal. */
static void print_site(struct text *t, size_t rank, const struct ls_site_total *site)
{
	struct line *l = &t->line;
	char place[512], callee[256], length[32], call[512];
	size_t bytes = 0;

	line__add(l, PAINT_DIM, "  %3zu  ", rank);
	line__add(l, PAINT_BOLD, "%s", names__length(site->ns, length, sizeof(length)));
	line__add(l, PAINT_CYAN, " %s", ls_cause__name(site->cause));
	line__add(l, PAINT_NONE, " in %" PRIu64 " stall%s  ", site->count,
		  site->count == 1 ? "" : "s");
	if (site->has_callee)
		bytes = strlen(names__callee(&site->callee, callee, sizeof(callee))) + 4;
	if (site->has_site) {
		names__place(&site->site, place, sizeof(place));
		if (l->columns + strlen(place) + bytes >= l->width) {
			text__end(t);
			line__tab(l, SITE_COLUMN);
		}
		if (l->columns + strlen(place) + bytes >= l->width && bytes > l->width / 3)
			bytes = l->width / 3;
		names__place_in(&site->site, l->width - l->columns - bytes - 1, place,
				sizeof(place));
	}
	line__add(l, PAINT_BOLD, "%s", site->has_site ? place : "(no place known)");
	if (site->has_callee)
		line__add(l, PAINT_NONE, " -> %s", callee);
	if (site->call.object)
		text__item(t, PAINT_NONE, SITE_COLUMN, "  %s",
			   names__call(site->call.name, site->call.object, call, sizeof(call)));
	text__end(t);
}

/* Sites first; time without a place is in the ledger. */
static void print_sites(struct text *t, const struct ls_loop_summary *s)
{
	size_t shown = 0;

	for (size_t i = 0; i < s->nr_top && shown < SITES_SHOWN; i++) {
		if (!s->top[i].has_site && !s->top[i].call.name)
			continue;
		if (!shown) {
			line__add(&t->line, PAINT_DIM, "  worst sites");
			text__end(t);
		}
		print_site(t, ++shown, &s->top[i]);
	}
}

/* Lengths of all iterations, stalls or not. */
static void print_iterations(struct text *t, const struct ls_loop_summary *s, bool with_histogram)
{
	char p50[32], p90[32], p99[32], max[32];

	line__add(&t->line, PAINT_NONE, "  iteration time  p50 %s  p90 %s",
		  names__length(s->p50_ns, p50, sizeof(p50)),
		  names__length(s->p90_ns, p90, sizeof(p90)));
	text__item(t, PAINT_NONE, ITERATION_COLUMN, "  p99 %s",
		   names__length(s->p99_ns, p99, sizeof(p99)));
	text__item(t, PAINT_NONE, ITERATION_COLUMN, "  max %s",
		   names__length(s->max_ns, max, sizeof(max)));
	text__end(t);
	if (with_histogram)
		print_histogram(t, s->histogram);
}

static void print_loop(struct text *t, const struct ls_loop_summary *s, double seconds,
		       bool with_histogram)
{
	struct line *l = &t->line;
	char stalled[32];

	text__end(t);
	line__add(l, PAINT_BOLD, "%s %d", s->loop.comm ? s->loop.comm : "?", s->loop.pid);
	if (s->loop.tid != s->loop.pid)
		line__add(l, PAINT_BOLD, "/%d", s->loop.tid);
	line__add(l, PAINT_DIM, "  %s, %s", s->loop.kind ? s->loop.kind : "?",
		  s->loop.wait ? s->loop.wait : "?");
	text__end(t);
	line__add(l, PAINT_NONE, "  %" PRIu64 " iterations, busy %.1f%%, waiting %.1f%%",
		  s->iterations, text__percent(s->busy_ns, seconds * 1e9),
		  text__percent(s->wait_ns, seconds * 1e9));
	text__item(t, s->stalls ? PAINT_RED : PAINT_GREEN, 2, "; %" PRIu64 " stall%s", s->stalls,
		   s->stalls == 1 ? "" : "s");
	if (s->stalls)
		text__item(t, PAINT_NONE, 2, " of %s together, %.1f%% of the time",
			   names__length(s->stalled_wall_ns, stalled, sizeof(stalled)),
			   text__percent(s->stalled_wall_ns, seconds * 1e9));
	text__end(t);
	if (s->iterations)
		print_iterations(t, s, with_histogram);
	if (!s->stalls)
		return;
	line__add(l, PAINT_DIM, "  stalls' time  ");
	text__ledger(t, &s->ledger, ITERATION_COLUMN);
	text__end(t);
	print_sites(t, s);
}

static void print_losses(struct text *t, const struct ls_losses *lost)
{
	const struct {
		uint64_t n;
		const char *what;
	} kinds[] = {
		{lost->stalls, "stalls"},         {lost->captures, "stacks"},
		{lost->loops, "loops"},           {lost->samples, "samples"},
		{lost->events, "process events"},
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!kinds[i].n)
			continue;
		line__add(&t->line, PAINT_RED, "%s%" PRIu64 " %s", any ? ", " : "lost ", kinds[i].n,
			  kinds[i].what);
		any = true;
	}
	if (!any)
		line__add(&t->line, PAINT_NONE, "nothing lost");
}

/* A trace of bounded size has not each stall; sums, quantiles and ledger have them all. */
static void print_added_up(struct text *t)
{
	char length[32];

	if (!t->stalls_added_up)
		return;
	line__add(&t->line, PAINT_YELLOW,
		  "%" PRIu64 " stalls, of %s together, are in the sums alone: the trace is bounded "
		  "(record --max-size)",
		  t->stalls_added_up, names__length(t->added_up_ns, length, sizeof(length)));
	text__end(t);
}

static int by_frames(const void *a, const void *b)
{
	const struct ls_unnamed *x = a, *y = b;

	return (x->frames < y->frames) - (x->frames > y->frames);
}

/* Where a good part of the frames without a name lies, most of them first, and what would name them. */
static void print_unnamed(struct text *t, const struct ls_summary *summary, bool jit,
			  const char *why)
{
	struct ls_unnamed list[UNNAMED_MAX];
	size_t nr = 0, shown = 0;

	for (size_t i = 0; i < summary->nr_unnamed && nr < UNNAMED_MAX; i++)
		if (summary->unnamed[i].jit == jit)
			list[nr++] = summary->unnamed[i];
	if (nr)
		qsort(list, nr, sizeof(list[0]), by_frames);
	for (size_t i = 0; i < nr; i++) {
		double share = text__percent(list[i].frames, summary->frames_total);

		if (share < LEAST_UNNAMED)
			break;
		text__item(t, PAINT_DIM, 2, "%s%.0f%% in %s", shown++ ? ", " : "not named: ", share,
			   jit ? "generated code" : names__basename(list[i].module));
	}
	if (!shown)
		return;
	text__item(t, PAINT_DIM, 2, " (%s)", why);
	text__end(t);
}

int text__summary(void *self, const struct ls_summary *summary)
{
	struct text *t = self;
	struct line *l = &t->line;
	const struct ls_overhead *o = &summary->overhead;
	char bpf[32], cpu[32];

	line__measure(l);
	text__end(t);
	line__add(l, PAINT_BOLD, "--- %.1f s, %zu loop%s ---", summary->seconds, summary->nr_loops,
		  summary->nr_loops == 1 ? "" : "s");
	text__end(t);
	for (size_t i = 0; i < summary->nr_loops; i++)
		print_loop(t, &summary->loops[i], summary->seconds,
			   summary->loops[i].stalls || summary->nr_loops <= MANY_LOOPS);
	text__end(t);
	print_losses(t, &summary->lost);
	if (summary->frames_total)
		line__add(l, PAINT_DIM, "; %.0f%% of %" PRIu64 " frames named",
			  text__percent(summary->frames_symbolized, summary->frames_total),
			  summary->frames_total);
	text__end(t);
	print_unnamed(t, summary, false, "stripped: debug symbols would name them");
	print_unnamed(t, summary, true, "its runtime writes no perf map");
	print_added_up(t);
	line__add(l, PAINT_DIM, "tracing cost %s in BPF (%.2f%% of a CPU, estimated)",
		  names__length(o->bpf_ns, bpf, sizeof(bpf)),
		  text__percent(o->bpf_ns, summary->seconds * 1e9));
	text__item(t, PAINT_DIM, 2, "; tracer %s CPU, %" PRIu64 " MB",
		   names__length(o->tracer_cpu_ns, cpu, sizeof(cpu)), o->tracer_rss_bytes >> 20);
	text__end(t);
	return text__finish(t);
}
