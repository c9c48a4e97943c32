/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The human report. What a reader at 3 a.m. needs comes first: how long, why, which line. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/histogram.h"
#include "report/line.h"
#include "model/names.h"
#include "report/text.h"

enum { STACK_LINES = 24, LEAF_LINES = 14, SITE_CALLEES = 3, SITE_CALLERS = 4 };
enum { SEEN_STACKS = 512, BAR_COLUMNS = 40, SITES_SHOWN = 10, WORDS_COLUMN = 11, MANY_LOOPS = 4 };

/* A stack which was printed already, so that the next one like it need not be. */
struct seen_stack {
	uint64_t hash;
	uint64_t stall; /* its number in this report */
};

struct text {
	struct line line;
	struct text_options options;
	uint64_t nr_stalls;
	struct seen_stack seen[SEEN_STACKS];
	size_t nr_seen;
	uint64_t stalls_added_up, added_up_ns;
	int err;
};

static void end(struct text *t)
{
	int err = line__end(&t->line);

	if (err && !t->err)
		t->err = err;
}

static int finish(struct text *t)
{
	if (!t->err && fflush(t->line.out))
		t->err = -errno;
	return t->err;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

/* --- start and loops ---------------------------------------------------------------------------- */

static int on_start(void *self, const struct ls_start *start)
{
	struct text *t = self;
	struct line *l = &t->line;
	char length[32];

	line__add(l, PAINT_BOLD, "loopstall %s", start->version);
	line__add(l, PAINT_NONE, "  stalls of %s and more in process%s",
		  names__length(start->threshold_ns, length, sizeof(length)),
		  start->nr_pids == 1 ? "" : "es");
	for (size_t i = 0; i < start->nr_pids; i++)
		line__add(l, PAINT_NONE, "%s%d", i ? "," : " ", start->pids[i]);
	line__add(l, PAINT_DIM, "; Ctrl-C ends");
	end(t);
	return finish(t);
}

static int on_loop(void *self, const struct ls_loop *loop)
{
	struct text *t = self;
	struct line *l = &t->line;

	line__add(l, PAINT_DIM, "loop  ");
	line__add(l, PAINT_NONE, "%s %d", loop->comm ? loop->comm : "?", loop->pid);
	if (loop->tid != loop->pid)
		line__add(l, PAINT_NONE, " thread %d", loop->tid);
	line__add(l, PAINT_DIM, "  %s, waits in %s", loop->kind ? loop->kind : "?",
		  loop->wait ? loop->wait : "?");
	end(t);
	return finish(t);
}

/* --- a stall ------------------------------------------------------------------------------------ */

struct share {
	const char *name;
	uint64_t ns;
};

static int by_share(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

/* "sleep 50.1 ms 98 %, cpu 288 us 1 %": all of the ledger, greatest first. */
static void add_ledger(struct text *t, const struct ls_ledger *ledger)
{
	struct share shares[LS_NR_CAUSES + 1];
	uint64_t sum = ls_ledger__sum(ledger);
	char length[32];

	for (int i = 0; i < LS_NR_CAUSES; i++)
		shares[i] = (struct share){ls_cause__name(i), ledger->ns[i]};
	shares[LS_NR_CAUSES] = (struct share){"unaccounted", ledger->unaccounted_ns};
	qsort(shares, LS_NR_CAUSES + 1, sizeof(shares[0]), by_share);
	for (int i = 0; i <= LS_NR_CAUSES && shares[i].ns; i++)
		line__add(&t->line, i ? PAINT_NONE : PAINT_BOLD, "%s%s %s %.*f%%", i ? ", " : "",
			  shares[i].name, names__length(shares[i].ns, length, sizeof(length)),
			  percent(shares[i].ns, sum) < 9.95 ? 1 : 0, percent(shares[i].ns, sum));
}

static void add_time(struct line *l, uint64_t time_ns)
{
	time_t seconds = time_ns / 1000000000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	line__add(l, PAINT_NONE, "%02d:%02d:%02d.%03d  ", tm.tm_hour, tm.tm_min, tm.tm_sec,
		  (int)(time_ns / 1000000 % 1000));
}

static void print_headline(struct text *t, const struct ls_stall *stall)
{
	struct line *l = &t->line;
	char length[32];

	end(t);
	add_time(l, stall->time_ns);
	names__length(stall->wall_ns, length, sizeof(length));
	if (stall->ongoing)
		line__add(l, PAINT_RED, "HANGS NOW, %s%s so far",
			  stall->before_attach ? "at least " : "", length);
	else
		line__add(l, PAINT_RED, "stall %s%s", stall->before_attach ? "of at least " : "",
			  length);
	line__add(l, PAINT_NONE, "  %s %d", stall->comm ? stall->comm : "?", stall->pid);
	if (stall->tid != stall->pid)
		line__add(l, PAINT_NONE, "/%d", stall->tid);
	line__add(l, PAINT_DIM, " %s", stall->kind ? stall->kind : "?");
	if (stall->ready > 0)
		line__add(l, PAINT_YELLOW, "  %" PRId64 " event%s queued up behind it",
			  stall->ready, stall->ready == 1 ? "" : "s");
	line__add(l, PAINT_DIM, "  #%" PRIu64, t->nr_stalls);
	end(t);
	line__add(l, PAINT_NONE, "  ");
	add_ledger(t, &stall->ledger);
	end(t);
}

static void print_place(struct text *t, const char *label, enum paint paint, const char *place)
{
	line__add(&t->line, PAINT_DIM, "    %-7s ", label);
	line__add(&t->line, paint, "%s", place);
	end(t);
}

static uint64_t hash_stack(const struct ls_stack *stack)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < stack->nr_frames; i++) {
		char name[256];

		names__place(&stack->frames[i], name, sizeof(name));
		for (const char *c = name; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3;
		hash = (hash ^ '\n') * 0x100000001b3;
	}
	return hash;
}

/* The stall in which this stack was printed; 0: now is the first time. */
static uint64_t seen_before(struct text *t, const struct ls_stack *stack)
{
	uint64_t hash = hash_stack(stack);

	for (size_t i = 0; i < t->nr_seen; i++)
		if (t->seen[i].hash == hash)
			return t->seen[i].stall;
	if (t->nr_seen < SEEN_STACKS)
		t->seen[t->nr_seen++] = (struct seen_stack){hash, t->nr_stalls};
	return 0;
}

static bool is_shown(const struct text *t, const struct ls_frame *frame)
{
	bool kernel = frame->kind == LS_FRAME_KERNEL;

	return kernel ? !t->options.user_only : !t->options.kernel_only;
}

static void print_frame(struct text *t, const struct ls_frame *frame, const char *label,
			bool is_site)
{
	char place[512];
	bool kernel = frame->kind == LS_FRAME_KERNEL;

	line__add(&t->line, PAINT_DIM, "    %-7s ", label);
	line__add(&t->line,
		  is_site  ? PAINT_BOLD
		  : kernel ? PAINT_DIM
			   : PAINT_NONE,
		  "%s%s", names__place(frame, place, sizeof(place)), kernel ? " [kernel]" : "");
	if (is_site)
		line__add(&t->line, PAINT_GREEN, "  <- site");
	end(t);
}

/* A deep stack shows its leaf and, when that is further away, the neighbourhood of its site. */
struct window {
	size_t leaf;     /* as many frames from the leaf on */
	size_t from, to; /* and these; positions among the frames shown */
};

static struct window choose_window(const struct text *t, const struct ls_stack *stack,
				   const struct ls_frame *site)
{
	size_t site_at = site ? (size_t)(site - stack->frames) : stack->nr_frames;
	size_t shown = 0, at = 0;

	for (size_t i = 0; i < stack->nr_frames; i++) {
		if (i == site_at)
			at = shown;
		shown += is_shown(t, &stack->frames[i]);
	}
	if (at + SITE_CALLERS < STACK_LINES)
		return (struct window){.leaf = STACK_LINES};
	return (struct window){
		.leaf = LEAF_LINES,
		.from = at - SITE_CALLEES,
		.to = at - SITE_CALLEES + STACK_LINES - LEAF_LINES,
	};
}

static bool in_window(const struct window *w, size_t at)
{
	return at < w->leaf || (at >= w->from && at < w->to);
}

static void print_gap(struct text *t, size_t *hidden)
{
	if (!*hidden)
		return;
	line__add(&t->line, PAINT_DIM, "            ... %zu more", *hidden);
	end(t);
	*hidden = 0;
}

static void print_stack(struct text *t, const char *label, const struct ls_stack *stack,
			const struct ls_frame *site)
{
	uint64_t before = stack->nr_frames ? seen_before(t, stack) : 0;
	struct window window = choose_window(t, stack, site);
	size_t site_at = site ? (size_t)(site - stack->frames) : stack->nr_frames;
	size_t shown = 0, hidden = 0;

	if (before) {
		line__add(&t->line, PAINT_DIM, "    %-7s as in #%" PRIu64, label, before);
		end(t);
		return;
	}
	for (size_t i = 0; i < stack->nr_frames; i++) {
		if (!is_shown(t, &stack->frames[i]))
			continue;
		if (!in_window(&window, shown++)) {
			hidden++;
			continue;
		}
		print_gap(t, &hidden);
		print_frame(t, &stack->frames[i], shown == 1 ? label : "", i == site_at);
	}
	print_gap(t, &hidden);
	if (stack->truncated && shown) {
		line__add(&t->line, PAINT_DIM,
			  "            ... (the stack goes on, and could not be followed)");
		end(t);
	}
}

static void print_holder(struct text *t, const struct ls_holder *holder)
{
	if (!holder->tid)
		return;
	line__add(&t->line, PAINT_DIM, "    %-7s ", "held by");
	line__add(&t->line, PAINT_YELLOW, "%s, thread %d", holder->comm ? holder->comm : "?",
		  holder->tid);
	end(t);
	if (holder->stack.nr_frames)
		print_stack(t, "holder", &holder->stack, NULL);
}

/* A sentence, on as many lines as it needs. */
static void print_words(struct text *t, const char *label, const char *words)
{
	struct line *l = &t->line;
	size_t length;

	line__add(l, PAINT_DIM, "    %-7s", label);
	for (; *words; words += length + strspn(words + length, " ")) {
		length = strcspn(words, " ");
		if (l->columns > WORDS_COLUMN && l->columns + 1 + length >= l->width) {
			end(t);
			line__tab(l, WORDS_COLUMN);
		}
		line__add(l, PAINT_NONE, " %.*s", (int)length, words);
	}
	end(t);
}

static void print_cause(struct text *t, const struct ls_blame *b)
{
	struct line *l = &t->line;
	char length[32], call[512], place[512];

	line__add(l, PAINT_CYAN, "  %s %s", ls_cause__name(b->cause),
		  names__length(b->ns, length, sizeof(length)));
	if (b->count > 1 && b->cause != LS_CPU)
		line__add(l, PAINT_NONE, " in %" PRIu64 " waits", b->count);
	if (b->call.name || b->call.object)
		line__add(l, PAINT_BOLD, "  %s",
			  names__call(b->call.name, b->call.object, call, sizeof(call)));
	if (b->call.fd >= 0)
		line__add(l, PAINT_DIM, " (fd %d)", b->call.fd);
	end(t);
	if (b->site)
		print_place(t, "site", PAINT_GREEN, names__place(b->site, place, sizeof(place)));
	if (b->callee)
		print_place(t, "called", PAINT_NONE,
			    names__called_place(b->callee, place, sizeof(place)));
	if (b->task)
		print_place(t, "task", PAINT_NONE, b->task);
	print_holder(t, &b->holder);
	if (b->stack.nr_frames)
		print_stack(t, "stack", &b->stack, b->site);
	if (b->advice) {
		print_words(t, "advice", b->advice);
	}
}

/* Worth a block of its own: it has a place, or it is most of the stall. */
static bool is_worth_showing(const struct ls_blame *b, const struct ls_stall *stall)
{
	uint64_t share = b->site || b->call.name || b->stack.nr_frames ? 20 : 4;

	return b->ns >= stall->wall_ns / share;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct text *t = self;

	t->nr_stalls++;
	print_headline(t, stall);
	for (size_t i = 0; i < stall->nr_causes; i++)
		if (is_worth_showing(&stall->causes[i], stall))
			print_cause(t, &stall->causes[i]);
	return finish(t);
}

/* --- summary ------------------------------------------------------------------------------------ */

static void print_histogram(struct text *t, const uint32_t buckets[LS_HIST_BUCKETS])
{
	uint64_t powers[LS_HIST_BUCKETS / LS_HIST_SUB] = {0}, most = 0;
	int first = -1, last = -1;

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
		int bar = (int)((powers[i] * BAR_COLUMNS + most - 1) / most);

		line__add(&t->line, PAINT_NONE, "  %9s - %-9s",
			  names__length(histogram__lower_ns(i * LS_HIST_SUB), lower, sizeof(lower)),
			  names__length(histogram__lower_ns((i + 1) * LS_HIST_SUB), upper,
					sizeof(upper)));
		line__add(&t->line, PAINT_DIM, "%10" PRIu64 " ", powers[i]);
		line__add(&t->line, PAINT_CYAN, "%.*s", bar,
			  "########################################");
		end(t);
	}
}

