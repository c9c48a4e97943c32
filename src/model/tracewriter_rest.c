/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stalls that are not kept one by one: summed by loop and place, written at the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/tracewriter_internal.h"

enum { REST_CAUSES_A_LINE = 1000 };

static int64_t put_rest(struct writer *t, uint32_t loop, uint32_t place)
{
	struct rest_key key = {.loop = loop, .place = place};
	int64_t id = intern__id(t->rest_keys, &key, sizeof(key));
	struct rest *rests;
	size_t size;

	if (id < 0 || (size_t)id < t->rests_size)
		return id;
	size = t->rests_size ? t->rests_size * 2 : 256;
	rests = realloc(t->rests, size * sizeof(*rests));
	if (!rests)
		return -ENOMEM;
	memset(rests + t->rests_size, 0, (size - t->rests_size) * sizeof(*rests));
	t->rests = rests;
	t->rests_size = size;
	return id;
}

static int add_rest(struct writer *t, uint32_t loop, uint32_t place, uint64_t ns)
{
	int64_t id = put_rest(t, loop, place);
	struct rest *rest;

	if (id < 0)
		return id == -E2BIG ? 0 : (int)id; /* the ledger has it */
	rest = &t->rests[id];
	rest->ns += ns;
	rest->stalls += rest->last != t->stalls;
	rest->last = t->stalls;
	return 0;
}

int writer__add_up(struct writer *t, uint32_t number, const struct ls_stall *stall,
		   const struct numbered *n)
{
	struct loop *loop = &t->loops[number];
	uint64_t left[LS_NR_CAUSES], ns;
	int err = 0;

	t->stalls_added_up++;
	loop->rest_stalls++;
	loop->rest_wall_ns += stall->wall_ns;
	loop->rest_ledger.unaccounted_ns += stall->ledger.unaccounted_ns;
	memcpy(left, stall->ledger.ns, sizeof(left));
	for (size_t i = 0; i < stall->nr_causes && !err; i++) {
		ns = stall->causes[i].ns;
		left[stall->causes[i].cause] -=
			ns < left[stall->causes[i].cause] ? ns : left[stall->causes[i].cause];
		err = add_rest(t, number, n[i].place, ns);
	}
	for (uint32_t i = 0; i < LS_NR_CAUSES && !err; i++) {
		loop->rest_ledger.ns[i] += stall->ledger.ns[i];
		if (left[i])
			err = add_rest(t, number, i, left[i]);
	}
	return err;
}

static void open_rest(struct writer *t, size_t loop, bool totals)
{
	const struct thread *thread = intern__key(t->threads, loop, NULL);
	const struct loop *l = &t->loops[loop];

	writer__open_line(t, "rest");
	jsonw__i64(&t->w, "pid", thread->pid);
	jsonw__i64(&t->w, "tid", thread->tid);
	if (totals) {
		jsonw__u64(&t->w, "stalls", l->rest_stalls);
		jsonw__u64(&t->w, "wall_ns", l->rest_wall_ns);
		writer__write_ledger(t, &l->rest_ledger);
	}
	jsonw__array(&t->w, "causes");
}

static int close_rest(struct writer *t)
{
	jsonw__end_array(&t->w);
	return writer__close_line(t);
}

/* A loop's stalls that were added up; in several lines when the places are many. */
static int write_rest(struct writer *t, size_t loop)
{
	const struct rest_key *key;
	size_t n = 0;
	int err = 0;

	open_rest(t, loop, true);
	for (size_t i = 0; i < intern__count(t->rest_keys) && !err; i++) {
		key = intern__key(t->rest_keys, i, NULL);
		if (key->loop != loop)
			continue;
		if (n && n % REST_CAUSES_A_LINE == 0) {
			err = close_rest(t);
			open_rest(t, loop, false);
		}
		n++;
		jsonw__object(&t->w, NULL);
		jsonw__u64(&t->w, "place", key->place);
		jsonw__u64(&t->w, "ns", t->rests[i].ns);
		jsonw__u64(&t->w, "stalls", t->rests[i].stalls);
		jsonw__end_object(&t->w);
	}
	return err ? err : close_rest(t);
}

int writer__write_rests(struct writer *t)
{
	int err = 0;

	for (size_t i = 0; i < intern__count(t->threads) && !err; i++) {
		if (t->loops[i].rest_stalls)
			err = write_rest(t, i);
	}
	return err;
}
