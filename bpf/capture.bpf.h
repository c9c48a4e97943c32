/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Captures: what a loop thread was doing when it blocked or was sampled. The user side (registers,
 * stack, interpreter frames) can only be read while the thread is current, that is when it leaves the
 * CPU; its kernel side and the object it waits for are read later, when the block proved long enough
 * to be reported (`complete_capture`). Data flow: take -> hold -> send.
 */
#ifndef LS_CAPTURE_BPF_H
#define LS_CAPTURE_BPF_H

#include <bpf/bpf_endian.h>

#include "maps.bpf.h"
#include "account.h"
#include "syscalls.bpf.h"
#include "object.bpf.h"
#include "python.bpf.h"

enum { PAGE = 4096, FUTEX_CMD = 127, FCNTL_SETLKW = 7, FCNTL_OFD_SETLKW = 38 };

static __always_inline void copy_regs(struct ls_regs *to, const struct pt_regs *from)
{
	to->r[0] = from->ax;
	to->r[1] = from->dx;
	to->r[2] = from->cx;
	to->r[3] = from->bx;
	to->r[4] = from->si;
	to->r[5] = from->di;
	to->r[6] = from->bp;
	to->r[7] = from->sp;
	to->r[8] = from->r8;
	to->r[9] = from->r9;
	to->r[10] = from->r10;
	to->r[11] = from->r11;
	to->r[12] = from->r12;
	to->r[13] = from->r13;
	to->r[14] = from->r14;
	to->r[15] = from->r15;
	to->r[16] = from->ip;
}

/*
 * Where the stack that holds `sp` ends: the main thread's at mm->start_stack, another's at its thread
 * control block, which glibc and musl put at the top of the stack they allocate. 0: another stack.
 */
static __always_inline __u64 stack_end(struct task_struct *task, __u64 sp)
{
	__u64 top = BPF_CORE_READ(task, mm, start_stack) + 64;
	__u64 fsbase = BPF_CORE_READ(task, thread.fsbase);

	if (BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid) && sp < top &&
	    top - sp < 64 << 20)
		return top;
	return sp < fsbase && fsbase - sp < 64 << 20 ? fsbase : 0;
}

/* Copies the stack upwards from sp, page by page: one that is not there ends it. */
static __noinline __u32 copy_stack(struct capture_buffer *buffer, __u64 sp, __u64 end)
{
	__u32 done = 0;
	int i;

	if (!buffer)
		return 0;
	for (i = 0; i < LS_STACK_MAX / PAGE; i++) {
		__u64 from = sp + done;
		__u64 n = PAGE - (from & (PAGE - 1));

		if (end && from + n > end)
			n = end - from;
		if (n == 0 || n > PAGE || done > LS_STACK_MAX - PAGE)
			break;
		if (bpf_probe_read_user(buffer->stack + done, n, (void *)from))
			break;
		done += n;
		if (end && from + n >= end)
			break;
	}
	return done;
}

/* The user side. `task` is current. */
static __always_inline void take_user_side(struct capture_buffer *buffer, struct task_struct *task,
					   const struct pt_regs *regs)
{
	struct ls_ev_capture *ev = &buffer->ev;
	__u64 end;

	copy_regs(&ev->regs, regs);
	ev->fsbase = BPF_CORE_READ(task, thread.fsbase);
	end = stack_end(task, ev->regs.r[LS_REG_RSP]);
	ev->stack_bytes = copy_stack(buffer, ev->regs.r[LS_REG_RSP], end);
	ev->flags = end && ev->regs.r[LS_REG_RSP] + ev->stack_bytes >= end ? 0 : LS_CAP_STACK_CUT;
	ev->nr_kstack = 0;
	ev->lock_owner = 0;
	ev->lock_word = 0;
}

/* The interpreter's frames, in the loop's own context; for the GIL also those of the thread that has
 * it. None for what is not CPython. */
static __always_inline void take_python(const struct ls_loop_state *s,
					struct capture_buffer *buffer, bool gil)
{
	struct ls_ev_capture *ev = &buffer->ev;

	buffer->python.record.nr_frames = 0;
	buffer->python.record.flags = 0;
	buffer->holder.record.nr_frames = 0;
	py_capture(s->tgid, s->tid, ev->fsbase, &buffer->python);
	if (gil)
		py_capture_holder(s->tgid, s->tid, ev->fsbase, &buffer->holder);
	ev->flags |= buffer->python.record.flags & LS_CAP_PY_TORN;
}

/* A glibc mutex keeps its owner's tid 8 bytes after the futex word (struct __pthread_mutex_s:
 * __lock, __count, __owner; nptl's sysdeps/x86/nptl/bits/struct_mutex.h). User space checks it. */
