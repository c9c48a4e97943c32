/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One request and its answer: from the handler's first look at it, through a pool and back, to the
 * bytes that leave; whatever happens meanwhile to the client, the deadline or the pool. On the
 * loop, save for the work itself.
 */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/app.h"
#include "server/query.h"

struct evhttp_request;

struct route {
	enum route_id id;
	enum work_kind work;
	unsigned int methods; /* of enum evhttp_cmd_type */
	struct query defaults;
	void (*handle)(struct evhttp_request *req, void *binding);
	const char *path;
};

/* What evhttp hands to a handler. */
struct binding {
	struct app *app;
	const struct route *route;
};

struct exchange {
	const struct binding *binding; /* borrowed for ever */
	struct app *app;
	const struct route *route;
	struct query query;
	uint64_t deadline_ns;
	bool denied_token;     /* the middleware's upstream is to say no */
	struct evbuffer *data; /* the request's body, for work that takes one */
	bool data_is_answer;   /* and, from a worker process, the answer's */

	/* The work sets these; it may run on any thread. The body is from malloc(). */
	int status;
	const char *type;
	char *body;
	size_t body_bytes;

	/* exchange.c's own */
	struct evhttp_request *req; /* NULL once it is answered, or its client has gone */
	struct conn *conn;
	struct event *timer;
	enum { NOWHERE, ON_THREADS, ON_WORKERS, ON_TIMER } place;
	struct pool *pool; /* ON_THREADS: which */
	uint64_t due_ns;   /* ON_TIMER: not before */
	struct cpu_job job;
	void (*work)(struct exchange *x);
	void (*finish)(struct exchange *x);
};

/*
 * Checks method, framing and query against the route. NULL when the request was answered at once
 * (an error). What follows must end in one of the calls below.
 */
struct exchange *exchange__open(const struct binding *binding, struct evhttp_request *req);
/* Whether this kind of work goes to the pools: by the query, else by the command line. */
bool exchange__offloads(const struct exchange *x, enum work_kind kind);

/* Sends what the work left in `status` and `body`. Frees x. */
void exchange__answer(struct exchange *x);
/* For a status with nothing to say but itself. Frees x. */
void exchange__refuse(struct exchange *x, int status);
/* Frees x alone: another exchange of the same request follows. */
void exchange__release(struct exchange *x);

/*
 * Runs the work elsewhere, then `finish` on the loop, which must end x. 503 when the queue is full,
 * 504 at the deadline, and if the client goes, nothing more.
 */
void exchange__to_threads(struct exchange *x, struct pool *pool, void (*work)(struct exchange *x),
			  void (*finish)(struct exchange *x));
/* The same for compressing `data` in a worker process. */
void exchange__to_workers(struct exchange *x, void (*finish)(struct exchange *x));
/* `finish` after so long: waiting needs no thread. */
void exchange__to_timer(struct exchange *x, uint64_t ns, void (*finish)(struct exchange *x));

/* For work: sets status and a JSON body. */
void exchange__set(struct exchange *x, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* For routes that only look: method and framing. false: it was answered. */
bool request__admit(const struct binding *binding, struct evhttp_request *req);
/* Then an answer whose body is in evhttp's output buffer already. */
void request__answer(const struct binding *binding, struct evhttp_request *req, int status,
		     const char *type);

#endif
