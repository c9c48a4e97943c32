/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Iteration bounds. Only the exits of the wait calls are hooked: an iteration begins when the home
 * wait returns, and ends when it returns again at once, or when the thread goes to sleep in it
 * (sched.bpf.c). Threads become loops here: by coming back to the same wait.
 */
#define LS_DEFINE
#include "boundary.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { EPOLL_VISITS = 2, POLL_VISITS = 4, REPLACE_VISITS = 32 };

/* --- which wait is home ------------------------------------------------------------------------ */

static __always_inline bool same_wait(const struct ls_home *a, const struct ls_home *b)
{
	if (b->fd >= 0)
		return a->fd == b->fd && call_class(a->nr) == call_class(b->nr);
	return a->fd < 0 && a->nr == b->nr && a->sp == b->sp;
}

/* A loop watches its own wake-up and at least one descriptor more; a poll() on one alone is a
 * blocking read in disguise (urllib3, libpq, the resolver). */
static __always_inline bool watches_many(const struct ls_thread *t, const struct ls_home *home,
					 const struct pt_regs *regs)
{
	if (home->fd >= 0 || cfg_tid)
		return true;
	return call_class(home->nr) == CALL_POLL ? regs->si >= 2 : t->select_bits >= 2;
}

/* Counts this wait among the thread's candidates; returns its index. */
static __always_inline __u32 note_candidate(struct ls_thread *t, const struct ls_home *home)
{
	__u32 i, at = 0;

	for (i = 0; i < LS_CANDIDATES; i++) {
		if (t->candidates[i].visits && same_wait(&t->candidates[i].home, home)) {
			at = i;
			goto found;
		}
		if (t->candidates[i].visits < t->candidates[at].visits)
			at = i;
	}
	t->candidates[at].visits = 0;
	t->candidates[at].first = t->waits;
found:
	t->candidates[at].home = *home;
	t->candidates[at].last = t->waits;
	t->candidates[at].visits++;
	return at;
}

/* Of waits that alternate, the one nearest to the stack's base is the outer: the home. */
static __always_inline __u32 outermost(const struct ls_thread *t, __u32 at)
{
	__u32 i, best = at & (LS_CANDIDATES - 1);

	for (i = 0; i < LS_CANDIDATES; i++)
		if (t->candidates[i].visits && t->candidates[i].last > t->candidates[best].first &&
		    t->candidates[i].home.sp > t->candidates[best].home.sp)
			best = i;
	return best;
}

static __always_inline struct ls_loop_state *take_slot(struct ls_thread *t,
						       struct task_struct *task, __u32 *slot)
{
	struct ls_loop_state *s;

	if (bpf_map_pop_elem(&free_slots, slot)) {
		if (!t->lost)
			count_loss(LS_LOST_LOOPS);
		t->lost = 1;
		return NULL;
	}
	s = slot_state(*slot);
	if (!s)
		return NULL;
	s->tgid = BPF_CORE_READ(task, tgid);
	BPF_CORE_READ_STR_INTO(&s->comm, task, comm);
	s->tid = BPF_CORE_READ(task, pid);
	t->slot = *slot + 1;
	return s;
}

/* How often a thread must have come back to a wait for it to be the loop's. From a program's start on the
 * first return from a wait on an epoll descriptor begins an iteration; the second then proves it. */
static __always_inline __u32 visits_needed(const struct ls_home *wait)
{
	if (wait->fd < 0)
		return POLL_VISITS;
	return cfg_from_start ? 1 : EPOLL_VISITS;
}

/* Not shown yet, and so not proven. */
static __always_inline bool is_proven(const struct ls_loop_state *s)
{
	return s->home_hash;
}

