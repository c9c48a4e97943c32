/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * x86-64. Every number is offsetof() compiled with Py_BUILD_CORE against the headers of the release
 * named above its row, and was used on a live interpreter of that series (docs/python.md).
 */
#include "symbols/python_offsets.h"

#include <errno.h>
#include <string.h>

static const struct python_offsets rows[] = {
	{
		/* 3.8.18: Include/internal/pycore_pystate.h, Include/{frameobject,code}.h,
		   cpython/pystate.h */
		.version = 0x0308,
		.family = PY_FRAME_OBJECT,
		.lines = PYTHON_LNOTAB,
		.runtime = {.interpreters_head = 32, .gil = 1152, .auto_tss_key = 1396},
		.interp = {.next = 0, .threads_head = 8},
		.tstate = {.next = 8, .interp = 16, .frame = 24, .thread_id = 176},
		.frame = {.code = 32, .previous = 24, .instr = 104, .localsplus = 360},
		.code = {.size = 176,
			 .flags = 36,
			 .firstlineno = 40,
			 .filename = 104,
			 .name = 112,
			 .qualname = 112,
			 .linetable = 120},
		.unicode = {.ascii_size = 48, .compact_size = 72},
		.task = {.name = 120, .coro = 112},
		.coroutine = 96,
	},
	{
		/* 3.9.18, 3.9.2: Include/internal/pycore_{runtime,interp,gil}.h,
		   Include/cpython/frameobject.h */
		.version = 0x0309,
		.family = PY_FRAME_OBJECT,
		.lines = PYTHON_LNOTAB,
		.runtime = {.interpreters_head = 32, .gil = 352, .auto_tss_key = 588},
		.interp = {.next = 0, .threads_head = 8},
		.tstate = {.next = 8, .interp = 16, .frame = 24, .thread_id = 176},
		.frame = {.code = 32, .previous = 24, .instr = 104, .localsplus = 360},
		.code = {.size = 176,
			 .flags = 36,
			 .firstlineno = 40,
			 .filename = 104,
			 .name = 112,
			 .qualname = 112,
			 .linetable = 120},
		.unicode = {.ascii_size = 48, .compact_size = 72},
		.task = {.name = 160, .coro = 152},
		.coroutine = 96,
	},
	{
		/* 3.10.13: the same headers; f_lasti counts code units, co_linetable is PEP 626's
		 */
		.version = 0x030a,
		.family = PY_FRAME_OBJECT,
		.lines = PYTHON_LINETABLE,
		.runtime = {.interpreters_head = 32, .gil = 352, .auto_tss_key = 588},
		.interp = {.next = 0, .threads_head = 8},
		.tstate = {.next = 8, .interp = 16, .frame = 24, .thread_id = 176},
		.frame = {.code = 32, .previous = 24, .instr = 96, .localsplus = 352},
		.code = {.size = 176,
			 .flags = 36,
			 .firstlineno = 40,
			 .filename = 104,
			 .name = 112,
			 .qualname = 112,
			 .linetable = 120},
		.unicode = {.ascii_size = 48, .compact_size = 72},
		.task = {.name = 168, .coro = 160},
		.coroutine = 88,
	},
	{
		/* 3.11.2 (Debian), 3.11.7: Include/internal/pycore_frame.h,
		   Include/cpython/{code,pystate}.h */
		.version = 0x030b,
		.family = PY_CFRAME,
		.lines = PYTHON_LOCATIONS,
		.runtime = {.interpreters_head = 40, .gil = 360, .auto_tss_key = 596},
		.interp = {.next = 0, .threads_head = 16},
		.tstate = {.next = 8,
			   .interp = 16,
			   .frame = 56,
			   .thread_id = 152,
			   .native_thread_id = 160},
		.cframe = {.current_frame = 8, .previous = 16},
		.frame = {.code = 32,
			  .previous = 48,
			  .instr = 56,
			  .is_entry = 68,
			  .owner = 69,
			  .localsplus = 72},
		.code = {.size = 184,
			 .flags = 48,
			 .firstlineno = 72,
			 .filename = 112,
			 .name = 120,
			 .qualname = 128,
			 .linetable = 136,
			 .code_adaptive = 184},
		.unicode = {.ascii_size = 48, .compact_size = 72},
		.task = {.name = 144, .coro = 136},
		.coroutine = 80,
	},
	{
		/* 3.12.1: the same headers; shims appear, the GIL moves to the interpreter */
		.version = 0x030c,
		.family = PY_CFRAME,
		.shim_owners = 1 << 3,
		.lines = PYTHON_LOCATIONS,
		.runtime = {.interpreters_head = 40, .auto_tss_key = 1548},
		.interp = {.next = 0, .threads_head = 72, .gil = 384},
		.tstate = {.next = 8,
			   .interp = 16,
			   .frame = 56,
			   .thread_id = 136,
			   .native_thread_id = 144},
		.cframe = {.current_frame = 0, .previous = 8},
		.frame = {.code = 0, .previous = 8, .instr = 56, .owner = 70, .localsplus = 72},
		.code = {.size = 192,
			 .flags = 48,
			 .firstlineno = 68,
			 .filename = 112,
			 .name = 120,
			 .qualname = 128,
			 .linetable = 136,
			 .code_adaptive = 192},
		.unicode = {.ascii_size = 40, .compact_size = 56},
		.task = {.name = 144, .coro = 136},
		.coroutine = 72,
	},
	{
		/* 3.13.0, 3.13.5 (Debian): confirmed by _Py_DebugOffsets */
		.version = 0x030d,
		.family = PY_CURRENT_FRAME,
		.shim_owners = 1 << 3,
		.lines = PYTHON_LOCATIONS,
		.runtime = {.interpreters_head = 632, .auto_tss_key = 2164},
		.interp = {.next = 7264, .threads_head = 7344, .gil = 16},
		.tstate = {.next = 8,
			   .interp = 16,
			   .frame = 72,
			   .thread_id = 152,
			   .native_thread_id = 160},
		.frame = {.code = 0, .previous = 8, .instr = 56, .owner = 70, .localsplus = 72},
		.code = {.size = 200,
			 .flags = 48,
			 .firstlineno = 68,
			 .filename = 112,
			 .name = 120,
			 .qualname = 128,
			 .linetable = 136,
			 .code_adaptive = 200},
		.unicode = {.ascii_size = 40, .compact_size = 56},
		.task = {.name = 128, .coro = 120},
		.coroutine = 72,
	},
	{
		/* 3.14.8 (Debian): confirmed by _Py_DebugOffsets; owner 4 is the old 3 */
		.version = 0x030e,
		.family = PY_CURRENT_FRAME,
		.shim_owners = 1 << 3 | 1 << 4,
		.lines = PYTHON_LOCATIONS,
		.runtime = {.interpreters_head = 808, .auto_tss_key = 2340},
		.interp = {.next = 7272, .threads_head = 7344, .gil = 16},
		.tstate = {.next = 8,
			   .interp = 16,
			   .frame = 72,
			   .thread_id = 152,
			   .native_thread_id = 160,
			   .asyncio_running_task = 872},
		.frame = {.code = 0, .previous = 8, .instr = 56, .owner = 74, .localsplus = 80},
		.code = {.size = 208,
			 .flags = 48,
			 .firstlineno = 68,
			 .filename = 112,
			 .name = 120,
			 .qualname = 128,
			 .linetable = 136,
			 .code_adaptive = 208},
		.unicode = {.ascii_size = 40, .compact_size = 56},
		.task = {.name = 136, .coro = 128},
		.coroutine = 72,
	},
};

