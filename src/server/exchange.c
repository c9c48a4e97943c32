/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Who may end an exchange: its work (finish), its deadline, its client's leaving. The first one
 * there takes `req`; memory goes when nothing refers to it any more, which for a job on a thread
 * may be later. So an answer is sent once, and a late result is dropped.
 */
#include "server/exchange.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/clock.h"
#include "server/http.h"

#define JSON            "application/json"
#define UNKNOWN_METHODS (1u << 15) /* as evhttp marks them */

/* --- answers --------------------------------------------------------------------------------- */

/* The answer to HEAD is that to GET without its body, which evhttp would send. */
static void cut_body(struct evhttp_request *req)
{
	struct evbuffer *body = evhttp_request_get_output_buffer(req);
	char bytes[24];

	snprintf(bytes, sizeof(bytes), "%zu", evbuffer_get_length(body));
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Length", bytes);
	evbuffer_drain(body, evbuffer_get_length(body));
}

/* Sends `status` with what is in the output buffer. */
static void send_answer(struct app *app, enum route_id route, struct evhttp_request *req,
			struct conn *conn, int status, const char *type)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	evhttp_add_header(headers, "Content-Type", type);
	if (status == 503)
		evhttp_add_header(headers, "Retry-After", "1");
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD)
		cut_body(req);
	app->metrics.answers[route][status]++;
	conn__reply(conn, req);
	evhttp_send_reply(req, status, http__phrase(status), NULL);
	conn__replied(conn);
}

static void send_error(struct app *app, enum route_id route, struct evhttp_request *req,
		       struct conn *conn, int status)
{
	evbuffer_add_printf(evhttp_request_get_output_buffer(req), "{\"error\":\"%s\"}\n",
			    http__phrase(status));
	send_answer(app, route, req, conn, status, JSON);
}

void request__answer(const struct binding *binding, struct evhttp_request *req, int status,
		     const char *type)
{
	send_answer(binding->app, binding->route->id, req, conns__of(binding->app->conns, req),
		    status, type);
}

static int method_error(const struct route *route, struct evhttp_request *req)
{
	unsigned int method = evhttp_request_get_command(req);

	if (method & route->methods)
		return 0;
	if (method == UNKNOWN_METHODS)
		return 501;
	evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
			  route->methods & EVHTTP_REQ_POST ? "POST" : "GET, HEAD");
	return 405;
}

bool request__admit(const struct binding *binding, struct evhttp_request *req)
{
	struct conn *conn = conns__of(binding->app->conns, req);
	int status = conn__malformed(conn);

	if (!status)
		status = http__check(req);
	conn__begin(conn);
	if (status) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
		req->major = req->minor = 1; /* the answer does not repeat a nonsensical version */
	} else {
		if (req->minor > 1)
			req->minor = 1; /* the answer's version is the server's */
		status = method_error(binding->route, req);
	}
	if (status)
		send_error(binding->app, binding->route->id, req, conn, status);
	return !status;
}

/* --- an exchange ----------------------------------------------------------------------------- */

struct exchange *exchange__open(const struct binding *binding, struct evhttp_request *req)
{
	struct app *app = binding->app;
	struct exchange *x;

	if (!request__admit(binding, req))
		return NULL;
	x = calloc(1, sizeof(*x));
	if (!x) {
		send_error(app, binding->route->id, req, conns__of(app->conns, req), 500);
		return NULL;
	}
	x->binding = binding;
	x->app = app;
	x->route = binding->route;
	x->req = req;
	x->conn = conns__of(app->conns, req);
	x->deadline_ns = now_ns() + app->options->deadline_ns;
	x->query = x->route->defaults;
	if (query__parse(evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req)), &x->query)) {
		exchange__refuse(x, 400);
		return NULL;
	}
	return x;
}

bool exchange__offloads(const struct exchange *x, enum work_kind kind)
{
	if (x->query.mode != QUERY_MODE_UNSET)
		return x->query.mode == QUERY_MODE_OFFLOAD;
	return x->app->options->offload & 1u << kind;
}

void exchange__release(struct exchange *x)
{
	if (x->timer)
		event_free(x->timer);
	if (x->data)
		evbuffer_free(x->data);
	free(x->body);
	free(x);
}

void exchange__set(struct exchange *x, int status, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&x->body, fmt, args);
	va_end(args);
	if (len < 0)
		x->body = NULL;
	x->body_bytes = len < 0 ? 0 : (size_t)len;
	x->status = len < 0 ? 500 : status;
	x->type = JSON;
}

static void free_body(const void *data, size_t bytes, void *arg)
{
	(void)bytes;
	(void)arg;
	free((void *)data);
}

