/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/intern.h"
#include "report/samples.h"

enum { MAX_TABLE_BYTES = 256 << 20 };

/* What makes a sample; strings and the stack by number, 0 for none. */
struct key {
	uint32_t comm, kind, call, object, stack;
	uint32_t cause;
};

struct weight {
	uint64_t ns, stalls;
	uint64_t last; /* serial number of the last stall counted in `stalls` */
};

struct samples {
	struct stacks *stacks;
	struct intern *keys;
	struct weight *weights; /* one a key */
	size_t size;
	uint64_t serial;
};

struct samples *samples__new(void)
{
	struct samples *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->stacks = stacks__new(MAX_TABLE_BYTES);
	s->keys = intern__new(MAX_TABLE_BYTES);
	if (s->stacks && s->keys)
		return s;
	samples__free(s);
	errno = ENOMEM;
	return NULL;
}

void samples__free(struct samples *s)
{
	if (!s)
		return;
	stacks__free(s->stacks);
	intern__free(s->keys);
	free(s->weights);
	free(s);
}

static int put_string(struct samples *s, const char *str, uint32_t *number)
{
	int64_t id;

	*number = 0;
	if (!str)
		return 0;
	id = stacks__string(s->stacks, str);
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int put_stack(struct samples *s, const struct ls_stack *stack, uint32_t *number)
{
	int64_t id;

	*number = 0;
	if (!stack->nr_frames)
		return 0;
	id = stacks__stack(s->stacks, stack);
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int grow(struct samples *s, size_t n)
{
	size_t size = s->size ? s->size * 2 : 256;
	struct weight *weights;

	if (n <= s->size)
		return 0;
	weights = realloc(s->weights, size * sizeof(*weights));
	if (!weights)
		return -ENOMEM;
	memset(weights + s->size, 0, (size - s->size) * sizeof(*weights));
	s->weights = weights;
	s->size = size;
	return 0;
}

/* `stalls` more took part; 0: the one at hand, to be counted once. */
static int put(struct samples *s, const struct key *key, uint64_t ns, uint64_t stalls)
{
	int64_t id = intern__id(s->keys, key, sizeof(*key));
	struct weight *w;

	if (id < 0)
		return (int)id;
	if (grow(s, (size_t)id + 1) != 0)
		return -ENOMEM;
	w = &s->weights[id];
	w->ns += ns;
	w->stalls += stalls ? stalls : w->last != s->serial;
	w->last = s->serial;
	return 0;
}

static int put_blame(struct samples *s, struct key *key, const struct ls_blame *b, uint64_t stalls)
{
	int err;

	key->cause = b->cause;
	if ((err = put_string(s, b->call.name, &key->call)) ||
	    (err = put_string(s, b->call.object, &key->object)) ||
	    (err = put_stack(s, &b->stack, &key->stack)))
		return err;
	return put(s, key, b->ns, stalls);
}

/* What the blames leave of the ledger. */
static int put_remainder(struct samples *s, struct key *key, const struct ls_ledger *ledger,
			 const struct ls_blame *causes, size_t n, uint64_t stalls)
{
	uint64_t left[LS_NR_CAUSES + 1];
	int err;

	memcpy(left, ledger->ns, sizeof(ledger->ns));
	left[SAMPLE_UNACCOUNTED] = ledger->unaccounted_ns;
	for (size_t i = 0; i < n; i++)
		left[causes[i].cause] -=
			causes[i].ns < left[causes[i].cause] ? causes[i].ns : left[causes[i].cause];
	key->call = key->object = key->stack = 0;
	for (key->cause = 0; key->cause <= LS_NR_CAUSES; key->cause++) {
		if (left[key->cause] && (err = put(s, key, left[key->cause], stalls)) != 0)
			return err;
	}
	return 0;
}

static int begin(struct samples *s, const char *comm, const char *kind, struct key *key)
{
	int err;

	s->serial++;
	memset(key, 0, sizeof(*key));
	err = put_string(s, comm, &key->comm);
	return err ? err : put_string(s, kind, &key->kind);
}

int samples__add(struct samples *s, const struct ls_stall *stall)
{
	struct key key;
	int err = begin(s, stall->comm, stall->kind, &key);

	for (size_t i = 0; i < stall->nr_causes && !err; i++)
		err = put_blame(s, &key, &stall->causes[i], 0);
	return err ? err
		   : put_remainder(s, &key, &stall->ledger, stall->causes, stall->nr_causes, 0);
}

int samples__add_rest(struct samples *s, const struct ls_rest *rest)
{
	struct key key;
	int err = begin(s, rest->comm, rest->kind, &key);

	for (size_t i = 0; i < rest->nr_causes && !err; i++)
		err = put_blame(s, &key, &rest->causes[i], rest->causes[i].count);
	if (err || !rest->ledger.unaccounted_ns)
		return err;
	key.call = key.object = key.stack = 0;
	key.cause = SAMPLE_UNACCOUNTED;
	return put(s, &key, rest->ledger.unaccounted_ns, rest->stalls);
}

size_t samples__count(const struct samples *s)
{
	return intern__count(s->keys);
}

static const char *string_of(const struct samples *s, uint32_t number)
{
	return number ? stacks__string_at(s->stacks, number - 1) : NULL;
}

struct sample samples__at(const struct samples *s, size_t i)
{
	const struct key *key = intern__key(s->keys, i, NULL);
	struct sample sample = {
		.comm = string_of(s, key->comm),
		.kind = string_of(s, key->kind),
		.cause = (int)key->cause,
		.call = string_of(s, key->call),
		.object = string_of(s, key->object),
		.ns = s->weights[i].ns,
		.stalls = s->weights[i].stalls,
	};

	if (key->stack)
		sample.frames = stacks__stack_at(s->stacks, key->stack - 1, &sample.nr_frames,
						 &sample.truncated);
	return sample;
}

size_t samples__nr_frames(const struct samples *s)
{
	return stacks__nr_frames(s->stacks);
}

const struct ls_frame *samples__frame(const struct samples *s, uint32_t frame)
{
	return stacks__frame_at(s->stacks, frame);
}

const char *sample__cause_name(int cause)
{
	return cause == SAMPLE_UNACCOUNTED ? "unaccounted" : ls_cause__name(cause);
}