static __always_inline void take_lock_words(struct ls_ev_capture *ev)
{
	__u32 words[3] = {};

	if (ev->call.nr != __NR_futex)
		return;
	bpf_probe_read_user(words, sizeof(words), (void *)ev->call.args[0]);
	ev->lock_word = words[0];
	ev->lock_owner = words[2];
}

/* The path that a call was given. It is in user memory: read while its thread is current. */
static __always_inline void take_path(struct ls_call *call)
{
	__u8 class = call_class(call->nr);
	long n = 0;

	if (class == CALL_PATH || class == CALL_PATH_AT)
		n = bpf_probe_read_user_str(call->object.path, sizeof(call->object.path),
					    (void *)call->args[class == CALL_PATH_AT]);
	call->object.kind = n > 1 ? LS_OBJ_PATH : LS_OBJ_NONE;
	call->object.path_bytes = n > 1 ? n : 0;
}

static __always_inline void note_call(struct ls_call *call, const struct pt_regs *regs, __s64 nr)
{
	call->nr = nr;
	call->args[0] = regs->di;
	call->args[1] = regs->si;
	call->args[2] = regs->dx;
	call->args[3] = regs->r10;
	call->fd = -1;
	call->object.kind = LS_OBJ_NONE;
}

/* --- cause of a block ------------------------------------------------------------------------- */

struct block {
	__s64 nr;
	__u64 args[3];
	__u64 files; /* the task's descriptor table */
	__u32 tgid;
	__u32 interruptible;
	__u32 cause;  /* found by classify(), and those below */
	__s32 fd;     /* that it waits for; -1 none */
	__u32 nr_fds; /* watched by a nested poll */
};

static __always_inline bool is_lock_command(__u64 cmd)
{
	return cmd == FCNTL_SETLKW || cmd == FCNTL_OFD_SETLKW;
}

/* What a multiplexing call inside a callback waits for. */
static __always_inline void classify_wait(struct block *block, __u8 class)
{
	struct fd_sets sets = {.at = {block->args[1], block->args[2]}};
	struct watched w = {.cause = LS_POLL, .fd = block->args[0]};

	if (class == CALL_POLL)
		watch_poll(block->files, block->tgid, block->args[0], block->args[1], &w);
	else if (class == CALL_SELECT)
		watch_select(block->files, block->tgid, block->args[0], &sets, &w);
	else if (class == CALL_EPOLL)
		watch_epoll(block->files, block->tgid, block->args[0], &w);
	block->cause = w.cause;
	block->fd = w.fd;
	block->nr_fds = w.nr_fds;
}

static __always_inline __u32 class_cause(const struct block *block, __u8 class)
{
	switch (class) {
	case CALL_FD:
		return kind_cause(object_kind(file_of(block->files, block->fd), block->tgid));
	case CALL_DISK_FD:
		return LS_DISK;
	case CALL_DISK:
	case CALL_PATH:
	case CALL_PATH_AT: /* disks are waited for uninterruptibly; a FIFO's open is not */
		return block->interruptible ? LS_OTHER : LS_DISK;
	case CALL_SLEEP:
		return LS_SLEEP;
	case CALL_LOCK:
	case CALL_FLOCK:
		return LS_LOCK;
	case CALL_FCNTL:
		return is_lock_command(block->args[1]) ? LS_LOCK : LS_OTHER;
	case CALL_PROCESS:
		return LS_PROCESS;
	}
	return LS_OTHER;
}

/* Why a task blocks, from its system call. Global: the verifier checks it once. */
__weak int classify(struct block *block)
{
	__u8 class;

	if (!block)
		return 0;
	class = call_class(block->nr);
	block->fd = -1;
	block->nr_fds = 0;
	/* Not in a system call: only a fault can have led here (the entry code sets orig_ax to -1 for
	 * exceptions, idtentry in arch/x86/entry/entry_64.S). */
	if (block->nr < 0) {
		block->nr = -1;
		block->cause = LS_PAGE_FAULT;
		return 0;
	}
	if (class >= CALL_POLL) {
		classify_wait(block, class);
		return 0;
	}
	if (class == CALL_FD || class == CALL_DISK_FD || class == CALL_FLOCK || class == CALL_FCNTL)
		block->fd = block->args[0];
	block->cause = class_cause(block, class);
	return 0;
}

enum { ENOSYS_ = 38, STOPPED_OR_TRACED = 0x4 | 0x8 };

/* The system call in the registers is still under way: the entry code puts -ENOSYS where its result
 * will be (PUSH_AND_CLEAR_REGS, arch/x86/entry/entry_64.S). After it, on the way back to user mode, a
 * thread is often preempted with all else as it was. */
static __always_inline bool is_under_way(const struct pt_regs *regs)
{
	return (__s64)regs->ax == -ENOSYS_;
}

/* Stopped by a signal or frozen, wherever it was: its call has nothing to do with it. Frozen threads
 * sit on the way back to user mode (get_signal). */
