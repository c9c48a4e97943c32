/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The frame chain of a thread, walked from outside: for one that hung before tracing began, whose
 * stack BPF had no occasion to see. The same steps and bounds as in bpf/python.bpf.c; the thread
 * may move meanwhile, so that what does not hold together is marked torn.
 */
#include "symbols/python.h"

#include <errno.h>
#include <string.h>

#include "symbols/python_internal.h"

struct wanted {
	uint64_t fsbase, tstate;
};

static bool is_wanted(void *ctx, const struct python_tstate *tstate)
{
	struct wanted *w = ctx;

	if (tstate->thread_id != w->fsbase)
		return true;
	w->tstate = tstate->address;
	return false;
}

/* Notes the _PyCFrame on its way, where the version has one. */
static uint64_t first_frame(const struct python_interpreter *in, uint64_t tstate,
			    struct ls_ev_python *r)
{
	const struct python_offsets *o = &in->offsets;
	uint64_t at = target__u64(in->tgid, tstate + o->tstate.frame);

	if (o->family != PY_CFRAME)
		return at;
	r->cframe = at;
	return target__u64(in->tgid, at + o->cframe.current_frame);
}

static bool is_shim(const struct python_interpreter *in, uint8_t owner)
{
	return owner < 8 && in->offsets.shim_owners >> owner & 1;
}

static bool read_code(const struct python_interpreter *in, struct ls_pyframe *f)
{
	const struct python_offsets *o = &in->offsets;
	pid_t pid = in->tgid;

	if (target__u64(pid, f->code + PY_OB_TYPE) != in->code_type)
		return false;
	f->co_filename = target__u64(pid, f->code + o->code.filename);
	f->co_name = target__u64(pid, f->code + o->code.name);
	f->co_qualname = target__u64(pid, f->code + o->code.qualname);
	f->co_linetable = target__u64(pid, f->code + o->code.linetable);
	f->co_flags = target__u32(pid, f->code + o->code.flags);
	f->co_firstlineno = (int32_t)target__u32(pid, f->code + o->code.firstlineno);
	return true;
}

static bool read_frame(const struct python_interpreter *in, uint64_t at, struct ls_pyframe *f)
{
	const struct python_offsets *o = &in->offsets;
	pid_t pid = in->tgid;

	*f = (struct ls_pyframe){.frame = at};
	f->code = target__u64(pid, at + o->frame.code) & ~7ull;
	if (o->family == PY_FRAME_OBJECT)
		f->instr = (uint64_t)(int64_t)(int32_t)target__u32(pid, at + o->frame.instr);
	else
		f->instr = target__u64(pid, at + o->frame.instr);
	if (o->frame.owner)
		f->owner = target__u8(pid, at + o->frame.owner);
	if (o->frame.is_entry)
		f->is_entry = target__u8(pid, at + o->frame.is_entry);
	if (!is_shim(in, f->owner))
		return read_code(in, f);
	f->code = 0;
	f->flags = PY_FRAME_SHIM;
	return true;
}

int python__walk(struct python *py, pid_t tgid, uint64_t fsbase, struct py_capture *out)
{
	const struct python_interpreter *in = python__find(py, tgid);
	struct ls_ev_python *r = &out->record;
	struct wanted wanted = {.fsbase = fsbase};
	uint64_t at;

	if (!in || !fsbase)
		return -ENOENT;
	python_threads__each(in, is_wanted, &wanted);
	if (!wanted.tstate)
		return -ENOENT;
	memset(r, 0, sizeof(*r));
	r->tstate = wanted.tstate;
	at = first_frame(in, wanted.tstate, r);
	while (at && r->nr_frames < LS_PYFRAMES_MAX) {
		if (!read_frame(in, at, &r->frames[r->nr_frames])) {
			r->flags |= LS_CAP_PY_TORN;
			return 0;
		}
		r->nr_frames++;
		at = target__u64(tgid, at + in->offsets.frame.previous);
	}
	if (at)
		r->flags |= LS_CAP_STACK_CUT;
	return 0;
}
