/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whom to blame in a stack: the rules of the contract ("site", "callee"), on model frames only, so
 * that they hold for a live capture as for a recorded one.
 */
#include "symbols/python.h"

#include <string.h>

#include "symbols/python_internal.h"

static bool is_python(const struct ls_frame *f)
{
	return f->kind == LS_FRAME_PYTHON;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = s ? strlen(s) : 0, k = strlen(suffix);

	return n >= k && strcmp(s + n - k, suffix) == 0;
}

/* The standard library or an installed package, whose lines are not the program's own. */
static bool is_library(const struct ls_frame *f)
{
	const char *file = f->file;

	return !file || strstr(file, "/site-packages/") || strstr(file, "/dist-packages/") ||
	       strstr(file, "/lib/python3") || strstr(file, "/lib64/python3") ||
	       strncmp(file, "<frozen ", 8) == 0;
}

/* "BaseEventLoop.run_forever", before 3.11 "run_forever". */
static bool is_named(const struct ls_frame *f, const char *method)
{
	size_t n = f->function ? strlen(f->function) : 0, k = strlen(method);

	return ends_with(f->function, method) && (n == k || f->function[n - k - 1] == '.');
}

/* asyncio's dispatcher of a callback: "Handle._run", before 3.11 "_run". */
static bool is_handle_run(const struct ls_frame *f)
{
	return is_python(f) && ends_with(f->file, "asyncio/events.py") && is_named(f, "_run");
}

static bool is_asyncio_loop(const struct ls_frame *f)
{
	return is_python(f) && ends_with(f->file, "asyncio/base_events.py") &&
	       (is_named(f, "_run_once") || is_named(f, "run_forever"));
}

/* asyncio.run(), around any loop. */
static bool is_runner(const struct ls_frame *f)
{
	return is_python(f) && ends_with(f->file, "asyncio/runners.py") && is_named(f, "run");
}

static bool is_uvloop(const struct ls_frame *f)
{
	return f->kind == LS_FRAME_NATIVE && f->module && strstr(f->module, "/uvloop/loop.");
}

/* Where the loop's own frames begin, outside the callback; nr when that does not show. */
static size_t find_loop(const struct ls_frame *frames, size_t nr)
{
	bool seen = false;

	for (size_t i = 0; i < nr; i++) {
		if (is_handle_run(&frames[i]) || is_asyncio_loop(&frames[i]) ||
		    is_runner(&frames[i]) || (seen && is_uvloop(&frames[i])))
			return i;
		seen = seen || is_python(&frames[i]);
	}
	return nr;
}

static const struct ls_frame *find_coroutine(const struct ls_frame *frames, size_t nr)
{
	for (size_t i = 0; i < nr && !is_handle_run(&frames[i]); i++)
		if (is_python(&frames[i]) && frames[i].async)
			return &frames[i];
	return NULL;
}

/* In a plain callback: the program's own innermost frame, else the one that the loop called. */
static const struct ls_frame *find_callback(const struct ls_frame *frames, size_t nr)
{
	const struct ls_frame *outermost = NULL;

	for (size_t i = 0; i < nr; i++) {
		if (!is_python(&frames[i]) || !frames[i].file) /* a function in C is no line */
			continue;
		if (!is_library(&frames[i]))
			return &frames[i];
		outermost = &frames[i];
	}
	return outermost;
}

/* Machinery between a Python frame and the C function that it calls. */
static bool is_plumbing(const char *name)
{
	static const char *const prefixes[] = {
		"_PyEval",      "PyEval",        "_PyObject_", "PyObject_",         "_PyFunction",
		"PyVectorcall", "_PyVectorcall", "cfunction_", "method_vectorcall", "method_call",
		"PyCFunction",  "_PyCFunction",  "builtin_",   "call_function",     "do_call",
		"slot_tp_",     "type_call",     "wrap_",      "_PyMethodDef",      "_Py_",
		"vectorcall",   "object_vacall", "_PyCall",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

/* The C function that a Python frame called: the outermost named native frame above it. */
static const struct ls_frame *find_c_callee(const struct ls_frame *frames,
					    const struct ls_frame *site)
{
	for (const struct ls_frame *f = site; f-- > frames;)
		if (f->kind == LS_FRAME_NATIVE && f->function && !is_plumbing(f->function))
			return f;
	return NULL;
}

static const struct ls_frame *find_callee(const struct ls_frame *frames,
					  const struct ls_frame *site)
{
	for (const struct ls_frame *f = site; f-- > frames;)
		if (is_python(f))
			return f;
	return find_c_callee(frames, site);
}

bool python__site(const struct ls_frame *frames, size_t nr, const struct ls_frame **site,
		  const struct ls_frame **callee)
{
	size_t loop = find_loop(frames, nr);

	*callee = NULL;
	*site = find_coroutine(frames, nr);
	if (!*site)
		*site = find_callback(frames, loop);
	if (!*site && loop < nr) /* the loop's own work, in no callback */
		*site = find_callback(frames + loop, 1);
	if (*site)
		*callee = find_callee(frames, *site);
	return *site != NULL;
}

bool python__in_middleware(const struct ls_frame *frames, size_t nr, const struct ls_frame *site)
{
	const struct ls_frame *caller = site + 1;

	if (site->function && strstr(site->function, "Middleware"))
		return true;
	while (caller < frames + nr && !is_python(caller))
		caller++;
	return caller < frames + nr && caller->file && strstr(caller->file, "/middleware/");
}

const char *python__loop_kind(struct python *py, pid_t tgid, const struct ls_frame *frames,
			      size_t nr)
{
	const struct python_interpreter *in = python__find(py, tgid);
	bool has_runner = false, has_asyncio = false;

	for (size_t i = 0; i < nr; i++) {
		if (is_uvloop(&frames[i]))
			return "uvloop";
		has_asyncio = has_asyncio || is_asyncio_loop(&frames[i]);
		has_runner = has_runner || is_runner(&frames[i]);
	}
	if (has_asyncio)
		return "asyncio";
	/* asyncio.run() around a loop which has no Python frames of its own */
	return has_runner && in && in->has_uvloop ? "uvloop" : NULL;
}
