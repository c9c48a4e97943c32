/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks the frame chain of a CPython thread in the context of its capture: two reads a frame, the
 * frame itself and the head of its code object. Names and lines are resolved in user space; here
 * only what is needed to do so later is copied. Every pointer comes from the target and may be
 * wild: all reads are bounded and may fail, each code object must have the type of code objects,
 * and a chain which does not end well is marked torn.
 *
 * The thread state is cached by tid and validated at each use. It must not be taken from the
 * interpreter's own "current thread state", which is NULL in every blocking call (the GIL is
 * released there): the threads which matter here would be those without frames.
 */
#include "maps.bpf.h"
#include "python.bpf.h"

enum {
	/* glibc, x86-64: struct pthread: specific_1stblock[] of {seq, data}; tid. 2.31 to 2.43. */
	PTHREAD_SPECIFIC = 0x310,
	PTHREAD_TID = 0x2d0,
};

static __always_inline __u64 read_u64(__u64 addr)
{
	__u64 v;

	return bpf_probe_read_user(&v, sizeof(v), (void *)addr) ? 0 : v;
}

static __always_inline __u32 read_u32(__u64 addr)
{
	__u32 v;

	return bpf_probe_read_user(&v, sizeof(v), (void *)addr) ? 0 : v;
}

static __always_inline bool is_state_of(const struct py_process *p, __u64 tstate, __u64 fsbase)
{
	return tstate && read_u64(tstate + p->tstate_thread_id) == fsbase;
}

/* The thread state, from the cache, else from the slot in which PyGILState keeps it; 0 none. */
static __always_inline __u64 find_tstate(const struct py_process *p, __u32 tid, __u64 fsbase)
{
	struct py_thread *known = bpf_map_lookup_elem(&py_threads, &tid);
	__u64 tstate;

	if (known && is_state_of(p, known->tstate, fsbase))
		return known->tstate;
	if (p->tss_key >= PY_TSS_KEYS)
		return 0;
	tstate = read_u64(fsbase + PTHREAD_SPECIFIC + 16 * (__u64)p->tss_key + 8);
	return is_state_of(p, tstate, fsbase) ? tstate : 0;
}

/* An interpreter may have a GIL of its own from 3.12 on. */
static __always_inline __u64 gil_of(const struct py_process *p, __u64 tstate)
{
	__u64 interp;

	if (!p->interp_gil)
		return p->gil;
	interp = read_u64(tstate + p->tstate_interp);
	return interp ? read_u64(interp + p->interp_gil) : 0;
}

static __always_inline bool lies_in_gil(__u64 gil, __u64 uaddr)
{
	return gil && uaddr - gil < PY_GIL_BYTES;
}

int py_is_gil_wait(__u32 tgid, __u32 tid, __u64 fsbase, __u64 uaddr)
{
	struct py_process *p = bpf_map_lookup_elem(&py_processes, &tgid);
	__u64 tstate;

	if (!p)
		return 0;
	if (lies_in_gil(p->gil, uaddr))
		return 1;
	if (!p->interp_gil)
		return 0;
	tstate = find_tstate(p, tid, fsbase);
	return tstate && lies_in_gil(gil_of(p, tstate), uaddr);
}

int py_lacks_gil(__u32 tgid, __u32 tid, __u64 fsbase)
{
	struct py_process *p = bpf_map_lookup_elem(&py_processes, &tgid);
	__u64 tstate, gil;

	if (!p)
		return 0;
	tstate = find_tstate(p, tid, fsbase);
	gil = tstate ? gil_of(p, tstate) : 0;
	return gil &&
	       (!read_u32(gil + PY_GIL_LOCKED) || read_u64(gil + PY_GIL_LAST_HOLDER) != tstate);
}

struct walk {
	const struct py_process *p;
	struct py_capture *out;
	__u64 frame; /* the next one; 0 ends the walk */
};

/* Fields at an offset from the table: masked, so that they lie in the buffer whatever the table
 * says. */
static __always_inline __u64 frame_u64(const struct py_capture *out, __u16 offset)
{
	return *(__u64 *)(out->raw_frame + (offset & (PY_FRAME_READ - 8)));
}

static __always_inline __u8 frame_u8(const struct py_capture *out, __u16 offset)
{
	return out->raw_frame[offset & (PY_FRAME_READ - 1)];
}

static __always_inline __u64 code_u64(const struct py_capture *out, __u16 offset)
{
	return *(__u64 *)(out->raw_code + (offset & 0xf8));
}

static __always_inline __u32 code_u32(const struct py_capture *out, __u16 offset)
{
	return *(__u32 *)(out->raw_code + (offset & 0xfc));
}

static __always_inline bool read_frame(const struct py_process *p, struct py_capture *out,
				       __u64 addr)
{
	return !bpf_probe_read_user(out->raw_frame, p->frame_bytes & (PY_FRAME_READ - 1),
				    (void *)addr);
}

/* What names the code object later, and tells whether it is still the same. False: it is not one.
 */
static __always_inline bool fill_code(const struct py_process *p, struct py_capture *out,
				      struct ls_pyframe *f)
{
	if (bpf_probe_read_user(out->raw_code, PY_CODE_READ, (void *)f->code)) {
		f->flags |= PY_FRAME_UNREADABLE;
		return true;
	}
	f->co_filename = code_u64(out, p->code_filename);
	f->co_name = code_u64(out, p->code_name);
	f->co_qualname = code_u64(out, p->code_qualname);
	f->co_linetable = code_u64(out, p->code_linetable);
	f->co_flags = code_u32(out, p->code_flags);
	f->co_firstlineno = code_u32(out, p->code_firstlineno);
	return code_u64(out, PY_OB_TYPE) == p->code_type;
}

