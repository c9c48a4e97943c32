/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The human report. What a reader at 3 a.m. needs comes first: how long, why, which line. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/names.h"
#include "report/text.h"
#include "report/text_internal.h"

enum { STACK_LINES = 24, LEAF_LINES = 14, SITE_CALLEES = 3, SITE_CALLERS = 4, WORDS_COLUMN = 11 };

/* --- lines ---------------------------------------------------------------------------------------- */

void text__end(struct text *t)
{
	int err = line__end(&t->line);

	if (err && !t->err)
		t->err = err;
}

int text__finish(struct text *t)
{
	if (!t->err && fflush(t->line.out))
		t->err = -errno;
	return t->err;
}

double text__percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * part / whole : 0;
}

void text__item(struct text *t, enum paint paint, size_t indent, const char *fmt, ...)
{
	struct line *l = &t->line;
	const char *rest;
	char item[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(item, sizeof(item), fmt, args);
	va_end(args);
	rest = item + strspn(item, ",; ");
	if (l->columns > indent && l->columns + strlen(item) >= l->width) {
		line__add(l, PAINT_NONE, "%.*s", (int)strcspn(item, " "), item);
		text__end(t);
		line__tab(l, indent);
		line__add(l, paint, "%s", rest);
	} else {
		line__add(l, paint, "%s", item);
	}
}

/* Columns left on the line before `after`. */
static size_t room(const struct text *t, const char *after)
{
	size_t taken = t->line.columns + strlen(after) + 1;

	return t->line.width > taken ? t->line.width - taken : 0;
}

void text__place(struct text *t, enum paint paint, const struct ls_frame *frame, const char *after)
{
	char place[512];

	line__add(&t->line, paint, "%s",
		  names__place_in(frame, room(t, after), place, sizeof(place)));
}

/* --- start and loops ---------------------------------------------------------------------------- */

/* When and where, and the command of each process. */
static void print_recorded(struct text *t, const struct ls_start *start)
{
	time_t seconds = (time_t)(start->time_ns / 1000000000);
	struct tm tm;
	char time[32] = "";

	if (start->time_ns && gmtime_r(&seconds, &tm))
		strftime(time, sizeof(time), " %Y-%m-%d %H:%M:%S UTC", &tm);
	if (time[0] || start->host) {
		line__add(&t->line, PAINT_NONE, "recorded%s", time);
		if (start->host)
			text__item(t, PAINT_NONE, 2, " on %s", start->host);
		if (start->kernel)
			text__item(t, PAINT_NONE, 2, ", Linux %s", start->kernel);
		text__end(t);
	}
	for (size_t i = 0; start->commands && i < start->nr_pids; i++) {
		if (!start->commands[i] || !start->commands[i][0])
			continue;
		line__add(&t->line, PAINT_DIM, "%d  ", start->pids[i]);
		line__add(&t->line, PAINT_NONE, "%s", start->commands[i]);
		text__end(t);
	}
}

static int on_start(void *self, const struct ls_start *start)
{
	struct text *t = self;
	struct line *l = &t->line;
	char length[32];

	line__add(l, PAINT_BOLD, "loopstall %s", start->version ? start->version : "?");
	line__add(l, PAINT_NONE, "  stalls of %s and more in process%s",
		  names__length(start->threshold_ns, length, sizeof(length)),
		  start->nr_pids == 1 ? "" : "es");
	for (size_t i = 0; i < start->nr_pids; i++)
		line__add(l, PAINT_NONE, "%s%d", i ? "," : " ", start->pids[i]);
	if (!t->options.recorded)
		text__item(t, PAINT_DIM, 2, "; Ctrl-C ends");
	text__end(t);
	if (t->options.recorded)
		print_recorded(t, start);
	return text__finish(t);
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
	text__end(t);
	return text__finish(t);
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
void text__ledger(struct text *t, const struct ls_ledger *ledger, size_t indent)
{
	struct share shares[LS_NR_CAUSES + 1];
	uint64_t sum = ls_ledger__sum(ledger);
	char length[32];

	for (int i = 0; i < LS_NR_CAUSES; i++)
		shares[i] = (struct share){ls_cause__name(i), ledger->ns[i]};
	shares[LS_NR_CAUSES] = (struct share){"unaccounted", ledger->unaccounted_ns};
	qsort(shares, LS_NR_CAUSES + 1, sizeof(shares[0]), by_share);
	for (int i = 0; i <= LS_NR_CAUSES && shares[i].ns; i++)
		text__item(t, i ? PAINT_NONE : PAINT_BOLD, indent, "%s%s %s %.*f%%", i ? ", " : "",
			   shares[i].name, names__length(shares[i].ns, length, sizeof(length)),
			   text__percent(shares[i].ns, sum) < 9.95 ? 1 : 0,
			   text__percent(shares[i].ns, sum));
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

	text__end(t);
	line__measure(l);
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
		text__item(t, PAINT_YELLOW, 2, "  %" PRId64 " event%s queued up behind it",
			   stall->ready, stall->ready == 1 ? "" : "s");
	text__item(t, PAINT_DIM, 2, "  #%" PRIu64, t->nr_stalls);
	text__end(t);
	line__add(l, PAINT_NONE, "  ");
	text__ledger(t, &stall->ledger, 2);
	text__end(t);
}

static void print_label(struct text *t, const char *label)
{
	line__add(&t->line, PAINT_DIM, "    %-7s ", label);
}

static void print_site(struct text *t, const struct ls_frame *site)
{
	if (!site)
		return;
	print_label(t, "site");
	text__place(t, PAINT_GREEN, site, "");
	text__end(t);
}

static void print_callee(struct text *t, const struct ls_frame *callee)
{
	char place[512];

	if (!callee)
		return;
	print_label(t, "called");
	line__add(&t->line, PAINT_NONE, "%s",
		  names__called_place_in(callee, room(t, ""), place, sizeof(place)));
	text__end(t);
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
	const char *after = is_site                          ? "  <- site"
			    : frame->kind == LS_FRAME_KERNEL ? " [kernel]"
							     : "";
	enum paint paint = is_site                          ? PAINT_BOLD
			   : frame->kind == LS_FRAME_KERNEL ? PAINT_DIM
							    : PAINT_NONE;

	print_label(t, label);
	text__place(t, paint, frame, after);
	line__add(&t->line, is_site ? PAINT_GREEN : PAINT_DIM, "%s", after);
	text__end(t);
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
	text__end(t);
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
		text__end(t);
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
		text__end(t);
	}
}

static void print_holder(struct text *t, const struct ls_holder *holder)
{
	if (!holder->tid)
		return;
	print_label(t, "held by");
	line__add(&t->line, PAINT_YELLOW, "%s, thread %d", holder->comm ? holder->comm : "?",
		  holder->tid);
	text__end(t);
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
			text__end(t);
			line__tab(l, WORDS_COLUMN);
		}
		line__add(l, PAINT_NONE, " %.*s", (int)length, words);
	}
	text__end(t);
}

static void print_cause(struct text *t, const struct ls_blame *b)
{
	struct line *l = &t->line;
	char length[32], call[512];

	line__add(l, PAINT_CYAN, "  %s %s", ls_cause__name(b->cause),
		  names__length(b->ns, length, sizeof(length)));
	if (b->count > 1 && b->cause != LS_CPU)
		line__add(l, PAINT_NONE, " in %" PRIu64 " waits", b->count);
	if (b->call.name || b->call.object)
		text__item(t, PAINT_BOLD, 4, "  %s",
			   names__call(b->call.name, b->call.object, call, sizeof(call)));
	if (b->call.fd >= 0)
		text__item(t, PAINT_DIM, 4, " (fd %d)", b->call.fd);
	text__end(t);
	print_site(t, b->site);
	print_callee(t, b->callee);
	if (b->task) {
		print_label(t, "task");
		line__add(l, PAINT_NONE, "%s", b->task);
		text__end(t);
	}
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
	return text__finish(t);
}

/* ------------------------------------------------------------------------------------------------ */

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct text *t = self;

	t->stalls_added_up += rest->stalls;
	t->added_up_ns += rest->wall_ns;
	return 0;
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
		.summary = text__summary,
		.free = free,
	};
	*self = t;
	return 0;
}