void exchange__answer(struct exchange *x)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(x->req);

	if (!x->body && !x->data_is_answer) {
		exchange__refuse(x, x->status);
		return;
	}
	if (x->data_is_answer)
		evbuffer_add_buffer(out, x->data); /* moves, does not copy */
	else if (!evbuffer_add_reference(out, x->body, x->body_bytes, free_body, NULL))
		x->body = NULL;
	send_answer(x->app, x->route->id, x->req, x->conn, x->status, x->type);
	exchange__release(x);
}

void exchange__refuse(struct exchange *x, int status)
{
	send_error(x->app, x->route->id, x->req, x->conn, status);
	exchange__release(x);
}

/* --- away from the loop, and back ------------------------------------------------------------ */

/* The request has been answered or is no more. Frees x, now or when its job comes back. */
static void give_up(struct exchange *x, enum job_cancel why)
{
	x->req = NULL;
	x->conn = NULL;
	if (x->place == ON_THREADS && !pool__cancel(x->pool, &x->job.job, why)) {
		event_del(x->timer);
		return; /* it runs: on_job_done() comes */
	}
	if (x->place == ON_WORKERS)
		cpu_pool__cancel(x->app->cpu, &x->job, why);
	exchange__release(x);
}

static void on_gone(void *arg)
{
	give_up(arg, JOB_ABANDONED);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *x = arg;

	(void)fd;
	(void)what;
	send_error(x->app, x->route->id, x->req, x->conn, 504);
	give_up(x, JOB_LATE);
}

/* Result and request meet again. */
static void come_back(struct exchange *x, int failure)
{
	x->place = NOWHERE;
	if (!x->req) {
		exchange__release(x);
		return;
	}
	event_free(x->timer);
	x->timer = NULL;
	if (failure)
		exchange__refuse(x, failure);
	else
		x->finish(x);
}

static void on_job_done(struct job *job)
{
	come_back(job_of(job, struct exchange, job.job), job->expired ? 504 : 0);
}

static void on_worker_done(struct job *job)
{
	struct exchange *x = job_of(job, struct exchange, job.job);

	come_back(x, !x->job.err ? 0 : x->job.err == -ETIMEDOUT ? 504 : 500);
}

static void run_work(struct job *job)
{
	struct exchange *x = job_of(job, struct exchange, job.job);

	x->work(x);
}

/* From now on the deadline and the client may end it. false: out of memory, and it was answered. */
static bool depart(struct exchange *x, void (*finish)(struct exchange *x))
{
	x->timer = evtimer_new(x->app->base, on_deadline, x);
	if (!x->timer || evtimer_add(x->timer, x->app->deadline)) {
		exchange__refuse(x, 500);
		return false;
	}
	x->finish = finish;
	conn__watch(x->conn, on_gone, x);
	return true;
}

void exchange__to_threads(struct exchange *x, struct pool *pool, void (*work)(struct exchange *x),
			  void (*finish)(struct exchange *x))
{
	if (!depart(x, finish))
		return;
	x->work = work;
	x->pool = pool;
	x->job.job.run = run_work;
	x->job.job.done = on_job_done;
	x->job.job.deadline_ns = x->deadline_ns;
	x->place = ON_THREADS;
	if (pool__submit(pool, &x->job.job))
		exchange__refuse(x, 503);
}

void exchange__to_workers(struct exchange *x, void (*finish)(struct exchange *x))
{
	if (!depart(x, finish))
		return;
	x->job.kind = FRAME_DEFLATE;
	x->job.data = x->data;
	x->job.job.done = on_worker_done;
	x->place = ON_WORKERS;
	if (cpu_pool__submit(x->app->cpu, &x->job))
		exchange__refuse(x, 503);
}

/* libevent's clock is coarse, and its timers up to 4 ms early. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *x = arg;
	uint64_t now = now_ns();
	struct timeval rest = {0};

	(void)fd;
	(void)what;
	if (now >= x->due_ns) {
		come_back(x, 0);
		return;
	}
	rest = ns_to_timeval(x->due_ns - now + NS_PER_MS);
	evtimer_add(x->timer, &rest);
}

void exchange__to_timer(struct exchange *x, uint64_t ns, void (*finish)(struct exchange *x))
{
	struct timeval delay = ns_to_timeval(ns);

	x->timer = evtimer_new(x->app->base, on_timer, x);
	if (!x->timer || evtimer_add(x->timer, &delay)) {
		exchange__refuse(x, 500);
		return;
	}
	x->finish = finish;
	x->due_ns = now_ns() + ns;
	x->place = ON_TIMER;
	conn__watch(x->conn, on_gone, x);
}
