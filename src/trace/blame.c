/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/blame.h"

enum { MAX_ENTRIES = 64 }; /* a stall at more places than these is read by nobody */

static bool same_string(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool same_place(const struct ls_frame *a, const struct ls_frame *b, bool lines)
{
	if (!a || !b)
		return a == b;
	if (!same_string(a->function, b->function) || !same_string(a->module, b->module) ||
	    !same_string(a->file, b->file))
		return false;
	if (!a->function && a->offset != b->offset)
		return false;
	return !lines || a->line == b->line;
}

/* What a reader can tell apart. Of CPU time, whose samples fall on many lines, with `exactly` also the
 * site's line and the advice, of which the most frequent are to be kept. */
static bool same_blame(const struct ls_blame *a, const struct ls_blame *b, bool exactly)
{
	bool lines = a->cause != LS_CPU;

	if (exactly && a->advice != b->advice)
		return false;
	return a->cause == b->cause && a->call.fd == b->call.fd &&
	       same_string(a->call.name, b->call.name) &&
	       same_string(a->call.object, b->call.object) && a->holder.tid == b->holder.tid &&
	       same_place(a->site, b->site, lines || exactly) &&
	       same_place(a->callee, b->callee, lines);
}

static const struct ls_frame *moved(const struct ls_frame *frame, const struct ls_stack *from,
				    const struct ls_frame *to)
{
	return frame ? to + (frame - from->frames) : NULL;
}

static int copy_frames(const struct ls_stack *stack, struct ls_frame **copy)
{
	*copy = NULL;
	if (!stack->nr_frames)
		return 0;
	*copy = malloc(stack->nr_frames * sizeof(**copy));
	if (!*copy)
		return -ENOMEM;
	memcpy(*copy, stack->frames, stack->nr_frames * sizeof(**copy));
	return 0;
}

static void free_frames(struct ls_blame *blame)
{
	free((void *)blame->stack.frames);
	free((void *)blame->holder.stack.frames);
}

/* `to` takes over what `from` says, with copies of its stacks. */
static int copy_blame(struct ls_blame *to, const struct ls_blame *from)
{
	struct ls_frame *frames, *held;

	if (copy_frames(&from->stack, &frames))
		return -ENOMEM;
	if (copy_frames(&from->holder.stack, &held)) {
		free(frames);
		return -ENOMEM;
	}
	*to = *from;
	to->stack.frames = frames;
	to->holder.stack.frames = held;
	to->site = moved(from->site, &from->stack, frames);
	to->callee = moved(from->callee, &from->stack, frames);
	return 0;
}

static int append(struct blames *list, const struct ls_blame *blame)
{
	struct ls_blame *grown = realloc(list->items, (list->nr + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->items = grown;
	if (copy_blame(&grown[list->nr], blame))
		return -ENOMEM;
	list->nr++;
	return 0;
}

static bool add_to(struct blames *list, const struct ls_blame *blame, bool exactly)
{
	for (size_t i = 0; i < list->nr; i++) {
		if (!same_blame(&list->items[i], blame, exactly))
			continue;
		list->items[i].ns += blame->ns;
		list->items[i].count += blame->count;
		return true;
	}
	return false;
}

int blames__add(struct blames *list, const struct ls_blame *blame)
{
	if (add_to(list, blame, true))
		return 0;
	/* Lines must not take the room of other places. */
	if (list->nr >= MAX_ENTRIES / 2 && add_to(list, blame, false))
		return 0;
	if (list->nr >= MAX_ENTRIES)
		return 0; /* its time remains in the ledger, and so in the entry without a place */
	return append(list, blame);
}

static int by_length(const void *a, const void *b)
{
	const struct ls_blame *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

static void sort(struct blames *list)
{
	if (list->nr)
		qsort(list->items, list->nr, sizeof(*list->items), by_length);
}

/* CPU time is one entry a function, since its samples fall on many lines: at that with most of them. */
static void merge_lines(struct blames *list)
{
	size_t nr = 0;

	sort(list);
	for (size_t i = 0; i < list->nr; i++) {
		struct ls_blame *b = &list->items[i], *same = NULL;

		for (size_t j = 0; j < nr && !same; j++)
			if (same_blame(&list->items[j], b, false))
				same = &list->items[j];
		if (!same) {
			list->items[nr++] = *b;
			continue;
		}
		same->ns += b->ns;
		same->count += b->count;
		free_frames(b);
	}
	list->nr = nr;
}

static void scale(struct blames *list, enum ls_cause cause, uint64_t have_ns, uint64_t want_ns)
{
	uint64_t left = want_ns;
	struct ls_blame *last = NULL;

	for (size_t i = 0; i < list->nr; i++) {
		struct ls_blame *b = &list->items[i];

		if (b->cause != cause)
			continue;
		b->ns = (uint64_t)((unsigned __int128)b->ns * want_ns / have_ns);
		left -= b->ns;
		last = b;
	}
	if (last)
		last->ns += left;
}

static int balance_cause(struct blames *list, enum ls_cause cause, uint64_t want_ns, uint32_t count)
{
	uint64_t have_ns = 0, have_count = 0;
	struct ls_blame *first = NULL;

	for (size_t i = 0; i < list->nr; i++) {
		if (list->items[i].cause != cause)
			continue;
		first = first ? first : &list->items[i];
		have_ns += list->items[i].ns;
		have_count += list->items[i].count;
	}
	if (first && !have_ns) { /* the place where it hung when we came */
		first->ns = want_ns;
		return 0;
	}
	/* Samples tell how CPU time divides, and so do captures that stand for most of the time. */
	if (have_ns && (cause == LS_CPU || have_ns >= want_ns / 2 || have_ns > want_ns)) {
		scale(list, cause, have_ns, want_ns);
		return 0;
	}
	if (want_ns <= have_ns)
		return 0;
	return append(list, &(struct ls_blame){
				    .cause = cause,
				    .ns = want_ns - have_ns,
				    .count = count > have_count ? count - have_count : 0,
				    .call = {.fd = -1},
			    });
}

int blames__balance(struct blames *list, const struct ls_ledger *ledger,
		    const uint32_t counts[LS_NR_CAUSES])
{
	int err = 0;

	merge_lines(list);
	for (int cause = 0; cause < LS_NR_CAUSES && !err; cause++)
		err = balance_cause(list, cause, ledger->ns[cause], counts[cause]);
	sort(list);
	return err;
}

int blames__copy(struct blames *to, const struct blames *from)
{
	int err = 0;

	for (size_t i = 0; i < from->nr && !err; i++)
		err = append(to, &from->items[i]);
	return err;
}

void blames__clear(struct blames *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free_frames(&list->items[i]);
	free(list->items);
	list->items = NULL;
	list->nr = 0;
}
