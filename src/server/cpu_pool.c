/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A slot a worker, each a small state machine:
 *
 *   SPAWNING --started--> IDLE <--result/job--> BUSY --crash, hang, nonsense--> DYING --reaped-->
 *      ^                                                                          RESTING --+
 *      +------------------------------------ at once, or after a pause ---------------------+
 *
 * A worker that failed is always killed and then waited for: one way out for every fault.
 */
#include "server/cpu_pool.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/cpu_worker.h"
#include "server/encode.h"
#include "server/log.h"
#include "server/pool.h"

#define IO_SLICE_BYTES (128u << 10) /* a copy of some 30 us: no socket holds up the loop */
#define YOUNG_NS       NS_PER_S     /* one that died before this may do so again */
#define PAUSE_MIN_NS   (100 * NS_PER_MS)
#define PAUSE_MAX_NS   (5 * NS_PER_S)

enum worker_state { SPAWNING, IDLE, BUSY, DYING, RESTING };

struct worker {
	struct cpu_pool *pool;
	enum worker_state state;
	struct job spawn; /* for the spawner's thread; it fills the next four */
	int spawn_err;
	pid_t pid;
	int socket_fd, pidfd;

	struct bufferevent *bev;
	struct event *exited; /* on pidfd */
	struct event *timer;  /* BUSY: it hangs; RESTING: the end of the pause */
	struct cpu_job *job;  /* BUSY: NULL when nobody waits for the result any more */
	uint64_t frame_id;    /* of the request under way */
	uint64_t born_ns, pause_ns;
};

struct cpu_pool {
	struct event_base *base;
	struct pool *spawner; /* one thread */
	struct event *spawned;
	struct job_list waiting;
	unsigned int nr_waiting, nr_busy, capacity;
	uint32_t max_bytes;
	uint64_t max_run_ns, last_id, replaced;
	struct job_stats stats;
	unsigned int nr_workers;
	struct worker workers[];
};

static void feed(struct cpu_pool *pool);
static void spawn(struct worker *w);

static void set_timer(struct worker *w, uint64_t ns)
{
	struct timeval delay = ns_to_timeval(ns);

	event_add(w->timer, &delay);
}

/* --- jobs ------------------------------------------------------------------------------------ */

/* Counts the job's end and tells its owner. */
static void conclude(struct cpu_pool *pool, struct cpu_job *job, int err)
{
	struct job_stats *stats = &pool->stats;

	job->err = err;
	job->job.finished_ns = now_ns();
	job->job.state = JOB_FINISHED;
	histogram__add(&stats->run, job->job.finished_ns - job->job.started_ns);
	if (!err)
		stats->done++;
	else if (err == -ETIMEDOUT)
		stats->expired++;
	else
		stats->failed++;
	job->job.done(&job->job);
}

/* The worker has no request under way any more; returns its job, if someone still waits. */
static struct cpu_job *unassign(struct worker *w, enum worker_state next)
{
	struct cpu_job *job = w->job;

	if (w->state == BUSY)
		w->pool->nr_busy--;
	event_del(w->timer);
	w->job = NULL;
	w->state = next;
	return job;
}

static void assign(struct worker *w, struct cpu_job *job)
{
	struct evbuffer *out = bufferevent_get_output(w->bev);
	struct frame frame = {.kind = job->kind, .id = ++w->pool->last_id};
	uint8_t header[FRAME_HEADER_BYTES];
	uint64_t now = now_ns();

	frame.bytes = (uint32_t)evbuffer_get_length(job->data);
	frame__encode(&frame, header);
	evbuffer_add(out, header, sizeof(header));
	evbuffer_add_buffer(out, job->data); /* moves, does not copy */
	bufferevent_setwatermark(w->bev, EV_READ, FRAME_HEADER_BYTES, 0);

	job->job.state = JOB_RUNNING;
	job->job.started_ns = now;
	histogram__add(&w->pool->stats.wait, now - job->job.queued_ns);
	w->job = job;
	w->frame_id = frame.id;
	w->state = BUSY;
	w->pool->nr_busy++;
	set_timer(w, w->pool->max_run_ns);
}

static void feed(struct cpu_pool *pool)
{
	for (unsigned int i = 0; i < pool->nr_workers; i++) {
		struct job *job = TAILQ_FIRST(&pool->waiting);

		if (!job)
			return;
		if (pool->workers[i].state != IDLE)
			continue;
		TAILQ_REMOVE(&pool->waiting, job, link);
		pool->nr_waiting--;
		assign(&pool->workers[i], job_of(job, struct cpu_job, job));
	}
}

/* --- a worker's end -------------------------------------------------------------------------- */

static void fail(struct worker *w, int err)
{
	struct cpu_job *job = unassign(w, DYING);

	bufferevent_free(w->bev);
	w->bev = NULL;
	pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0); /* it may be dead already */
	if (job)
		conclude(w->pool, job, err);
}

