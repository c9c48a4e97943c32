/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One stack of Python and native frames. Consecutive Python frames that one activation of the eval
 * loop runs are a group, and each group stands in the place of that loop's native frame. Which one
 * that is follows from addresses, not from symbols: the loop keeps its _PyCFrame (3.11) or its shim
 * frame (3.12 on) in a local variable, so that it lies in the native frame's part of the stack.
 * Works on stripped binaries and where the compiler has split the loop in two. Up to 3.10 there is
 * no such variable: there each native frame of the loop, known by its symbol, runs one Python
 * frame.
 */
#include "symbols/python.h"

#include <string.h>

#include "symbols/python_internal.h"
#include "symbols/symbolizer.h"

enum { NONE = -1 };

struct group {
	size_t first, end; /* of record->frames */
	ssize_t native;    /* the eval loop that ran them; NONE unknown */
};

struct merger {
	struct python_interpreter *in;
	struct strings *pool;
	const struct python_capture *c;
	struct group groups[LS_PYFRAMES_MAX];
	size_t nr_groups;
	struct ls_frame *out;
	size_t nr, max;
	bool truncated;
	bool any_python; /* a Python frame is in the output */
};

/* --- groups --------------------------------------------------------------------------------- */

/* Whether `f` is the outermost frame of its group. */
static bool ends_group(const struct merger *m, const struct ls_pyframe *f)
{
	if (m->in->offsets.family == PY_FRAME_OBJECT)
		return true;
	if (m->in->offsets.shim_owners)
		return f->flags & PY_FRAME_SHIM;
	return f->is_entry;
}

static void find_groups(struct merger *m)
{
	const struct ls_ev_python *r = m->c->record;
	size_t first = 0;

	for (size_t i = 0; i < r->nr_frames; i++) {
		if (!ends_group(m, &r->frames[i]) && i + 1 < r->nr_frames)
			continue;
		m->groups[m->nr_groups++] = (struct group){first, i + 1, NONE};
		first = i + 1;
	}
}

static bool read_copy(const struct python_capture *c, uint64_t addr, uint64_t *value)
{
	if (addr < c->sp || c->stack_bytes < sizeof(*value) ||
	    addr - c->sp > c->stack_bytes - sizeof(*value))
		return c->live && target__read(c->tgid, addr, value, sizeof(*value)) == 0;
	memcpy(value, c->stack + (addr - c->sp), sizeof(*value));
	return true;
}

/* The native frame in whose part of the stack `addr` lies. */
static ssize_t containing(const struct python_capture *c, uint64_t addr)
{
	for (size_t i = 0; i + 1 < c->nr_native; i++)
		if (c->native[i].sp <= addr && addr < c->native[i + 1].sp)
			return (ssize_t)i;
	return NONE;
}

/* 3.12 on: the shim that ends a group lies on the C stack. */
static void match_shims(struct merger *m)
{
	for (size_t i = 0; i < m->nr_groups; i++) {
		const struct ls_pyframe *last = &m->c->record->frames[m->groups[i].end - 1];

		if (last->flags & PY_FRAME_SHIM)
			m->groups[i].native = containing(m->c, last->frame);
	}
}

/* 3.11: the chain of _PyCFrames, from the copy of the stack; each points to its group's first
 * frame. */
static void match_cframes(struct merger *m)
{
	const struct python_offsets *o = &m->in->offsets;
	uint64_t cframe = m->c->record->cframe;

	for (size_t i = 0; i < m->nr_groups; i++) {
		const struct ls_pyframe *first = &m->c->record->frames[m->groups[i].first];
		uint64_t frame;

		if (!read_copy(m->c, cframe + o->cframe.current_frame, &frame) ||
		    frame != first->frame)
			break;
		m->groups[i].native = containing(m->c, cframe);
		if (!read_copy(m->c, cframe + o->cframe.previous, &cframe))
			break;
	}
}

static bool is_eval_loop(const struct native_frame *n)
{
	static const char name[] = "_PyEval_EvalFrameDefault"; /* also .cold, .lto_priv.0 ... */
	const char *function = n->nr_frames ? n->frames[n->nr_frames - 1].function : NULL;

	return function && strncmp(function, name, sizeof(name) - 1) == 0;
}

/* Up to 3.10: as many loops as frames, in the same order, or none is matched. */
static void match_symbols(struct merger *m)
{
	const struct python_capture *c = m->c;
	size_t loops = 0, g = 0;

	for (size_t i = 0; i < c->nr_native; i++)
		loops += is_eval_loop(&c->native[i]);
	if (loops != m->nr_groups && !(c->native_truncated && loops < m->nr_groups))
		return;
	for (size_t i = 0; i < c->nr_native && g < m->nr_groups; i++)
		if (is_eval_loop(&c->native[i]))
			m->groups[g++].native = (ssize_t)i;
}

