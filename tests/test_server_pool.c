/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The pool of threads: bounds, order, cancellation, fairness, and that done() comes once. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/clock.h"
#include "server/pool.h"

struct task {
	struct job job;
	sem_t *gate; /* run() waits for it, if any */
	int runs, dones;
};

static void run(struct job *job)
{
	struct task *t = job_of(job, struct task, job);

	if (t->gate)
		sem_wait(t->gate);
	t->runs++;
}

static void done(struct job *job)
{
	job_of(job, struct task, job)->dones++;
}

static struct task task(sem_t *gate)
{
	return (struct task){.job = {.run = run, .done = done, .deadline_ns = UINT64_MAX},
			     .gate = gate};
}

static struct pool *new_pool(unsigned int threads, unsigned int capacity)
{
	struct pool_options options = {.name = "test", .threads = threads, .capacity = capacity};
	struct pool *pool = pool__new(&options);

	assert_non_null(pool);
	return pool;
}

static bool rung(struct pool *pool, int timeout_ms)
{
	struct pollfd fd = {.fd = pool__fd(pool), .events = POLLIN};

	return poll(&fd, 1, timeout_ms) == 1;
}

/* Waits until so many are done. */
static void await(struct pool *pool, unsigned int n)
{
	while (n) {
		assert_true(rung(pool, 5000));
		n -= pool__dispatch(pool, n);
	}
}

static void a_job_runs_on_a_thread_and_is_done_on_the_loop(void **state)
{
	struct pool *pool = new_pool(1, 1);
	struct task t = task(NULL);

	(void)state;
	assert_int_equal(pool__submit(pool, &t.job), 0);
	assert_true(rung(pool, 5000));
	assert_int_equal(t.dones, 0);
	assert_int_equal(pool__dispatch(pool, 64), 1);
	assert_int_equal(t.runs, 1);
	assert_int_equal(t.dones, 1);
	assert_false(rung(pool, 0));
	assert_true(t.job.queued_ns <= t.job.started_ns && t.job.started_ns <= t.job.finished_ns);
	pool__free(pool);
}

static void a_full_queue_refuses(void **state)
{
	struct pool *pool = new_pool(1, 2);
	struct task t[4];
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	for (int i = 0; i < 4; i++)
		t[i] = task(&gate);
	assert_int_equal(pool__submit(pool, &t[0].job), 0);
	assert_int_equal(pool__submit(pool, &t[1].job), 0);
	assert_int_equal(pool__submit(pool, &t[2].job), 0);
	assert_int_equal(pool__submit(pool, &t[3].job), -EAGAIN);
	assert_int_equal(pool__stats(pool)->rejected, 1);
	for (int i = 0; i < 3; i++)
		sem_post(&gate);
	await(pool, 3);
	assert_int_equal(t[3].runs + t[3].dones, 0);
	pool__free(pool);
}

static void a_job_cancelled_in_the_queue_is_never_heard_of_again(void **state)
{
	struct pool *pool = new_pool(1, 2);
	struct task first, second;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	first = task(&gate);
	second = task(NULL);
	assert_int_equal(pool__submit(pool, &first.job), 0);
	assert_int_equal(pool__submit(pool, &second.job), 0);
	assert_true(pool__cancel(pool, &second.job, JOB_ABANDONED));
	assert_int_equal(pool__submit(pool, &second.job), 0); /* its place is free, and so is it */
	assert_true(pool__cancel(pool, &second.job, JOB_LATE));
	sem_post(&gate);
	await(pool, 1);
	assert_false(rung(pool, 50));
	assert_int_equal(second.runs + second.dones, 0);
	assert_int_equal(pool__stats(pool)->cancelled, 1);
	assert_int_equal(pool__stats(pool)->expired, 1);
	pool__free(pool);
}

static void a_job_cancelled_while_it_runs_is_told_and_still_done(void **state)
{
	struct pool *pool = new_pool(1, 1);
	struct task t;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	t = task(&gate);
	assert_int_equal(pool__submit(pool, &t.job), 0);
	assert_false(pool__cancel(pool, &t.job, JOB_ABANDONED));
	assert_int_equal(atomic_load(&t.job.cancelled), JOB_ABANDONED);
	sem_post(&gate);
	await(pool, 1);
	assert_int_equal(t.dones, 1);
	assert_int_equal(pool__stats(pool)->cancelled, 1);
	assert_int_equal(pool__stats(pool)->done, 0);
	pool__free(pool);
}

