/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>

#include "model/arena.h"
#include "model/copy.h"

static int copy_string(struct arena *a, const char **s)
{
	const char *copy = arena__strdup(a, *s);

	if (*s && !copy)
		return -errno;
	*s = copy;
	return 0;
}

static int copy_stack(struct arena *a, struct ls_stack *stack)
{
	struct ls_frame *frames;
	int err;

	if (!stack->nr_frames)
		return 0;
	frames = arena__copy(a, stack->frames, stack->nr_frames * sizeof(*frames));
	if (!frames)
		return -errno;
	for (size_t i = 0; i < stack->nr_frames; i++) {
		if ((err = copy_string(a, &frames[i].function)) ||
		    (err = copy_string(a, &frames[i].file)) ||
		    (err = copy_string(a, &frames[i].module)))
			return err;
	}
	stack->frames = frames;
	return 0;
}

/* A frame of `from` becomes the same of `to`. A site may also stand on its own. */
static int copy_place(struct arena *a, const struct ls_frame **f, const struct ls_stack *from,
		      const struct ls_stack *to)
{
	struct ls_stack alone = {.frames = *f, .nr_frames = 1};
	int err;

	if (!*f)
		return 0;
	for (size_t i = 0; i < from->nr_frames; i++) {
		if (*f != &from->frames[i])
			continue;
		*f = &to->frames[i];
		return 0;
	}
	err = copy_stack(a, &alone);
	*f = alone.frames;
	return err;
}

static int copy_blame(struct arena *a, struct ls_blame *b)
{
	struct ls_stack from = b->stack;
	int err;

	if ((err = copy_stack(a, &b->stack)) || (err = copy_place(a, &b->site, &from, &b->stack)) ||
	    (err = copy_place(a, &b->callee, &from, &b->stack)) ||
	    (err = copy_string(a, &b->call.name)) || (err = copy_string(a, &b->call.object)) ||
	    (err = copy_string(a, &b->task)) || (err = copy_string(a, &b->advice)) ||
	    (err = copy_string(a, &b->holder.comm)) || (err = copy_stack(a, &b->holder.stack)))
		return err;
	return 0;
}

struct ls_stall *copy__stall(struct arena *a, const struct ls_stall *stall)
{
	struct ls_stall *s = arena__copy(a, stall, sizeof(*stall));
	struct ls_blame *causes;
	int err;

	if (!s)
		return NULL;
	causes = arena__copy(a, stall->causes, stall->nr_causes * sizeof(*causes));
	if (!causes)
		return NULL;
	s->causes = causes;
	if ((err = copy_string(a, &s->comm)) || (err = copy_string(a, &s->kind)))
		goto fail;
	for (size_t i = 0; i < s->nr_causes; i++) {
		err = copy_blame(a, &causes[i]);
		if (err)
			goto fail;
	}
	return s;
fail:
	errno = -err;
	return NULL;
}
