/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CPython from outside: finds the interpreter in a process, tells BPF where its fields lie, and
 *turns the frames that BPF captured into functions, files and exact lines. Reads the target's
 *memory and ELF files and trusts neither. Never stops the target. Not thread-safe.
 *
 *	python__attach -> py_processes, python__threads -> py_threads	(kept by the caller)
 *	LS_EV_PYTHON + native frames -> python__stack -> python__site
 */
#ifndef LS_SYMBOLS_PYTHON_H
#define LS_SYMBOLS_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/stall.h"
#include "python_abi.h"

struct native_frame;
struct python;
struct strings;

/* `pool` outlives it and owns all strings. NULL: errno. */
struct python *python__new(struct strings *pool);
void python__free(struct python *py);

/*
 * Looks for CPython in `tgid`. 0: *out is to be put into py_processes. -ENOENT: none there.
 * -EAGAIN: there, but not initialised yet: ask again when a loop is found. -ENOTSUP: refused, and
 * `why` says what ("CPython 3.15: unknown version"). Else -errno, `why` says what failed.
 * May be called again for a process (after execve, or -EAGAIN): what was known is replaced.
 */
int python__attach(struct python *py, pid_t tgid, struct py_process *out, char *why, size_t size);
bool python__attached(const struct python *py, pid_t tgid);

/* The process is gone or has become another program. */
void python__forget(struct python *py, pid_t tgid);

/*
 * Walks the thread states of `tgid` and hands over each with its thread (tid in our pid namespace),
 * to be put into py_threads. Cheap: ask again when a thread is new. How many, or -errno.
 */
typedef void python_thread_fn(void *ctx, pid_t tid, const struct py_thread *thread);
int python__threads(struct python *py, pid_t tgid, python_thread_fn *each, void *ctx);

/*
 * The Python stack, now, of the thread whose thread pointer is `fsbase`, into out->record; for a
 * thread that is known not to move. 0 or -ENOENT: it runs no Python.
 */
int python__walk(struct python *py, pid_t tgid, uint64_t fsbase, struct py_capture *out);

/* A record of `bytes` from the ring buffer or a file holds the frames that it says it holds. */
bool python__record_ok(const struct ls_ev_python *record, size_t bytes);

/* What belongs to one capture; record and native frames are each optional. */
struct python_capture {
	pid_t tgid;
	const struct ls_ev_python *record; /* python__record_ok */
	const struct native_frame *native; /* leaf first */
	size_t nr_native;
	bool native_truncated;
	const uint8_t *stack; /* the copy, from `sp` upwards */
	size_t stack_bytes;
	uint64_t sp;
	bool blocked; /* not a sample of running code */
	bool live;    /* the thread has not moved: beyond the copy its memory may be read */
};

/*
 * One stack, leaf first: a function in C that was called is a Python frame with a name
 * ("time.sleep") and no file, where that can be known. Native frames above the innermost Python
 * frame, then Python frames, with the native frames of other modules (uvloop, sqlite) where they
 * stood between them. The interpreter's own C frames below the first Python frame are left out.
 * Where the two cannot be matched, native frames on top are those before the eval loop's, or none.
 * Returns how many frames went to out.
 */
size_t python__stack(struct python *py, const struct python_capture *capture, struct ls_frame *out,
		     size_t max, bool *truncated);

/*
 * Whom to blame in such a stack: *site is the deepest coroutine frame, else the deepest frame
 * outside the standard library and site-packages within the loop's callback; *callee is what it
 * called, NULL when nothing. Both point into frames. False: no Python frame there.
 */
bool python__site(const struct ls_frame *frames, size_t nr, const struct ls_frame **site,
		  const struct ls_frame **callee);

/* The site, one of `frames`, is in a middleware of an ASGI application. */
bool python__in_middleware(const struct ls_frame *frames, size_t nr, const struct ls_frame *site);

/* "asyncio" or "uvloop" when the stack shows that loop at work, else NULL. */
const char *python__loop_kind(struct python *py, pid_t tgid, const struct ls_frame *frames,
			      size_t nr);

/* The asyncio task that ran on the captured thread: its coroutine ("Server.serve"), after its name where
 * that can be read now ("Task-7: Server.serve"); NULL unknown. */
const char *python__task(struct python *py, pid_t tgid, const struct ls_ev_python *record);

#endif
