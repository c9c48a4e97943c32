/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/intern.h"
#include "report/flametree.h"
#include "model/names.h"

enum { MAX_LABEL_BYTES = 400 };

struct key {
	uint32_t parent, label;
};

struct flametree {
	struct intern *labels;
	struct intern *keys; /* struct key -> nodes[]; the root's is {UINT32_MAX, 0} */
	struct flame_node *nodes;
	size_t size;
};

static int grow(struct flametree *t, size_t n)
{
	size_t size = t->size ? t->size * 2 : 256;
	struct flame_node *nodes;

	if (n <= t->size)
		return 0;
	nodes = realloc(t->nodes, size * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	t->nodes = nodes;
	t->size = size;
	return 0;
}

static void weigh(struct flame_node *node, const struct sample *sample)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a key that is known has a node */
	node->ns += sample->ns;
	node->stalls += sample->stalls;
	node->cause_ns[sample->cause] += sample->ns;
}

/* The child of `parent` with that label, weighed with the sample: a number or -errno. */
static int64_t descend(struct flametree *t, uint32_t parent, const char *label,
		       const struct ls_frame *frame, const struct sample *sample)
{
	int64_t label_id = intern__id(t->labels, label, strlen(label) + 1), id;
	size_t known = intern__count(t->keys);
	struct key key;

	if (label_id < 0)
		return label_id;
	key = (struct key){.parent = parent, .label = (uint32_t)label_id};
	id = intern__id(t->keys, &key, sizeof(key));
	if (id < 0)
		return id;
	if ((size_t)id == known) {
		if (grow(t, known + 1) != 0)
			return -ENOMEM;
		t->nodes[id] = (struct flame_node){
			.label = intern__key(t->labels, (size_t)label_id, NULL),
			.frame = frame,
			.parent = id ? parent : 0,
			/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
			.depth = id ? t->nodes[parent].depth + 1 : 0,
		};
	}
	weigh(&t->nodes[id], sample);
	return id;
}

static void cause_label(const struct sample *sample, char *buf, size_t bytes)
{
	char call[MAX_LABEL_BYTES / 2];

	names__call(sample->call, sample->object, call, sizeof(call));
	snprintf(buf, bytes, "%s%s%s", sample__cause_name(sample->cause), call[0] ? ": " : "",
		 call);
}

static int add(struct flametree *t, const struct samples *samples, const struct sample *sample)
{
	char label[MAX_LABEL_BYTES];
	const struct ls_frame *frame;
	int64_t at = descend(t, UINT32_MAX, "all stalls", NULL, sample);

	if (at >= 0)
		at = descend(t, (uint32_t)at, sample->comm ? sample->comm : "?", NULL, sample);
	if (at >= 0 && sample->truncated)
		at = descend(t, (uint32_t)at, "[truncated]", NULL, sample);
	for (size_t i = sample->nr_frames; i-- > 0 && at >= 0;) {
		frame = samples__frame(samples, sample->frames[i]);
		names__frame(frame, label, sizeof(label));
		at = descend(t, (uint32_t)at, label, frame, sample);
	}
	cause_label(sample, label, sizeof(label));
	if (at >= 0)
		at = descend(t, (uint32_t)at, label, NULL, sample);
	return at < 0 ? (int)at : 0;
}

struct ranked {
	uint32_t parent, id;
	uint64_t ns;
};

static int by_parent_and_weight(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->id < y->id ? -1 : 1;
}

static int link_children(struct flametree *t)
{
	size_t n = intern__count(t->keys);
	struct ranked *ranked = calloc(n + 1, sizeof(*ranked));

	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): as many nodes as keys */
		ranked[i] = (struct ranked){t->nodes[i].parent, (uint32_t)i, t->nodes[i].ns};
	if (n > 1) /* all but the root */
		qsort(ranked + 1, n - 1, sizeof(*ranked), by_parent_and_weight);
	for (size_t i = n; i-- > 1;) {
		struct flame_node *parent = &t->nodes[ranked[i].parent];

		t->nodes[ranked[i].id].next_sibling = parent->first_child;
		parent->first_child = ranked[i].id;
	}
	free(ranked);
	return 0;
}

struct flametree *flametree__new(const struct samples *samples)
{
	struct flametree *t = calloc(1, sizeof(*t));
	struct sample sample;
	int err = 0;

	if (!t)
		return NULL;
	t->labels = intern__new(SIZE_MAX);
	t->keys = intern__new(SIZE_MAX);
	if (!t->labels || !t->keys)
		err = -ENOMEM;
	for (size_t i = 0; i < samples__count(samples) && !err; i++) {
		sample = samples__at(samples, i);
		err = add(t, samples, &sample);
	}
	if (!err)
		err = link_children(t);
	if (!err)
		return t;
	flametree__free(t);
	errno = -err;
	return NULL;
}

void flametree__free(struct flametree *t)
{
	if (!t)
		return;
	intern__free(t->labels);
	intern__free(t->keys);
	free(t->nodes);
	free(t);
}

const struct flame_node *flametree__nodes(const struct flametree *t, size_t *n)
{
	*n = intern__count(t->keys);
	return t->nodes;
}

int flame_node__cause(const struct flame_node *node)
{
	int best = 0;

	for (int i = 1; i < FLAME_NR_CAUSES; i++) {
		if (node->cause_ns[i] > node->cause_ns[best])
			best = i;
	}
	return best;
}
