/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CPU time: an interrupt of a clock does nothing unless the task it meets is a loop whose iteration has already
 * run past a share of the threshold. The sample stands for all CPU time of the iteration since the last one.
 * The clock is the kernel's own tick, where it comes often enough, else one of ours: src/trace/sampler.h.
 */
#include "boundary.bpf.h"

/* Registers of what the interrupt under way has met; NULL outside of one. They are in __irq_regs (lib/irq_regs.c), a
 * variable of each CPU, which lies at a fixed distance from another such: the run queue of the running task. */
static __always_inline const struct pt_regs *interrupted(struct task_struct *task)
{
	const struct pt_regs *regs = NULL;

	bpf_probe_read_kernel(&regs, sizeof(regs),
			      (void *)task->se.cfs_rq->rq + cfg_irq_regs_from_rq);
	return regs;
}

/* Of the kernel stack only what was met, not the interrupt on top of it. */
static __always_inline void take_kernel_side(void *ctx, struct capture_buffer *buffer, __u64 ip)
{
	long bytes = bpf_get_stack(ctx, buffer->kernel, sizeof(buffer->kernel), 0);
	__u32 nr = bytes > 0 ? (__u32)bytes / 8 : 0, met = 0, i;

	while (met < nr && met < LS_KSTACK_READ && buffer->kernel[met] != ip)
		met++;
	for (i = 0; i < LS_KSTACK_MAX && met + i < nr && met + i < LS_KSTACK_READ; i++)
		buffer->ev.kstack[i] = buffer->kernel[met + i];
	buffer->ev.nr_kstack = i;
}

static __always_inline void take_sample(void *ctx, struct ls_loop_state *s, __u32 slot,
					struct task_struct *task, __u64 ip, __u64 now)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct capture_buffer *buffer = loop_buffer(s, s->buffer); /* it is not blocked: unused */

	if (!buffer) {
		count_loss(LS_LOST_SAMPLES);
		return;
	}
	send_held(s, slot, now);
	s->taken_place = 0;
	take_user_side(buffer, task, regs);
	buffer->ev.flags |= LS_CAP_ONCPU | ((__s64)ip < 0 ? LS_CAP_KERNEL : 0);
	__builtin_memset(&buffer->ev.call, 0, sizeof(buffer->ev.call));
	buffer->ev.call.nr = -1;
	buffer->ev.call.fd = -1;
	buffer->ev.waker_tid = 0;
	take_python(s, buffer, false);
	if (buffer->python.record.nr_frames && py_lacks_gil(s->tgid, s->tid, buffer->ev.fsbase))
		buffer->ev.flags |= LS_CAP_NO_GIL;
	if (buffer->ev.flags & LS_CAP_KERNEL) {
		note_call(&buffer->ev.call, regs, (__s64)regs->orig_ax);
		take_kernel_side(ctx, buffer, ip);
	}
	buffer->ev.cause = LS_CPU;
	s->mixed = 1; /* the counts */
	s->pending_counts[LS_CPU]++;
	s->counts[LS_CPU]++;
	send_capture(s, slot, buffer, now);
}

/* The loop of the current task, when a sample of it is due; its CPU time is then charged up to `now`. */
static __always_inline struct ls_loop_state *due(struct task_struct *task, __u32 *slot, __u64 *now)
{
	struct ls_loop_state *s = loop_of(task, slot);

	if (!s || !s->start_ns || s->at_boundary || s->off_kind == OFF_IDLE)
		return NULL;
	*now = bpf_ktime_get_ns();
	notice_running(s, *slot, task, *now);
	if (*now - s->start_ns < cfg_sample_after_ns)
		return NULL;
	charge_cpu(s, *now);
	return s->pending_ns[LS_CPU] >= quantum_ns(s, *now) ? s : NULL;
}

SEC("perf_event")
int on_clock(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_loop_state *s;
	__u32 slot;
	__u64 now;

	s = due(task, &slot, &now);
	if (s)
		take_sample(ctx, s, slot, task, ctx->regs.ip, now);
	return 0;
}

/* Any timer of the CPU, the tick among them. */
SEC("tp_btf/hrtimer_expire_entry")
int on_tick(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_loop_state *s;
	const struct pt_regs *met;
	__u32 slot;
	__u64 now;

	s = due(task, &slot, &now);
	if (!s)
		return 0;
	met = interrupted(task);
	if (met) /* not for timers that expire in a softirq */
		take_sample(ctx, s, slot, task, BPF_CORE_READ(met, ip), now);
	return 0;
}
