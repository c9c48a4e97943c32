/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Puts the parts together, runs the loop, and takes them apart in order. */
#include "server/app.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/listen.h"
#include "server/log.h"
#include "server/routes.h"

#define JOB_NICE       10 /* the loop's few microseconds come before a job's milliseconds */
#define TURN_NS        (4 * NS_PER_MS)
#define RESULTS_A_TURN 64 /* then the other descriptors of the loop have theirs */
#define LINE_MAX_BYTES 8192
#define HEAD_MAX_BYTES 32768

/* --- parts ----------------------------------------------------------------------------------- */

static int make_data_dir(struct app *app)
{
	const char *parent = app->options->data_dir ? app->options->data_dir : getenv("TMPDIR");
	int len;

	if (!parent || !*parent)
		parent = "/var/tmp"; /* on a disk, unlike some /tmp */
	len = snprintf(app->data_dir, sizeof(app->data_dir), "%s/offload-server.XXXXXX", parent);
	if (len >= (int)sizeof(app->data_dir))
		errno = ENAMETOOLONG;
	else if (mkdtemp(app->data_dir))
		return 0;
	log_line("make %s: %s", app->data_dir, strerror(errno));
	app->data_dir[0] = '\0';
	return -errno;
}

static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct timeval turn = ns_to_timeval(TURN_NS);
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	/*
	 * Not EPOLL_USE_CHANGELIST, though it makes /fast a fifth faster. It puts off the removal
	 * of a descriptor until after its close(). If a worker is just being started, that process
	 * still has the file open, so the kernel goes on reporting it: as an event of whoever has
	 * the number by then. Twice in 340,000 requests a client was taken to have left who had
	 * not.
	 */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	/* However many descriptors are ready at once, others are asked for again this often. */
	event_config_set_max_dispatch_interval(config, &turn, -1, 0);
	/* conn__watch() needs to see a client leave. */
	event_config_require_features(config, EV_FEATURE_EARLY_CLOSE);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void on_results(evutil_socket_t fd, short what, void *pool)
{
	(void)fd;
	(void)what;
	pool__dispatch(pool, RESULTS_A_TURN);
}

/* A pool of threads whose results come to this loop. */
static struct pool *make_pool(struct app *app, const char *name, unsigned int threads,
			      struct event **done)
{
	struct pool_options options = {.name = name,
				       .threads = threads,
				       .capacity = app->options->queue,
				       .nice = JOB_NICE};
	struct pool *pool = pool__new(&options);

	if (!pool)
		return NULL;
	*done = event_new(app->base, pool__fd(pool), EV_READ | EV_PERSIST, on_results, pool);
	if (*done && !event_add(*done, NULL))
		return pool;
	pool__free(pool);
	return NULL;
}

static int make_pools(struct app *app)
{
	const struct options *o = app->options;
	struct cpu_pool_options cpu = {.workers = o->cpu_workers,
				       .capacity = o->queue,
				       .nice = JOB_NICE,
				       .max_bytes = o->max_body_bytes,
				       .max_run_ns = o->deadline_ns};

	app->io = make_pool(app, "io", o->io_threads, &app->io_done);
	app->disk = make_pool(app, "disk", o->disk_threads, &app->disk_done);
	if (!app->io || !app->disk)
		return -errno;
	if (o->cpu_threads)
		app->cpu_threads = make_pool(app, "cpu", o->cpu_workers, &app->cpu_done);
	else
		app->cpu = cpu_pool__new(app->base, &cpu);
	return app->cpu_threads || app->cpu ? 0 : -errno;
}

static int make_work(struct app *app)
{
	const struct options *o = app->options;

	if (o->upstream.addr_len) {
		app->external = o->upstream;
	} else {
		app->upstream = upstream__start();
		if (!app->upstream)
			return -errno;
		app->external = *upstream__endpoint(app->upstream);
	}
	app->db = db__open(app->data_dir, o->io_threads + 1);
	return app->db ? 0 : -errno;
}

/* As many connections as descriptors allow, besides those that the pools need. */
static struct conn_limits make_limits(const struct options *o)
{
	unsigned int others = 160 + 5 * o->io_threads + o->disk_threads + 4 * o->cpu_workers;
	struct rlimit fds = {1024, 1024};
	struct conn_limits limits = {.max = o->max_connections,
				     .head = {LINE_MAX_BYTES, HEAD_MAX_BYTES},
				     .body_bytes = o->max_body_bytes,
				     .request_ns = o->request_timeout_ns,
				     .idle_ns = o->idle_timeout_ns};
	unsigned int room;

