/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * file -> zstd -> lines -> model. One line at a time; what is kept between lines (tables, totals)
 * is bounded. Lines of an unknown type and unknown members are passed over: a later loopstall may
 * add some.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "model/arena.h"
#include "model/intern.h"
#include "model/jsonr.h"
#include "model/stacks.h"
#include "model/tracefile.h"
#include "model/zstdio.h"

enum {
	MAX_TABLE_BYTES = 64 << 20,
	MAX_LOOPS = 16384,
	MAX_STACK_FRAMES = 1024,
	MAX_CAUSES = 4096,             /* of a line */
	MAX_EXPANDED_FRAMES = 1 << 18, /* likewise */
	MAX_TOP = 1000,
	NONE = UINT32_MAX,
};

/* What a place says of a blame. Strings lie in the table. */
struct place {
	enum ls_cause cause;
	struct ls_blocking_call call;
	const char *advice;
	uint32_t stack, site, callee; /* numbers in the tables; NONE */
};

struct ids {
	uint32_t *ids; /* the file's number -> the table's */
	size_t n, size;
};

struct reader {
	const struct reporter *out;
	void *self;
	struct jsonr json;
	struct stacks *stacks;
	struct ids frame_ids, stack_ids;
	struct place *places;
	size_t nr_places, places_size;
	struct intern *threads; /* {pid, tid} -> loops[] */
	struct ls_loop *loops;
	size_t nr_loops, loops_size;
	struct arena *arena; /* of the totals */
	struct ls_loop_summary *totals;
	size_t nr_totals, totals_size;
	struct ls_blame *causes; /* of the line at hand */
	size_t causes_size;
	struct ls_frame *frames; /* their stacks, one after another */
	size_t nr_frames, frames_size;
	uint64_t time_ns, mono_ns;
	bool started, ended;
	unsigned long line;
	char *why;
	size_t why_bytes;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reader *rd, const char *fmt, ...)
{
	va_list args;
	int n = 0;

	if (rd->line)
		n = snprintf(rd->why, rd->why_bytes, "line %lu: ", rd->line);
	va_start(args, fmt);
	if ((size_t)n < rd->why_bytes)
		vsnprintf(rd->why + n, rd->why_bytes - (size_t)n, fmt, args);
	va_end(args);
}

/* A macro, so that the analyzer sees that it is never 0. */
#define bad(...) (complain(__VA_ARGS__), -EBADMSG)

/* The first fault of the line's members, if any. */
static int check(struct reader *rd)
{
	return rd->json.fault ? bad(rd, "\"%s\" is not what it should be", rd->json.fault) : 0;
}

/* Makes room for one more element of an array. */
static int grow(void *array, size_t *size, size_t n, size_t element)
{
	void **a = array;
	size_t new_size = *size ? *size * 2 : 64;
	void *p;

	if (n < *size)
		return 0;
	p = realloc(*a, new_size * element);
	if (!p)
		return -ENOMEM;
	*a = p;
	*size = new_size;
	return 0;
}

/* Replaces *s by a copy that stays. */
static int keep(struct reader *rd, const char **s)
{
	int64_t id;

	if (!*s)
		return 0;
	id = stacks__string(rd->stacks, *s);
	if (id == -E2BIG)
		return bad(rd, "more names than a trace holds");
	if (id < 0)
		return (int)id;
	*s = stacks__string_at(rd->stacks, (size_t)id);
	return 0;
}

/* --- tables --- */

static void get_frame(struct reader *rd, const json_t *o, struct ls_frame *f)
{
	const char *kind = NULL;

	*f = (struct ls_frame){.kind = LS_FRAME_NATIVE};
	jsonr__str(&rd->json, o, "kind", &kind);
	for (int i = LS_FRAME_NATIVE; kind && i <= LS_FRAME_JIT; i++) {
		if (strcmp(kind, ls_frame_kind__name(i)) == 0)
			f->kind = i;
	}
	jsonr__str(&rd->json, o, "function", &f->function);
	jsonr__str(&rd->json, o, "file", &f->file);
	jsonr__str(&rd->json, o, "module", &f->module);
	jsonr__u32(&rd->json, o, "line", &f->line);
	f->has_offset = json_object_get(o, "offset");
	jsonr__u64(&rd->json, o, "offset", INT64_MAX, &f->offset);
	jsonr__bool(&rd->json, o, "inlined", &f->inlined);
	jsonr__bool(&rd->json, o, "async", &f->async);
}