static __always_inline bool is_held(const struct pt_regs *regs, __u32 state)
{
	return state & STOPPED_OR_TRACED || ((__s64)regs->orig_ax >= 0 && !is_under_way(regs));
}

static __always_inline void look_at_block(struct block *block, struct task_struct *task, __u32 tgid,
					  const struct pt_regs *regs, __u32 state)
{
	block->nr = (__s64)regs->orig_ax;
	block->args[0] = regs->di;
	block->args[1] = regs->si;
	block->args[2] = regs->dx;
	block->files = files_of(task);
	block->tgid = tgid;
	block->interruptible = state & 1; /* TASK_INTERRUPTIBLE */
	block->cause = LS_OTHER;
	block->fd = -1;
	block->nr_fds = 0;
	if (is_held(regs, state))
		block->nr = -1;
	else
		classify(block);
}

enum { TOP_WORDS = 16 };

/* What lies on top of the stack: the wrapper's saved registers, the first return addresses. Not inlined, for
 * its words: a chain of calls has 512 bytes of stack. */
static __noinline __u64 hash_top(const struct pt_regs *regs)
{
	__u64 words[TOP_WORDS] = {}, hash = regs->sp;
	int i;

	bpf_probe_read_user(words, sizeof(words), (void *)regs->sp);
	for (i = 0; i < TOP_WORDS; i++)
		hash = (hash ^ words[i]) * 0x100000001b3;
	return hash;
}

/* --- take, hold, send -------------------------------------------------------------------------- */

/* Captures which never become part of a report are bounded in rate, whatever the target does: each
 * costs a period of credit, which time pays back. */
static __always_inline bool may_capture(struct ls_loop_state *s, __u64 now)
{
	__u64 from = now - cfg_capture_burst_ns;

	if (s->capture_credit_ns < from)
		s->capture_credit_ns = from;
	if (s->capture_credit_ns + cfg_capture_period_ns > now)
		return false;
	s->capture_credit_ns += cfg_capture_period_ns;
	return true;
}

/* An iteration which blocks again and again at one place (an fsync waits for each of its blocks) needs
 * the stack but once: the same call from the same depth, below the same return addresses. Not in
 * CPython, whose own frames may differ on one and the same stack. */
static __always_inline bool take_stack(struct ls_loop_state *s, struct capture_buffer *buffer,
				       struct task_struct *task, const struct pt_regs *regs,
				       const struct block *block, __u64 now)
{
	__u64 place = hash_top(regs) ^ (regs->ip << 9) ^ block->nr;

	if (s->taken_place == place && !buffer->python.record.nr_frames && block->cause != LS_GIL)
		return true;
	if (!may_capture(s, now))
		return false;
	s->taken_place = place;
	take_user_side(buffer, task, regs);
	take_python(s, buffer, block->cause == LS_GIL);
	return true;
}

/* The loop's thread, current, is about to block. */
static __always_inline void take_block(struct ls_loop_state *s, __u32 slot,
				       struct task_struct *task, const struct pt_regs *regs,
				       const struct block *block, __u64 now)
{
	struct capture_buffer *buffer = loop_buffer(s, s->buffer);

	s->captured = 0;
	if (!buffer || !take_stack(s, buffer, task, regs, block, now))
		return;
	s->captured = 1;
	note_call(&buffer->ev.call, regs, block->nr);
	buffer->ev.call.fd = block->fd;
	buffer->ev.call.object.nr_fds = block->nr_fds;
	take_path(&buffer->ev.call);
	buffer->ev.cause = block->cause;
	if (block->cause == LS_LOCK)
		take_lock_words(&buffer->ev);
}

static __noinline void take_object(struct task_struct *task, struct ls_call *call, __u32 tgid)
{
	__u32 nr_fds = call->object.nr_fds;

	if (call->object.kind == LS_OBJ_PATH)
		return;
	__builtin_memset(&call->object, 0, sizeof(call->object));
	call->object.nr_fds = nr_fds;
	if (call->fd >= 0)
		fill_object(&call->object, (__u64)file_of(files_of(task), call->fd), tgid);
}

/* The kernel side of a block that has lasted. `task` still sits in its call. */
static __always_inline void complete_capture(struct ls_loop_state *s, struct capture_buffer *buffer,
					     struct task_struct *task)
{
	struct ls_ev_capture *ev = &buffer->ev;
	long n;

	take_object(task, &ev->call, s->tgid);
	n = bpf_get_task_stack(task, ev->kstack, sizeof(ev->kstack), 0);
	ev->nr_kstack = n > 0 ? (__u32)n / 8 : 0;
	ev->waker_tid = s->waker_tid;
	ev->waker_tgid = s->waker_tgid;
	__builtin_memcpy(ev->waker_comm, s->waker_comm, LS_COMM_LEN);
}

