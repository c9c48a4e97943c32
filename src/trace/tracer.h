/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The BPF programs in the kernel: load, attach, feed targets, read records, loop states, losses and
 * cost. Prints why it fails, once. Everything in the kernel goes when it is freed, or when this
 * process dies.
 */
#ifndef LS_TRACE_TRACER_H
#define LS_TRACE_TRACER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"
#include "seeds.h"
#include "model/stall.h"

struct tracer;

enum attach_path { ATTACH_AUTO, ATTACH_FENTRY, ATTACH_TRACEPOINT };

struct tracer_options {
	uint64_t threshold_ns;
	pid_t tid;          /* trace this thread only; 0: all */
	uint32_t max_loops; /* slots; 0: default */
	uint32_t
		max_captured; /* loops whose long iterations can have stacks at one time; 0: default */
	uint32_t ring_bytes; /* power of two; 0: default */
	enum attach_path attach;
	bool from_start; /* the targets are about to begin: their first iterations count */
};

/* Called for each record: `bytes` have been checked against the size in its header. Borrowed. */
typedef void (*tracer_event_fn)(void *arg, const struct ls_event_hdr *event, size_t bytes);

/* Loads the programs; nothing runs yet. NULL: errno, and the reason was printed. */
struct tracer *tracer__new(const struct tracer_options *options, tracer_event_fn fn, void *arg);
void tracer__free(struct tracer *t);

const char *tracer__attach_name(const struct tracer *t); /* "fentry" or "tracepoint" */

/* A process to trace; threads of it seen so far. 0 or -errno. */
int tracer__add_target(struct tracer *t, pid_t tgid);
void tracer__drop_target(struct tracer *t, pid_t tgid);
int tracer__add_seed(struct tracer *t, pid_t tid, const struct ls_seed *seed);
/* The probes on, then the seeds taken over. More targets and seeds may be added later. */
int tracer__attach(struct tracer *t);
int tracer__take_seeds(struct tracer *t);

/* Descriptor that is readable when records wait; hands all of them to the callback. 0 or -errno. */
int tracer__event_fd(const struct tracer *t);
int tracer__consume(struct tracer *t);

/* States of all loops, in place; tid 0 is a free slot. */
const struct ls_loop_state *tracer__states(const struct tracer *t, uint32_t *nr);
/* The loop is gone and its last state was read: its slot may serve another. */
void tracer__release(struct tracer *t, uint32_t slot);
/* Has the kernel read what belongs to the capture of a loop's block under way: object, kernel stack. */
void tracer__complete_capture(struct tracer *t, pid_t tid);
/* Capture of the block which the loop of `slot` is in now. Valid until the next call; NULL if none. */
const struct ls_ev_capture *tracer__current_capture(struct tracer *t, uint32_t slot,
						    const struct ls_ev_python **python);

/* Totals and records hold still from here on: the end of a run, whose sums shall agree. */
void tracer__freeze(struct tracer *t);

/* To be called now and then: opens and closes the windows in which the kernel counts run time. */
void tracer__tick(struct tracer *t, uint64_t now_ns);
void tracer__losses(const struct tracer *t, struct ls_losses *losses);
void tracer__overhead(struct tracer *t, struct ls_overhead *overhead);

/* For those who put further maps in the object. */
int tracer__map_fd(const struct tracer *t, const char *name);

#endif
