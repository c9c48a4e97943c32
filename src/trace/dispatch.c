/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <string.h>

#include "trace/dispatch.h"

/* Functions of known loops: those which dispatch callbacks, or stand between that and the callback. */
static const struct known_loop {
	const char *kind;
	const char *runner;                /* the function which a loop's thread never leaves */
	const char *const dispatchers[10]; /* a trailing '*' matches the rest */
} known_loops[] = {
	{"redis",
	 "aeMain",
	 {"aeProcessEvents", "aeApiPoll", "connSocketEventHandler", "callHandler",
	  "readQueryFromClient", "processInputBuffer", "processCommandAndResetClient",
	  "processCommand", "call"}}, /* down to the command, which is what a client asked for */
	{"nginx",
	 "ngx_process_events_and_timers",
	 {"ngx_worker_process_cycle", "ngx_single_process_cycle", "ngx_epoll_process_events",
	  "ngx_event_process_posted", "ngx_event_expire_timers", "ngx_poll_process_events",
	  "ngx_select_process_events"}},
	{"libuv", "uv_run", {"uv__*"}},
	{"libevent", "event_base_loop", {"event_*", "epoll_dispatch"}},
	{"libev", "ev_run", {"ev_invoke_pending", "epoll_poll"}},
	{"glib", "g_main_loop_run", {"g_main_context_*", "g_main_dispatch"}},
	{"tokio", NULL, {"tokio::runtime::*", "mio::*"}},
};
enum { NR_LOOPS = sizeof(known_loops) / sizeof(known_loops[0]) };

static bool matches(const char *pattern, const char *name)
{
	size_t n = strcspn(pattern, "*");

	return !strncmp(pattern, name, n) && (pattern[n] == '*' || name[n] == '\0');
}

static bool is_dispatcher(const struct known_loop *loop, const char *function)
{
	for (int i = 0; function && loop->dispatchers[i]; i++)
		if (matches(loop->dispatchers[i], function))
			return true;
	return function && loop->runner && !strcmp(loop->runner, function);
}

/* The function which the frame is the activation of: the outermost of those inlined into it. */
static const struct ls_frame *physical(const struct native_frame *frame)
{
	return frame->nr_frames ? &frame->frames[frame->nr_frames - 1] : NULL;
}

static const struct known_loop *loop_of_frame(const struct native_frame *frame)
{
	const struct ls_frame *f = physical(frame);

	for (int i = 0; f && i < NR_LOOPS; i++)
		if (is_dispatcher(&known_loops[i], f->function))
			return &known_loops[i];
	return NULL;
}