static __noinline void settle_home(struct ls_thread *t, struct task_struct *task,
				   const struct pt_regs *regs, const struct ls_home *wait,
				   __u64 now)
{
	struct ls_loop_state *s;
	__u32 at, slot;

	if (!t)
		return;
	t->waits++;
	if (!watches_many(t, wait, regs))
		return;
	at = note_candidate(t, wait) & (LS_CANDIDATES - 1);
	if (t->candidates[at].visits < visits_needed(wait))
		return;
	if (t->slot) {
		slot = t->slot - 1;
		s = slot_state(slot);
		/* Another home only if it is nearer to the base, or has long taken the old one's place. */
		if (!s ||
		    (is_proven(s) && wait->sp <= s->home.sp &&
		     (t->candidates[at].visits < REPLACE_VISITS || now - s->start_ns < 1000000000)))
			return;
		if (!is_proven(s) && t->candidates[at].visits < EPOLL_VISITS)
			return;
	} else {
		at = outermost(t, at) & (LS_CANDIDATES - 1);
		s = take_slot(t, task, &slot);
		if (!s)
			return;
	}
	s->home = t->candidates[at].home;
	if (t->candidates[at].visits >= EPOLL_VISITS)
		send_home(s, slot, task, regs, now);
	s->captures = 0;
	if (same_wait(&s->home, wait))
		begin_iteration(s, now);
	else
		s->start_ns = 0; /* inside one that we did not see begin */
}

/* --- the boundary ------------------------------------------------------------------------------ */

static __always_inline bool is_target(__u32 tgid, __u32 tid)
{
	return (!cfg_tid || cfg_tid == tid) && bpf_map_lookup_elem(&targets, &tgid);
}

