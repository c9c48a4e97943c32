/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "model/jsonw.h"
#include "model/lines.h"
#include "report/json.h"

struct json {
	struct jsonw w; /* first: most functions need no more */
	uint64_t stalls_added_up;
};

static int end_line(struct jsonw *w)
{
	jsonw__end_object(w);
	return jsonw__line(w);
}

static int on_start(void *self, const struct ls_start *start)
{
	jsonw__object(self, NULL);
	lines__start(self, start);
	return end_line(self);
}

static int on_loop(void *self, const struct ls_loop *loop)
{
	jsonw__object(self, NULL);
	lines__loop(self, loop);
	return end_line(self);
}

static void write_frame(struct jsonw *w, const char *key, const struct ls_frame *frame)
{
	if (!frame)
		return;
	jsonw__object(w, key);
	lines__frame(w, frame);
	jsonw__end_object(w);
}

static void write_stack(struct jsonw *w, const struct ls_stack *stack)
{
	if (stack->truncated)
		jsonw__bool(w, "truncated", true);
	if (!stack->nr_frames)
		return;
	jsonw__array(w, "stack");
	for (size_t i = 0; i < stack->nr_frames; i++)
		write_frame(w, NULL, &stack->frames[i]);
	jsonw__end_array(w);
}

static void write_holder(struct jsonw *w, const struct ls_holder *holder)
{
	if (!holder->tid)
		return;
	jsonw__object(w, "holder");
	jsonw__i64(w, "tid", holder->tid);
	jsonw__str(w, "comm", holder->comm);
	write_stack(w, &holder->stack);
	jsonw__end_object(w);
}

static void write_blame(struct jsonw *w, const struct ls_blame *blame)
{
	jsonw__object(w, NULL);
	lines__blame(w, blame);
	lines__call(w, &blame->call);
	write_frame(w, "site", blame->site);
	write_frame(w, "callee", blame->callee);
	jsonw__str(w, "task", blame->task);
	write_holder(w, &blame->holder);
	jsonw__str(w, "advice", blame->advice);
	write_stack(w, &blame->stack);
	jsonw__end_object(w);
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	jsonw__object(self, NULL);
	lines__stall(self, stall);
	jsonw__array(self, "causes");
	for (size_t i = 0; i < stall->nr_causes; i++)
		write_blame(self, &stall->causes[i]);
	jsonw__end_array(self);
	return end_line(self);
}

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct json *j = self;

	j->stalls_added_up += rest->stalls;
	return 0;
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct json *j = self;

	jsonw__object(&j->w, NULL);
	lines__summary(&j->w, summary);
	jsonw__u64(&j->w, "stalls_added_up", j->stalls_added_up);
	return end_line(self);
}

int report_json__new(FILE *out, struct reporter *r, void **self)
{
	struct json *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	jsonw__init(&j->w, out);
	*r = (struct reporter){
		.start = on_start,
		.loop = on_loop,
		.stall = on_stall,
		.rest = on_rest,
		.summary = on_summary,
		.free = free,
	};
	*self = j;
	return 0;
}