static __always_inline bool is_shim(const struct py_process *p, __u8 owner)
{
	return owner < 8 && (p->shim_owners >> owner) & 1;
}

static __always_inline void fill_frame(const struct py_process *p, const struct py_capture *out,
				       struct ls_pyframe *f, __u64 addr)
{
	__builtin_memset(f, 0, sizeof(*f));
	f->frame = addr;
	f->code = frame_u64(out, p->frame_code) & ~7ull; /* 3.14 tags it */
	f->instr = frame_u64(out, p->frame_instr);
	if (p->family == PY_FRAME_OBJECT)
		f->instr = (__u64)(__s64)(__s32)f->instr;
	if (p->frame_owner)
		f->owner = frame_u8(out, p->frame_owner);
	if (p->frame_is_entry)
		f->is_entry = frame_u8(out, p->frame_is_entry);
}

#define CO_ASYNC 0x380 /* CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR */

/* i, or the last slot. In assembly, since the compiler would check one register and use its copy,
 * of which the verifier then knows nothing. */
static __always_inline __u64 slot_of(__u64 i)
{
	asm volatile("if %[i] < %[max] goto +1\n\t"
		     "%[i] = %[last]"
		     : [i] "+r"(i)
		     : [max] "i"(LS_PYFRAMES_MAX), [last] "i"(LS_PYFRAMES_MAX - 1));
	return i;
}

/*
 * One frame. When the record is full the walk goes on in its last slot, up to the first coroutine:
 * that is the frame to blame, and it may lie under a deep recursion.
 */
static long walk_frame(__u32 i, struct walk *w)
{
	struct py_capture *out = w->out;
	struct ls_pyframe *f;
	__u64 n = slot_of(i);

	if (!w->frame || !out)
		return 1;
	if (!read_frame(w->p, out, w->frame)) {
		out->record.flags |= LS_CAP_PY_TORN;
		return 1;
	}
	f = &out->record.frames[n];
	fill_frame(w->p, out, f, w->frame);
	if (i > n)
		f->flags |= PY_FRAME_GAP;
	if (is_shim(w->p, f->owner)) {
		f->code = 0;
		f->flags |= PY_FRAME_SHIM;
	} else if (!fill_code(w->p, out, f)) {
		out->record.flags |= LS_CAP_PY_TORN;
		return 1;
	}
	out->record.nr_frames = n + 1;
	w->frame = frame_u64(out, w->p->frame_previous);
	return i >= LS_PYFRAMES_MAX && (f->co_flags & CO_ASYNC);
}

/*
 * The innermost frame, by way of the _PyCFrame: 3.12 links the new one before it has a frame, and a
 * sample may fall between (0.7 % of samples in code full of calls); its predecessor is whole.
 */
static __always_inline __u64 first_of_cframe(const struct py_process *p, struct py_capture *out,
					     __u64 tstate)
{
	__u64 cframe = read_u64(tstate + p->tstate_frame);
	__u64 frame = read_u64(cframe + p->cframe_current_frame);

	if (p->shim_owners &&
	    (!read_frame(p, out, frame) || is_shim(p, frame_u8(out, p->frame_owner)))) {
		cframe = read_u64(cframe + p->cframe_previous);
		frame = read_u64(cframe + p->cframe_current_frame);
	}
	out->record.cframe = cframe;
	return frame;
}

static __always_inline int walk_tstate(const struct py_process *p, __u64 tstate,
				       struct py_capture *out)
{
	struct walk w = {.p = p, .out = out};

	out->record.tstate = tstate;
	out->record.cframe = 0;
	out->record.thread_tid = 0;
	out->record.nr_frames = 0;
	out->record.flags = 0;
	if (p->family == PY_CFRAME)
		w.frame = first_of_cframe(p, out, tstate);
	else
		w.frame = read_u64(tstate + p->tstate_frame);
	bpf_loop(PY_WALK_MAX, walk_frame, &w, 0);
	if (w.frame && !(out->record.flags & LS_CAP_PY_TORN))
		out->record.flags |= LS_CAP_STACK_CUT;
	return PY_RECORD_BYTES(out->record.nr_frames);
}

int py_capture(__u32 tgid, __u32 tid, __u64 fsbase, struct py_capture *out)
{
	struct py_process *p = bpf_map_lookup_elem(&py_processes, &tgid);
	__u64 tstate;

	if (!p || !out)
		return -1;
	tstate = find_tstate(p, tid, fsbase);
	if (!tstate)
		return -1;
	return walk_tstate(p, tstate, out);
}

static __always_inline __u32 tid_of_tstate(const struct py_process *p, __u64 tstate)
{
	if (p->tstate_native_thread_id)
		return read_u32(tstate + p->tstate_native_thread_id);
	return read_u32(read_u64(tstate + p->tstate_thread_id) + PTHREAD_TID);
}

int py_capture_holder(__u32 tgid, __u32 tid, __u64 fsbase, struct py_capture *out)
{
	struct py_process *p = bpf_map_lookup_elem(&py_processes, &tgid);
	__u64 tstate, gil, holder;
	int bytes;

	if (!p || !out)
		return -1;
	tstate = find_tstate(p, tid, fsbase);
	if (!tstate)
		return -1;
	gil = gil_of(p, tstate);
	holder = read_u64(gil + PY_GIL_LAST_HOLDER);
	if (!holder || holder == tstate)
		return -1;
	bytes = walk_tstate(p, holder, out);
	out->record.thread_tid = tid_of_tstate(p, holder);
	return bytes;
}
