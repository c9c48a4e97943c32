/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The end of an iteration, wherever it is noticed: in the wait itself, or when the thread sleeps there. */
#ifndef LS_BOUNDARY_BPF_H
#define LS_BOUNDARY_BPF_H

#include "capture.bpf.h"

static __always_inline bool is_home(const struct ls_home *home, __s64 nr, const struct pt_regs *regs)
{
	if (!is_wait_call(nr))
		return false;
	if (wait_has_fd(nr))
		return home->fd >= 0 && home->fd == (__s32)regs->di &&
		       call_class(home->nr) == call_class(nr);
	return home->fd < 0 && home->nr == nr && home->sp == regs->sp;
}

static __noinline void send_stall(struct ls_loop_state *s, __u32 slot, __u64 now, __s32 ready)
{
	struct ls_ev_stall *ev;
	int i;

	if (!s)
		return;
	send_held(s, slot, now);
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

/* `ready`: events that the wait returned, 0 when the thread sleeps in it, -1 unknown. */
static __always_inline void finish_iteration(struct ls_loop_state *s, __u32 slot, __u64 now,
					     __s32 ready)
{
	if (end_iteration(s, now) >= cfg_threshold_ns)
		send_stall(s, slot, now, ready);
}

#endif