/* Forgets the process, which has been waited for. */
static void bury(struct worker *w)
{
	event_free(w->exited);
	w->exited = NULL;
	close(w->pidfd);
	w->pidfd = -1;
}

static void rest(struct worker *w)
{
	bool young = now_ns() - w->born_ns < YOUNG_NS;

	w->state = RESTING;
	w->pool->replaced++;
	if (!young)
		w->pause_ns = 0;
	set_timer(w, w->pause_ns);
	w->pause_ns = w->pause_ns ? w->pause_ns * 2 : PAUSE_MIN_NS;
	if (w->pause_ns > PAUSE_MAX_NS)
		w->pause_ns = PAUSE_MAX_NS;
}

static void on_exited(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	siginfo_t info = {0};

	(void)fd;
	(void)what;
	if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG) || !info.si_pid)
		return;
	if (w->state != DYING)
		fail(w, -EPIPE);
	log_line("worker %d ended (%s %d), replacing it", w->pid,
		 info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	bury(w);
	rest(w);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	if (w->state == BUSY)
		fail(w, -ETIMEDOUT);
	else if (w->state == RESTING)
		spawn(w);
}

/* --- what a worker says ---------------------------------------------------------------------- */

/* The reply is whole. */
static void take_reply(struct worker *w, const struct frame *frame, struct evbuffer *in)
{
	struct cpu_pool *pool = w->pool;
	struct cpu_job *job = unassign(w, IDLE);

	evbuffer_drain(in, FRAME_HEADER_BYTES);
	if (job)
		evbuffer_remove_buffer(in, job->data, frame->bytes);
	else
		evbuffer_drain(in, frame->bytes);
	w->pause_ns = 0; /* it works */
	if (job)
		conclude(pool, job, frame->kind == FRAME_RESULT ? 0 : -EIO);
	feed(pool);
}

static bool answers(const struct worker *w, const struct frame *frame)
{
	return w->state == BUSY && frame->id == w->frame_id &&
	       (frame->kind == FRAME_RESULT || (frame->kind == FRAME_FAILED && !frame->bytes));
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct worker *w = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t have = evbuffer_get_length(in);
	uint32_t max = (uint32_t)encode_bound(w->pool->max_bytes);
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame frame;
	ssize_t n = frame__decode(header, (size_t)evbuffer_copyout(in, header, sizeof(header)), max,
				  &frame);

	if (n == -EAGAIN)
		return;
	if (n < 0 || !answers(w, &frame) || have > FRAME_HEADER_BYTES + (size_t)frame.bytes) {
		log_line("worker %d broke the protocol", w->pid);
		fail(w, -EPIPE);
		return;
	}
	if (have < FRAME_HEADER_BYTES + (size_t)frame.bytes) {
		bufferevent_setwatermark(bev, EV_READ, FRAME_HEADER_BYTES + frame.bytes, 0);
		return;
	}
	take_reply(w, &frame, in);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	fail(arg, -EPIPE); /* it closed its socket: it is ending or must */
}

/* --- a worker's beginning -------------------------------------------------------------------- */

static void run_spawn(struct job *job)
{
	struct worker *w = job_of(job, struct worker, spawn);

	w->spawn_err = cpu_worker__spawn(w->pool->max_bytes, &w->pid, &w->socket_fd, &w->pidfd);
}

/* Takes the new process into the loop. */
static int adopt(struct worker *w)
{
	struct event_base *base = w->pool->base;

	w->exited = event_new(base, w->pidfd, EV_READ | EV_PERSIST, on_exited, w);
	w->bev = bufferevent_socket_new(base, w->socket_fd, BEV_OPT_CLOSE_ON_FREE);
	if (!w->exited || !w->bev || event_add(w->exited, NULL))
		return -ENOMEM;
	bufferevent_set_max_single_read(w->bev, IO_SLICE_BYTES);
	bufferevent_set_max_single_write(w->bev, IO_SLICE_BYTES);
	bufferevent_setcb(w->bev, on_read, NULL, on_event, w);
	return bufferevent_enable(w->bev, EV_READ | EV_WRITE);
}

static void on_spawned(struct job *job)
{
	struct worker *w = job_of(job, struct worker, spawn);

	if (job->expired) { /* the pool is being freed, and it was not tried */
		w->state = RESTING;
		return;
	}
	w->born_ns = now_ns();
	if (!w->spawn_err && adopt(w)) {
		log_line("cannot watch a new worker: out of memory");
		abort(); /* libevent itself would be next */
	}
	if (w->spawn_err) {
		log_line("start a worker: %s", strerror(-w->spawn_err));
		rest(w);
		return;
	}
	w->state = IDLE;
	feed(w->pool);
}

