/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The asyncio task that a captured stack belongs to: its own coroutine, and its name. The name is read after the capture, when
 * the thread may long run another task: a name counts only if the task's coroutine is the very one
 * whose frame is in the capture.
 *
 *	3.14: tstate->asyncio_running_task
 *	else: Handle._run's self -> _callback -> the task that it steps or wakes
 *
 * uvloop has no such frame, and tasks in pure Python (no _asyncio module) have no fixed layout: no
 *name.
 */
#include "symbols/python.h"

#include <string.h>

#include "symbols/python_internal.h"
#include "symbols/strings.h"

enum {
	HANDLE_CALLBACK =
		24,        /* asyncio.Handle: slots in alphabetical order; _callback is the first */
	WRAPPER_TASK = 16, /* TaskStepMethWrapper.sw_task, TaskWakeupMethWrapper.ww_task */
	METHOD_SELF = 24,  /* PyCFunctionObject.m_self */
	LONG_TAG = 16,     /* 3.12 on: digits in the bits above 3, sign in 0-1 */
	LONG_DIGITS = 24,
	LONG_DIGIT_BITS = 30,
};

/* tp_name of the object's type; "" when it cannot be read. */
static const char *type_name(pid_t pid, uint64_t object, char *buf, size_t size)
{
	uint64_t type = target__u64(pid, object + PY_OB_TYPE);
	uint64_t name = target__u64(pid, type + PYTHON_TYPE_NAME);

	if (!target__string(pid, name, buf, size))
		buf[0] = '\0';
	return buf;
}

static bool has_type(pid_t pid, uint64_t object, const char *name)
{
	char buf[64];

	return strcmp(type_name(pid, object, buf, sizeof(buf)), name) == 0;
}

static uint64_t task_of_callback(pid_t pid, uint64_t callback)
{
	char type[64];

	type_name(pid, callback, type, sizeof(type));
	if (strstr(type, "TaskStepMethWrapper") || strstr(type, "TaskWakeupMethWrapper"))
		return target__u64(pid, callback + WRAPPER_TASK);
	if (strcmp(type, "builtin_function_or_method") == 0)
		return target__u64(pid, callback + METHOD_SELF);
	return 0;
}

/* The coroutine that runs in a frame. */
static uint64_t coroutine_of(const struct python_interpreter *in, uint64_t frame)
{
	if (in->offsets.family == PY_FRAME_OBJECT)
		return target__u64(in->tgid, frame + in->offsets.coroutine);
	return frame - in->offsets.coroutine;
}

static bool is_handle_run(const struct ls_frame *f)
{
	size_t n = f->file ? strlen(f->file) : 0;

	return n > 17 && strcmp(f->file + n - 17, "asyncio/events.py") == 0 && f->function &&
	       (strcmp(f->function, "Handle._run") == 0 || strcmp(f->function, "_run") == 0);
}

struct found {
	uint64_t coroutine_frame; /* the outermost coroutine within the callback */
	const char *coroutine;
	uint64_t handle_frame;
};

static void look(struct python_interpreter *in, struct strings *pool,
		 const struct ls_ev_python *record, struct found *found)
{
	for (size_t i = 0; i < record->nr_frames && !found->handle_frame; i++) {
		const struct ls_pyframe *captured = &record->frames[i];
		struct ls_frame frame;

		if (captured->flags & PY_FRAME_SHIM ||
		    !python_code__resolve(in, pool, captured, &frame))
			continue;
		if (frame.async) {
			found->coroutine_frame = captured->frame;
			found->coroutine = frame.function;
		} else if (is_handle_run(&frame)) {
			found->handle_frame = captured->frame;
		}
	}
}

/* 3.14 tags references in frames, in the low bits. */
static uint64_t task_of_handle(const struct python_interpreter *in, uint64_t frame)
{
	uint64_t self = target__u64(in->tgid, frame + in->offsets.frame.localsplus) & ~7ull;

	return task_of_callback(in->tgid, target__u64(in->tgid, self + HANDLE_CALLBACK));
}

/* Default names are numbers from 3.12 on. */
static const char *read_name(const struct python_interpreter *in, struct strings *pool,
			     uint64_t name)
{
	uint64_t tag, value = 0;
	uint32_t digits[2];

	if (!has_type(in->tgid, name, "int"))
		return python_names__read(in, pool, name);
	tag = target__u64(in->tgid, name + LONG_TAG);
	if (target__read(in->tgid, name + LONG_DIGITS, digits, sizeof(digits)) != 0)
		return NULL;
	if (tag >> 3 >= 1)
		value = digits[0];
	if (tag >> 3 >= 2)
		value |= (uint64_t)digits[1] << LONG_DIGIT_BITS;
	return strings__printf(pool, "Task-%llu", (unsigned long long)value);
}

/* NULL: the thread has come to another task, or there is none that can be found. */
static const char *find_name(const struct python_interpreter *in, struct strings *pool,
			     uint64_t tstate, const struct found *found)
{
	uint64_t task;

	if (in->offsets.tstate.asyncio_running_task)
		task = target__u64(in->tgid, tstate + in->offsets.tstate.asyncio_running_task);
	else
		task = found->handle_frame ? task_of_handle(in, found->handle_frame) : 0;
	if (!task || target__u64(in->tgid, task + in->offsets.task.coro) !=
			     coroutine_of(in, found->coroutine_frame))
		return NULL;
	return read_name(in, pool, target__u64(in->tgid, task + in->offsets.task.name));
}

const char *python__task(struct python *py, pid_t tgid, const struct ls_ev_python *record)
{
	struct python_interpreter *in = python__find(py, tgid);
	struct strings *pool = python__pool(py);
	struct found found = {0};
	const char *name;

	if (!in)
		return NULL;
	look(in, pool, record, &found);
	if (!found.coroutine_frame)
		return NULL;
	name = find_name(in, pool, record->tstate, &found);
	if (!name && record->flags & (LS_CAP_PY_TORN | LS_CAP_STACK_CUT))
		return NULL; /* the outermost coroutine may be beyond */
	if (!name || !found.coroutine)
		return name ? name : found.coroutine;
	return strings__printf(pool, "%s: %s", name, found.coroutine);
}