/* Tables count from 0 without gaps. */
static int add_id(struct reader *rd, const json_t *o, struct ids *ids, int64_t id)
{
	uint64_t number = UINT64_MAX;
	int err;

	if (id == -E2BIG)
		return bad(rd, "more frames than a trace holds");
	if (id < 0)
		return (int)id;
	jsonr__u64(&rd->json, o, "id", UINT32_MAX, &number);
	if (number != ids->n)
		return bad(rd, "\"id\" is not the next number");
	err = grow(&ids->ids, &ids->size, ids->n, sizeof(*ids->ids));
	if (err)
		return err;
	ids->ids[ids->n++] = (uint32_t)id;
	return 0;
}

static int on_frame(struct reader *rd, const json_t *o)
{
	struct ls_frame f;
	int err;

	get_frame(rd, o, &f);
	err = check(rd);
	return err ? err : add_id(rd, o, &rd->frame_ids, stacks__frame(rd->stacks, &f));
}

/* A number of the file as one of the table. */
static int look_up(struct reader *rd, const struct ids *ids, const json_t *v, uint32_t *number)
{
	json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;

	if (id < 0 || (uint64_t)id >= ids->n)
		return bad(rd, "names something that no line before it has");
	*number = ids->ids[id];
	return 0;
}

static int on_stack(struct reader *rd, const json_t *o)
{
	json_t *frames = jsonr__array(&rd->json, o, "frames");
	size_t n = frames ? json_array_size(frames) : 0;
	uint32_t numbers[MAX_STACK_FRAMES];
	bool truncated = false;
	int err;

	jsonr__bool(&rd->json, o, "truncated", &truncated);
	if ((err = check(rd)) != 0)
		return err;
	if (n > MAX_STACK_FRAMES)
		return bad(rd, "a stack of %zu frames", n);
	for (size_t i = 0; i < n; i++) {
		err = look_up(rd, &rd->frame_ids, json_array_get(frames, i), &numbers[i]);
		if (err)
			return err;
	}
	return add_id(rd, o, &rd->stack_ids, stacks__stack_of(rd->stacks, numbers, n, truncated));
}

static int get_reference(struct reader *rd, const json_t *o, const char *key, const struct ids *ids,
			 uint32_t *number)
{
	const json_t *v = json_object_get(o, key);

	*number = NONE;
	return v ? look_up(rd, ids, v, number) : 0;
}

static enum ls_cause get_cause(struct reader *rd, const json_t *o)
{
	enum ls_cause cause = LS_OTHER; /* a later loopstall may know more of them */
	const char *name = NULL;

	jsonr__str(&rd->json, o, "cause", &name);
	if (name)
		ls_cause__parse(name, &cause);
	return cause;
}

static int get_call(struct reader *rd, const json_t *o, struct ls_blocking_call *call)
{
	const json_t *c = jsonr__object(&rd->json, o, "call");
	int err;

	*call = (struct ls_blocking_call){.fd = -1};
	if (!c)
		return 0;
	jsonr__str(&rd->json, c, "name", &call->name);
	jsonr__int(&rd->json, c, "fd", &call->fd);
	jsonr__str(&rd->json, c, "object", &call->object);
	err = keep(rd, &call->name);
	return err ? err : keep(rd, &call->object);
}

static int on_place(struct reader *rd, const json_t *o)
{
	uint64_t number = UINT64_MAX;
	struct place p = {0};
	int err;

	p.cause = get_cause(rd, o);
	jsonr__u64(&rd->json, o, "id", UINT32_MAX, &number);
	jsonr__str(&rd->json, o, "advice", &p.advice);
	if ((err = get_call(rd, o, &p.call)) || (err = check(rd)) || (err = keep(rd, &p.advice)) ||
	    (err = get_reference(rd, o, "stack", &rd->stack_ids, &p.stack)) ||
	    (err = get_reference(rd, o, "site", &rd->frame_ids, &p.site)) ||
	    (err = get_reference(rd, o, "callee", &rd->frame_ids, &p.callee)))
		return err;
	if (number != rd->nr_places)
		return bad(rd, "\"id\" is not the next number");
	if (rd->nr_places >= MAX_TABLE_BYTES / sizeof(p))
		return bad(rd, "more places than a trace holds");
	err = grow(&rd->places, &rd->places_size, rd->nr_places, sizeof(p));
	if (err)
		return err;
	rd->places[rd->nr_places++] = p;
	return 0;
}

