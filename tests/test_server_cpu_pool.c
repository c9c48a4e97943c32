/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The pool of processes against workers that misbehave. The pool starts the running program as its
 * worker, which is this test: what it then does, it reads from the environment.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "server/clock.h"
#include "server/cpu_pool.h"
#include "server/cpu_worker.h"
#include "server/encode.h"

#define MAX_BYTES 100000u

/* --- the worker ------------------------------------------------------------------------------ */

static void reply(const struct frame *frame, size_t payload)
{
	static const uint8_t zeros[2 * MAX_BYTES];
	uint8_t header[FRAME_HEADER_BYTES];

	frame__encode(frame, header);
	send(CPU_WORKER_FD, header, sizeof(header), MSG_NOSIGNAL);
	send(CPU_WORKER_FD, zeros, payload, MSG_NOSIGNAL);
}

static int misbehave(const char *how, size_t len, struct frame frame)
{
	uint32_t bytes = frame.bytes;

	frame.kind = FRAME_RESULT;
	if (len < FRAME_HEADER_BYTES + bytes)
		return 1;
	if (!strcmp(how, "crash"))
		raise(SIGKILL); /* no core file */
	if (!strcmp(how, "hang"))
		pause();
	if (!strcmp(how, "nonsense"))
		return (int)send(CPU_WORKER_FD, "HTTP/1.1 200 OK\r\n\r\nwhat?", 24, MSG_NOSIGNAL);
	if (!strcmp(how, "break off"))
		reply(&frame, bytes / 2);
	else if (!strcmp(how, "say more"))
		reply(&frame, bytes + 1);
	else if (!strcmp(how, "wrong id") && frame.id++)
		reply(&frame, bytes);
	else if (!strcmp(how, "fail"))
		reply(&(struct frame){.kind = FRAME_FAILED, .id = frame.id}, 0);
	else if (!strcmp(how, "fail with a payload"))
		reply(&(struct frame){.kind = FRAME_FAILED, .id = frame.id, .bytes = 5}, 5);
	else if (!strcmp(how, "too large"))
		reply(&(struct frame){FRAME_RESULT, frame.id, 2 * MAX_BYTES}, 2 * MAX_BYTES);
	sleep(1); /* the pool must not need the end of the process to see it */
	return 0;
}

/* Reads one request whole, then does what it is told to. */
static int bad_worker(const char *how)
{
	static char buf[FRAME_HEADER_BYTES + MAX_BYTES];
	struct frame frame = {.bytes = 0};
	size_t len = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!strcmp(how, "speak first"))
		reply(&(struct frame){.kind = FRAME_RESULT, .id = 1}, 0);
	while (len < FRAME_HEADER_BYTES + (size_t)frame.bytes) {
		ssize_t n = read(CPU_WORKER_FD, buf + len, sizeof(buf) - len);

		if (n <= 0)
			return 0;
		len += (size_t)n;
		frame__decode((uint8_t *)buf, len, MAX_BYTES, &frame);
	}
	return misbehave(how, len, frame);
}

/* --- the pool -------------------------------------------------------------------------------- */

struct fixture {
	struct event_base *base;
	struct cpu_pool *pool;
	unsigned int done;
};

struct task {
	struct cpu_job job;
	struct fixture *fixture;
	int dones;
};

static void on_done(struct job *job)
{
	struct task *t = job_of(job, struct task, job.job);

	t->dones++;
	t->fixture->done++;
	event_base_loopbreak(t->fixture->base);
}

static struct task task(struct fixture *f, size_t bytes)
{
	struct task t = {.fixture = f, .job = {.kind = FRAME_ECHO, .data = evbuffer_new()}};
	static const uint8_t zeros[2 * MAX_BYTES];

	t.job.job.done = on_done;
	evbuffer_add(t.job.data, zeros, bytes);
	return t;
}

