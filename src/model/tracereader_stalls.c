/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stalls, one by one and added up: places become blames again, with their stacks. */
#include <stdlib.h>
#include <string.h>

#include "model/tracereader_internal.h"

void reader__get_ledger(struct reader *rd, const json_t *o, struct ls_ledger *ledger)
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
	return reader__get_reference(rd, c->holder, "stack", &rd->stack_ids, &c->holder_stack);
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
	err = reader__find_loop(rd, *pid, *tid, &loop);
	if (err)
		return err;
	*comm = loop->comm;
	*kind = loop->kind;
	jsonr__str(&rd->json, o, "comm", comm);
	jsonr__str(&rd->json, o, "kind", kind);
	return 0;
}

int reader__on_stall(struct reader *rd, const json_t *o)
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
	reader__get_ledger(rd, o, &s.ledger);
	if ((err = reader__check(rd)) != 0)
		return err;
	return rd->out->stall ? rd->out->stall(rd->self, &s) : 0;
}

int reader__on_rest(struct reader *rd, const json_t *o)
{
	struct ls_rest rest = {0};
	int err;

	if ((err = get_thread(rd, o, &rest.pid, &rest.tid, &rest.comm, &rest.kind)) != 0 ||
	    (err = get_causes(rd, o, &rest.nr_causes)) != 0)
		return err;
	rest.causes = rd->causes;
	jsonr__u64(&rd->json, o, "stalls", JSONR_MAX, &rest.stalls);
	jsonr__u64(&rd->json, o, "wall_ns", JSONR_MAX_NS, &rest.wall_ns);
	reader__get_ledger(rd, o, &rest.ledger);
	if ((err = reader__check(rd)) != 0)
		return err;
	return rd->out->rest ? rd->out->rest(rd->self, &rest) : 0;
}
