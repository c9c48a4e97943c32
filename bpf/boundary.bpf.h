/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The end of an iteration, wherever it is noticed: in the wait itself, or when the thread sleeps there. */
#ifndef LS_BOUNDARY_BPF_H
#define LS_BOUNDARY_BPF_H

#include "capture.bpf.h"

/* io_uring_enter() without IORING_ENTER_GETEVENTS (include/uapi/linux/io_uring.h) submits and waits for
 * nothing. */
static __always_inline bool is_wait(__s64 nr, const struct pt_regs *regs)
{
	return is_wait_call(nr) && (nr != __NR_io_uring_enter || regs->r10 & 1);
}

static __always_inline bool is_home(const struct ls_home *home, __s64 nr,
				    const struct pt_regs *regs)
{
	if (!is_wait(nr, regs))
		return false;
	if (wait_has_fd(nr))
		return home->fd >= 0 && home->fd == (__s32)regs->di &&
		       call_class(home->nr) == call_class(nr);
	return home->fd < 0 && home->nr == nr && home->sp == regs->sp;
}

/* The stack of the loop in its home wait, where the current task is now: it tells where the loop ends
 * and its callbacks begin. Sent again only when it looks different: a program may wait in turn at
 * several places. */
static __noinline void send_home(struct ls_loop_state *s, __u32 slot, struct task_struct *task,
				 const struct pt_regs *regs, __u64 now)
{
	struct capture_buffer *buffer;
	__u64 hash;

	if (!s)
		return;
	buffer = loop_buffer(s, s->buffer);
	hash = hash_top(regs);
	if (!buffer || hash == s->home_hash)
		return;
	s->home_hash = hash;
	take_user_side(buffer, task, regs);
	note_call(&buffer->ev.call, regs, s->home.nr);
	buffer->ev.call.fd = s->home.fd;
	buffer->ev.ns = 0;
	buffer->ev.count = 0;
	buffer->ev.cause = LS_OTHER;
	take_python(s, buffer, false);
	send_buffer(s, slot, buffer, LS_EV_LOOP, now);
}

static __noinline void send_stall(struct ls_loop_state *s, __u32 slot, __u64 now, __s32 ready)
{
	struct ls_ev_stall *ev;
	int i;

	if (!s)
		return;
	s->stalls++;
	s->stalled_wall_ns += now - s->start_ns;
	for (i = 0; i < LS_NR_CAUSES; i++)
		s->stalled_ns[i] += s->ledger_ns[i];
	ev = bpf_ringbuf_reserve(&events, sizeof(*ev), 0);
	if (!ev) {
		count_loss(LS_LOST_STALLS);
		return;
	}
	fill_header(&ev->hdr, LS_EV_STALL, sizeof(*ev), s->tgid, s->tid, now);
	ev->iteration = s->iteration;
	ev->start_ns = s->start_ns;
	ev->end_ns = now;
	for (i = 0; i < LS_NR_CAUSES; i++) {
		ev->ledger_ns[i] = s->ledger_ns[i];
		ev->counts[i] = s->counts[i];
	}
	ev->ready = ready;
	ev->captures = s->captures;
	ev->slot = slot;
	ev->before_attach = s->before_attach;
	bpf_ringbuf_submit(ev, 0);
}

/* The thread has the CPU again: its block, if it was one, has a length. */
static __noinline void end_absence(struct ls_loop_state *s, __u32 slot, struct task_struct *task,
				   __u64 exec_ns, __u64 now)
{
	__u64 blocked;

	if (!s)
		return;
	blocked = enter_cpu(s, exec_ns, now);
	if (blocked && s->captured)
		settle_block(s, slot, task, blocked, now);
	else if (blocked >= cfg_capture_after_ns && !s->pair && !s->before_attach)
		count_loss(LS_LOST_CAPTURES);
	s->waker_tid = 0;
	s->captured = 0;
}

/*
 * The current task runs, but no switch in was seen. A kernel may hide switches: one was met which shows
 * none out of its own control processes, nor then the loop's that follows on the same CPU. The block
 * ended with the wake-up; how long the thread then waited for the CPU nobody knows: unaccounted.
 */
static __always_inline void notice_running(struct ls_loop_state *s, __u32 slot,
					   struct task_struct *task, __u64 now)
{
	if (s->off_kind != OFF_BLOCKED && s->off_kind != OFF_PREEMPTED)
		return;
	end_absence(s, slot, task, 0, s->woken_ns > s->off_since_ns ? s->woken_ns : now);
	s->on_since_ns = now;
}

/* `ready`: events that the wait returned, 0 when the thread sleeps in it, -1 unknown. */
static __always_inline void finish_iteration(struct ls_loop_state *s, __u32 slot,
					     struct task_struct *task, const struct pt_regs *regs,
					     __u64 now, __s32 ready)
{
	if (frozen)
		return;
	if (end_iteration(s, now) >= cfg_threshold_ns) {
		send_held(s, slot, now);
		send_home(s, slot, task, regs, now);
		send_stall(s, slot, now, ready);
	}
	give_buffers_back(s);
}

#endif
