/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * No lock: everything has one owner. The loop owns the queue, the list of idle threads and the
 * results; it hands a job to an idle thread through that thread's semaphore, and gets it back from
 * a stack onto which threads push with one atomic exchange.
 *
 *   submit -> waiting -> a thread's `job` -> run() -> returned (atomic) -> finished -> done()
 *
 * A mutex would not do: the loop would wait for whichever thread was taken off the CPU while it
 * held it. Nor would a condition variable: glibc's pthread_cond_signal() may wait for a thread that
 * was woken before to have left, and did, for up to 96 ms.
 */
#include "server/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/clock.h"

struct pool_thread {
	struct pool *pool;
	pthread_t id;
	unsigned int index;
	sem_t wake;
	struct job *job; /* the loop sets it before a wake; NULL: end */
	SLIST_ENTRY(pool_thread) link;
};

struct pool {
	/* The loop's. */
	struct job_list waiting, finished;
	SLIST_HEAD(idle_threads, pool_thread)
	idle; /* the last to rest is the first to work: warm */
	unsigned int nr_waiting, nr_running, capacity;
	struct job_stats stats;

	/* Shared: the newest first, linked by `returned_before`. */
	_Atomic(struct job *) returned;
	int eventfd;

	int nice;
	char name[12]; /* with "-NN" it fits the 15 bytes of a thread's name */
	unsigned int nr_threads;
	struct pool_thread threads[];
};

/* --- on a thread ----------------------------------------------------------------------------- */

static void ring(struct pool *pool)
{
	uint64_t one = 1;

	/* It can only fail when the counter is near 2^64, and then the loop is awake anyway. */
	if (write(pool->eventfd, &one, sizeof(one)) < 0)
		return;
}

/*
 * Each job rings, though the first would do for a burst: that thread might be taken off the CPU
 * just before it rings, and all who come after would have relied on it.
 */
static void give_back(struct pool *pool, struct job *job)
{
	struct job *before = atomic_load(&pool->returned);

	do
		job->returned_before = before;
	while (!atomic_compare_exchange_weak(&pool->returned, &before, job));
	ring(pool);
}

static void execute(struct job *job)
{
	job->started_ns = now_ns();
	if (job->started_ns >= job->deadline_ns)
		job->expired = true;
	else
		job->run(job);
	job->finished_ns = now_ns();
}

static struct job *await_job(struct pool_thread *self)
{
	while (sem_wait(&self->wake))
		; /* EINTR */
	return self->job;
}

static void *thread_main(void *arg)
{
	struct pool_thread *self = arg;
	struct pool *pool = self->pool;
	struct job *job;

	/* Of this thread alone, on Linux. It may be refused, and then they all are equal. */
	setpriority(PRIO_PROCESS, 0, pool->nice);
	while ((job = await_job(self))) {
		execute(job);
		give_back(pool, job);
	}
	return NULL;
}

/* --- on the loop ----------------------------------------------------------------------------- */

static void hand_over(struct pool_thread *thread, struct job *job)
{
	if (job) {
		job->state = JOB_RUNNING;
		job->thread = thread->index;
		thread->pool->nr_running++;
	}
	thread->job = job;
	sem_post(&thread->wake); /* never waits */
}

/* Gives waiting jobs to idle threads. */
static void feed(struct pool *pool)
{
	struct pool_thread *thread;
	struct job *job;

	while ((job = TAILQ_FIRST(&pool->waiting)) && (thread = SLIST_FIRST(&pool->idle))) {
		TAILQ_REMOVE(&pool->waiting, job, link);
		pool->nr_waiting--;
		SLIST_REMOVE_HEAD(&pool->idle, link);
		hand_over(thread, job);
	}
}

int pool__submit(struct pool *pool, struct job *job)
{
	if (pool->nr_waiting >= pool->capacity && SLIST_EMPTY(&pool->idle)) {
		pool->stats.rejected++;
		return -EAGAIN;
	}
	job->queued_ns = now_ns();
	job->expired = false;
	atomic_init(&job->cancelled, JOB_WANTED);
	job->state = JOB_QUEUED;
	TAILQ_INSERT_TAIL(&pool->waiting, job, link);
	pool->nr_waiting++;
	feed(pool);
	return 0;
}

bool pool__cancel(struct pool *pool, struct job *job, enum job_cancel why)
{
	atomic_store(&job->cancelled, why);
	if (job->state != JOB_QUEUED)
		return false;
	TAILQ_REMOVE(&pool->waiting, job, link);
	pool->nr_waiting--;
	job->state = JOB_IDLE;
	job_stats__add_cancelled(&pool->stats, why);
	return true;
}