/* --- start and loops --- */

static int get_pids(struct reader *rd, const json_t *o, struct ls_start *start)
{
	json_t *pids = jsonr__array(&rd->json, o, "pids");
	json_t *commands = jsonr__array(&rd->json, o, "commands");
	size_t n = pids ? json_array_size(pids) : 0;
	const char **texts = arena__alloc(rd->arena, (n + 1) * sizeof(*texts));
	int *numbers = arena__alloc(rd->arena, (n + 1) * sizeof(*numbers));
	const char *s;

	if (!texts || !numbers)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		numbers[i] = (int)json_integer_value(json_array_get(pids, i));
		s = json_string_value(json_array_get(commands, i));
		texts[i] = s && s[0] ? s : NULL;
	}
	start->pids = numbers;
	start->nr_pids = n;
	start->commands = commands ? texts : NULL;
	return 0;
}

static int on_start(struct reader *rd, const json_t *o)
{
	struct ls_start start = {0};
	int err;

	if (rd->started)
		return bad(rd, "a second start");
	rd->started = true;
	jsonr__u64(&rd->json, o, "time_ns", INT64_MAX, &start.time_ns);
	jsonr__u64(&rd->json, o, "mono_ns", JSONR_MAX_NS, &start.mono_ns);
	jsonr__str(&rd->json, o, "host", &start.host);
	jsonr__str(&rd->json, o, "kernel", &start.kernel);
	jsonr__str(&rd->json, o, "loopstall", &start.version);
	jsonr__str(&rd->json, o, "attach", &start.attach);
	jsonr__u64(&rd->json, o, "threshold_ns", JSONR_MAX_NS, &start.threshold_ns);
	if ((err = get_pids(rd, o, &start)) != 0 || (err = check(rd)) != 0)
		return err;
	rd->time_ns = start.time_ns;
	rd->mono_ns = start.mono_ns;
	return rd->out->start ? rd->out->start(rd->self, &start) : 0;
}

/* The loop of that thread, for a first mention an empty one. */
static int find_loop(struct reader *rd, int pid, int tid, struct ls_loop **loop)
{
	int key[2] = {pid, tid};
	int64_t id = intern__id(rd->threads, key, sizeof(key));
	int err;

	if (id < 0)
		return (int)id;
	if (id >= MAX_LOOPS)
		return bad(rd, "more loops than a trace holds");
	err = grow(&rd->loops, &rd->loops_size, (size_t)id, sizeof(*rd->loops));
	if (err)
		return err;
	*loop = &rd->loops[id];
	if ((size_t)id == rd->nr_loops) {
		**loop = (struct ls_loop){.pid = pid, .tid = tid};
		rd->nr_loops++;
	}
	return 0;
}

static int get_loop(struct reader *rd, const json_t *o, struct ls_loop *loop)
{
	int err;

	*loop = (struct ls_loop){0};
	jsonr__int(&rd->json, o, "pid", &loop->pid);
	jsonr__int(&rd->json, o, "tid", &loop->tid);
	jsonr__str(&rd->json, o, "comm", &loop->comm);
	jsonr__str(&rd->json, o, "kind", &loop->kind);
	jsonr__str(&rd->json, o, "wait", &loop->wait);
	if ((err = check(rd)) || (err = keep(rd, &loop->comm)) || (err = keep(rd, &loop->kind)))
		return err;
	return keep(rd, &loop->wait);
}

