/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdbool.h>
#include <string.h>

#include "model/advice.h"

enum runtime { NATIVE, PYTHON, NODE, NR_RUNTIMES };

/* NULL in a column: as for native code. */
static const char *const sentences[LS_NR_CAUSES][NR_RUNTIMES] = {
	[LS_CPU] =
		{
			"split the work over iterations, or hand it to a worker thread or process",
			"move CPU work to a process pool (loop.run_in_executor with a "
			"ProcessPoolExecutor; simple, "
			"picklable arguments): threads do not help, they share the GIL",
			"move CPU work to a worker thread (worker_threads), or split it with "
			"setImmediate",
		},
	[LS_RUNQUEUE] =
		{
			"not your code: other tasks had the CPU; look for noisy neighbours, or "
			"give it more CPU",
		},
	[LS_THROTTLED] =
		{
			"not your code: the cgroup's CPU quota was used up; raise cpu.max, or use "
			"fewer threads",
		},
	[LS_SLEEP] =
		{
			"use a timer of the loop instead of sleeping in it",
			"use `await asyncio.sleep()`: time.sleep() stops every request",
			"use a timer instead of sleeping in the loop",
		},
	[LS_NETWORK] =
		{
			"make the socket non-blocking and wait for it in the loop, or hand the "
			"call to a thread pool",
			"hand the blocking client to a thread (run_in_threadpool, "
			"anyio.to_thread.run_sync), or use "
			"an async client",
			"use the asynchronous variant of this call",
		},
	[LS_DISK] =
		{
			"hand file I/O to a thread pool (or io_uring): files are never ready or "
			"unready to a loop",
			"hand file I/O to a thread (run_in_threadpool, anyio.to_thread.run_sync)",
			"use the asynchronous (callback or promise) variant instead of the *Sync "
			"one",
		},
	[LS_LOCK] =
		{
			"keep the lock shorter where it is held, or take it in a worker thread, "
			"not in the loop",
			"do not wait for a threading lock in the loop: use asyncio.Lock, or take "
			"it in a thread",
			NULL,
		},
	[LS_GIL] =
		{
			NULL,
			"another thread holds the GIL: move its CPU work to a process pool; "
			"threads do not help",
			NULL,
		},
	[LS_PAGE_FAULT] =
		{
			"memory came from disk: look for swapping or a cold file mapping; prefault "
			"or lock what the "
			"loop touches",
		},
	[LS_PROCESS] =
		{
			"watch the child through the loop (SIGCHLD, pidfd) instead of waiting for "
			"it",
			"use asyncio.create_subprocess_exec instead of waiting for the child in "
			"the loop",
			"use the asynchronous variant instead of the *Sync one",
		},
	[LS_PIPE] =
		{
			"make the descriptor non-blocking and wait for it in the loop",
			"hand the blocking read or write to a thread, or use asyncio streams",
			NULL,
		},
	[LS_POLL] =
		{
			"register these descriptors with the loop instead of waiting for them "
			"inside a callback",
			"hand the blocking client to a thread (run_in_threadpool, "
			"anyio.to_thread.run_sync), or use "
			"an async client",
			NULL,
		},
};

static enum runtime runtime_of(const char *kind)
{
	if (!kind)
		return NATIVE;
	if (!strcmp(kind, "asyncio") || !strcmp(kind, "uvloop"))
		return PYTHON;
	return !strcmp(kind, "node") ? NODE : NATIVE;
}

const char *advice__for(enum ls_cause cause, const char *kind, const char *call, const char *callee)
{
	const char *const *row;

	(void)call;
	/* A wait in a loop of its own (a database's busy handler) is no time.sleep(). */
	if (cause == LS_SLEEP && runtime_of(kind) == PYTHON && callee && !strstr(callee, "sleep"))
		return "it waits for something in naps: hand the call to a thread "
		       "(run_in_threadpool, "
		       "anyio.to_thread.run_sync)";
	if ((unsigned int)cause >= LS_NR_CAUSES)
		return NULL;
	row = sentences[cause];
	return row[runtime_of(kind)] ? row[runtime_of(kind)] : row[NATIVE];
}

/* What stands between a program and the kernel whoever called: no library that decides to sleep. */
static bool is_libc(const char *module)
{
	const char *name = module && strrchr(module, '/') ? strrchr(module, '/') + 1 : module;

	return name && (!strncmp(name, "libc.", 5) || !strncmp(name, "libc-2.", 7) ||
			!strncmp(name, "ld-musl", 7) || !strncmp(name, "libpthread", 10));
}

const char *advice__for_naps(const struct ls_blame *blame)
{
	const struct ls_stack *stack = &blame->stack;
	const struct ls_frame *site = blame->site, *f = stack->frames;
	const struct ls_frame *end = f + stack->nr_frames;

	if (blame->cause != LS_SLEEP || !site || site->kind != LS_FRAME_NATIVE || !site->module)
		return NULL;
	while (f < end && (f->kind == LS_FRAME_KERNEL || is_libc(f->module)))
		f++;
	if (f == end || f->kind != LS_FRAME_NATIVE || !f->module ||
	    !strcmp(f->module, site->module) || (f->function && strstr(f->function, "sleep")))
		return NULL;
	return "a library waits for something in naps: hand the call to a thread pool";
}

const char *advice__in_middleware(enum ls_cause cause)
{
	switch (cause) {
	case LS_NETWORK:
	case LS_DISK:
	case LS_LOCK:
	case LS_PROCESS:
	case LS_PIPE:
	case LS_POLL:
		return "this middleware blocks every request: hand the call to a thread "
		       "(run_in_threadpool, anyio.to_thread.run_sync), or use an async client";
	case LS_SLEEP:
		return "this middleware blocks every request: use `await asyncio.sleep()`";
	case LS_CPU:
		return "this middleware computes in every request: move the work to a process "
		       "pool, or "
		       "cache its result; threads do not help, they share the GIL";
	default:
		return NULL;
	}
}

static bool lies_in(const struct ls_frame *f, const char *file)
{
	size_t n = f->file ? strlen(f->file) : 0, k = strlen(file);

	return n > k && !strcmp(f->file + n - k, file);
}

const char *advice__for_callee(enum ls_cause cause, const struct ls_frame *callee)
{
	bool is_wait = cause == LS_LOCK || cause == LS_SLEEP;

	if (!callee || callee->kind != LS_FRAME_PYTHON || !callee->function || !callee->file)
		return NULL;
	if (!strncmp(callee->file, "<frozen importlib", 17))
		return "import it when the program starts: the first import of a module runs all "
		       "of it, and reads its files";
	if (lies_in(callee, "/logging/__init__.py") && cause != LS_CPU && cause != LS_GIL)
		return "let a thread write the log: logging.handlers.QueueHandler and "
		       "QueueListener";
	if (is_wait && lies_in(callee, "/concurrent/futures/_base.py"))
		return "await the future (asyncio.wrap_future(), loop.run_in_executor()) instead "
		       "of waiting for its result in the loop";
	if (is_wait && lies_in(callee, "/threading.py") && strstr(callee->function, "join"))
		return "do not wait for a thread in the loop: await asyncio.to_thread() or "
		       "run_in_threadpool() with what it runs";
	return NULL;
}

const char *advice__without_gil(bool in_middleware)
{
	return in_middleware
		       ? "this middleware computes in every request, without the GIL: hand the "
			 "call to a thread (run_in_threadpool, anyio.to_thread.run_sync)"
		       : "it computes without the GIL: hand the call to a thread "
			 "(run_in_threadpool, anyio.to_thread.run_sync)";
}