void home_stack__set(struct home_stack *home, const struct native_frame *frames, size_t nr)
{
	home->nr = nr < HOME_FRAMES_MAX ? nr : 0; /* a cut stack has no outer end to compare from */
	for (size_t i = 0; i < home->nr; i++) {
		home->frames[i].pc = frames[i].pc;
		home->frames[i].sp = frames[i].sp;
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "nginx-debug" is nginx, and "node_exporter" is no node. */
static bool is_named(const char *file, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(file, prefix, n) && (!isalnum((unsigned char)prefix[n - 1]) ||
					     (!isalnum((unsigned char)file[n]) && file[n] != '_'));
}

/* A loop's kind by the file its code lies in. */
static const char *kind_of_module(const char *module)
{
	static const struct {
		const char *prefix, *kind;
	} modules[] = {
		{"libevent", "libevent"},
		{"libuv.", "libuv"},
		{"libnode.", "node"},
		{"node", "node"},
		{"redis-server", "redis"},
		{"valkey-server", "redis"},
		{"redis-check-rdb", "redis"},
		{"nginx", "nginx"},
		{"libnetty_transport_", "netty"},
		{"loop.cpython-", "uvloop"},
	};

	for (size_t i = 0; module && i < sizeof(modules) / sizeof(modules[0]); i++)
		if (is_named(base_name(module), modules[i].prefix))
			return modules[i].kind;
	return NULL;
}

const char *dispatch__kind(const struct native_frame *frames, size_t nr)
{
	const struct known_loop *known = NULL;
	const char *kind = NULL;

	for (size_t i = 0; i < nr; i++) {
		const struct ls_frame *f = physical(&frames[i]);
		const char *outer = f && !frames[i].is_libc ? kind_of_module(f->module) : NULL;

		kind = outer ? outer : kind; /* node, not the libuv.so that it calls */
		if (!known)
			known = loop_of_frame(&frames[i]);
	}
	/* A module says more than the functions of a library built into it. */
	return kind ? kind : known ? known->kind : NULL;
}

bool dispatch__runs_loop(const struct native_frame *frames, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct ls_frame *f = physical(&frames[i]);

		for (int j = 0; f && f->function && j < NR_LOOPS; j++)
			if (known_loops[j].runner && !strcmp(known_loops[j].runner, f->function))
				return true;
	}
	return false;
}

/* Number of frames, from the outer end, which are the same activations, called from the same places. */
static size_t shared_frames(const struct home_stack *home, const struct native_frame *frames,
			    size_t nr)
{
	size_t n = 0;

	while (n < home->nr && n < nr &&
	       home->frames[home->nr - 1 - n].pc == frames[nr - 1 - n].pc &&
	       home->frames[home->nr - 1 - n].sp == frames[nr - 1 - n].sp)
		n++;
	return n;
}

static bool same_library(const struct native_frame *a, const struct native_frame *b)
{
	const struct ls_frame *x = physical(a), *y = physical(b);

	return a->is_library && b->is_library && !a->is_libc && x && y && x->module &&
	       x->module == y->module;
}

/* A stripped program names its exported functions only. The first of these, from the callback inwards,
 * tells more than the address of a static function around it; there may be none. */
static size_t first_named(const struct native_frame *frames, size_t callback)
{
	for (size_t i = callback + 1; i-- > 0 && !frames[i].is_libc;)
		if (physical(&frames[i]) && physical(&frames[i])->function)
			return i;
	return callback;
}

/* The loop that the frame, or what called it, belongs to. */
static const struct known_loop *loop_around(const struct native_frame *frames, size_t nr, size_t at)
{
	const struct known_loop *known = NULL;

	for (size_t i = at; i < nr && !known; i++)
		known = loop_of_frame(&frames[i]);
	return known;
}

static bool dispatches(const struct known_loop *known, const struct native_frame *frame)
{
	const struct ls_frame *f = physical(frame);

	return known && f && is_dispatcher(known, f->function);
}

static bool is_unnamed(const struct native_frame *frame)
{
	return !frame->is_libc && physical(frame) && !physical(frame)->function;
}

enum { UNNAMED_STEPS = 2 }; /* static functions of a stripped loop, between two that have names */

/* From the dispatching frame inwards to the callback: over the loop's own functions and library. */
static ssize_t callback_below(const struct native_frame *frames, size_t nr, size_t dispatcher)
{
	const struct known_loop *known = loop_around(frames, nr, dispatcher);
	size_t i = dispatcher, unnamed = 0;

	for (size_t j = dispatcher; j-- > 0;) {
		if (same_library(&frames[j], &frames[dispatcher]) ||
		    dispatches(known, &frames[j])) {
			i = j;
			unnamed = 0;
		} else if (!known || !is_unnamed(&frames[j]) || ++unnamed > UNNAMED_STEPS) {
			break;
		}
	}
	/* A wrapper of libc right below the loop: the callback is part of the loop's own function. */
	if (i == 0 || frames[i - 1].is_libc)
		return i;
	return first_named(frames, i - 1);
}

/* Without the home stack: the innermost dispatcher that has a name. */
static ssize_t innermost_dispatcher(const struct native_frame *frames, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (loop_of_frame(&frames[i]))
			return i;
	return -1;
}

enum { FUNCTION_BYTES = 16384 }; /* addresses no further apart may well be of one function */

/* A stack which was cut before it came to the shared frames may still show the activation which
 * dispatches: the same stack pointer in the same function, which calls from elsewhere now. */
static ssize_t shared_activation(const struct home_stack *home, const struct native_frame *frames,
				 size_t nr)
{
	for (size_t i = nr; i-- > 0;)
		for (size_t j = 0; j < home->nr; j++)
			if (home->frames[j].sp == frames[i].sp &&
			    home->frames[j].pc - frames[i].pc + FUNCTION_BYTES < 2 * FUNCTION_BYTES)
				return i;
	return -1;
}

static bool is_wait(const struct native_frame *frame)
{
	static const char *const waits[] = {
		"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll",    "__poll", "ppoll",
		"select",     "__select",    "__GI___poll",  "pselect", "syscall"};
	const struct ls_frame *f = physical(frame);

	for (size_t i = 0; f && f->function && i < sizeof(waits) / sizeof(waits[0]); i++)
		if (!strcmp(waits[i], f->function))
			return true;
	return false;
}

/* A loop inside a callback (Node's execSync) dispatches nothing: it is what blocks. Its caller is the
 * place, and not the loop's own wait. */
static ssize_t caller_of_nested(const struct native_frame *frames, size_t nr, size_t at)
{
	const struct known_loop *known = loop_of_frame(&frames[at]);

	if (!at || !is_wait(&frames[at - 1]))
		return at;
	while (known && at + 1 < nr && dispatches(known, &frames[at]))
		at++;
	return at;
}

ssize_t dispatch__site(const struct home_stack *home, const struct native_frame *frames, size_t nr)
{
	size_t shared = shared_frames(home, frames, nr);
	ssize_t dispatcher, site;

	if (shared && shared < nr)
		return callback_below(frames, nr, nr - 1 - shared);
	dispatcher = shared_activation(home, frames, nr);
	if (dispatcher >= 0)
		return callback_below(frames, nr, dispatcher);
	dispatcher = innermost_dispatcher(frames, nr);
	if (dispatcher < 0)
		return -1;
	site = callback_below(frames, nr, dispatcher);
	return site == dispatcher ? caller_of_nested(frames, nr, site) : site;
}
