/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Tables of the trace: what is new gets a number, and its line before the one that names it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/lines.h"
#include "model/tracewriter_internal.h"

int writer__put_string(struct writer *t, const char *s, uint32_t *number)
{
	int64_t id;

	*number = 0;
	if (!s)
		return 0;
	id = stacks__string(t->stacks, s);
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int write_frames(struct writer *t)
{
	int err = 0;

	for (; t->frames_written < stacks__nr_frames(t->stacks) && !err; t->frames_written++) {
		writer__open_line(t, "frame");
		jsonw__u64(&t->w, "id", t->frames_written);
		lines__frame(&t->w, stacks__frame_at(t->stacks, t->frames_written));
		err = writer__close_line(t);
	}
	return err;
}

static int write_stacks(struct writer *t)
{
	const uint32_t *frames;
	bool truncated;
	size_t n;
	int err = 0;

	for (; t->stacks_written < stacks__nr_stacks(t->stacks) && !err; t->stacks_written++) {
		frames = stacks__stack_at(t->stacks, t->stacks_written, &n, &truncated);
		writer__open_line(t, "stack");
		jsonw__u64(&t->w, "id", t->stacks_written);
		if (truncated)
			jsonw__bool(&t->w, "truncated", true);
		jsonw__array(&t->w, "frames");
		for (size_t i = 0; i < n; i++)
			jsonw__u64(&t->w, NULL, frames[i]);
		jsonw__end_array(&t->w);
		err = writer__close_line(t);
	}
	return err;
}

int writer__put_stack(struct writer *t, const struct ls_stack *stack, uint32_t *number)
{
	int64_t id;
	int err;

	*number = 0;
	if (!stack->nr_frames)
		return 0;
	id = stacks__stack(t->stacks, stack);
	if ((err = write_frames(t)) != 0 || (err = write_stacks(t)) != 0)
		return err;
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int put_frame(struct writer *t, const struct ls_frame *frame, uint32_t *number)
{
	int64_t id;
	int err;

	*number = 0;
	if (!frame)
		return 0;
	id = stacks__frame(t->stacks, frame);
	if ((err = write_frames(t)) != 0)
		return err;
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int write_place(struct writer *t, size_t id, const struct place *place,
		       const struct ls_blame *blame)
{
	writer__open_line(t, "place");
	jsonw__u64(&t->w, "id", id);
	jsonw__str(&t->w, "cause", ls_cause__name(place->cause));
	if (blame) {
		lines__call(&t->w, &blame->call);
		jsonw__str(&t->w, "advice", blame->advice);
	}
	if (place->stack)
		jsonw__u64(&t->w, "stack", place->stack - 1);
	if (place->site)
		jsonw__u64(&t->w, "site", place->site - 1);
	if (place->callee)
		jsonw__u64(&t->w, "callee", place->callee - 1);
	return writer__close_line(t);
}

static int number_place(struct writer *t, const struct ls_blame *b, struct place *p)
{
	int err;

	*p = (struct place){.cause = b->cause, .fd = b->call.fd};
	if ((err = writer__put_string(t, b->call.name, &p->call)) ||
	    (err = writer__put_string(t, b->call.object, &p->object)) ||
	    (err = writer__put_string(t, b->advice, &p->advice)) ||
	    (err = writer__put_stack(t, &b->stack, &p->stack)) ||
	    (err = put_frame(t, b->site, &p->site)) || (err = put_frame(t, b->callee, &p->callee)))
		return err;
	return 0;
}

int64_t writer__put_place(struct writer *t, const struct ls_blame *blame)
{
	size_t known = intern__count(t->places);
	struct place place;
	int64_t id;
	int err = number_place(t, blame, &place);

	if (err)
		return err == -E2BIG ? (int64_t)blame->cause : err;
	id = intern__id(t->places, &place, sizeof(place));
	if (id == -E2BIG)
		return blame->cause;
	if (id >= 0 && (size_t)id == known && (err = write_place(t, known, &place, blame)) != 0)
		return err;
	return id;
}

int writer__write_cause_places(struct writer *t)
{
	struct place place = {.fd = -1};
	int err = 0;

	for (int i = 0; i < LS_NR_CAUSES && !err; i++) {
		place.cause = (uint32_t)i;
		if (intern__id(t->places, &place, sizeof(place)) != i)
			return -ENOMEM;
		err = write_place(t, (size_t)i, &place, NULL);
	}
	return err;
}

int64_t writer__put_loop(struct writer *t, int pid, int tid)
{
	struct thread thread = {.pid = pid, .tid = tid};
	int64_t id = intern__id(t->threads, &thread, sizeof(thread));
	struct loop *loops;
	size_t size;

	if (id < 0 || (size_t)id < t->loops_size)
		return id;
	size = t->loops_size ? t->loops_size * 2 : 16;
	loops = realloc(t->loops, size * sizeof(*loops));
	if (!loops)
		return -ENOMEM;
	memset(loops + t->loops_size, 0, (size - t->loops_size) * sizeof(*loops));
	t->loops = loops;
	t->loops_size = size;
	return id;
}
