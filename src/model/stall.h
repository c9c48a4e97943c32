/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The model: what a source (live session, trace file) hands to every reader (text, JSON, flame
 * graph, diff, Prometheus). Terms are those of the contract: loop, iteration, stall, ledger, cause,
 * call, site.
 *
 * Ownership: every pointer in these structures is borrowed from the source and is valid during the
 * call that passes it; a reader which keeps something copies it. Absent strings are NULL.
 * Times are nanoseconds; *_ns instants are CLOCK_MONOTONIC, `time_ns` CLOCK_REALTIME since the
 * epoch.
 */
#ifndef LS_MODEL_STALL_H
#define LS_MODEL_STALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h" /* enum ls_cause */

enum ls_frame_kind { LS_FRAME_NATIVE, LS_FRAME_PYTHON, LS_FRAME_KERNEL, LS_FRAME_JIT };

struct ls_frame {
	enum ls_frame_kind kind;
	const char *function; /* demangled; NULL when there is no name */
	const char *file;     /* source file */
	const char *module;   /* ELF file as the target sees it; NULL for kernel */
	uint32_t line;        /* 0 unknown */
	bool has_offset;
	bool inlined;    /* expanded into the frame after it */
	bool async;      /* Python: an `async def` frame (coroutine or asynchronous generator) */
	uint64_t offset; /* in the module (file virtual address less load bias); kernel: from the
			    symbol */
};

struct ls_stack {
	const struct ls_frame *frames; /* leaf first */
	size_t nr_frames;
	bool truncated; /* it went on, but could not be followed */
	uint32_t id;    /* not 0: a later stack of the same run with this id is equal to it */
};

struct ls_blocking_call {
	const char *name;   /* system call: "recvfrom"; NULL for CPU time and run queue */
	int fd;             /* -1 none */
	const char *object; /* "tcp 127.0.0.1:5432", "/var/lib/app.db", "pipe" */
};

struct ls_holder {
	int tid; /* 0: no holder known */
	const char *comm;
	struct ls_stack stack;
};

/* One entry of a stall's causes: all its time of one cause at one place. */
struct ls_blame {
	enum ls_cause cause;
	uint64_t ns;
	uint64_t count; /* times it blocked; samples for CPU */
	struct ls_blocking_call call;
	const struct ls_frame *site;   /* points into stack.frames; NULL unknown */
	const struct ls_frame *callee; /* likewise; NULL when the site itself blocked */
	const char *task;              /* asyncio task: "NAME: COROUTINE", or one of them */
	struct ls_holder holder;
	const char *advice;
	struct ls_stack stack;
};

struct ls_ledger {
	uint64_t ns[LS_NR_CAUSES];
	uint64_t unaccounted_ns; /* ns[] and this sum to the wall time, always */
};

struct ls_stall {
	int pid, tid;
	const char *comm;
	const char *kind; /* of the loop: "asyncio", "redis", "epoll" ... */
	uint64_t iteration;
	uint64_t start_ns, time_ns, wall_ns;
	bool ongoing;       /* still under way; the final record has the same start_ns */
	bool before_attach; /* it had begun before tracing did: start_ns is when tracing did */
	int64_t ready;      /* events queued up behind it; -1 unknown */
	struct ls_ledger ledger;
	const struct ls_blame *causes; /* greatest first */
	size_t nr_causes;
};

/* A loop thread, when it is found. */
struct ls_loop {
	int pid, tid;
	const char *comm;
	const char *kind;
	const char *wait; /* its home wait: "epoll_wait" */
};

struct ls_start {
	uint64_t time_ns, mono_ns;
	const char *host, *kernel, *version;
	const char *attach; /* "fentry" or "tracepoint" */
	uint64_t threshold_ns;
	const int *pids;
	size_t nr_pids;
	const char *const *commands; /* command lines, one a pid, each may be NULL; NULL: unknown */
};