static void start(struct fixture *f, const char *how, unsigned int workers)
{
	struct cpu_pool_options options = {.workers = workers,
					   .capacity = 4,
					   .max_bytes = MAX_BYTES,
					   .max_run_ns = 300 * NS_PER_MS};

	if (how)
		setenv("TEST_WORKER", how, 1);
	else
		unsetenv("TEST_WORKER");
	*f = (struct fixture){.base = event_base_new()};
	f->pool = cpu_pool__new(f->base, &options);
	assert_non_null(f->pool);
}

static void finish(struct fixture *f)
{
	cpu_pool__free(f->pool);
	event_base_free(f->base);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child left, not even a dead one */
	assert_int_equal(errno, ECHILD);
}

static void turn(struct fixture *f, unsigned int ms)
{
	struct timeval delay = ns_to_timeval(ms * NS_PER_MS);

	event_base_loopexit(f->base, &delay);
	event_base_dispatch(f->base);
}

static void await_done(struct fixture *f, unsigned int n)
{
	for (int i = 0; i < 100 && f->done < n; i++)
		turn(f, 100);
	assert_int_equal(f->done, n);
}

/* One job against such a worker ends with `err`, and then a new worker gets the next. */
static void check(const char *how, int err)
{
	struct fixture f;
	struct task t;
	unsigned int alive;
	uint64_t replaced;

	start(&f, how, 1);
	for (unsigned int i = 1; i <= 2; i++) {
		t = task(&f, 1000);
		assert_int_equal(cpu_pool__submit(f.pool, &t.job), 0);
		await_done(&f, i);
		assert_int_equal(t.job.err, err);
		evbuffer_free(t.job.data);
	}
	cpu_pool__workers(f.pool, &alive, &replaced);
	assert_true(err == -EIO || replaced >= 1);
	finish(&f);
}

static void a_worker_that_crashes_costs_one_job(void **state)
{
	(void)state;
	check("crash", -EPIPE);
}

static void a_worker_that_hangs_is_killed(void **state)
{
	(void)state;
	check("hang", -ETIMEDOUT);
}

static void a_worker_that_breaks_the_protocol_is_killed(void **state)
{
	(void)state;
	check("nonsense", -EPIPE);
	check("say more", -EPIPE);
	check("wrong id", -EPIPE);
	check("too large", -EPIPE);
	check("fail with a payload", -EPIPE);
}

static void a_reply_that_never_ends_is_a_hang(void **state)
{
	(void)state;
	check("break off", -ETIMEDOUT);
}

static void a_worker_may_say_that_it_failed(void **state)
{
	struct fixture f;
	struct task t;

	(void)state;
	start(&f, "fail", 1);
	t = task(&f, 10);
	assert_int_equal(cpu_pool__submit(f.pool, &t.job), 0);
	await_done(&f, 1);
	assert_int_equal(t.job.err, -EIO);
	evbuffer_free(t.job.data);
	finish(&f);
}

static void a_worker_that_speaks_first_is_replaced_with_pauses(void **state)
{
	struct fixture f;
	unsigned int alive;
	uint64_t replaced;

	(void)state;
	start(&f, "speak first", 1);
	turn(&f, 1000);
	cpu_pool__workers(f.pool, &alive, &replaced);
	assert_in_range(replaced, 2, 6); /* at once, after 0.1 s, 0.2 s, 0.4 s */
	finish(&f);
}

static void jobs_come_back_with_their_own_bytes(void **state)
{
	struct fixture f;
	struct task t[4];

	(void)state;
	start(&f, NULL, 2);
	for (size_t i = 0; i < 4; i++) {
		t[i] = task(&f, i * 30000);
		assert_int_equal(cpu_pool__submit(f.pool, &t[i].job), 0);
	}
	await_done(&f, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(t[i].job.err, 0);
		assert_int_equal(t[i].dones, 1);
		assert_int_equal(evbuffer_get_length(t[i].job.data), i * 30000);
		evbuffer_free(t[i].job.data);
	}
	finish(&f);
}

