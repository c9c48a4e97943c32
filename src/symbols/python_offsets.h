/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where the fields of CPython's structures lie, by version. Data only: a new version is a new row.
 * Names are upstream's: runtime.gil is offsetof(_PyRuntimeState, ceval.gil), and so on; 0 where a
 * version has no such field (no field in use lies at 0, unless stated).
 */
#ifndef LS_SYMBOLS_PYTHON_OFFSETS_H
#define LS_SYMBOLS_PYTHON_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python_abi.h"
#include "symbols/python_lines.h"

struct python_offsets {
	uint16_t version; /* 0x030b is 3.11 */
	uint8_t family;   /* enum py_family */
	uint8_t shim_owners;
	enum python_line_format lines;
	struct {
		uint32_t interpreters_head;
		uint32_t gil; /* up to 3.11: the struct itself */
		uint32_t auto_tss_key;
	} runtime;
	struct {
		uint32_t next; /* may be 0 */
		uint32_t threads_head;
		uint32_t gil; /* from 3.12: a pointer to the struct */
	} interp;
	struct {
		uint16_t next, interp;
		uint16_t frame; /* frame, cframe or current_frame */
		uint16_t thread_id, native_thread_id;
		uint16_t asyncio_running_task;
	} tstate;
	struct {
		uint16_t current_frame, previous; /* current_frame may be 0 */
	} cframe;
	struct {
		uint16_t code, previous; /* code may be 0 */
		uint16_t instr;
		uint16_t is_entry, owner;
		uint16_t localsplus;
	} frame;
	struct {
		uint16_t size; /* PyCode_Type.tp_basicsize */
		uint16_t flags, firstlineno;
		uint16_t filename, name, qualname; /* qualname: name, where there is none */
		uint16_t linetable;
		uint16_t code_adaptive; /* the bytecode within the code object */
	} code;
	struct {
		uint16_t ascii_size, compact_size; /* PyASCIIObject, PyCompactUnicodeObject */
	} unicode;
	struct {
		uint16_t name, coro; /* TaskObj in _asyncio */
	} task;
	uint16_t coroutine; /* 3.11 on: cr_iframe in the coroutine; before: f_gen in the frame */
};

/* The same in every version. */
enum {
	PYTHON_VAR_SIZE = 16,   /* PyVarObject.ob_size */
	PYTHON_BYTES_DATA = 32, /* PyBytesObject.ob_sval */
	PYTHON_UNICODE_LENGTH = 16,
	PYTHON_UNICODE_STATE = 32,
	PYTHON_TYPE_NAME = 24, /* PyTypeObject.tp_name */
	PYTHON_TYPE_BASICSIZE = 32,
};

/* NULL: this version is unknown. */
const struct python_offsets *python_offsets__find(uint16_t version);

/*
 * _Py_DebugOffsets, the head of _PyRuntime from 3.13 on: an interpreter describes itself.
 * Returns 0 and overwrites what it says; -ENOENT: no such head; -ENOTSUP: another version than the
 * row's, a free-threaded build or offsets out of bounds: *why is a static string.
 */
enum { PYTHON_DEBUG_OFFSETS_WORDS = 64 };
int python_offsets__describe(struct python_offsets *o, const uint64_t *words, const char **why);

/* What BPF needs of it; addresses are left 0 and tss_key PY_NO_TSS_KEY. */
void python_offsets__to_process(const struct python_offsets *o, struct py_process *out);

#endif