int pool__fd(const struct pool *pool)
{
	return pool->eventfd;
}

static void count(struct job_stats *stats, const struct job *job)
{
	enum job_cancel why = atomic_load(&job->cancelled);

	histogram__add(&stats->wait, job->started_ns - job->queued_ns);
	if (job->expired) {
		stats->expired++;
		return;
	}
	histogram__add(&stats->run, job->finished_ns - job->started_ns);
	if (why == JOB_WANTED)
		stats->done++;
	else
		job_stats__add_cancelled(stats, why);
}

/* Takes what the threads have returned, oldest first, and puts those threads to work again. */
static void harvest(struct pool *pool)
{
	struct job_list batch = TAILQ_HEAD_INITIALIZER(batch);
	struct job *job;
	uint64_t rings;

	if (read(pool->eventfd, &rings, sizeof(rings)) < 0)
		rings = 0; /* not rung: nothing to clear */
	for (job = atomic_exchange(&pool->returned, NULL); job; job = job->returned_before) {
		job->state = JOB_FINISHED;
		pool->nr_running--;
		SLIST_INSERT_HEAD(&pool->idle, &pool->threads[job->thread], link);
		TAILQ_INSERT_HEAD(&batch, job, link);
	}
	TAILQ_CONCAT(&pool->finished, &batch, link);
	feed(pool);
}

unsigned int pool__dispatch(struct pool *pool, unsigned int max)
{
	struct job *job;
	unsigned int n = 0;

	harvest(pool);
	while (n < max && (job = TAILQ_FIRST(&pool->finished))) {
		TAILQ_REMOVE(&pool->finished, job, link);
		count(&pool->stats, job);
		job->done(job);
		n++;
	}
	if (!TAILQ_EMPTY(&pool->finished))
		ring(pool);
	return n;
}

void pool__depth(const struct pool *pool, unsigned int *queued, unsigned int *running)
{
	*queued = pool->nr_waiting;
	*running = pool->nr_running;
}

const struct job_stats *pool__stats(const struct pool *pool)
{
	return &pool->stats;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int start_threads(struct pool *pool, unsigned int wanted)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->nr_threads < wanted) {
		struct pool_thread *t = &pool->threads[pool->nr_threads];
		char name[16];

		t->pool = pool;
		t->index = pool->nr_threads;
		sem_init(&t->wake, 0, 0);
		err = pthread_create(&t->id, NULL, thread_main, t);
		if (err)
			break;
		pool->nr_threads++;
		SLIST_INSERT_HEAD(&pool->idle, t, link);
		snprintf(name, sizeof(name), "%s-%u", pool->name, t->index % 100);
		pthread_setname_np(t->id, name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

struct pool *pool__new(const struct pool_options *options)
{
	struct pool *pool;
	int err;

	pool = calloc(1, sizeof(*pool) + options->threads * sizeof(pool->threads[0]));
	if (!pool)
		return NULL;
	TAILQ_INIT(&pool->waiting);
	TAILQ_INIT(&pool->finished);
	SLIST_INIT(&pool->idle);
	pool->capacity = options->capacity;
	pool->nice = options->nice;
	snprintf(pool->name, sizeof(pool->name), "%s", options->name);

	pool->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = pool->eventfd < 0 ? -errno : start_threads(pool, options->threads);
	if (err) {
		pool__free(pool);
		errno = -err;
		return NULL;
	}
	return pool;
}

/* What waits will not run. */
static void expire_waiting(struct pool *pool)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&pool->waiting))) {
		TAILQ_REMOVE(&pool->waiting, job, link);
		pool->nr_waiting--;
		job->started_ns = job->finished_ns = now_ns();
		job->expired = true;
		job->state = JOB_FINISHED;
		TAILQ_INSERT_TAIL(&pool->finished, job, link);
	}
}

void pool__free(struct pool *pool)
{
	struct pollfd rung;

	if (!pool)
		return;
	rung = (struct pollfd){.fd = pool->eventfd, .events = POLLIN};
	expire_waiting(pool);
	while (pool__dispatch(pool, 64) || pool->nr_running)
		poll(&rung, 1, pool->nr_running ? -1 : 0);
	for (unsigned int i = 0; i < pool->nr_threads; i++) {
		hand_over(&pool->threads[i], NULL);
		pthread_join(pool->threads[i].id, NULL);
		sem_destroy(&pool->threads[i].wake);
	}
	if (pool->eventfd >= 0)
		close(pool->eventfd);
	free(pool);
}
