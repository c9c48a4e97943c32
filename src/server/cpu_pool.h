/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A bounded queue in front of a few worker processes, for work that burns CPU. Lives on the loop
 * and does all its I/O there, without blocking: one socket a worker, one frame (frame.h) each way a
 * job. A worker that crashes, hangs or talks nonsense costs that one job, and is replaced. A job
 * that is late does not cost its worker: under overload, killing would only add to the load.
 *
 * Workers are started by posix_spawn() on a thread of their own: the program runs again as a
 * worker, with nothing of the server's memory or descriptors, and the loop does not wait for it.
 */
#ifndef SERVER_CPU_POOL_H
#define SERVER_CPU_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/frame.h"
#include "server/job.h"

struct cpu_pool;
struct event_base;
struct evbuffer;

struct cpu_pool_options {
	unsigned int workers;  /* at least 1 */
	unsigned int capacity; /* jobs that may wait, besides those that run */
	int nice;              /* of the workers: above 0, the loop comes first */
	uint32_t max_bytes;    /* of a job's input; results may be somewhat larger */
	uint64_t max_run_ns;   /* a worker that takes longer hangs, and is killed */
};

struct cpu_job {
	struct job job;        /* done() is used, run() is not; cancel it at its deadline */
	enum frame_kind kind;  /* FRAME_DEFLATE or FRAME_ECHO */
	struct evbuffer *data; /* in: the input; at done(): the result. The caller's. */
	int err;               /* at done(): 0, -EPIPE the worker died, -ETIMEDOUT, -EIO failed */
};

/* NULL with errno set. Workers start at once, in the background; jobs may be submitted. */
struct cpu_pool *cpu_pool__new(struct event_base *base, const struct cpu_pool_options *options);

/* Ends the workers and waits for them; unfinished jobs are done() with -EPIPE. NULL is fine. */
void cpu_pool__free(struct cpu_pool *pool);

/* 0; -EAGAIN when the queue is full; -EMSGSIZE. done() of this job is not called from within. */
int cpu_pool__submit(struct cpu_pool *pool, struct cpu_job *job);

/* Nobody waits for the job any more: it is the caller's at once, done() will not be called. */
void cpu_pool__cancel(struct cpu_pool *pool, struct cpu_job *job, enum job_cancel why);

void cpu_pool__depth(const struct cpu_pool *pool, unsigned int *queued, unsigned int *running);
const struct job_stats *cpu_pool__stats(const struct cpu_pool *pool);
/* Workers that live, and workers that had to be replaced so far. */
void cpu_pool__workers(const struct cpu_pool *pool, unsigned int *alive, uint64_t *replaced);

#endif
