/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/intern.h"
#include "model/stacks.h"

struct stacks {
	struct intern *strings;
	struct intern *frames; /* struct ls_frame whose strings lie in `strings` */
	struct intern *stacks; /* u32: truncated, then frame numbers leaf first */
	uint32_t *scratch;
	size_t scratch_size;
	uint32_t *by_id; /* a stack's number plus one by the source's id; 0 not seen yet */
	size_t by_id_size;
};

struct stacks *stacks__new(size_t max_bytes)
{
	struct stacks *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->strings = intern__new(max_bytes);
	t->frames = intern__new(max_bytes);
	t->stacks = intern__new(max_bytes);
	if (t->strings && t->frames && t->stacks)
		return t;
	stacks__free(t);
	errno = ENOMEM;
	return NULL;
}

void stacks__free(struct stacks *t)
{
	if (!t)
		return;
	intern__free(t->strings);
	intern__free(t->frames);
	intern__free(t->stacks);
	free(t->scratch);
	free(t->by_id);
	free(t);
}

int64_t stacks__string(struct stacks *t, const char *s)
{
	return intern__id(t->strings, s, strlen(s) + 1);
}

/* Replaces *s by the table's copy. */
static int keep(struct stacks *t, const char **s)
{
	int64_t id;

	if (!*s)
		return 0;
	id = stacks__string(t, *s);
	if (id < 0)
		return (int)id;
	*s = stacks__string_at(t, (size_t)id);
	return 0;
}

int64_t stacks__frame(struct stacks *t, const struct ls_frame *frame)
{
	struct ls_frame f;
	int err;

	memset(&f, 0, sizeof(f)); /* the padding is part of the key */
	f.kind = frame->kind;
	f.function = frame->function;
	f.file = frame->file;
	f.module = frame->module;
	f.line = frame->line;
	f.has_offset = frame->has_offset;
	f.inlined = frame->inlined;
	f.async = frame->async;
	f.offset = frame->has_offset ? frame->offset : 0;
	if ((err = keep(t, &f.function)) || (err = keep(t, &f.file)) || (err = keep(t, &f.module)))
		return err;
	return intern__id(t->frames, &f, sizeof(f));
}

static int reserve(struct stacks *t, size_t n)
{
	uint32_t *scratch;

	if (n <= t->scratch_size)
		return 0;
	scratch = realloc(t->scratch, n * sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	t->scratch = scratch;
	t->scratch_size = n;
	return 0;
}

int64_t stacks__stack_of(struct stacks *t, const uint32_t *frames, size_t n, bool truncated)
{
	int err = reserve(t, n + 1);

	if (err)
		return err;
	t->scratch[0] = truncated;
	if (n)
		memmove(t->scratch + 1, frames, n * sizeof(*frames));
	return intern__id(t->stacks, t->scratch, (n + 1) * sizeof(*frames));
}

static int remember(struct stacks *t, uint32_t id, int64_t number)
{
	size_t size = t->by_id_size ? t->by_id_size : 64;
	uint32_t *by_id;

	while (size <= id)
		size *= 2;
	if (size != t->by_id_size) {
		by_id = realloc(t->by_id, size * sizeof(*by_id));
		if (!by_id)
			return -ENOMEM;
		memset(by_id + t->by_id_size, 0, (size - t->by_id_size) * sizeof(*by_id));
		t->by_id = by_id;
		t->by_id_size = size;
	}
	t->by_id[id] = (uint32_t)number + 1;
	return 0;
}

static int64_t number_stack(struct stacks *t, const struct ls_stack *stack)
{
	int err = reserve(t, stack->nr_frames + 1);
	int64_t id;

	if (err)
		return err;
	for (size_t i = 0; i < stack->nr_frames; i++) {
		id = stacks__frame(t, &stack->frames[i]);
		if (id < 0)
			return id;
		t->scratch[i + 1] = (uint32_t)id;
	}
	return stacks__stack_of(t, t->scratch + 1, stack->nr_frames, stack->truncated);
}

int64_t stacks__stack(struct stacks *t, const struct ls_stack *stack)
{
	int64_t number;
	int err;

	if (stack->id < t->by_id_size && t->by_id[stack->id])
		return t->by_id[stack->id] - 1;
	number = number_stack(t, stack);
	if (number < 0 || !stack->id)
		return number;
	err = remember(t, stack->id, number);
	return err ? err : number;
}

size_t stacks__nr_strings(const struct stacks *t)
{
	return intern__count(t->strings);
}

size_t stacks__nr_frames(const struct stacks *t)
{
	return intern__count(t->frames);
}

size_t stacks__nr_stacks(const struct stacks *t)
{
	return intern__count(t->stacks);
}

const char *stacks__string_at(const struct stacks *t, size_t id)
{
	return intern__key(t->strings, id, NULL);
}

const struct ls_frame *stacks__frame_at(const struct stacks *t, size_t id)
{
	return intern__key(t->frames, id, NULL);
}

const uint32_t *stacks__stack_at(const struct stacks *t, size_t id, size_t *n, bool *truncated)
{
	size_t bytes;
	const uint32_t *key = intern__key(t->stacks, id, &bytes);

	*n = bytes / sizeof(*key) - 1;
	*truncated = key[0];
	return key + 1;
}
