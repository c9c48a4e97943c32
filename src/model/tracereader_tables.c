/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lines that later ones refer to by number: frames, stacks, places. */
#include <string.h>

#include "model/tracereader_internal.h"

void reader__get_frame(struct reader *rd, const json_t *o, struct ls_frame *f)
{
	const char *kind = NULL;

	*f = (struct ls_frame){.kind = LS_FRAME_NATIVE};
	jsonr__str(&rd->json, o, "kind", &kind);
	for (int i = LS_FRAME_NATIVE; kind && i <= LS_FRAME_JIT; i++) {
		if (strcmp(kind, ls_frame_kind__name(i)) == 0)
			f->kind = i;
	}
	jsonr__str(&rd->json, o, "function", &f->function);
	jsonr__str(&rd->json, o, "file", &f->file);
	jsonr__str(&rd->json, o, "module", &f->module);
	jsonr__u32(&rd->json, o, "line", &f->line);
	f->has_offset = json_object_get(o, "offset");
	jsonr__u64(&rd->json, o, "offset", INT64_MAX, &f->offset);
	jsonr__bool(&rd->json, o, "inlined", &f->inlined);
	jsonr__bool(&rd->json, o, "async", &f->async);
}

/* Tables count from 0 without gaps. */
static int add_id(struct reader *rd, const json_t *o, struct ids *ids, int64_t id)
{
	uint64_t number = UINT64_MAX;
	int err;

	if (id == -E2BIG)
		return bad(rd, "more frames than a trace holds");
	if (id < 0)
		return (int)id;
	jsonr__u64(&rd->json, o, "id", UINT32_MAX, &number);
	if (number != ids->n)
		return bad(rd, "\"id\" is not the next number");
	err = reader__grow(&ids->ids, &ids->size, ids->n, sizeof(*ids->ids));
	if (err)
		return err;
	ids->ids[ids->n++] = (uint32_t)id;
	return 0;
}

int reader__on_frame(struct reader *rd, const json_t *o)
{
	struct ls_frame f;
	int err;

	reader__get_frame(rd, o, &f);
	err = reader__check(rd);
	return err ? err : add_id(rd, o, &rd->frame_ids, stacks__frame(rd->stacks, &f));
}

/* A number of the file as one of the table. */
static int look_up(struct reader *rd, const struct ids *ids, const json_t *v, uint32_t *number)
{
	json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;

	if (id < 0 || (uint64_t)id >= ids->n)
		return bad(rd, "names something that no line before it has");
	*number = ids->ids[id];
	return 0;
}

int reader__on_stack(struct reader *rd, const json_t *o)
{
	json_t *frames = jsonr__array(&rd->json, o, "frames");
	size_t n = frames ? json_array_size(frames) : 0;
	uint32_t numbers[MAX_STACK_FRAMES];
	bool truncated = false;
	int err;

	jsonr__bool(&rd->json, o, "truncated", &truncated);
	if ((err = reader__check(rd)) != 0)
		return err;
	if (n > MAX_STACK_FRAMES)
		return bad(rd, "a stack of %zu frames", n);
	for (size_t i = 0; i < n; i++) {
		err = look_up(rd, &rd->frame_ids, json_array_get(frames, i), &numbers[i]);
		if (err)
			return err;
	}
	return add_id(rd, o, &rd->stack_ids, stacks__stack_of(rd->stacks, numbers, n, truncated));
}

int reader__get_reference(struct reader *rd, const json_t *o, const char *key,
			  const struct ids *ids, uint32_t *number)
{
	const json_t *v = json_object_get(o, key);

	*number = NONE;
	return v ? look_up(rd, ids, v, number) : 0;
}

enum ls_cause reader__get_cause(struct reader *rd, const json_t *o)
{
	enum ls_cause cause = LS_OTHER; /* a later loopstall may know more of them */
	const char *name = NULL;

	jsonr__str(&rd->json, o, "cause", &name);
	if (name)
		ls_cause__parse(name, &cause);
	return cause;
}

int reader__get_call(struct reader *rd, const json_t *o, struct ls_blocking_call *call)
{
	const json_t *c = jsonr__object(&rd->json, o, "call");
	int err;

	*call = (struct ls_blocking_call){.fd = -1};
	if (!c)
		return 0;
	jsonr__str(&rd->json, c, "name", &call->name);
	jsonr__int(&rd->json, c, "fd", &call->fd);
	jsonr__str(&rd->json, c, "object", &call->object);
	err = reader__keep(rd, &call->name);
	return err ? err : reader__keep(rd, &call->object);
}

int reader__on_place(struct reader *rd, const json_t *o)
{
	uint64_t number = UINT64_MAX;
	struct place p = {0};
	int err;

	p.cause = reader__get_cause(rd, o);
	jsonr__u64(&rd->json, o, "id", UINT32_MAX, &number);
	jsonr__str(&rd->json, o, "advice", &p.advice);
	if ((err = reader__get_call(rd, o, &p.call)) || (err = reader__check(rd)) ||
	    (err = reader__keep(rd, &p.advice)) ||
	    (err = reader__get_reference(rd, o, "stack", &rd->stack_ids, &p.stack)) ||
	    (err = reader__get_reference(rd, o, "site", &rd->frame_ids, &p.site)) ||
	    (err = reader__get_reference(rd, o, "callee", &rd->frame_ids, &p.callee)))
		return err;
	if (number != rd->nr_places)
		return bad(rd, "\"id\" is not the next number");
	if (rd->nr_places >= MAX_TABLE_BYTES / sizeof(p))
		return bad(rd, "more places than a trace holds");
	err = reader__grow(&rd->places, &rd->places_size, rd->nr_places, sizeof(p));
	if (err)
		return err;
	rd->places[rd->nr_places++] = p;
	return 0;
}
