/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What user space tells the kernel about a CPython process, so that BPF can walk its frames: where
 * the fields of this version's structures lie. Shared by bpf/ and src/symbols. Fields keep
 * CPython's names; the values come from src/symbols/python_offsets.c.
 */
#ifndef LS_PYTHON_ABI_H
#define LS_PYTHON_ABI_H

#include "events.h"

/* How a thread state leads to its innermost frame. */
enum py_family {
	PY_FRAME_OBJECT,  /* 3.8-3.10: tstate->frame, PyFrameObject */
	PY_CFRAME,        /* 3.11, 3.12: tstate->cframe->current_frame */
	PY_CURRENT_FRAME, /* 3.13, 3.14: tstate->current_frame */
};

enum {
	PY_NO_TSS_KEY = 0xffffffff,
	PY_TSS_KEYS = 32,   /* glibc keeps the first 32 slots in struct pthread itself */
	PY_GIL_BYTES = 208, /* sizeof struct _gil_runtime_state, x86-64, all versions */
	PY_GIL_LAST_HOLDER = 8,
	PY_GIL_LOCKED = 16, /* int */
	PY_OB_TYPE = 8,
	PY_FRAME_READ = 128, /* frame_bytes is less */
	PY_CODE_READ = 144,  /* up to and with co_linetable */
	PY_WALK_MAX = 512,   /* frames looked at, to find a coroutine under deep recursion */
};

/* Flags of ls_pyframe. */
enum {
	PY_FRAME_SHIM =
		1, /* the interpreter's own entry frame: no code, but an address on the C stack */
	PY_FRAME_UNREADABLE = 2, /* its code was not in memory (paged out): user space reads it */
	PY_FRAME_GAP = 4,        /* frames were left out between the one before and this one */
};

/* py_processes: key tgid. */
struct py_process {
	__u64 code_type;  /* &PyCode_Type: the ob_type of every code object */
	__u64 gil;        /* of the main interpreter; 0 not known */
	__u32 tss_key;    /* autoTSSkey, or PY_NO_TSS_KEY */
	__u16 version;    /* 0x030b is 3.11 */
	__u8 family;      /* enum py_family */
	__u8 shim_owners; /* bit n: a frame with owner n is a shim */
	__u16 tstate_interp, tstate_frame, tstate_thread_id;
	__u16 tstate_native_thread_id; /* 0: has none */
	__u16 interp_gil;              /* 3.12+: offset of ceval.gil; 0: one GIL a process */
	__u16 cframe_current_frame, cframe_previous;
	__u16 frame_bytes; /* up to the last field needed: beyond it may lie an unmapped page */
	__u16 frame_code, frame_previous, frame_instr, frame_owner,
		frame_is_entry; /* 0: has no such field */
	__u16 code_flags, code_firstlineno, code_filename, code_name, code_qualname, code_linetable;
	__u16 _pad;
};

/* py_threads: key tid. Validated at every use: tstate->thread_id is the thread pointer. */
struct py_thread {
	__u64 tstate;
};

#define PY_RECORD_BYTES(nr) (sizeof(struct ls_ev_python) + (nr) * sizeof(struct ls_pyframe))

/* A Python stack while BPF takes it: `record` up to its last used frame is what leaves. */
struct py_capture {
	__u8 raw_frame[PY_FRAME_READ]; /* scratch */
	__u8 raw_code[2 * PY_FRAME_READ];
	union {
		struct ls_ev_python record;
		__u8 room[PY_RECORD_BYTES(LS_PYFRAMES_MAX)];
	};
};

LS_ASSERT_SIZE(ls_ev_python, 56);
LS_ASSERT_SIZE(py_process, 64);

#endif
