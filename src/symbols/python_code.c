/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Code objects to functions, files and lines. A code object is read once and kept: the pointers
 * that BPF saw in it at the capture tell whether what is kept, or what is there now, is still the
 * same object. One that was freed meanwhile gives a frame without a name, never a wrong one.
 */
#include "symbols/python_internal.h"

#include <stdlib.h>
#include <string.h>

#include "symbols/strings.h"

enum {
	TABLE_MAX = 1 << 20,        /* bytes of a line table */
	CACHED_BYTES_MAX = 8 << 20, /* a process; then the cache starts anew */
	BUCKETS = 1024,
	CALLS_KEPT = 8,
};

/* What the capture and the memory must agree on. */
struct identity {
	uint64_t code, filename, name, qualname, linetable;
	uint32_t flags, firstlineno;
};

/* What an instruction of the code object calls; looked up once. */
struct call {
	int64_t lasti;
	const char *callee;
};

struct code {
	struct code *next;
	struct identity id;
	const char *function, *file;
	struct call calls[CALLS_KEPT];
	unsigned int nr_calls;
	size_t room; /* what it takes of the cache */
	size_t table_bytes;
	uint8_t table[];
};

struct python_codes {
	struct code *buckets[BUCKETS];
	size_t bytes;
};

struct python_codes *python_codes__new(void)
{
	return calloc(1, sizeof(struct python_codes));
}

static void drop_all(struct python_codes *codes)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct code *c = codes->buckets[i];

		while (c) {
			struct code *next = c->next;

			free(c);
			c = next;
		}
		codes->buckets[i] = NULL;
	}
	codes->bytes = 0;
}

void python_codes__free(struct python_codes *codes)
{
	if (!codes)
		return;
	drop_all(codes);
	free(codes);
}

static struct code **bucket_of(struct python_codes *codes, uint64_t code)
{
	return &codes->buckets[(code >> 4 ^ code >> 14) % BUCKETS];
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a->code == b->code && a->filename == b->filename && a->name == b->name &&
	       a->qualname == b->qualname && a->linetable == b->linetable && a->flags == b->flags &&
	       a->firstlineno == b->firstlineno;
}

static struct identity identity_of(const struct ls_pyframe *f)
{
	return (struct identity){
		.code = f->code,
		.filename = f->co_filename,
		.name = f->co_name,
		.qualname = f->co_qualname,
		.linetable = f->co_linetable,
		.flags = f->co_flags,
		.firstlineno = (uint32_t)f->co_firstlineno,
	};
}

