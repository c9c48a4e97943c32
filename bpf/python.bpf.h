/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The frames of a CPython thread, walked at the moment of a capture. Defined once, in python.bpf.c,
 * as global functions: the verifier checks each a single time, however many programs call it.
 * All read the memory of `current`, without faults and without locks; fsbase is the thread pointer
 * of `tid` (task->thread.fsbase). `out` belongs to the caller and must not be shared with a program
 * that could interrupt it.
 */
#ifndef LS_PYTHON_BPF_H
#define LS_PYTHON_BPF_H

#include "python_abi.h"

/* 1: a futex at `uaddr` belongs to the GIL, so that who waits there waits for the GIL. */
int py_is_gil_wait(__u32 tgid, __u32 tid, __u64 fsbase, __u64 uaddr);

/* 1: the thread runs Python code that has given its GIL away, as functions in C do that compute for long. */
int py_lacks_gil(__u32 tgid, __u32 tid, __u64 fsbase);

/*
 * Fills out->record, all but its hdr. Returns the bytes of the record, or -1 when the
 * thread runs no Python that we know (not CPython, refused, no thread state): nothing to send.
 */
int py_capture(__u32 tgid, __u32 tid, __u64 fsbase, struct py_capture *out);

/* The same for the thread which holds the GIL that `tid` waits for, or did until just now; -1: it
 * was `tid` itself. The holder runs meanwhile: what comes back is about right, and marked torn if
 * not. */
int py_capture_holder(__u32 tgid, __u32 tid, __u64 fsbase, struct py_capture *out);

#endif