const struct python_offsets *python_offsets__find(uint16_t version)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].version == version)
			return &rows[i];
	return NULL;
}

/*
 * _Py_DebugOffsets as an array of u64 (Include/internal/pycore_runtime.h, 3.14:
 * pycore_debug_offsets.h): which word holds which offset. 3.14 put threads_main into the
 * interpreter's part and two more at its end, so that all behind them moved.
 */
enum { WORD_COOKIE, WORD_VERSION, WORD_FREE_THREADED };

struct description {
	uint16_t version;
	uint8_t interpreters_head, interp_next, threads_head, ceval_gil;
	uint8_t thread_state; /* of its part: the word of `size` */
	uint8_t interpreter_frame;
	uint8_t code_object;
};

static const struct description descriptions[] = {
	{0x030d, 5, 8, 9, 14, 19, 28, 34},
	{0x030e, 5, 8, 9, 15, 22, 31, 39},
};

static const struct description *find_description(uint16_t version)
{
	for (size_t i = 0; i < sizeof(descriptions) / sizeof(descriptions[0]); i++)
		if (descriptions[i].version == version)
			return &descriptions[i];
	return NULL;
}

/* A word as an offset below `limit`; the target may say anything. */
static uint32_t bounded(const uint64_t *words, unsigned int at, uint64_t limit, bool *ok)
{
	if (words[at] >= limit)
		*ok = false;
	return (uint32_t)words[at];
}