static void spawn(struct worker *w)
{
	w->state = SPAWNING;
	w->spawn = (struct job){.run = run_spawn, .done = on_spawned, .deadline_ns = UINT64_MAX};
	pool__submit(w->pool->spawner, &w->spawn); /* it has room for every worker */
}

static void on_spawner(evutil_socket_t fd, short what, void *arg)
{
	struct cpu_pool *pool = arg;

	(void)fd;
	(void)what;
	pool__dispatch(pool->spawner, 1);
}

/* --- the pool -------------------------------------------------------------------------------- */

static int assemble(struct cpu_pool *pool, const struct cpu_pool_options *options)
{
	struct pool_options spawner = {.name = "spawner",
				       .threads = 1,
				       .capacity = options->workers,
				       .nice = options->nice}; /* workers inherit it */

	pool->spawner = pool__new(&spawner);
	if (!pool->spawner)
		return -errno;
	pool->spawned = event_new(pool->base, pool__fd(pool->spawner), EV_READ | EV_PERSIST,
				  on_spawner, pool);
	if (!pool->spawned || event_add(pool->spawned, NULL))
		return -ENOMEM;
	for (; pool->nr_workers < options->workers; pool->nr_workers++) {
		struct worker *w = &pool->workers[pool->nr_workers];

		w->pool = pool;
		w->pidfd = -1;
		w->timer = evtimer_new(pool->base, on_timer, w);
		if (!w->timer)
			return -ENOMEM;
		spawn(w);
	}
	return 0;
}

struct cpu_pool *cpu_pool__new(struct event_base *base, const struct cpu_pool_options *options)
{
	struct cpu_pool *pool;
	int err;

	pool = calloc(1, sizeof(*pool) + options->workers * sizeof(pool->workers[0]));
	if (!pool)
		return NULL;
	TAILQ_INIT(&pool->waiting);
	pool->base = base;
	pool->capacity = options->capacity;
	pool->max_bytes = options->max_bytes;
	pool->max_run_ns = options->max_run_ns;
	err = assemble(pool, options);
	if (!err)
		return pool;
	cpu_pool__free(pool);
	errno = -err;
	return NULL;
}

static void end_worker(struct worker *w)
{
	if (w->bev)
		fail(w, -EPIPE);
	if (w->exited) {
		waitid(P_PID, (id_t)w->pid, &(siginfo_t){0}, WEXITED);
		bury(w);
	}
	event_free(w->timer);
}

void cpu_pool__free(struct cpu_pool *pool)
{
	struct job *job;

	if (!pool)
		return;
	if (pool->spawned)
		event_free(pool->spawned);
	pool__free(pool->spawner); /* lets a start under way finish */
	while ((job = TAILQ_FIRST(&pool->waiting))) {
		TAILQ_REMOVE(&pool->waiting, job, link);
		pool->nr_waiting--;
		job->started_ns = now_ns();
		conclude(pool, job_of(job, struct cpu_job, job), -EPIPE);
	}
	for (unsigned int i = 0; i < pool->nr_workers; i++)
		end_worker(&pool->workers[i]);
	free(pool);
}

int cpu_pool__submit(struct cpu_pool *pool, struct cpu_job *job)
{
	if (evbuffer_get_length(job->data) > pool->max_bytes)
		return -EMSGSIZE;
	job->job.queued_ns = now_ns();
	if (pool->nr_waiting >= pool->capacity) {
		pool->stats.rejected++;
		return -EAGAIN;
	}
	job->job.state = JOB_QUEUED;
	TAILQ_INSERT_TAIL(&pool->waiting, &job->job, link);
	pool->nr_waiting++;
	feed(pool);
	return 0;
}

void cpu_pool__cancel(struct cpu_pool *pool, struct cpu_job *job, enum job_cancel why)
{
	job_stats__add_cancelled(&pool->stats, why);
	if (job->job.state == JOB_QUEUED) {
		TAILQ_REMOVE(&pool->waiting, &job->job, link);
		pool->nr_waiting--;
	}
	for (unsigned int i = 0; i < pool->nr_workers; i++) {
		if (pool->workers[i].job == job)
			pool->workers[i].job = NULL;
	}
	job->job.state = JOB_IDLE;
}

void cpu_pool__depth(const struct cpu_pool *pool, unsigned int *queued, unsigned int *running)
{
	*queued = pool->nr_waiting;
	*running = pool->nr_busy;
}

const struct job_stats *cpu_pool__stats(const struct cpu_pool *pool)
{
	return &pool->stats;
}

void cpu_pool__workers(const struct cpu_pool *pool, unsigned int *alive, uint64_t *replaced)
{
	*alive = 0;
	for (unsigned int i = 0; i < pool->nr_workers; i++)
		*alive += pool->workers[i].state == IDLE || pool->workers[i].state == BUSY;
	*replaced = pool->replaced;
}
