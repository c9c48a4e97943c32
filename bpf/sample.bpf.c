/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CPU time: a clock ticks on every CPU and does nothing unless the task it meets is a loop whose
 * iteration has already run past a share of the threshold. The sample stands for all CPU time of the
 * iteration since the last one.
 */
#include "boundary.bpf.h"

static __always_inline void take_sample(struct bpf_perf_event_data *ctx, struct ls_loop_state *s,
					__u32 slot, struct task_struct *task, __u64 now)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct capture_buffer *buffer = loop_buffer(s, s->buffer); /* it is not blocked: unused */
	long n;

	if (!buffer) {
		count_loss(LS_LOST_SAMPLES);
		return;
	}
	send_held(s, slot, now);
	s->taken_place = 0;
	take_user_side(buffer, task, regs);
	buffer->ev.flags |= LS_CAP_ONCPU | ((__s64)ctx->regs.ip < 0 ? LS_CAP_KERNEL : 0);
	__builtin_memset(&buffer->ev.call, 0, sizeof(buffer->ev.call));
	buffer->ev.call.nr = -1;
	buffer->ev.call.fd = -1;
	if (buffer->ev.flags & LS_CAP_KERNEL)
		note_call(&buffer->ev.call, regs, (__s64)regs->orig_ax);
	buffer->ev.waker_tid = 0;
	take_python(s, buffer, false);
	if (buffer->python.record.nr_frames && py_lacks_gil(s->tgid, s->tid, buffer->ev.fsbase))
		buffer->ev.flags |= LS_CAP_NO_GIL;
	n = bpf_get_stack(ctx, buffer->ev.kstack, sizeof(buffer->ev.kstack), 0);
	buffer->ev.nr_kstack = n > 0 && (buffer->ev.flags & LS_CAP_KERNEL) ? (__u32)n / 8 : 0;
	buffer->ev.cause = LS_CPU;
	s->mixed = 1; /* the counts */
	s->pending_counts[LS_CPU]++;
	s->counts[LS_CPU]++;
	send_capture(s, slot, buffer, now);
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_loop_state *s;
	__u32 slot;
	__u64 now;

	s = loop_of(task, &slot);
	if (!s || !s->start_ns || s->at_boundary || s->off_kind == OFF_IDLE)
		return 0;
	now = bpf_ktime_get_ns();
	notice_running(s, slot, task, now);
	if (now - s->start_ns < cfg_sample_after_ns)
		return 0;
	charge_cpu(s, now);
	if (s->pending_ns[LS_CPU] >= quantum_ns(s, now))
		take_sample(ctx, s, slot, task, now);
	return 0;
}