static __always_inline void send_python(struct ls_ev_python *python, __u16 kind,
					const struct ls_ev_capture *ev)
{
	__u64 bytes;

	if (!python->nr_frames || python->nr_frames > LS_PYFRAMES_MAX)
		return;
	bytes = sizeof(*python) + python->nr_frames * sizeof(struct ls_pyframe);
	if (bytes > sizeof(*python) + LS_PYFRAMES_MAX * sizeof(struct ls_pyframe))
		return;
	fill_header(&python->hdr, kind, bytes, ev->hdr.tgid, ev->hdr.tid, ev->hdr.ts_ns);
	python->serial = ev->serial;
	if (bpf_ringbuf_output(&events, python, bytes, BPF_RB_NO_WAKEUP))
		count_loss(LS_LOST_CAPTURES);
}

/* Sends what the buffer holds, as `kind`. */
static __always_inline void send_buffer(struct ls_loop_state *s, __u32 slot,
					struct capture_buffer *buffer, __u16 kind, __u64 now)
{
	struct ls_ev_capture *ev = &buffer->ev;
	__u64 bytes = sizeof(*ev) + ev->stack_bytes;

	if (bytes > sizeof(*ev) + LS_STACK_MAX)
		return;
	fill_header(&ev->hdr, kind, bytes, s->tgid, s->tid, now);
	ev->serial = ++s->serial;
	ev->iteration = s->iteration;
	ev->start_ns = s->start_ns;
	ev->slot = slot;
	__builtin_memcpy(ev->comm, s->comm, LS_COMM_LEN);
	send_python(&buffer->python.record, LS_EV_PYTHON, ev);
	send_python(&buffer->holder.record, LS_EV_HOLDER, ev);
	if (bpf_ringbuf_output(&events, ev, bytes, kind == LS_EV_LOOP ? 0 : BPF_RB_NO_WAKEUP))
		count_loss(LS_LOST_CAPTURES);
	s->captures += kind == LS_EV_CAPTURE;
}

/* Gives the buffer the time of its cause that no capture stands for yet, and sends it. */
static __always_inline void send_capture(struct ls_loop_state *s, __u32 slot,
					 struct capture_buffer *buffer, __u64 now)
{
	__u32 cause = buffer->ev.cause;

	if (cause >= LS_NR_CAUSES)
		return;
	buffer->ev.ns = s->pending_ns[cause];
	buffer->ev.count = s->pending_counts[cause];
	s->pending_ns[cause] = 0;
	s->pending_counts[cause] = 0;
	send_buffer(s, slot, buffer, LS_EV_CAPTURE, now);
}

/* The longest capture of an iteration which was still short then is held back in the other buffer
 * until the iteration has become long. */
static __noinline void send_held(struct ls_loop_state *s, __u32 slot, __u64 now)
{
	struct capture_buffer *buffer;

	if (!s || !s->held_ns)
		return;
	s->held_ns = 0;
	buffer = loop_buffer(s, s->buffer ^ 1);
	if (buffer)
		send_capture(s, slot, buffer, now);
}

/* The least time a capture stands for grows with the iteration: some hundreds describe any. */
static __always_inline __u64 quantum_ns(const struct ls_loop_state *s, __u64 now)
{
	__u64 share = (now - s->start_ns) / 128;

	return share > cfg_quantum_ns ? share : cfg_quantum_ns;
}

/* The block that has just ended, after `ns`, is in the ledger already; but it is none of those that the
 * held capture stands for, whatever place that names. */
static __always_inline void send_held_before(struct ls_loop_state *s, __u32 slot, __u32 cause,
					     __u64 ns, __u64 now)
{
	if (!s->held_ns)
		return;
	s->pending_ns[cause] -= ns;
	s->pending_counts[cause]--;
	send_held(s, slot, now);
	s->pending_ns[cause] += ns;
	s->pending_counts[cause]++;
}

/* A block with a capture has ended after `ns`; `task` is about to run again. */
static __always_inline void settle_block(struct ls_loop_state *s, __u32 slot,
					 struct task_struct *task, __u64 ns, __u64 now)
{
	struct capture_buffer *buffer = loop_buffer(s, s->buffer);
	__u32 cause = s->off_cause;

	if (!buffer || cause >= LS_NR_CAUSES)
		return;
	if (now - s->start_ns >= cfg_capture_after_ns) {
		send_held_before(s, slot, cause, ns, now);
		if (s->pending_ns[cause] < quantum_ns(s, now))
			return;
		complete_capture(s, buffer, task);
		send_capture(s, slot, buffer, now);
	} else if (ns > s->held_ns && ns >= cfg_quantum_ns / 8) {
		complete_capture(s, buffer, task);
		s->held_ns = ns;
		s->buffer ^= 1;
		s->taken_place = 0;
	}
}

#endif
