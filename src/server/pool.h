/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A bounded queue in front of a few threads, for work that blocks. The loop submits; a thread runs;
 * the result comes back to the loop through an eventfd. No call from the loop ever waits for a
 * thread, save pool__free(). All of them are for one thread, the loop's. Knows nothing of libevent
 * or HTTP.
 *
 *   loop:    pool__submit(pool, &mine->job)
 *   thread:  job->run(job)
 *   loop:    pool__fd() becomes readable -> pool__dispatch(pool, 64) -> job->done(job)
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include <stdbool.h>

#include "server/job.h"

struct pool;

struct pool_options {
	const char *name;      /* thread names are NAME-0, NAME-1, ...; copied */
	unsigned int threads;  /* at least 1 */
	unsigned int capacity; /* jobs that may wait, besides those that run */
	int nice;              /* of its threads: above 0, the loop comes first */
};

/* NULL with errno set. The threads take no signals: those stay with the loop. */
struct pool *pool__new(const struct pool_options *options);

/*
 * Lets running jobs finish (their run() must be bounded), calls done() for what has finished, and
 * for what still waited with `expired` set. NULL is fine.
 */
void pool__free(struct pool *pool);

/* 0, or -EAGAIN when the queue is full. The job is the pool's until done() or a true cancel. */
int pool__submit(struct pool *pool, struct job *job);

/*
 * Nobody waits for the job any more. true: it had not started, is the caller's again, and done()
 * will not be called. false: it runs or has run; `cancelled` is set, and done() comes as usual.
 */
bool pool__cancel(struct pool *pool, struct job *job, enum job_cancel why);

/* Readable when jobs have finished: put it into the loop, level-triggered. Borrowed. */
int pool__fd(const struct pool *pool);

/*
 * Calls done() for at most `max` finished jobs, so that a burst of results cannot hold up the other
 * descriptors of the loop; the eventfd stays readable while more wait. Returns how many it called.
 */
unsigned int pool__dispatch(struct pool *pool, unsigned int max);

void pool__depth(const struct pool *pool, unsigned int *queued, unsigned int *running);
const struct job_stats *pool__stats(const struct pool *pool);

#endif
