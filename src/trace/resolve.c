/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "model/advice.h"
#include "symbols/python.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"
#include "trace/names.h"
#include "trace/own_code.h"
#include "trace/proc.h"
#include "trace/resolve.h"

static const uint32_t lock_contended = 2; /* glibc's lowlevellock: taken, with waiters */

void resolver__free(struct resolver *r)
{
	symbolizer__free(r->symbolizer);
	python__free(r->python);
	strings__free(r->strings);
}

int resolver__init(struct resolver *r)
{
	*r = (struct resolver){.strings = strings__new()};
	if (r->strings)
		r->symbolizer = symbolizer__new(r->strings);
	if (r->symbolizer)
		r->python = python__new(r->strings);
	if (r->python)
		return 0;
	resolver__free(r);
	*r = (struct resolver){0};
	return -ENOMEM;
}

void resolve__native(const struct resolver *r, const struct ls_ev_capture *ev, bool live,
		     struct resolved *out)
{
	ssize_t n = symbolizer__user(
		r->symbolizer, ev->hdr.tgid, &ev->regs, ev->stack, ev->stack_bytes, live,
		out->native, sizeof(out->native) / sizeof(out->native[0]), &out->native_truncated);

	out->nr_native = n > 0 ? n : 0;
	out->native_truncated = n <= 0 || out->native_truncated;
	out->truncated = out->native_truncated;
}

static void push(struct resolved *out, struct ls_frame frame)
{
	if (out->nr_frames < RESOLVED_FRAMES_MAX)
		out->frames[out->nr_frames++] = frame;
	else
		out->truncated = true;
}

static void push_kernel(const struct resolver *r, const struct ls_ev_capture *ev,
			struct resolved *out)
{
	uint32_t nr = ev->nr_kstack < LS_KSTACK_MAX ? ev->nr_kstack : LS_KSTACK_MAX;

	for (uint32_t i = 0; i < nr; i++)
		push(out, symbolizer__kernel(r->symbolizer, ev->kstack[i]));
}

/* Flattens the native frames; *site becomes the index of the callback's own frame, -1 unknown. */
static void push_native(struct resolved *out, ssize_t site_frame, ssize_t *site)
{
	*site = -1;
	for (size_t i = 0; i < out->nr_native; i++) {
		const struct native_frame *f = &out->native[i];

		for (size_t j = 0; j < f->nr_frames; j++) {
			if ((ssize_t)i == site_frame && j + 1 == f->nr_frames)
				*site = out->nr_frames;
			push(out, f->frames[j]);
		}
	}
}

static void find_native_site(const struct home_stack *home, struct resolved *out,
			     struct ls_blame *blame)
{
	ssize_t frame = dispatch__site(home, out->native, out->nr_native), site;
	size_t user = out->nr_frames;

	push_native(out, frame, &site);
	if (site < 0 || (size_t)site >= out->nr_frames)
		return;
	own_code__find(out->frames + user, site - user, &blame->site, &blame->callee);
}

static void add_holder_stack(const struct resolver *r, const struct ls_ev_capture *ev,
			     const struct ls_ev_python *record, struct resolved *out,
			     struct ls_blame *blame)
{
	const struct python_capture capture = {.tgid = ev->hdr.tgid, .record = record};
	struct ls_stack *stack = &blame->holder.stack;

	stack->frames = out->held;
	stack->nr_frames =
		python__stack(r->python, &capture, out->held, LS_PYFRAMES_MAX, &stack->truncated);
}

/* Who held the mutex: its own word for it, if that names a live thread; else who released it. Its
 * Python frames are those at the release. */
static void find_holder(const struct resolver *r, const struct ls_ev_capture *ev,
			const struct ls_ev_python *released, struct resolved *out,
			struct ls_blame *blame)
{
	pid_t tgid = ev->hdr.tgid, tid = -1;
	char comm[LS_COMM_LEN];

	if (ev->lock_owner > 0 && ev->lock_word == lock_contended)
		tid = proc__tid_from_ns(tgid, ev->lock_owner);
	if (tid > 0) {
		proc__comm(tgid, tid, comm);
		blame->holder.tid = tid;
		blame->holder.comm = strings__intern(r->strings, comm);
	} else if (ev->waker_tid && ev->waker_tgid == ev->hdr.tgid &&
		   ev->waker_tid != ev->hdr.tid) {
		blame->holder.tid = ev->waker_tid;
		blame->holder.comm = strings__intern_n(r->strings, ev->waker_comm,
						       strnlen(ev->waker_comm, LS_COMM_LEN));
	}
	if (released && blame->holder.tid && blame->holder.tid == (pid_t)ev->waker_tid)
		add_holder_stack(r, ev, released, out, blame);
}

/* --- CPython ----------------------------------------------------------------------------------- */

/* The record of the capture, or what the thread's memory says if it has not moved since. */
static const struct ls_ev_python *python_record(const struct resolver *r,
						const struct ls_ev_capture *ev,
						const struct capture_extras *extras, bool live,
						struct resolved *out)
{
	pid_t tgid = ev->hdr.tgid;

	if (extras->python)
		return extras->python;
	if (live && !python__walk(r->python, tgid, ev->fsbase, &out->walked))
		return &out->walked.record;
	return NULL;
}