static void a_full_queue_and_a_large_job_are_refused(void **state)
{
	struct fixture f;
	struct task t[6], large;

	(void)state;
	start(&f, NULL, 1);
	large = task(&f, MAX_BYTES + 1);
	assert_int_equal(cpu_pool__submit(f.pool, &large.job), -EMSGSIZE);
	for (size_t i = 0; i < 6; i++) {
		t[i] = task(&f, 10);
		/* Four may wait; the worker has not started yet. */
		assert_int_equal(cpu_pool__submit(f.pool, &t[i].job), i < 4 ? 0 : -EAGAIN);
	}
	await_done(&f, 4);
	for (size_t i = 0; i < 6; i++)
		evbuffer_free(t[i].job.data);
	evbuffer_free(large.job.data);
	finish(&f);
}

static void a_cancelled_job_is_never_heard_of_again(void **state)
{
	struct fixture f;
	struct task running, waiting, last;

	(void)state;
	start(&f, NULL, 1);
	running = task(&f, MAX_BYTES);
	assert_int_equal(cpu_pool__submit(f.pool, &running.job), 0);
	/* One event at a time: it starts with one, and needs another to end. */
	for (unsigned int busy = 0, queued; !busy; cpu_pool__depth(f.pool, &queued, &busy))
		event_base_loop(f.base, EVLOOP_ONCE);
	waiting = task(&f, 10);
	assert_int_equal(cpu_pool__submit(f.pool, &waiting.job), 0);
	cpu_pool__cancel(f.pool, &running.job, JOB_ABANDONED);
	cpu_pool__cancel(f.pool, &waiting.job, JOB_ABANDONED);
	evbuffer_free(running.job.data);
	evbuffer_free(waiting.job.data);
	last = task(&f, 10);
	assert_int_equal(cpu_pool__submit(f.pool, &last.job), 0);
	await_done(&f, 1);
	assert_int_equal(last.job.err, 0);
	assert_int_equal(running.dones + waiting.dones, 0);
	assert_int_equal(cpu_pool__stats(f.pool)->cancelled, 2);
	evbuffer_free(last.job.data);
	finish(&f);
}

static void freeing_ends_what_is_under_way(void **state)
{
	struct fixture f;
	struct task t[2];

	(void)state;
	start(&f, "hang", 1);
	for (size_t i = 0; i < 2; i++) {
		t[i] = task(&f, 10);
		assert_int_equal(cpu_pool__submit(f.pool, &t[i].job), 0);
	}
	turn(&f, 100);
	finish(&f);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(t[i].dones, 1);
		assert_int_equal(t[i].job.err, -EPIPE);
		evbuffer_free(t[i].job.data);
	}
}

static void freeing_at_once_starts_no_worker_in_vain(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, NULL, 16); /* one thread starts them, one after the other */
	turn(&f, 3);
	finish(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_crashes_costs_one_job),
		cmocka_unit_test(a_worker_that_hangs_is_killed),
		cmocka_unit_test(a_worker_that_breaks_the_protocol_is_killed),
		cmocka_unit_test(a_reply_that_never_ends_is_a_hang),
		cmocka_unit_test(a_worker_may_say_that_it_failed),
		cmocka_unit_test(a_worker_that_speaks_first_is_replaced_with_pauses),
		cmocka_unit_test(jobs_come_back_with_their_own_bytes),
		cmocka_unit_test(a_full_queue_and_a_large_job_are_refused),
		cmocka_unit_test(a_cancelled_job_is_never_heard_of_again),
		cmocka_unit_test(freeing_ends_what_is_under_way),
		cmocka_unit_test(freeing_at_once_starts_no_worker_in_vain),
	};

	if (argc > 1 && !strcmp(argv[1], CPU_WORKER_FLAG)) {
		const char *how = getenv("TEST_WORKER");

		return how ? bad_worker(how) : cpu_worker__main(argc, argv);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