static void match_groups(struct merger *m)
{
	if (m->in->offsets.family == PY_FRAME_OBJECT)
		match_symbols(m);
	else if (m->in->offsets.shim_owners)
		match_shims(m);
	else
		match_cframes(m);
}

/* --- output --------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_interpreter(const struct python_interpreter *in, const struct native_frame *n)
{
	const char *module = n->nr_frames ? n->frames[0].module : NULL;
	const char *name = module ? base_name(module) : "";

	if (module && in->module && strcmp(module, in->module) == 0)
		return true;
	return strncmp(name, "libpython3", 10) == 0 || strncmp(name, "python3", 7) == 0;
}

static void put(struct merger *m, const struct ls_frame *frame)
{
	if (m->nr < m->max)
		m->out[m->nr++] = *frame;
	else
		m->truncated = true;
}

static void put_native(struct merger *m, size_t from, size_t to, bool all)
{
	for (size_t i = from; i < to && i < m->c->nr_native; i++) {
		const struct native_frame *n = &m->c->native[i];

		if (!all && (n->is_libc || is_interpreter(m->in, n)))
			continue;
		for (size_t k = 0; k < n->nr_frames; k++)
			put(m, &n->frames[k]);
	}
}

bool python_merge__is_filler(const struct ls_frame *f)
{
	if (!f->file || !f->function)
		return false;
	return (strcmp(f->file, "__init__") == 0 && strcmp(f->function, "__init__") == 0) ||
	       strcmp(f->file, "<shim>") == 0 || strcmp(f->function, "<shim>") == 0;
}

/* The innermost Python frame is in a call of a function in C: when it blocks, or native frames say
 * so. */
static void put_callee(struct merger *m, const struct ls_pyframe *captured)
{
	struct ls_frame frame = {.kind = LS_FRAME_PYTHON, .module = m->in->module};

	if (!m->c->blocked && !m->nr)
		return;
	frame.function = python_code__callee(m->in, m->pool, captured);
	if (frame.function)
		put(m, &frame);
}

static void put_python(struct merger *m, const struct group *g)
{
	for (size_t i = g->first; i < g->end; i++) {
		const struct ls_pyframe *captured = &m->c->record->frames[i];
		struct ls_frame frame;

		if (captured->flags & PY_FRAME_SHIM)
			continue;
		if (captured->flags & PY_FRAME_GAP)
			m->truncated = true;
		python_code__resolve(m->in, m->pool, captured, &frame);
		if (python_merge__is_filler(&frame))
			continue;
		if (!m->any_python)
			put_callee(m, captured);
		m->any_python = true;
		put(m, &frame);
	}
}

/* The innermost native frame of the loop, when only its symbol tells. */
static size_t above_eval_loop(const struct python_capture *c)
{
	for (size_t i = 0; i < c->nr_native; i++)
		if (is_eval_loop(&c->native[i]))
			return i;
	return 0;
}

static void put_merged(struct merger *m)
{
	size_t at = 0; /* native frames before it are done */
	bool any = false;

	for (size_t i = 0; i < m->nr_groups; i++) {
		const struct group *g = &m->groups[i];

		if (g->native >= (ssize_t)at) {
			put_native(m, at, (size_t)g->native, !any);
			at = (size_t)g->native + 1;
			any = true;
		} else if (i == 0) {
			put_native(m, 0, above_eval_loop(m->c), true);
		}
		put_python(m, g);
	}
	if (any && !(m->c->record->flags & (LS_CAP_PY_TORN | LS_CAP_STACK_CUT)))
		put_native(m, at, m->c->nr_native, false);
}

static void put_all_native(struct merger *m)
{
	for (size_t i = 0; i < m->c->nr_native; i++)
		for (size_t k = 0; k < m->c->native[i].nr_frames; k++)
			put(m, &m->c->native[i].frames[k]);
	m->truncated = m->truncated || m->c->native_truncated;
}

size_t python__stack(struct python *py, const struct python_capture *capture, struct ls_frame *out,
		     size_t max, bool *truncated)
{
	struct merger m = {
		.in = python__find(py, capture->tgid),
		.pool = python__pool(py),
		.c = capture,
		.out = out,
		.max = max,
	};

	if (m.in && capture->record && capture->record->nr_frames) {
		m.truncated = capture->record->flags & (LS_CAP_PY_TORN | LS_CAP_STACK_CUT);
		find_groups(&m);
		match_groups(&m);
		put_merged(&m);
	} else {
		put_all_native(&m);
	}
	*truncated = m.truncated;
	return m.nr;
}