static int on_loop(struct reader *rd, const json_t *o)
{
	struct ls_loop loop, *known;
	int err;

	if ((err = get_loop(rd, o, &loop)) != 0 ||
	    (err = find_loop(rd, loop.pid, loop.tid, &known)) != 0)
		return err;
	*known = loop;
	return rd->out->loop ? rd->out->loop(rd->self, &loop) : 0;
}

/* --- stalls --- */

static void get_ledger(struct reader *rd, const json_t *o, struct ls_ledger *ledger)
{
	const json_t *l = jsonr__object(&rd->json, o, "ledger");

	memset(ledger, 0, sizeof(*ledger));
	if (!l)
		return;
	for (int i = 0; i < LS_NR_CAUSES; i++)
		jsonr__u64(&rd->json, l, ls_cause__name(i), JSONR_MAX_NS, &ledger->ns[i]);
	jsonr__u64(&rd->json, l, "unaccounted", JSONR_MAX_NS, &ledger->unaccounted_ns);
}

static int reserve_frames(struct reader *rd, size_t n)
{
	struct ls_frame *frames;

	if (n <= rd->frames_size)
		return 0;
	frames = realloc(rd->frames, n * sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	rd->frames = frames;
	rd->frames_size = n;
	return 0;
}

static size_t stack_length(const struct reader *rd, uint32_t number)
{
	bool truncated;
	size_t n = 0;

	if (number != NONE)
		stacks__stack_at(rd->stacks, number, &n, &truncated);
	return n;
}

/* A frame of the stack with that number, else the one in the table. */
static const struct ls_frame *find_frame(const struct reader *rd, const struct ls_stack *stack,
					 uint32_t stack_number, uint32_t number)
{
	const uint32_t *numbers;
	bool truncated;
	size_t n;

	if (number == NONE)
		return NULL;
	if (stack->nr_frames) {
		numbers = stacks__stack_at(rd->stacks, stack_number, &n, &truncated);
		for (size_t i = 0; i < n; i++) {
			if (numbers[i] == number)
				return &stack->frames[i];
		}
	}
	return stacks__frame_at(rd->stacks, number);
}

/* Lays the stack's frames behind those already there: room has been made. */
static struct ls_stack expand(struct reader *rd, uint32_t number)
{
	struct ls_stack stack = {.id = number + 1};
	const uint32_t *numbers;

	if (number == NONE)
		return (struct ls_stack){0};
	numbers = stacks__stack_at(rd->stacks, number, &stack.nr_frames, &stack.truncated);
	if (stack.nr_frames) /* of none there may be no room yet, either */
		stack.frames = rd->frames + rd->nr_frames;
	for (size_t i = 0; i < stack.nr_frames; i++)
		rd->frames[rd->nr_frames++] = *stacks__frame_at(rd->stacks, numbers[i]);
	return stack;
}

struct cause_line {
	const struct place *place;
	const json_t *holder;
	uint32_t holder_stack;
};

static int find_place(struct reader *rd, const json_t *o, struct cause_line *c)
{
	uint64_t number = UINT64_MAX;

	jsonr__u64(&rd->json, o, "place", UINT32_MAX, &number);
	if (number >= rd->nr_places)
		return bad(rd, "\"place\" is none that a line before it has");
	c->place = &rd->places[number];
	c->holder = jsonr__object(&rd->json, o, "holder");
	return get_reference(rd, c->holder, "stack", &rd->stack_ids, &c->holder_stack);
}

/* First pass: which places, and how many frames they need. */
static int measure_causes(struct reader *rd, const json_t *causes, size_t n,
			  struct cause_line *lines)
{
	size_t frames = 0;
	int err;

	for (size_t i = 0; i < n; i++) {
		err = find_place(rd, json_array_get(causes, i), &lines[i]);
		if (err)
			return err;
		frames += stack_length(rd, lines[i].place->stack);
		frames += stack_length(rd, lines[i].holder_stack);
		if (frames > MAX_EXPANDED_FRAMES)
			return bad(rd, "more frames than a stall holds");
	}
	return reserve_frames(rd, frames);
}

static void get_holder(struct reader *rd, const struct cause_line *c, struct ls_holder *holder)
{
	*holder = (struct ls_holder){0};
	if (!c->holder)
		return;
	jsonr__int(&rd->json, c->holder, "tid", &holder->tid);
	jsonr__str(&rd->json, c->holder, "comm", &holder->comm);
	holder->stack = expand(rd, c->holder_stack);
}

static void get_blame(struct reader *rd, const json_t *o, const struct cause_line *c,
		      struct ls_blame *b)
{
	const struct place *p = c->place;

	*b = (struct ls_blame){.cause = p->cause, .call = p->call, .advice = p->advice};
	b->stack = expand(rd, p->stack);
	b->site = find_frame(rd, &b->stack, p->stack, p->site);
	b->callee = find_frame(rd, &b->stack, p->stack, p->callee);
	jsonr__u64(&rd->json, o, "ns", JSONR_MAX_NS, &b->ns);
	jsonr__u64(&rd->json, o, "count", JSONR_MAX, &b->count);
	jsonr__u64(&rd->json, o, "stalls", JSONR_MAX, &b->count); /* of a "rest" */
	jsonr__str(&rd->json, o, "task", &b->task);
	get_holder(rd, c, &b->holder);
}

static int reserve_causes(struct reader *rd, size_t n)
{
	struct ls_blame *causes;

	if (n <= rd->causes_size)
		return 0;
	causes = realloc(rd->causes, n * sizeof(*causes));
	if (!causes)
		return -ENOMEM;
	rd->causes = causes;
	rd->causes_size = n;
	return 0;
}

/* Fills rd->causes, borrowed until the next line. */
static int get_causes(struct reader *rd, const json_t *o, size_t *nr_causes)
{
	const json_t *causes = jsonr__array(&rd->json, o, "causes");
	size_t n = causes ? json_array_size(causes) : 0;
	struct cause_line *lines;
	int err;

	if (n > MAX_CAUSES)
		return bad(rd, "%zu causes", n);
	lines = calloc(n + 1, sizeof(*lines));
	err = lines ? reserve_causes(rd, n) : -ENOMEM;
	if (!err)
		err = measure_causes(rd, causes, n, lines);
	rd->nr_frames = 0;
	for (size_t i = 0; i < n && !err; i++)
		get_blame(rd, json_array_get(causes, i), &lines[i], &rd->causes[i]);
	free(lines);
	*nr_causes = n;
	return err;
}

/* pid and tid, and the names that its loop's line gave. */
static int get_thread(struct reader *rd, const json_t *o, int *pid, int *tid, const char **comm,
		      const char **kind)
{
	struct ls_loop *loop;
	int err;

	jsonr__int(&rd->json, o, "pid", pid);
	jsonr__int(&rd->json, o, "tid", tid);
	err = find_loop(rd, *pid, *tid, &loop);
	if (err)
		return err;
	*comm = loop->comm;
	*kind = loop->kind;
	jsonr__str(&rd->json, o, "comm", comm);
	jsonr__str(&rd->json, o, "kind", kind);
	return 0;
}

static int on_stall(struct reader *rd, const json_t *o)
{
	struct ls_stall s = {.ready = -1};
	uint64_t ready = UINT64_MAX;
	int err;

	if ((err = get_thread(rd, o, &s.pid, &s.tid, &s.comm, &s.kind)) != 0 ||
	    (err = get_causes(rd, o, &s.nr_causes)) != 0)
		return err;
	s.causes = rd->causes;
	jsonr__u64(&rd->json, o, "iteration", INT64_MAX, &s.iteration);
	jsonr__u64(&rd->json, o, "start_ns", JSONR_MAX_NS, &s.start_ns);
	jsonr__u64(&rd->json, o, "wall_ns", JSONR_MAX_NS, &s.wall_ns);
	s.time_ns = rd->time_ns + (s.start_ns - rd->mono_ns);
	jsonr__u64(&rd->json, o, "time_ns", INT64_MAX, &s.time_ns);
	jsonr__u64(&rd->json, o, "ready", INT64_MAX, &ready);
	if (ready <= INT64_MAX)
		s.ready = (int64_t)ready;
	jsonr__bool(&rd->json, o, "ongoing", &s.ongoing);
	jsonr__bool(&rd->json, o, "before_attach", &s.before_attach);
	get_ledger(rd, o, &s.ledger);
	if ((err = check(rd)) != 0)
		return err;
	return rd->out->stall ? rd->out->stall(rd->self, &s) : 0;
}

static int on_rest(struct reader *rd, const json_t *o)
{
	struct ls_rest rest = {0};
	int err;

	if ((err = get_thread(rd, o, &rest.pid, &rest.tid, &rest.comm, &rest.kind)) != 0 ||
	    (err = get_causes(rd, o, &rest.nr_causes)) != 0)
		return err;
	rest.causes = rd->causes;
	jsonr__u64(&rd->json, o, "stalls", JSONR_MAX, &rest.stalls);
	jsonr__u64(&rd->json, o, "wall_ns", JSONR_MAX_NS, &rest.wall_ns);
	get_ledger(rd, o, &rest.ledger);
	if ((err = check(rd)) != 0)
		return err;
	return rd->out->rest ? rd->out->rest(rd->self, &rest) : 0;
}

/* --- slices, totals, summary --- */

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

static int on_slice(struct reader *rd, const json_t *o)
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
	get_ledger(rd, o, &s.ledger);
	if ((err = get_histogram(rd, o, s.histogram)) != 0 || (err = check(rd)) != 0)
		return err;
	if (s.end_ns <= s.start_ns)
		return bad(rd, "a slice ends before it begins");
	return rd->out->slice ? rd->out->slice(rd->self, &s) : 0;
}

