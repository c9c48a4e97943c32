/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Two lists under one mutex: `waiting`, bounded, and `finished`. Threads move jobs from the one to
 * the other; the loop alone adds to the first and takes from the second. The eventfd is written
 * once for each time `finished` becomes non-empty, not once a job, so a burst costs one wake-up.
 */
#include "server/pool.h"

#include <errno.h>
#include <pthread.h>
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
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job_list waiting, finished;
	unsigned int nr_waiting, nr_running, capacity;
	bool stopping;
	int eventfd, nice;
	char name[12]; /* with "-NN" it fits the 15 bytes of a thread's name */
	struct job_stats stats;
	unsigned int nr_threads;
	struct pool_thread threads[];
};

static struct job *take(struct pool *pool, unsigned int thread)
{
	struct job *job;

	while (!(job = TAILQ_FIRST(&pool->waiting)) && !pool->stopping)
		pthread_cond_wait(&pool->work, &pool->lock);
	if (!job || pool->stopping)
		return NULL;
	TAILQ_REMOVE(&pool->waiting, job, link);
	pool->nr_waiting--;
	pool->nr_running++;
	job->state = JOB_RUNNING;
	job->thread = thread;
	return job;
}

static void ring(struct pool *pool)
{
	uint64_t one = 1;

	/* It can only fail when the counter is near 2^64, and then the loop is awake anyway. */
	if (write(pool->eventfd, &one, sizeof(one)) < 0)
		return;
}

/* true when the loop must be told. */
static bool give_back(struct pool *pool, struct job *job)
{
	bool was_empty = TAILQ_EMPTY(&pool->finished);

	job->state = JOB_FINISHED;
	TAILQ_INSERT_TAIL(&pool->finished, job, link);
	return was_empty;
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

static void *thread_main(void *arg)
{
	struct pool_thread *self = arg;
	struct pool *pool = self->pool;
	struct job *job;
	bool tell;

	/* Of this thread alone, on Linux. It may be refused, and then they all are equal. */
	setpriority(PRIO_PROCESS, 0, pool->nice);
	pthread_mutex_lock(&pool->lock);
	while ((job = take(pool, self->index))) {
		pthread_mutex_unlock(&pool->lock);
		execute(job);
		pthread_mutex_lock(&pool->lock);
		pool->nr_running--;
		tell = give_back(pool, job);
		if (!tell)
			continue;
		/* Without the lock: the loop, once awake, wants it and must not wait for us. */
		pthread_mutex_unlock(&pool->lock);
		ring(pool);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

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
		err = pthread_create(&t->id, NULL, thread_main, t);
		if (err)
			break;
		pool->nr_threads++;
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
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	TAILQ_INIT(&pool->waiting);
	TAILQ_INIT(&pool->finished);
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

void pool__free(struct pool *pool)
{
	struct job *job;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->nr_threads; i++)
		pthread_join(pool->threads[i].id, NULL);

	while ((job = TAILQ_FIRST(&pool->waiting))) {
		TAILQ_REMOVE(&pool->waiting, job, link);
		job->started_ns = job->finished_ns = now_ns();
		job->expired = true;
		give_back(pool, job);
	}
	while (pool__dispatch(pool, 64))
		;
	if (pool->eventfd >= 0)
		close(pool->eventfd);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

int pool__submit(struct pool *pool, struct job *job)
{
	int err = 0;

	job->queued_ns = now_ns();
	job->expired = false;
	atomic_init(&job->cancelled, JOB_WANTED);

	pthread_mutex_lock(&pool->lock);
	/* A thread that is idle will take one from the queue, however long it needs to wake up. */
	if (pool->nr_waiting + pool->nr_running >= pool->capacity + pool->nr_threads) {
		err = -EAGAIN;
		pool->stats.rejected++;
	} else {
		job->state = JOB_QUEUED;
		TAILQ_INSERT_TAIL(&pool->waiting, job, link);
		pool->nr_waiting++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!err)
		pthread_cond_signal(&pool->work);
	return err;
}

bool pool__cancel(struct pool *pool, struct job *job, enum job_cancel why)
{
	bool had_not_started;

	pthread_mutex_lock(&pool->lock);
	had_not_started = job->state == JOB_QUEUED;
	if (had_not_started) {
		TAILQ_REMOVE(&pool->waiting, job, link);
		pool->nr_waiting--;
		job->state = JOB_IDLE;
		job_stats__add_cancelled(&pool->stats, why);
	}
	pthread_mutex_unlock(&pool->lock);
	atomic_store(&job->cancelled, why);
	return had_not_started;
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

/* Takes up to `max` jobs off `finished`; rings again for what is left. */
static void harvest(struct pool *pool, struct job_list *out, unsigned int max)
{
	struct job *job;
	uint64_t rings;

	pthread_mutex_lock(&pool->lock);
	if (read(pool->eventfd, &rings, sizeof(rings)) < 0)
		rings = 0; /* not rung: nothing to clear */
	while (max-- && (job = TAILQ_FIRST(&pool->finished))) {
		TAILQ_REMOVE(&pool->finished, job, link);
		TAILQ_INSERT_TAIL(out, job, link);
	}
	if (!TAILQ_EMPTY(&pool->finished))
		ring(pool);
	pthread_mutex_unlock(&pool->lock);
}

unsigned int pool__dispatch(struct pool *pool, unsigned int max)
{
	struct job_list batch = TAILQ_HEAD_INITIALIZER(batch);
	struct job *job;
	unsigned int n = 0;

	harvest(pool, &batch, max);
	while ((job = TAILQ_FIRST(&batch))) {
		TAILQ_REMOVE(&batch, job, link);
		count(&pool->stats, job);
		job->done(job);
		n++;
	}
	return n;
}

void pool__depth(struct pool *pool, unsigned int *queued, unsigned int *running)
{
	pthread_mutex_lock(&pool->lock);
	*queued = pool->nr_waiting;
	*running = pool->nr_running;
	pthread_mutex_unlock(&pool->lock);
}

const struct job_stats *pool__stats(const struct pool *pool)
{
	return &pool->stats;
}