static void print_site(struct text *t, size_t rank, const struct ls_site_total *site)
{
	struct line *l = &t->line;
	char place[512], callee[256], length[32], call[512];

	line__add(l, PAINT_DIM, "  %3zu  ", rank);
	line__add(l, PAINT_BOLD, "%s",
		  site->has_site ? names__place(&site->site, place, sizeof(place))
				 : "(no place known)");
	if (site->has_callee)
		line__add(l, PAINT_NONE, " -> %s",
			  names__callee(&site->callee, callee, sizeof(callee)));
	line__add(l, PAINT_NONE, ": %" PRIu64 " stall%s, ", site->count,
		  site->count == 1 ? "" : "s");
	line__add(l, PAINT_BOLD, "%s", names__length(site->ns, length, sizeof(length)));
	line__add(l, PAINT_CYAN, ", %s", ls_cause__name(site->cause));
	if (site->call.object)
		line__add(l, PAINT_NONE, " %s",
			  names__call(NULL, site->call.object, call, sizeof(call)));
	end(t);
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
			end(t);
		}
		print_site(t, ++shown, &s->top[i]);
	}
}

/* Lengths of all iterations, stalls or not. */
static void print_iterations(struct text *t, const struct ls_loop_summary *s, bool with_histogram)
{
	char p50[32], p90[32], p99[32], max[32];

	line__add(&t->line, PAINT_NONE, "  iteration time  p50 %s  p90 %s  p99 %s  max %s",
		  names__length(s->p50_ns, p50, sizeof(p50)),
		  names__length(s->p90_ns, p90, sizeof(p90)),
		  names__length(s->p99_ns, p99, sizeof(p99)),
		  names__length(s->max_ns, max, sizeof(max)));
	end(t);
	if (with_histogram)
		print_histogram(t, s->histogram);
}