static bool take_description(struct python_offsets *o, const struct description *d,
			     const uint64_t *w)
{
	enum { BIG = 1 << 20, FRAME = PY_FRAME_READ - 7, CODE = PY_CODE_READ - 7 };
	bool ok = true;

	o->runtime.interpreters_head = bounded(w, d->interpreters_head, BIG, &ok);
	o->interp.next = bounded(w, d->interp_next, BIG, &ok);
	o->interp.threads_head = bounded(w, d->threads_head, BIG, &ok);
	o->interp.gil = bounded(w, d->ceval_gil, UINT16_MAX, &ok);
	o->tstate.next = bounded(w, d->thread_state + 2, UINT16_MAX, &ok);
	o->tstate.interp = bounded(w, d->thread_state + 3, UINT16_MAX, &ok);
	o->tstate.frame = bounded(w, d->thread_state + 4, UINT16_MAX, &ok);
	o->tstate.thread_id = bounded(w, d->thread_state + 5, UINT16_MAX, &ok);
	o->tstate.native_thread_id = bounded(w, d->thread_state + 6, UINT16_MAX, &ok);
	o->frame.previous = bounded(w, d->interpreter_frame + 1, FRAME, &ok);
	o->frame.code = bounded(w, d->interpreter_frame + 2, FRAME, &ok);
	o->frame.instr = bounded(w, d->interpreter_frame + 3, FRAME, &ok);
	o->frame.localsplus = bounded(w, d->interpreter_frame + 4, UINT16_MAX, &ok);
	o->frame.owner = bounded(w, d->interpreter_frame + 5, FRAME, &ok);
	o->code.filename = bounded(w, d->code_object + 1, CODE, &ok);
	o->code.name = bounded(w, d->code_object + 2, CODE, &ok);
	o->code.qualname = bounded(w, d->code_object + 3, CODE, &ok);
	o->code.linetable = bounded(w, d->code_object + 4, CODE, &ok);
	o->code.firstlineno = bounded(w, d->code_object + 5, CODE, &ok);
	o->code.code_adaptive = bounded(w, d->code_object + 9, UINT16_MAX, &ok);
	o->code.size = o->code.code_adaptive; /* tp_basicsize ends where the bytecode begins */
	return ok;
}

int python_offsets__describe(struct python_offsets *o, const uint64_t *words, const char **why)
{
	const struct description *d = find_description(o->version);

	if (memcmp(&words[WORD_COOKIE], "xdebugpy", 8) != 0)
		return -ENOENT;
	if (words[WORD_FREE_THREADED]) {
		*why = "free-threaded build";
		return -ENOTSUP;
	}
	if (!d || (words[WORD_VERSION] >> 16) != o->version) {
		*why = "describes itself as another version";
		return -ENOTSUP;
	}
	if (!take_description(o, d, words)) {
		*why = "describes itself with offsets out of bounds";
		return -ENOTSUP;
	}
	return 0;
}

static uint16_t greater(uint16_t a, uint16_t b)
{
	return a > b ? a : b;
}

void python_offsets__to_process(const struct python_offsets *o, struct py_process *out)
{
	bool has_int_lasti = o->family == PY_FRAME_OBJECT;
	uint16_t bytes = greater(o->frame.instr + (has_int_lasti ? 4 : 8), o->frame.owner + 1);

	bytes = greater(bytes, greater(o->frame.code + 8, o->frame.previous + 8));
	*out = (struct py_process){
		.tss_key = PY_NO_TSS_KEY,
		.version = o->version,
		.family = o->family,
		.shim_owners = o->shim_owners,
		.tstate_interp = o->tstate.interp,
		.tstate_frame = o->tstate.frame,
		.tstate_thread_id = o->tstate.thread_id,
		.tstate_native_thread_id = o->tstate.native_thread_id,
		.interp_gil = (uint16_t)o->interp.gil,
		.cframe_current_frame = o->cframe.current_frame,
		.cframe_previous = o->cframe.previous,
		.frame_bytes = greater(bytes, o->frame.is_entry + 1),
		.frame_code = o->frame.code,
		.frame_previous = o->frame.previous,
		.frame_instr = o->frame.instr,
		.frame_owner = o->frame.owner,
		.frame_is_entry = o->frame.is_entry,
		.code_flags = o->code.flags,
		.code_firstlineno = o->code.firstlineno,
		.code_filename = o->code.filename,
		.code_name = o->code.name,
		.code_qualname = o->code.qualname,
		.code_linetable = o->code.linetable,
	};
}
