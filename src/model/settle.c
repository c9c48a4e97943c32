/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/arena.h"
#include "model/copy.h"
#include "model/settle.h"

/* So many loops can hang at once, and one stall is so large, before the oldest goes through as it
 * is. */
enum { MAX_HELD = 1024, MAX_STALL_BYTES = 4 << 20 };

struct held {
	struct arena *arena;
	const struct ls_stall *stall;
};

struct settle {
	struct reporter inner;
	void *inner_self;
	struct held held[MAX_HELD]; /* oldest first */
	size_t nr_held;
};

static void drop(struct settle *s, size_t i)
{
	arena__free(s->held[i].arena);
	s->nr_held--;
	memmove(&s->held[i], &s->held[i + 1], (s->nr_held - i) * sizeof(s->held[0]));
}

static int pass(struct settle *s, const struct ls_stall *stall)
{
	return s->inner.stall ? s->inner.stall(s->inner_self, stall) : 0;
}

static int release(struct settle *s, size_t i)
{
	int err = pass(s, s->held[i].stall);

	drop(s, i);
	return err;
}

static int hold(struct settle *s, const struct ls_stall *stall)
{
	struct held h = {.arena = arena__new(MAX_STALL_BYTES)};
	int err = 0;

	if (!h.arena)
		return -ENOMEM;
	h.stall = copy__stall(h.arena, stall);
	if (!h.stall) {
		err = -errno;
		arena__free(h.arena);
		return err;
	}
	if (s->nr_held == MAX_HELD)
		err = release(s, 0);
	s->held[s->nr_held++] = h;
	return err;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct settle *s = self;
	const struct ls_stall *known;
	int err = 0;

	for (size_t i = 0; i < s->nr_held; i++) {
		known = s->held[i].stall;
		if (known->pid != stall->pid || known->tid != stall->tid)
			continue;
		if (known->start_ns == stall->start_ns)
			drop(s, i);
		else
			err = release(s, i); /* its end was lost */
		break;
	}
	if (err)
		return err;
	return stall->ongoing ? hold(s, stall) : pass(s, stall);
}

static int on_start(void *self, const struct ls_start *start)
{
	struct settle *s = self;

	return s->inner.start ? s->inner.start(s->inner_self, start) : 0;
}

static int on_loop(void *self, const struct ls_loop *loop)
{
	struct settle *s = self;

	return s->inner.loop ? s->inner.loop(s->inner_self, loop) : 0;
}

static int on_slice(void *self, const struct ls_slice *slice)
{
	struct settle *s = self;

	return s->inner.slice ? s->inner.slice(s->inner_self, slice) : 0;
}

static int on_rest(void *self, const struct ls_rest *rest)
{
	struct settle *s = self;

	return s->inner.rest ? s->inner.rest(s->inner_self, rest) : 0;
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct settle *s = self;
	int err = 0;

	while (s->nr_held && !err)
		err = release(s, 0);
	if (err)
		return err;
	return s->inner.summary ? s->inner.summary(s->inner_self, summary) : 0;
}

static void on_free(void *self)
{
	struct settle *s = self;

	while (s->nr_held)
		drop(s, 0);
	if (s->inner.free)
		s->inner.free(s->inner_self);
	free(s);
}

int settle__wrap(struct reporter *r, void **self)
{
	struct settle *s = calloc(1, sizeof(*s));

	if (!s) {
		if (r->free)
			r->free(*self);
		return -ENOMEM;
	}
	s->inner = *r;
	s->inner_self = *self;
	*self = s;
	*r = (struct reporter){
		.start = on_start,
		.loop = on_loop,
		.stall = on_stall,
		.slice = on_slice,
		.rest = on_rest,
		.summary = on_summary,
		.free = on_free,
	};
	return 0;
}