	getrlimit(RLIMIT_NOFILE, &fds);
	fds.rlim_cur = fds.rlim_max < limits.max + others ? fds.rlim_max : limits.max + others;
	setrlimit(RLIMIT_NOFILE, &fds);
	limits.max_fds = (unsigned int)fds.rlim_cur;
	room = limits.max_fds > others ? limits.max_fds - others : 1;
	if (room < limits.max) {
		log_line("at most %u connections: only %u descriptors (ulimit -n)", room,
			 limits.max_fds);
		limits.max = room;
	}
	return limits;
}

/* Takes `fd`. */
static int make_http(struct app *app, int fd)
{
	struct conn_limits limits = make_limits(app->options);
	struct evconnlistener *listener;

	app->http = evhttp_new(app->base);
	if (!app->http) {
		close(fd);
		return -ENOMEM;
	}
	listener = evconnlistener_new(app->base, NULL, NULL,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener) {
		close(fd);
		return -ENOMEM;
	}
	app->conns = conns__new(app->base, app->http, listener, &limits);
	if (!app->conns)
		return -errno;
	app->routes = routes__new(app);
	return app->routes ? 0 : -errno;
}

/* --- the end --------------------------------------------------------------------------------- */

static void on_drained(void *arg)
{
	struct app *app = arg;

	app->drained = true;
	event_base_loopbreak(app->base);
}

static void on_drain_limit(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(app->base);
}

/* The first signal drains, the second does not wait for it. */
static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct timeval limit = ns_to_timeval(app->options->drain_timeout_ns);

	(void)fd;
	(void)what;
	if (app->draining) {
		event_base_loopbreak(app->base);
		return;
	}
	app->draining = true;
	evtimer_add(app->drain_limit, &limit);
	conns__drain(app->conns, on_drained, app);
}

static int make_signals(struct app *app)
{
	struct timeval deadline = ns_to_timeval(app->options->deadline_ns);

	signal(SIGPIPE, SIG_IGN);
	app->deadline = event_base_init_common_timeout(app->base, &deadline);
	app->on_term = evsignal_new(app->base, SIGTERM, on_signal, app);
	app->on_int = evsignal_new(app->base, SIGINT, on_signal, app);
	app->drain_limit = evtimer_new(app->base, on_drain_limit, app);
	if (!app->deadline || !app->on_term || !app->on_int || !app->drain_limit ||
	    evsignal_add(app->on_term, NULL) || evsignal_add(app->on_int, NULL))
		return -ENOMEM;
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void take_apart(struct app *app)
{
	if (app->http)
		evhttp_free(app->http); /* clients still there are gone, and their jobs cancelled */
	upstream__stop(app->upstream);  /* and calls to it end */
	free_event(app->io_done);
	free_event(app->disk_done);
	free_event(app->cpu_done);
	pool__free(app->io);
	pool__free(app->disk);
	pool__free(app->cpu_threads);
	cpu_pool__free(app->cpu);
	conns__free(app->conns);
	routes__free(app->routes);
	db__close(app->db);
	free_event(app->on_term);
	free_event(app->on_int);
	free_event(app->drain_limit);
	if (app->base)
		event_base_free(app->base);
	if (app->data_dir[0])
		rmdir(app->data_dir);
}

/* --- all of it ------------------------------------------------------------------------------- */

static int assemble(struct app *app, int fd)
{
	int err;

	app->base = make_base();
	err = app->base ? make_http(app, fd) : -ENOMEM;
	if (!err)
		err = make_signals(app);
	if (!err)
		err = make_work(app);
	if (!err)
		err = make_pools(app);
	if (err)
		log_line("start: %s", strerror(-err));
	return err;
}

static int serve(struct app *app, const struct endpoint *at)
{
	unsigned int open;

	log_line("listening on http://%s (pid %d)", at->name, getpid());
	event_base_dispatch(app->base);
	if (app->drained)
		return 0;
	open = conns__counts(app->conns)->open;
	log_line("ended with %u connection%s cut off", open, open == 1 ? "" : "s");
	return 1;
}

int app__run(const struct options *options)
{
	struct endpoint at = options->listen;
	struct app app = {.options = options};
	int fd, status = 1;

	fd = listen_at(&at);
	if (fd < 0) {
		log_line("listen on %s: %s", at.name, strerror(-fd));
		return 1;
	}
	if (make_data_dir(&app))
		close(fd);
	else if (!assemble(&app, fd))
		status = serve(&app, &at);
	take_apart(&app);
	return status;
}
