/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Off-CPU time: a loop thread leaving the CPU mid-iteration is captured right there, and charged when
 * it comes back. One that goes to sleep in its home wait has ended its iteration.
 */
#include "boundary.bpf.h"

/* Kernels before 5.14 call it `state`; they are refused at load. */
static __always_inline __u32 task_state(struct task_struct *task)
{
	return task->__state;
}

/* The scheduler's own clock of the task's CPU time; exact at a switch. */
static __always_inline __u64 exec_ns(struct task_struct *task)
{
	return task->se.sum_exec_runtime;
}

/* The bandwidth controller has taken the CPU from its group. */
static __always_inline bool is_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(struct cfs_rq, throttle_count))
		return task->se.cfs_rq->throttle_count > 0;
	return false;
}

/* A poll loop's home must be its shallowest wait: one that blocks nearer to the stack's base is a
 * worker that polls inside its jobs. */
static __always_inline void doubt_candidates(struct ls_thread *t, __u64 sp)
{
	int i;

	for (i = 0; i < LS_CANDIDATES; i++)
		if (t->candidates[i].home.fd < 0 && t->candidates[i].home.sp < sp)
			t->candidates[i].visits = 0;
}

/* Descriptors that a select() waits for, of the first 256 to be read; 2 stands for more. */
static __noinline __u32 count_selected(const struct pt_regs *regs)
{
	__u64 words[4] = {};
	__u32 i, bits = 0;

	bpf_probe_read_user(words, sizeof(words), (void *)regs->si);
	for (i = 0; i < 4; i++)
		if (words[i])
			bits += words[i] & (words[i] - 1) ? 2 : 1;
	return bits;
}

static __always_inline void leave_mid_iteration(struct ls_loop_state *s, __u32 slot,
						struct task_struct *prev,
						const struct pt_regs *regs, __u32 state, __u64 now)
{
	struct block block;

	look_at_block(&block, prev, s->tgid, regs, state);
	if (block.cause == LS_LOCK && block.nr == __NR_futex &&
	    py_is_gil_wait(s->tgid, s->tid, prev->thread.fsbase, block.args[0]))
		block.cause = LS_GIL;
	leave_cpu(s, OFF_BLOCKED, block.cause, settle_stint(s, exec_ns(prev), now));
	take_block(s, slot, prev, regs, &block, now);
}

/* What tells a poll or select loop from a thread that polls now and then. */
static __always_inline void watch_candidate(struct ls_thread *t, const struct pt_regs *regs,
					    __u32 state)
{
	if (call_class((__s64)regs->orig_ax) == CALL_SELECT)
		t->select_bits = count_selected(regs);
	else if (state && !is_wait_call((__s64)regs->orig_ax))
		doubt_candidates(t, regs->sp);
}

static __noinline void switch_out(struct ls_thread *t, struct task_struct *prev, bool preempted,
				  __u64 now)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(prev);
	__u32 state = preempted ? 0 : task_state(prev), slot;
	struct ls_loop_state *s;

	if (!t)
		return;
	slot = t->slot - 1;
	s = t->slot ? slot_state(slot) : NULL;
	if (!s || s->before_attach) /* one that seemed to hang may be a loop on another wait */
		watch_candidate(t, regs, state);
	if (!s || s->at_boundary)
		return;
	notice_running(s, slot, prev, now);
	if (is_home(&s->home, (__s64)regs->orig_ax, regs) && is_under_way(regs)) {
		if (s->start_ns) {
			now = settle_stint(s, exec_ns(prev), now);
			finish_iteration(s, slot, prev, regs, now, state ? 0 : -1);
		}
		if (!s->wait_since_ns)
			s->wait_since_ns = now;
		s->start_ns = 0;
		leave_cpu(s, OFF_IDLE, 0, now);
	} else if (!s->start_ns) {
		s->off_kind = OFF_NOT;
	} else if (state) {
		leave_mid_iteration(s, slot, prev, regs, state, now);
	} else {
		leave_cpu(s, OFF_PREEMPTED, 0, settle_stint(s, exec_ns(prev), now));
		s->throttled = is_throttled(prev);
	}
}

static __noinline void switch_in(struct ls_thread *t, struct task_struct *next, __u64 now)
{
	struct ls_loop_state *s;

	if (!t || !t->slot)
		return;
	s = slot_state(t->slot - 1);
	if (!s || s->at_boundary || s->off_kind == OFF_NOT)
		return;
	end_absence(s, t->slot - 1, next, exec_ns(next), now);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct ls_thread *out = thread_of(prev), *in = thread_of(next);

	if (out)
		switch_out(out, prev, preempt, bpf_ktime_get_ns());
	if (in)
		switch_in(in, next, bpf_ktime_get_ns());
	return 0;
}