static uint64_t u64_at(const uint8_t *p, size_t offset)
{
	uint64_t v;

	memcpy(&v, p + offset, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *p, size_t offset)
{
	uint32_t v;

	memcpy(&v, p + offset, sizeof(v));
	return v;
}

/* The object as it is now; false: no code object there. */
static bool read_identity(const struct python_interpreter *in, uint64_t code, struct identity *id)
{
	const struct python_offsets *o = &in->offsets;
	uint8_t head[PY_CODE_READ];

	if (target__read(in->tgid, code, head, sizeof(head)) != 0 ||
	    u64_at(head, PY_OB_TYPE) != in->code_type)
		return false;
	*id = (struct identity){
		.code = code,
		.filename = u64_at(head, o->code.filename),
		.name = u64_at(head, o->code.name),
		.qualname = u64_at(head, o->code.qualname),
		.linetable = u64_at(head, o->code.linetable),
		.flags = u32_at(head, o->code.flags),
		.firstlineno = u32_at(head, o->code.firstlineno),
	};
	return true;
}

static size_t table_size(const struct python_interpreter *in, uint64_t bytes_object)
{
	uint64_t size = target__u64(in->tgid, bytes_object + PYTHON_VAR_SIZE);

	return size <= TABLE_MAX ? size : 0;
}

static struct code *load(struct python_interpreter *in, struct strings *pool,
			 const struct identity *id)
{
	struct python_codes *codes = in->codes;
	size_t size = table_size(in, id->linetable);
	struct code *c;

	if (codes->bytes + size + sizeof(*c) > CACHED_BYTES_MAX)
		drop_all(codes);
	c = calloc(1, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->id = *id;
	c->function = python_names__read(in, pool, id->qualname);
	if (!c->function)
		c->function = python_names__read(in, pool, id->name);
	c->file = python_names__read(in, pool, id->filename);
	if (size && target__read(in->tgid, id->linetable + PYTHON_BYTES_DATA, c->table, size) == 0)
		c->table_bytes = size;
	c->next = *bucket_of(codes, id->code);
	*bucket_of(codes, id->code) = c;
	c->room = sizeof(*c) + size;
	codes->bytes += c->room;
	return c;
}

/* An address has one object at a time: what is kept of an earlier one goes. */
static void drop_stale(struct python_codes *codes, uint64_t code)
{
	struct code **at = bucket_of(codes, code);

	while (*at) {
		struct code *c = *at;

		if (c->id.code == code) {
			*at = c->next;
			codes->bytes -= c->room;
			free(c);
		} else {
			at = &c->next;
		}
	}
}

static struct code *find(struct python_interpreter *in, struct strings *pool,
			 const struct ls_pyframe *f)
{
	bool is_read = !(f->flags & PY_FRAME_UNREADABLE);
	struct identity captured = identity_of(f), now;
	struct code *c = *bucket_of(in->codes, f->code);

	while (c && c->id.code != f->code)
		c = c->next;
	if (c && (!is_read || same_identity(&c->id, &captured)))
		return c;
	if (!read_identity(in, f->code, &now) || (is_read && !same_identity(&now, &captured)))
		return NULL;
	drop_stale(in->codes, f->code);
	return load(in, pool, &now);
}

/* Offset of the instruction in the bytecode, in bytes. */
static int64_t lasti_of(const struct python_interpreter *in, const struct ls_pyframe *f)
{
	if (in->offsets.version == 0x030a)
		return 2 * (int64_t)f->instr; /* counts code units */
	if (in->offsets.family == PY_FRAME_OBJECT)
		return (int64_t)f->instr;
	return (int64_t)(f->instr - f->code - in->offsets.code.code_adaptive);
}

bool python_code__resolve(struct python_interpreter *in, struct strings *pool,
			  const struct ls_pyframe *captured, struct ls_frame *out)
{
	enum { CO_ASYNC = 0x380 }; /* coroutine, iterable coroutine, asynchronous generator */
	struct code *c = find(in, pool, captured);

	*out = (struct ls_frame){.kind = LS_FRAME_PYTHON, .module = in->module};
	if (!c)
		return false;
	out->function = c->function;
	out->file = c->file;
	out->async = (c->id.flags & CO_ASYNC) != 0;
	out->line = python_lines__find(in->offsets.lines, c->table, c->table_bytes,
				       c->id.firstlineno, lasti_of(in, captured));
	if (!out->line && c->id.firstlineno <= INT32_MAX)
		out->line = c->id.firstlineno;
	return true;
}

const char *python_code__callee(struct python_interpreter *in, struct strings *pool,
				const struct ls_pyframe *captured)
{
	struct code *c = find(in, pool, captured);
	int64_t lasti = lasti_of(in, captured);
	struct python_position pos;
	struct call *call;

	if (!c || in->offsets.lines != PYTHON_LOCATIONS)
		return NULL;
	for (unsigned int i = 0; i < c->nr_calls && i < CALLS_KEPT; i++)
		if (c->calls[i].lasti == lasti)
			return c->calls[i].callee;
	call = &c->calls[c->nr_calls++ % CALLS_KEPT];
	call->lasti = lasti;
	call->callee = NULL;
	if (python_lines__position(c->table, c->table_bytes, c->id.firstlineno, lasti, &pos))
		call->callee = python_source__callee(in, pool, c->file, &pos);
	return call->callee;
}
