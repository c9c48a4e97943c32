/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A job: work that must not be done on the loop. Embed it in a structure of your own and get back
 * to that with job_of(). Both pools, of threads and of processes, take it.
 */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/histogram.h"

enum job_state { JOB_IDLE, JOB_QUEUED, JOB_RUNNING, JOB_FINISHED };
enum job_cancel {
	JOB_WANTED,
	JOB_ABANDONED, /* the client has gone */
	JOB_LATE,      /* its deadline has passed */
};

struct job {
	void (*run)(struct job *job);  /* on a pool's thread; it may block */
	void (*done)(struct job *job); /* on the loop, once, unless cancelled in the queue */
	uint64_t deadline_ns;          /* not started after this; run() should look at it too */

	/* From here on the pool's own; read it in run() and done(). */
	uint64_t queued_ns, started_ns, finished_ns;
	unsigned int thread;  /* which of the pool's threads runs it, from 0 */
	bool expired;         /* its deadline passed in the queue: run() was not called */
	atomic_int cancelled; /* enum job_cancel; once not 0, run() may give up early */
	enum job_state state;
	TAILQ_ENTRY(job) link;
	struct job *returned_before;
};

TAILQ_HEAD(job_list, job);

#define job_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* What a pool has seen; owned and updated by the loop's thread. */
struct job_stats {
	uint64_t done, expired, cancelled, rejected, failed;
	struct histogram wait; /* queued to started */
	struct histogram run;  /* started to finished */
};

static inline void job_stats__add_cancelled(struct job_stats *stats, enum job_cancel why)
{
	if (why == JOB_LATE)
		stats->expired++;
	else
		stats->cancelled++;
}

#endif