static __always_inline struct ls_thread *thread_of_target(struct task_struct *task)
{
	struct ls_thread *t = thread_of(task);
	__u64 id = bpf_get_current_pid_tgid();

	if (t || !is_target(id >> 32, (__u32)id))
		return t;
	return bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* The current task returns from a wait call. */
static __always_inline int on_wait_return(__s64 nr, __s64 ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_thread *t = thread_of_target(task);
	struct pt_regs *regs;
	struct ls_loop_state *s;
	struct ls_home wait;
	__u64 now;

	if (!t)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (!is_wait(nr, regs))
		return 0;
	now = bpf_ktime_get_ns();
	s = t->slot ? slot_state(t->slot - 1) : NULL;
	if (s && is_home(&s->home, nr, regs)) {
		notice_running(s, t->slot - 1, task, now);
		s->at_boundary = 1;
		s->home.nr = nr;
		if (s->start_ns)
			finish_iteration(s, t->slot - 1, task, regs, now, ret >= 0 ? ret : -1);
		else if (s->wait_since_ns)
			s->wait_ns += now - s->wait_since_ns;
		if (s->home.fd >= 0)
			s->home.sp = regs->sp;
		begin_iteration(s, now);
		s->at_boundary = 0;
		if (!s->home_hash) /* seeded from outside: now it shows itself */
			send_home(s, t->slot - 1, task, regs, now);
		return 0;
	}
	wait.nr = nr;
	wait.fd = wait_has_fd(nr) ? (__s32)regs->di : -1;
	wait.sp = regs->sp;
	settle_home(t, task, regs, &wait, now);
	return 0;
}

/* What syscalls:sys_exit_* hand over (struct syscall_trace_exit, kernel/trace/trace.h: not in BTF as
 * a type of its own; the number is 32 bits there, unlike in raw_syscalls:sys_exit). */
struct wait_exit {
	__u64 entry;
	__s32 nr;
	__u32 pad;
	__s64 ret;
};

/* Two ways to the same place, chosen at load: a tracepoint, or fexit where the kernel allows it. */
SEC("tracepoint/syscalls/sys_exit_epoll_wait")
int on_sys_exit_wait(struct wait_exit *ctx)
{
	return on_wait_return(ctx->nr, ctx->ret);
}

#define ON_FEXIT(call)                                                      \
	SEC("fexit/__x64_sys_" #call)                                       \
	int BPF_PROG(on_fexit_##call, const struct pt_regs *regs, long ret) \
	{                                                                   \
		return on_wait_return(__NR_##call, ret);                    \
	}

ON_FEXIT(epoll_wait)
ON_FEXIT(epoll_pwait)
ON_FEXIT(epoll_pwait2)
ON_FEXIT(poll)
ON_FEXIT(ppoll)
ON_FEXIT(select)
ON_FEXIT(pselect6)
ON_FEXIT(io_uring_enter)

/* --- threads that were there before tracing ---------------------------------------------------- */

/* A thread that user space found hung: its iteration is under way, since we do not know when. */
static __always_inline void begin_hung(struct ls_thread *t, struct task_struct *task,
				       const struct ls_seed *seed, __u64 now)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct capture_buffer *buffer;
	struct ls_loop_state *s;
	struct block block;
	__u32 slot;

	s = take_slot(t, task, &slot);
	if (!s)
		return;
	s->home = seed->home;
	begin_iteration(s, now);
	s->before_attach = 1;
	if (!BPF_CORE_READ(task, __state))
		return; /* it runs, or will: samples show where */
	buffer = loop_buffer(s, s->buffer);
	if (!buffer)
		return;
	look_at_block(&block, task, s->tgid, regs, BPF_CORE_READ(task, __state));
	leave_cpu(s, OFF_BLOCKED, block.cause, now);
	copy_regs(&buffer->ev.regs, regs);
	buffer->ev.stack_bytes = 0;
	buffer->ev.flags = LS_CAP_SNAPSHOT;
	buffer->ev.cause = block.cause;
	buffer->ev.fsbase = BPF_CORE_READ(task, thread.fsbase);
	note_call(&buffer->ev.call, regs, block.nr);
	buffer->ev.call.fd = block.fd;
	buffer->ev.call.object.nr_fds = block.nr_fds;
	buffer->ev.lock_owner = 0;
	buffer->ev.lock_word = 0;
	buffer->python.record.nr_frames = 0;
	buffer->holder.record.nr_frames = 0;
	complete_capture(s, buffer, task);
	buffer->ev.ns = 0;
	buffer->ev.count = 1;
	send_buffer(s, slot, buffer, LS_EV_CAPTURE, now);
	give_buffers_back(s); /* it may hang for ever */
}

/* A block that does not end is reported before its end: the object and the kernel's stack, which are
 * otherwise read then, are read now. Should the thread move meanwhile, user space sees it. */
static __always_inline void complete_hang(struct ls_thread *t, struct task_struct *task)
{
	struct ls_loop_state *s = slot_state(t->slot - 1);
	struct capture_buffer *buffer;

	if (!s || !s->captured || !s->off_since_ns)
		return;
	buffer = loop_buffer(s, s->buffer);
	if (buffer)
		complete_capture(s, buffer, task);
}

/* It has come to its wait since user space looked: then it does not hang. */
static __always_inline bool has_come_to_wait(const struct pt_regs *regs)
{
	__s64 nr = (__s64)regs->orig_ax;

	return is_wait(nr, regs) && wait_has_fd(nr) && is_under_way(regs);
}

SEC("iter/task")
int on_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ls_seed *seed;
	struct ls_thread *t;
	struct pt_regs *regs;
	__u32 tid;

	if (!task)
		return 0;
	tid = task->pid;
	seed = bpf_map_lookup_elem(&seeds, &tid);
	if (!seed)
		return 0;
	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t)
		return 0;
	if (t->slot) {
		if (seed->complete)
			complete_hang(t, task);
		return 0;
	}
	if (seed->complete)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (seed->hung && !has_come_to_wait(regs)) {
		begin_hung(t, task, seed, bpf_ktime_get_ns());
		return 0;
	}
	t->candidates[0].home = seed->home;
	t->candidates[0].visits = 1;
	if (seed->hung) {
		t->candidates[0].home.nr = (__s64)regs->orig_ax;
		t->candidates[0].home.fd = (__s32)regs->di;
	}
	return 0;
}