static int keep_frame(struct reader *rd, struct ls_frame *f)
{
	int err;

	if ((err = keep(rd, &f->function)) || (err = keep(rd, &f->file)))
		return err;
	return keep(rd, &f->module);
}

static int get_top_frame(struct reader *rd, const json_t *o, const char *key, struct ls_frame *f,
			 bool *has)
{
	const json_t *frame = jsonr__object(&rd->json, o, key);

	*has = frame;
	if (!frame)
		return 0;
	get_frame(rd, frame, f);
	return keep_frame(rd, f);
}

static int get_top_line(struct reader *rd, const json_t *o, struct ls_site_total *t)
{
	int err;

	t->cause = get_cause(rd, o);
	jsonr__str(&rd->json, o, "advice", &t->advice);
	jsonr__u64(&rd->json, o, "ns", JSONR_MAX_NS, &t->ns);
	jsonr__u64(&rd->json, o, "count", JSONR_MAX, &t->count);
	if ((err = get_top_frame(rd, o, "site", &t->site, &t->has_site)) ||
	    (err = get_top_frame(rd, o, "callee", &t->callee, &t->has_callee)) ||
	    (err = get_call(rd, o, &t->call)))
		return err;
	return keep(rd, &t->advice);
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

static int on_total(struct reader *rd, const json_t *o)
{
	struct ls_loop_summary *s;
	int err;

	if (rd->nr_totals >= MAX_LOOPS)
		return bad(rd, "more loops than a trace holds");
	err = grow(&rd->totals, &rd->totals_size, rd->nr_totals, sizeof(*rd->totals));
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
	get_ledger(rd, o, &s->ledger);
	if ((err = get_loop(rd, o, &s->loop)) || (err = get_top(rd, o, s)) ||
	    (err = get_histogram(rd, o, s->histogram)))
		return err;
	return check(rd);
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

static int on_summary(struct reader *rd, const json_t *o)
{
	const json_t *frames = jsonr__object(&rd->json, o, "frames");
	struct ls_summary s = {.seconds = json_number_value(json_object_get(o, "seconds"))};
	int err;

	get_losses(rd, o, &s.lost);
	get_overhead(rd, o, &s.overhead);
	jsonr__u64(&rd->json, frames, "total", JSONR_MAX, &s.frames_total);
	jsonr__u64(&rd->json, frames, "symbolized", JSONR_MAX, &s.frames_symbolized);
	if ((err = get_modules(rd, o, &s)) != 0 || (err = check(rd)) != 0)
		return err;
	if (!(s.seconds >= 0 && s.seconds < 1e9))
		return bad(rd, "\"seconds\" is not what it should be");
	s.loops = rd->totals;
	s.nr_loops = rd->nr_totals;
	rd->ended = true;
	return rd->out->summary ? rd->out->summary(rd->self, &s) : 0;
}

/* --- lines --- */

static const struct {
	const char *type;
	int (*handle)(struct reader *rd, const json_t *o);
} handlers[] = {
	{"stall", on_stall}, {"slice", on_slice},     {"frame", on_frame}, {"stack", on_stack},
	{"place", on_place}, {"loop", on_loop},       {"start", on_start}, {"rest", on_rest},
	{"total", on_total}, {"summary", on_summary},
};

static int handle_header(struct reader *rd, const json_t *o, const char *type)
{
	const char *format = json_string_value(json_object_get(o, "format"));
	int version = 0;

	rd->line = 0; /* these faults are the whole file's */
	if (strcmp(type, "start") == 0)
		return bad(rd,
			   "this is the output of --json, not a trace made by `loopstall record`");
	if (strcmp(type, "header") != 0 || !format || strcmp(format, "loopstall-trace") != 0)
		return bad(rd, "not a loopstall trace");
	jsonr__int(&rd->json, o, "version", &version);
	if (version != TRACEFILE_VERSION)
		return bad(rd, "trace format %d, and this loopstall reads %d", version,
			   TRACEFILE_VERSION);
	rd->line = 1;
	return 0;
}

static int handle(struct reader *rd, const json_t *o)
{
	const char *type = json_string_value(json_object_get(o, "type"));

	if (!type)
		return bad(rd, "not a loopstall trace");
	if (rd->line == 1)
		return handle_header(rd, o, type);
	if (!rd->started && strcmp(type, "start") != 0)
		return bad(rd, "no start before it");
	if (rd->ended)
		return bad(rd, "something after the summary");
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (strcmp(type, handlers[i].type) == 0)
			return handlers[i].handle(rd, o);
	}
	return 0;
}

static int parse(struct reader *rd, const char *line, size_t bytes)
{
	json_t *o = json_loadb(line, bytes, 0, NULL);
	int err;

	if (!o && rd->line == 1)
		return bad(rd, "not a loopstall trace");
	if (!o)
		return bad(rd, "not valid JSON");
	rd->json.fault = NULL;
	err = handle(rd, o);
	json_decref(o);
	return err;
}

static int explain(struct reader *rd, int err)
{
	if (err == -EBADMSG)
		return bad(rd, "damaged: it does not decompress");
	if (err == -ENODATA)
		return bad(rd, "cut off: the rest of the file is missing");
	if (err == -E2BIG)
		return bad(rd, "a line, or the whole, is larger than a trace can be");
	snprintf(rd->why, rd->why_bytes, "%s", strerror(-err));
	return err;
}

static int read_lines(struct reader *rd, struct linereader *lines)
{
	size_t bytes;
	char *line;
	int got, err;

	while ((got = linereader__next(lines, &line, &bytes)) > 0) {
		rd->line++;
		err = parse(rd, line, bytes);
		if (err)
			return err;
	}
	if (got < 0)
		return explain(rd, got);
	if (!rd->line)
		return bad(rd, "empty");
	return rd->ended ? 0 : bad(rd, "cut off: there is no summary at its end");
}

static void release(struct reader *rd)
{
	stacks__free(rd->stacks);
	intern__free(rd->threads);
	arena__free(rd->arena);
	free(rd->frame_ids.ids);
	free(rd->stack_ids.ids);
	free(rd->places);
	free(rd->loops);
	free(rd->totals);
	free(rd->causes);
	free(rd->frames);
}

int tracefile__read(int fd, const struct reporter *r, void *self, char *why, size_t why_bytes)
{
	struct reader rd = {.out = r, .self = self, .why = why, .why_bytes = why_bytes};
	struct linereader *lines = linereader__new(fd);
	int err = -ENOMEM;

	why[0] = '\0';
	rd.stacks = stacks__new(MAX_TABLE_BYTES);
	rd.threads = intern__new(MAX_TABLE_BYTES);
	rd.arena = arena__new(MAX_TABLE_BYTES);
	if (lines && rd.stacks && rd.threads && rd.arena)
		err = read_lines(&rd, lines);
	release(&rd);
	linereader__free(lines);
	return err;
}