/* Pushes Python and native frames as one stack and blames it. False: there are no Python frames. */
static bool find_python_site(const struct resolver *r, const struct ls_ev_capture *ev,
			     const struct ls_ev_python *record, bool live, struct resolved *out,
			     struct ls_blame *blame)
{
	struct ls_frame *frames = out->frames + out->nr_frames;
	const struct python_capture capture = {
		.tgid = ev->hdr.tgid,
		.record = record,
		.native = out->native,
		.nr_native = out->nr_native,
		.native_truncated = out->native_truncated,
		.stack = ev->stack,
		.stack_bytes = ev->stack_bytes,
		.sp = ev->regs.r[LS_REG_RSP],
		.blocked = !(ev->flags & LS_CAP_ONCPU),
		.live = live,
	};
	bool truncated;
	size_t nr;

	nr = python__stack(r->python, &capture, frames, RESOLVED_FRAMES_MAX - out->nr_frames,
			   &truncated);
	if (!python__site(frames, nr, &blame->site, &blame->callee))
		return false;
	/* A thread may be asked for the GIL between any two steps: it has called nothing then. */
	if (ev->cause == LS_GIL && blame->callee && blame->callee->kind == LS_FRAME_NATIVE)
		blame->callee = NULL;
	out->nr_frames += nr;
	out->truncated = truncated;
	blame->task = python__task(r->python, ev->hdr.tgid, record);
	return true;
}

/* The thread that had the GIL, and what it ran. */
static void find_gil_holder(const struct resolver *r, const struct ls_ev_capture *ev,
			    const struct ls_ev_python *record, struct resolved *out,
			    struct ls_blame *blame)
{
	pid_t tid = proc__tid_from_ns(ev->hdr.tgid, (pid_t)record->thread_tid);
	char comm[LS_COMM_LEN];

	if (tid <= 0)
		return;
	proc__comm(ev->hdr.tgid, tid, comm);
	blame->holder.tid = tid;
	blame->holder.comm = strings__intern(r->strings, comm);
	add_holder_stack(r, ev, record, out, blame);
}

const char *resolve__kind(const struct resolver *r, pid_t tgid, const struct resolved *out,
			  bool *runs_loop)
{
	const char *kind = python__loop_kind(r->python, tgid, out->frames, out->nr_frames);

	*runs_loop = kind || dispatch__runs_loop(out->native, out->nr_native);
	return kind ? kind : dispatch__kind(out->native, out->nr_native);
}

/* --- the whole --------------------------------------------------------------------------------- */

static void name_call(const struct resolver *r, const struct ls_ev_capture *ev,
		      struct ls_blame *blame)
{
	blame->call.fd = -1;
	if (ev->cause == LS_CPU)
		return;
	blame->call.name = call_name(ev->call.nr);
	blame->call.fd = ev->call.fd;
	blame->call.object = object_name(r->strings, &ev->call);
}

/* The function in C that Python code called: "time.sleep"; NULL unknown. */
static const char *called_in_c(const struct ls_stack *stack)
{
	size_t i = 0;

	while (i < stack->nr_frames && stack->frames[i].kind != LS_FRAME_PYTHON)
		i++;
	return i < stack->nr_frames && !stack->frames[i].file ? stack->frames[i].function : NULL;
}

static const char *advise(const struct ls_blame *blame, const char *kind, bool lacks_gil)
{
	const struct ls_stack *stack = &blame->stack;
	bool in_middleware = blame->site && blame->site->async &&
			     python__in_middleware(stack->frames, stack->nr_frames, blame->site);
	const char *advice = advice__for_callee(blame->cause, blame->callee);

	if (!advice && lacks_gil)
		advice = advice__without_gil(in_middleware);
	if (!advice && in_middleware)
		advice = advice__in_middleware(blame->cause);
	if (!advice)
		advice = advice__for_naps(blame);
	return advice ? advice
		      : advice__for(blame->cause, kind, blame->call.name, called_in_c(stack));
}

void resolve__blame(const struct resolver *r, const struct ls_ev_capture *ev,
		    const struct capture_extras *extras, const struct home_stack *home,
		    const char *kind, bool live, struct resolved *out, struct ls_blame *blame)
{
	const struct ls_ev_python *python = python_record(r, ev, extras, live, out);

	*blame = (struct ls_blame){.cause = ev->cause, .ns = ev->ns, .count = ev->count};
	out->nr_frames = 0;
	resolve__native(r, ev, live, out);
	push_kernel(r, ev, out);
	if (!python || !find_python_site(r, ev, python, live, out, blame))
		find_native_site(home, out, blame);
	name_call(r, ev, blame);
	if (ev->cause == LS_LOCK)
		find_holder(r, ev, extras->holder, out, blame);
	else if (ev->cause == LS_GIL && extras->holder)
		find_gil_holder(r, ev, extras->holder, out, blame);
	blame->stack.frames = out->frames;
	blame->stack.nr_frames = out->nr_frames;
	blame->stack.truncated = out->truncated;
	blame->advice = advise(blame, kind, ev->flags & LS_CAP_NO_GIL);
}
