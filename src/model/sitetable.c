/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/intern.h"
#include "model/sitetable.h"
#include "model/stacks.h"

enum { MAX_TABLE_BYTES = 64 << 20 };

/* Pointers into the strings' table: equal strings are equal pointers. */
struct key {
	const char *function, *file, *module;
	uint64_t cause;
};

struct entry {
	struct site site;
	uint64_t serial, in_stall_ns; /* the stall at hand, and its time here */
};

struct sitetable {
	struct stacks *strings;
	struct intern *keys;
	struct entry *entries; /* one a key */
	size_t size;
	uint64_t serial;
};

struct sitetable *sitetable__new(void)
{
	struct sitetable *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->strings = stacks__new(MAX_TABLE_BYTES);
	s->keys = intern__new(MAX_TABLE_BYTES);
	if (s->strings && s->keys)
		return s;
	sitetable__free(s);
	errno = ENOMEM;
	return NULL;
}

void sitetable__free(struct sitetable *s)
{
	if (!s)
		return;
	stacks__free(s->strings);
	intern__free(s->keys);
	free(s->entries);
	free(s);
}

/* The table's copy of a string; `err` keeps the first failure. */
static const char *keep(struct sitetable *s, const char *text, int *err)
{
	int64_t id;

	if (!text || *err)
		return NULL;
	id = stacks__string(s->strings, text);
	if (id >= 0)
		return stacks__string_at(s->strings, (size_t)id);
	*err = (int)id;
	return NULL;
}

/* A function without a name is known by its place in the module. */
static const char *function_name(struct sitetable *s, const struct ls_frame *f, int *err)
{
	char name[32];

	if (f->function || !f->has_offset)
		return keep(s, f->function, err);
	snprintf(name, sizeof(name), "+0x%" PRIx64, f->offset);
	return keep(s, name, err);
}

static int fill_key(struct sitetable *s, const struct ls_blame *b, struct key *key)
{
	int err = 0;

	memset(key, 0, sizeof(*key));
	key->cause = b->cause;
	if (!b->site)
		return 0;
	key->function = function_name(s, b->site, &err);
	key->file = keep(s, b->site->file, &err);
	key->module = keep(s, b->site->module, &err);
	return err;
}

static struct entry *find(struct sitetable *s, const struct key *key, int *err)
{
	int64_t id = intern__id(s->keys, key, sizeof(*key));
	size_t known = s->size;
	struct entry *entries;

	if (id < 0) {
		*err = (int)id;
		return NULL;
	}
	if ((size_t)id >= known) {
		s->size = known ? known * 2 : 64;
		entries = realloc(s->entries, s->size * sizeof(*entries));
		if (!entries) {
			s->size = known;
			*err = -ENOMEM;
			return NULL;
		}
		memset(entries + known, 0, (s->size - known) * sizeof(*entries));
		s->entries = entries;
	}
	s->entries[id].site.function = key->function;
	s->entries[id].site.file = key->file;
	s->entries[id].site.module = key->module;
	s->entries[id].site.cause = (enum ls_cause)key->cause;
	return &s->entries[id];
}

static int describe(struct sitetable *s, struct site *site, const struct ls_blame *b)
{
	int err = 0;

	site->line = b->site ? b->site->line : 0;
	site->callee = b->callee ? keep(s, b->callee->function, &err) : NULL;
	site->call = keep(s, b->call.name, &err);
	site->object = keep(s, b->call.object, &err);
	site->advice = keep(s, b->advice, &err);
	return err;
}

/* `stalls`: how many this stands for; 0: the one at hand, to be counted once. */
static int add(struct sitetable *s, const struct ls_blame *b, uint64_t stalls)
{
	struct entry *e = NULL;
	struct key key;
	int err = fill_key(s, b, &key);

	if (!err)
		e = find(s, &key, &err);
	if (!e)
		return err;
	e->site.ns += b->ns;
	if (stalls) {
		e->site.stalls += stalls;
		return e->site.max_ns ? 0 : describe(s, &e->site, b);
	}
	if (e->serial != s->serial) {
		e->serial = s->serial;
		e->in_stall_ns = 0;
		e->site.stalls++;
	}
	e->in_stall_ns += b->ns;
	if (e->in_stall_ns <= e->site.max_ns)
		return 0;
	e->site.max_ns = e->in_stall_ns;
	return describe(s, &e->site, b);
}

int sitetable__add(struct sitetable *s, const struct ls_stall *stall)
{
	int err = 0;

	s->serial++;
	for (size_t i = 0; i < stall->nr_causes && !err; i++)
		err = add(s, &stall->causes[i], 0);
	return err;
}

int sitetable__add_rest(struct sitetable *s, const struct ls_rest *rest)
{
	int err = 0;

	for (size_t i = 0; i < rest->nr_causes && !err; i++) {
		if (rest->causes[i].count && rest->causes[i].stack.nr_frames)
			err = add(s, &rest->causes[i], rest->causes[i].count);
	}
	return err;
}

size_t sitetable__count(const struct sitetable *s)
{
	return intern__count(s->keys);
}

const struct site *sitetable__at(const struct sitetable *s, size_t i)
{
	return &s->entries[i].site;
}