static void a_job_past_its_deadline_is_done_without_having_run(void **state)
{
	struct pool *pool = new_pool(1, 1);
	struct task t = task(NULL);

	(void)state;
	t.job.deadline_ns = now_ns();
	assert_int_equal(pool__submit(pool, &t.job), 0);
	await(pool, 1);
	assert_true(t.job.expired);
	assert_int_equal(t.runs, 0);
	assert_int_equal(t.dones, 1);
	pool__free(pool);
}

static void a_burst_is_dispatched_a_few_at_a_time(void **state)
{
	enum { N = 50 };
	struct pool *pool = new_pool(N, 1);
	struct task t[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		t[i] = task(NULL);
		assert_int_equal(pool__submit(pool, &t[i].job), 0);
	}
	usleep(200000); /* they have all run */
	for (int left = N; left; left -= 10) {
		assert_true(rung(pool, 1000));
		assert_int_equal(pool__dispatch(pool, 10), 10);
	}
	assert_false(rung(pool, 0));
	for (int i = 0; i < N; i++)
		assert_int_equal(t[i].dones, 1);
	pool__free(pool);
}

static void freeing_finishes_what_runs_and_expires_what_waits(void **state)
{
	struct pool *pool = new_pool(1, 4);
	struct task first, second;
	sem_t gate;

	(void)state;
	sem_init(&gate, 0, 0);
	first = task(&gate);
	second = task(NULL);
	assert_int_equal(pool__submit(pool, &first.job), 0);
	assert_int_equal(pool__submit(pool, &second.job), 0);
	sem_post(&gate);
	pool__free(pool);
	assert_int_equal(first.runs, 1);
	assert_int_equal(first.dones, 1);
	assert_int_equal(second.dones, 1);
	assert_true(second.runs == 1 || second.job.expired); /* the thread may have been quicker */
}

/* The loop's part of a round: what has come back, and came back once. */
static unsigned int collect(struct pool *pool, struct task *tasks, bool *out, unsigned int nr)
{
	unsigned int n = pool__dispatch(pool, 3), seen = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (!out[i] || !tasks[i].dones)
			continue;
		assert_int_equal(tasks[i].dones, 1);
		out[i] = false;
		seen++;
	}
	assert_int_equal(seen, n);
	return n;
}

/* For the thread sanitizer too. */
static void a_storm_of_jobs_and_cancels_loses_none(void **state)
{
	enum { N = 64 };
	struct pool *pool = new_pool(4, 32);
	unsigned int seed = 1, under_way = 0;
	struct task tasks[N];
	bool out[N] = {0};

	(void)state;
	for (int round = 0; round < 5000; round++) {
		unsigned int i = (unsigned int)rand_r(&seed) % N;

		if (!out[i]) {
			tasks[i] = task(NULL);
			out[i] = !pool__submit(pool, &tasks[i].job);
			under_way += out[i];
		} else if (pool__cancel(pool, &tasks[i].job, JOB_ABANDONED)) {
			out[i] = false;
			under_way--;
		}
		under_way -= collect(pool, tasks, out, N);
	}
	while (under_way) {
		assert_true(rung(pool, 5000));
		under_way -= collect(pool, tasks, out, N);
	}
	pool__free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_runs_on_a_thread_and_is_done_on_the_loop),
		cmocka_unit_test(a_full_queue_refuses),
		cmocka_unit_test(a_job_cancelled_in_the_queue_is_never_heard_of_again),
		cmocka_unit_test(a_job_cancelled_while_it_runs_is_told_and_still_done),
		cmocka_unit_test(a_job_past_its_deadline_is_done_without_having_run),
		cmocka_unit_test(a_burst_is_dispatched_a_few_at_a_time),
		cmocka_unit_test(freeing_finishes_what_runs_and_expires_what_waits),
		cmocka_unit_test(a_storm_of_jobs_and_cancels_loses_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
