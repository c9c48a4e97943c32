/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/loops.h"

enum { MAX_SITES = 1024, OBJECTS_A_SITE = 4, MAX_RAW_BYTES = 4 << 20 };

struct traced_loop *loops__find(const struct loops *loops, uint32_t tid)
{
	for (size_t i = loops->nr; i-- > 0;)
		if (loops->items[i]->tid == tid && !loops->items[i]->ended)
			return loops->items[i];
	return NULL;
}

struct traced_loop *loops__add(struct loops *loops, uint32_t tgid, uint32_t tid)
{
	struct traced_loop **grown = realloc(loops->items, (loops->nr + 1) * sizeof(*grown));
	struct traced_loop *loop;

	if (!grown)
		return NULL;
	loops->items = grown;
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return NULL;
	loop->tgid = tgid;
	loop->tid = tid;
	loops->items[loops->nr++] = loop;
	return loop;
}

static void free_loop(struct traced_loop *loop)
{
	blames__clear(&loop->blames);
	raw__free(&loop->raw);
	free(loop->sites.items);
	free(loop);
}

void loop__enter(struct traced_loop *loop, uint64_t iteration)
{
	if (loop->iteration == iteration)
		return;
	loop->raw.used = 0;
	blames__clear(&loop->blames);
	loop->iteration = iteration;
}

void loops__remove(struct loops *loops, struct traced_loop *loop)
{
	for (size_t i = 0; i < loops->nr; i++)
		if (loops->items[i] == loop)
			loops->items[i--] = loops->items[--loops->nr];
	free_loop(loop);
}

void loops__free(struct loops *loops)
{
	for (size_t i = 0; i < loops->nr; i++)
		free_loop(loops->items[i]);
	free(loops->items);
	*loops = (struct loops){0};
}

void raw__free(struct raw_records *raw)
{
	free(raw->bytes);
	*raw = (struct raw_records){0};
}

int raw__append(struct raw_records *raw, const void *record, size_t bytes)
{
	size_t need = raw->used + ((bytes + 7) & ~7ULL);

	if (need > MAX_RAW_BYTES)
		return -E2BIG;
	if (need > raw->size) {
		uint8_t *grown = realloc(raw->bytes, need * 2);

		if (!grown)
			return -ENOMEM;
		raw->bytes = grown;
		raw->size = need * 2;
	}
	memcpy(raw->bytes + raw->used, record, bytes);
	raw->used = need;
	return 0;
}

static bool same_call(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* All but the object. */
static bool same_site(const struct ls_site_total *t, const struct ls_blame *b)
{
	bool lines = b->cause != LS_CPU;

	return t->cause == b->cause && same_call(t->call.name, b->call.name) &&
	       same_place(t->has_site ? &t->site : NULL, b->site, lines) &&
	       same_place(t->has_callee ? &t->callee : NULL, b->callee, lines);
}

/* The total that the blame belongs to; NULL: none yet, then *object is that of the new one. */
static struct ls_site_total *find_total(const struct site_totals *sites, const struct ls_blame *b,
					const char **object)
{
	struct ls_site_total *others = NULL;
	size_t known = 0;

	*object = b->call.object;
	for (size_t i = 0; i < sites->nr; i++) {
		struct ls_site_total *t = &sites->items[i];

		if (!same_site(t, b))
			continue;
		if (same_call(t->call.object, b->call.object))
			return t;
		others = t->call.object ? others : t;
		known++;
	}
	if (known < OBJECTS_A_SITE)
		return NULL;
	*object = NULL;
	return others;
}

static struct ls_site_total *find_or_add(struct site_totals *sites, const struct ls_blame *b)
{
	const char *object;
	struct ls_site_total *grown, *t = find_total(sites, b, &object);

	if (t)
		return t;
	if (sites->nr == MAX_SITES)
		return NULL;
	grown = realloc(sites->items, (sites->nr + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	sites->items = grown;
	t = &grown[sites->nr++];
	*t = (struct ls_site_total){.cause = b->cause, .call = b->call, .advice = b->advice};
	t->call.object = object;
	t->has_site = b->site != NULL;
	t->has_callee = b->callee != NULL;
	if (b->site)
		t->site = *b->site;
	if (b->callee)
		t->callee = *b->callee;
	return t;
}

int sites__add(struct site_totals *sites, const struct ls_stall *stall)
{
	for (size_t i = 0; i < stall->nr_causes; i++) {
		struct ls_site_total *t = find_or_add(sites, &stall->causes[i]);

		if (!t && sites->nr == MAX_SITES)
			continue; /* a new one; the next may be known */
		if (!t)
			return -ENOMEM;
		t->ns += stall->causes[i].ns;
		t->count += t->counted_ns != stall->start_ns;
		t->counted_ns = stall->start_ns;
	}
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct ls_site_total *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

void sites__rank(struct site_totals *sites, size_t max)
{
	if (sites->nr)
		qsort(sites->items, sites->nr, sizeof(*sites->items), by_time);
	if (sites->nr > max)
		sites->nr = max;
}