/* A line of a loop's "worst sites": its stalls' time at one site, by cause. */
struct ls_site_total {
	struct ls_frame site; /* function == NULL && file == NULL && module == NULL: unknown */
	struct ls_frame callee;
	bool has_site, has_callee;
	enum ls_cause cause;
	struct ls_blocking_call call;
	const char *advice;
	uint64_t ns;         /* time of that cause there, in stalls */
	uint64_t count;      /* stalls it took part in */
	uint64_t counted_ns; /* start of the last of them */
};

struct ls_loop_summary {
	struct ls_loop loop;
	uint64_t iterations, stalls;
	uint64_t busy_ns, wait_ns;
	uint64_t p50_ns, p90_ns, p99_ns, max_ns; /* of iteration lengths */
	uint32_t histogram[LS_HIST_BUCKETS];     /* of all iterations: model/histogram.h */
	struct ls_ledger ledger;                 /* of its stalls, added up */
	uint64_t stalled_wall_ns;
	const struct ls_site_total *top; /* worst first */
	size_t nr_top;
};

struct ls_losses {
	uint64_t stalls, captures, loops, samples, events; /* see enum ls_loss */
};

struct ls_overhead {
	uint64_t bpf_ns, bpf_runs; /* scaled up from the windows in which the kernel counted */
	uint64_t tracer_cpu_ns, tracer_rss_bytes;
};

/* An ELF file that frames lie in. */
struct ls_module {
	const char *path;     /* as ls_frame.module */
	const char *build_id; /* hexadecimal */
};

/* Where frames lie that have no name. */
struct ls_unnamed {
	const char *module;
	uint64_t frames;
	bool jit;
};

struct ls_summary {
	double seconds;
	const struct ls_loop_summary *loops;
	size_t nr_loops;
	struct ls_losses lost;
	struct ls_overhead overhead;
	uint64_t frames_total, frames_symbolized;
	const struct ls_unnamed *unnamed; /* of the rest, as far as it is known */
	size_t nr_unnamed;
	const struct ls_module *modules; /* those whose build id is known */
	size_t nr_modules;
};

/*
 * One loop's iterations in one slice of the run's time: the differences of its totals. The slices
 * of a loop follow one another; one in which nothing happened is left out. They tell how much the
 * numbers of one recording vary.
 */
struct ls_slice {
	int pid, tid;
	uint64_t start_ns, end_ns;
	uint64_t iterations, stalls;
	uint64_t busy_ns, wait_ns, stalled_wall_ns;
	struct ls_ledger ledger;
	uint32_t histogram[LS_HIST_BUCKETS];
};

/*
 * One loop's stalls that a trace file does not keep one by one, added up by place. `count` of a
 * cause is how many stalls it took part in. Time that no place stands for is a cause without a
 * stack: causes and unaccounted time make up the ledger. May come in parts: only the first has
 * stalls and ledger.
 */
struct ls_rest {
	int pid, tid;
	const char *comm, *kind;
	uint64_t stalls, wall_ns;
	struct ls_ledger ledger;
	const struct ls_blame *causes;
	size_t nr_causes;
};

/* JSON and text names of the enums; "?" out of range. */
const char *ls_cause__name(enum ls_cause cause);
bool ls_cause__parse(const char *name, enum ls_cause *cause);
const char *ls_frame_kind__name(enum ls_frame_kind kind);

uint64_t ls_ledger__sum(const struct ls_ledger *ledger);

/*
 * A reader of the model. Any member may be NULL. Calls come in this order: start, then loop, stall
 * and slice as they happen, then summary, then free. 0 or -errno: an error ends the run.
 */
struct reporter {
	int (*start)(void *self, const struct ls_start *start);
	int (*loop)(void *self, const struct ls_loop *loop);
	int (*stall)(void *self, const struct ls_stall *stall);
	int (*slice)(void *self, const struct ls_slice *slice);
	int (*rest)(void *self, const struct ls_rest *rest); /* trace files only, before summary */
	int (*summary)(void *self, const struct ls_summary *summary);
	void (*free)(void *self);
	/* A live source's loop is gone; `last` are its totals. At any time after `loop`. */
	int (*ended)(void *self, const struct ls_loop *loop, const struct ls_loop_state *last);
};

#endif
