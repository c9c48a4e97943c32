/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the session_*.c files share. Records go one way: captures are held at their loop, a stall's end
 * has them resolved and handed to the reporter; totals are read where the kernel counts them.
 */
#ifndef LS_TRACE_SESSION_INTERNAL_H
#define LS_TRACE_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/stall.h"
#include "trace/loops.h"
#include "trace/resolve.h"
#include "trace/session.h"
#include "trace/targets.h"

enum { MAX_EXTRAS = 128 };

/* An interpreter's frames which precede their capture; those of other CPUs may come between. */
struct extra {
	uint8_t *bytes;
	size_t size;
};

struct session {
	struct session_options options;
	const struct reporter *reporter;
	void *self;
	struct tracer *tracer;
	struct resolver resolver;
	struct loops loops;
	struct traced_loop **by_slot; /* those alive */
	pid_t *targets;               /* alive */
	size_t nr_targets;
	pid_t first_target;
	pid_t young; /* has become its program just now, young_ns; 0 none */
	uint64_t young_ns;
	struct target_census census; /* of all targets, at attach */
	uint64_t attached_ns, slice_ns, own_cpu_from_ns, ticked_ns, swept_ns;
	unsigned int nr_seeded; /* processes whose seeds wait to be taken over */
	bool prepared;
	int err;                         /* of a reporter; ends the run */
	struct extra extras[MAX_EXTRAS]; /* reused in turn */
	unsigned int next_extra;
	struct resolved *resolved;
};

/* The first error ends the run. */
void session__fail(struct session *s, int err);

/* --- session_targets.c: the processes traced --- */
void session__look_at_young(struct session *s, uint64_t now);
void session__seed_targets(struct session *s); /* their threads, as they stand before the attach */
void session__take_seeds(struct session *s);
void session__end_process(struct session *s, uint32_t tgid);
void session__on_process(struct session *s, const struct ls_ev_process *ev);

/* --- session_loops.c: their loop threads --- */
/* That of a record or a slot; NULL: it has none, or no memory. */
struct traced_loop *session__loop(struct session *s, const struct ls_event_hdr *hdr, uint32_t slot);
void session__announce(struct session *s, struct traced_loop *loop); /* to the reporter, once */
void session__end_loop(struct session *s, struct traced_loop *loop);
void session__end_loops_of(struct session *s, uint32_t tgid);

/* --- session_captures.c: stacks --- */
void session__on_loop(struct session *s, const struct ls_ev_capture *ev);
void session__on_capture(struct session *s, const struct ls_ev_capture *ev);
void session__on_python(struct session *s, const struct ls_event_hdr *hdr);
/* Resolves a capture into the loop's blames. `live`: the thread has not moved since. */
void session__blame_capture(struct session *s, struct traced_loop *loop,
			    const struct ls_ev_capture *ev, const struct capture_extras *extras);
void session__blame_held(struct session *s, struct traced_loop *loop);

/* --- session_stalls.c: stalls that have ended --- */
void session__on_stall(struct session *s, const struct ls_ev_stall *ev);
void session__set_stall(struct ls_stall *stall, const struct traced_loop *loop, uint64_t start_ns,
			uint64_t wall_ns);
/* The sum becomes wall_ns: what is missing is unaccounted. */
void session__fill_ledger(struct ls_ledger *ledger, const __u64 ns[LS_NR_CAUSES], uint64_t wall_ns);
void session__report_stall(struct session *s, struct traced_loop *loop, struct ls_stall *stall,
			   const uint32_t counts[LS_NR_CAUSES]);

/* --- session_hangs.c: stalls under way --- */
void session__look_for_hangs(struct session *s, uint64_t now);
bool session__is_likely_loop(const struct session *s, const struct traced_loop *loop);

/* --- session_totals.c --- */
void session__report_slices(struct session *s, uint64_t now);
void session__report_summary(struct session *s, uint64_t now);

/* --- session_house.c: what a run for weeks needs --- */
void session__keep_house(struct session *s, uint64_t now);
/* Once a second: targets that ended unseen. */
void session__end_gone(struct session *s, uint64_t now);

#endif