/* --- who woke it -------------------------------------------------------------------------------- */

/* Is the current task itself the waker? In an interrupt it is merely whom the interrupt met, and the
 * kernel has no helper to tell; but only one that is in futex() has released a lock. */
static __always_inline bool releases_lock(struct task_struct *current)
{
	__s64 nr = (__s64)((struct pt_regs *)bpf_task_pt_regs(current))->orig_ax;

	return nr == __NR_futex || nr == __NR_futex_wake;
}

/* What the thread that releases the lock runs, next to the capture of the loop that waits for it: that has
 * blocked, and gets the CPU again only after this. */
static __noinline void take_releaser(struct ls_loop_state *s, struct task_struct *current)
{
	struct capture_buffer *buffer;

	if (!s || !s->captured || s->off_kind != OFF_BLOCKED || s->off_cause != LS_LOCK)
		return;
	buffer = loop_buffer(s, s->buffer);
	if (buffer && s->tgid == (__u32)current->tgid)
		py_capture(s->tgid, current->pid, current->thread.fsbase, &buffer->holder);
}

/* In the waker's context. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_sched_waking, struct task_struct *task)
{
	struct task_struct *current;
	struct ls_loop_state *s;
	__u32 slot;

	s = loop_of(task, &slot);
	if (!s || !s->start_ns || (s->off_cause != LS_LOCK && s->off_cause != LS_GIL))
		return 0;
	current = bpf_get_current_task_btf();
	if (!releases_lock(current))
		return 0;
	s->waker_tid = current->pid;
	s->waker_tgid = current->tgid;
	bpf_get_current_comm(s->waker_comm, sizeof(s->waker_comm));
	take_releaser(s, current);
	return 0;
}

/* Where it is put on a run queue: on another CPU an interrupt later, which may take its time. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_sched_wakeup, struct task_struct *task)
{
	struct ls_loop_state *s;
	__u32 slot;

	s = loop_of(task, &slot);
	if (!s || !s->start_ns)
		return 0;
	wake(s, bpf_ktime_get_ns());
	if (is_throttled(task))
		s->throttled = 1;
	return 0;
}

/* --- birth and death ---------------------------------------------------------------------------- */

static __always_inline void send_process(__u16 kind, struct task_struct *task, __u32 child,
					 __u32 is_process)
{
	struct ls_ev_process *ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);

	if (!ev) {
		count_loss(LS_LOST_EVENTS);
		return;
	}
	fill_header(&ev->hdr, kind, sizeof(*ev), BPF_CORE_READ(task, tgid),
		    BPF_CORE_READ(task, pid), bpf_ktime_get_ns());
	ev->child = child;
	ev->is_process = is_process;
	BPF_CORE_READ_STR_INTO(&ev->comm, task, comm);
	bpf_ringbuf_submit(ev, 0);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = parent->tgid, tgid = child->tgid, one = 1;
	struct py_process *python;

	if (tgid == parent_tgid || cfg_tid || !bpf_map_lookup_elem(&targets, &parent_tgid))
		return 0;
	bpf_map_update_elem(&targets, &tgid, &one, BPF_ANY);
	python = bpf_map_lookup_elem(&py_processes, &parent_tgid);
	if (python)
		bpf_map_update_elem(&py_processes, &tgid, python, BPF_ANY);
	send_process(LS_EV_FORK, parent, tgid, 1);
	return 0;
}

/* The thread gives up its loop: it ends, or becomes another program. The iteration under way is not
 * reported: it has no end. */
static __always_inline void abandon_loop(struct task_struct *task)
{
	struct ls_thread *t = thread_of(task);

	if (t && t->slot) {
		struct ls_loop_state *s = slot_state(t->slot - 1);

		if (s)
			s->start_ns = 0;
	}
	if (t)
		__builtin_memset(t, 0, sizeof(*t));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (!bpf_map_lookup_elem(&targets, &tgid))
		return 0;
	abandon_loop(task);
	bpf_map_delete_elem(&py_processes, &tgid);
	send_process(LS_EV_EXEC, task, 0, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct ls_thread *t = thread_of(task);
	__u32 tgid = task->tgid;
	bool last = BPF_CORE_READ(task, signal, live.counter) == 0;
	bool is_loop = t && t->slot;

	if (t)
		abandon_loop(task);
	if (last && bpf_map_lookup_elem(&targets, &tgid)) {
		bpf_map_delete_elem(&targets, &tgid);
		bpf_map_delete_elem(&py_processes, &tgid);
		send_process(LS_EV_EXIT, task, 0, 1);
	} else if (is_loop) {
		send_process(LS_EV_EXIT, task, 0, 0);
	}
	return 0;
}