static void print_loop(struct text *t, const struct ls_loop_summary *s, double seconds,
		       bool with_histogram)
{
	struct line *l = &t->line;
	char stalled[32];

	end(t);
	line__add(l, PAINT_BOLD, "%s %d", s->loop.comm ? s->loop.comm : "?", s->loop.pid);
	if (s->loop.tid != s->loop.pid)
		line__add(l, PAINT_BOLD, "/%d", s->loop.tid);
	line__add(l, PAINT_DIM, "  %s, %s", s->loop.kind ? s->loop.kind : "?",
		  s->loop.wait ? s->loop.wait : "?");
	end(t);
	line__add(l, PAINT_NONE, "  %" PRIu64 " iterations, busy %.1f%%, waiting %.1f%%",
		  s->iterations, percent(s->busy_ns, seconds * 1e9),
		  percent(s->wait_ns, seconds * 1e9));
	line__add(l, s->stalls ? PAINT_RED : PAINT_GREEN, "; %" PRIu64 " stall%s", s->stalls,
		  s->stalls == 1 ? "" : "s");
	if (s->stalls)
		line__add(l, PAINT_NONE, " of %s together, %.1f%% of the time",
			  names__length(s->stalled_wall_ns, stalled, sizeof(stalled)),
			  percent(s->stalled_wall_ns, seconds * 1e9));
	end(t);
	if (s->iterations)
		print_iterations(t, s, with_histogram);
	if (!s->stalls)
		return;
	line__add(l, PAINT_DIM, "  stalls' time  ");
	add_ledger(t, &s->ledger);
	end(t);
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

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct text *t = self;

	t->stalls_added_up += rest->stalls;
	t->added_up_ns += rest->wall_ns;
	return 0;
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
	end(t);
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct text *t = self;
	struct line *l = &t->line;
	const struct ls_overhead *o = &summary->overhead;
	char bpf[32], cpu[32];

	end(t);
	line__add(l, PAINT_BOLD, "--- %.1f s, %zu loop%s ---", summary->seconds, summary->nr_loops,
		  summary->nr_loops == 1 ? "" : "s");
	end(t);
	for (size_t i = 0; i < summary->nr_loops; i++)
		print_loop(t, &summary->loops[i], summary->seconds,
			   summary->loops[i].stalls || summary->nr_loops <= MANY_LOOPS);
	end(t);
	print_losses(t, &summary->lost);
	if (summary->frames_total)
		line__add(l, PAINT_DIM, "; %.0f%% of %" PRIu64 " frames named",
			  percent(summary->frames_symbolized, summary->frames_total),
			  summary->frames_total);
	end(t);
	print_added_up(t);
	line__add(l, PAINT_DIM,
		  "tracing cost %s in BPF (%.2f%% of a CPU, estimated); tracer %s CPU, %" PRIu64
		  " MB",
		  names__length(o->bpf_ns, bpf, sizeof(bpf)),
		  percent(o->bpf_ns, summary->seconds * 1e9),
		  names__length(o->tracer_cpu_ns, cpu, sizeof(cpu)), o->tracer_rss_bytes >> 20);
	end(t);
	return finish(t);
}

int report_text__new(FILE *out, const struct text_options *options, struct reporter *r, void **self)
{
	struct text *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->options = *options;
	line__init(&t->line, out, options->width);
	*r = (struct reporter){
		.start = on_start,
		.loop = on_loop,
		.stall = on_stall,
		.rest = on_rest,
		.summary = on_summary,
		.free = free,
	};
	*self = t;
	return 0;
}
