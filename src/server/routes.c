/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One handler a route, and each handler shows the bug beside its fix: the same work, called here
 * and now on the loop, or handed over. The work is a function of its own (do_x), the same for both,
 * so the answers are the same bytes.
 *
 * evhttp calls the handlers directly: in a trace the handler is the frame which the loop
 * dispatched.
 */
#include "server/routes.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/app.h"
#include "server/clock.h"
#include "server/encode.h"
#include "server/exchange.h"
#include "server/file.h"

#define AUTH_MS      20 /* what "who is this?" costs */
#define GET_AND_HEAD (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD)

static int status_of(int err)
{
	return err == -ETIMEDOUT ? 504 : 500;
}

/* --- /fast, /metrics, /healthz, and none ----------------------------------------------------- */

static void handle_fast(struct evhttp_request *req, void *binding)
{
	static const char body[] = "{\"ok\":true}\n";

	if (!request__admit(binding, req))
		return;
	evbuffer_add_reference(evhttp_request_get_output_buffer(req), body, sizeof(body) - 1, NULL,
			       NULL);
	request__answer(binding, req, 200, "application/json");
}

static void handle_metrics(struct evhttp_request *req, void *arg)
{
	struct binding *binding = arg;

	if (!request__admit(binding, req))
		return;
	metrics__render(binding->app, evhttp_request_get_output_buffer(req));
	request__answer(binding, req, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static void handle_healthz(struct evhttp_request *req, void *arg)
{
	struct binding *binding = arg;
	bool draining = binding->app->draining;

	if (!request__admit(binding, req))
		return;
	evbuffer_add_printf(evhttp_request_get_output_buffer(req), "%s\n",
			    draining ? "draining" : "ok");
	request__answer(binding, req, draining ? 503 : 200, "text/plain");
}

static void handle_none(struct evhttp_request *req, void *binding)
{
	if (!request__admit(binding, req))
		return;
	evbuffer_add_printf(evhttp_request_get_output_buffer(req), "{\"error\":\"Not Found\"}\n");
	request__answer(binding, req, 404, "application/json");
}

/* --- /external: a blocking client ------------------------------------------------------------ */

static void do_external(struct exchange *x)
{
	struct fetched answer;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/slow?ms=%u", x->query.ms);
	err = upstream_fetch(&x->app->external, path, x->deadline_ns, &answer);
	if (err) {
		x->status = err == -ETIMEDOUT ? 504 : 502;
		return;
	}
	x->status = answer.status == 200 ? 200 : 502;
	if (answer.status != 200) {
		free(answer.body);
		return;
	}
	x->body = answer.body;
	x->body_bytes = answer.body_bytes;
	x->type = "application/json";
}

static void handle_external(struct evhttp_request *req, void *binding)
{
	struct exchange *x = exchange__open(binding, req);

	if (!x)
		return;
	if (exchange__offloads(x, WORK_EXTERNAL)) {
		exchange__to_threads(x, x->app->io, do_external, exchange__answer);
		return;
	}
	do_external(x); /* the loop waits for another server */
	exchange__answer(x);
}

/* --- /db: a query against a lock ------------------------------------------------------------- */

static void query_slot(struct exchange *x, unsigned int slot)
{
	uint32_t rows = 0;
	int err = db_query(x->app->db, slot, x->query.ms, x->deadline_ns, &rows);

	if (err)
		x->status = status_of(err);
	else
		exchange__set(x, 200, "{\"rows\":%u,\"ms\":%u}\n", rows, x->query.ms);
}

static void do_db(struct exchange *x)
{
	query_slot(x, x->job.job.thread + 1);
}

static void handle_db(struct evhttp_request *req, void *binding)
{
	struct exchange *x = exchange__open(binding, req);

	if (!x)
		return;
	if (exchange__offloads(x, WORK_DB)) {
		exchange__to_threads(x, x->app->io, do_db, exchange__answer);
		return;
	}
	query_slot(x, 0); /* the loop waits for another transaction */
	exchange__answer(x);
}

/* --- /sleep ---------------------------------------------------------------------------------- */

static void finish_sleep(struct exchange *x)
{
	exchange__set(x, 200, "{\"slept_ms\":%u}\n", x->query.ms);
	exchange__answer(x);
}

static void sleep_ms(uint32_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void handle_sleep(struct evhttp_request *req, void *binding)
{
	struct exchange *x = exchange__open(binding, req);

	if (!x)
		return;
	if (exchange__offloads(x, WORK_SLEEP)) {
		exchange__to_timer(x, x->query.ms * NS_PER_MS, finish_sleep);
		return;
	}
	sleep_ms(x->query.ms); /* the loop sleeps */
	finish_sleep(x);
}

/* --- /file: write and fsync ------------------------------------------------------------------ */

static void store_slot(struct exchange *x, unsigned int slot)
{
	int err = file_store(x->app->data_dir, slot, x->query.kb, &x->job.job.cancelled);

	if (err)
		x->status = status_of(err);
	else
		exchange__set(x, 200, "{\"stored_kb\":%u}\n", x->query.kb);
}

static void do_file(struct exchange *x)
{
	store_slot(x, x->job.job.thread + 1);
}

static void handle_file(struct evhttp_request *req, void *binding)
{
	struct exchange *x = exchange__open(binding, req);

	if (!x)
		return;
	if (exchange__offloads(x, WORK_FILE)) {
		exchange__to_threads(x, x->app->disk, do_file, exchange__answer);
		return;
	}
	store_slot(x, 0); /* the loop waits for the disk */
	exchange__answer(x);
}

/* --- /encode: CPU ---------------------------------------------------------------------------- */

static void do_encode(struct exchange *x)
{
	size_t bytes = evbuffer_get_length(x->data);
	const uint8_t *in = evbuffer_pullup(x->data, -1);
	int err = encode_deflate(in, bytes, &x->job.job.cancelled, (uint8_t **)&x->body,
				 &x->body_bytes);

	x->status = err ? status_of(err) : 200;
	x->type = "application/zlib";
}

static void finish_encode(struct exchange *x)
{
	x->data_is_answer = true;
	x->status = 200;
	x->type = "application/zlib";
	exchange__answer(x);
}

static void handle_encode(struct evhttp_request *req, void *binding)
{
	struct exchange *x = exchange__open(binding, req);

	if (!x)
		return;
	x->data = evbuffer_new();
	if (!x->data || evbuffer_add_buffer(x->data, evhttp_request_get_input_buffer(req))) {
		exchange__refuse(x, 500);
		return;
	}
	if (exchange__offloads(x, WORK_ENCODE)) {
		if (x->app->cpu)
			exchange__to_workers(x, finish_encode);
		else
			exchange__to_threads(x, x->app->cpu_threads, do_encode, exchange__answer);
		return;
	}
	do_encode(x); /* the loop computes */
	exchange__answer(x);
}

/* --- the middleware: before every route ------------------------------------------------------ */

/* As if a session were looked up in another service: yes, unless the token is "deny". */
static void do_auth(struct exchange *x)
{
	struct fetched answer;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/%s?ms=%d", x->denied_token ? "deny" : "auth", AUTH_MS);
	err = upstream_fetch(&x->app->external, path, x->deadline_ns, &answer);
	if (err) {
		x->status = err == -ETIMEDOUT ? 504 : 502;
		return;
	}
	free(answer.body);
	x->status = answer.status == 200 || answer.status == 403 ? answer.status : 502;
}

static void finish_auth(struct exchange *x)
{
	const struct binding *binding = x->binding;
	struct evhttp_request *req = x->req;

	if (x->status != 200) {
		exchange__refuse(x, x->status);
		return;
	}
	exchange__release(x);
	binding->route->handle(req, (void *)binding);
}

static void middleware_auth(struct evhttp_request *req, void *binding)
{
	struct exchange *x = exchange__open(binding, req);
	const char *token;

	if (!x)
		return;
	token = evhttp_find_header(evhttp_request_get_input_headers(req), "Authorization");
	x->denied_token = token && !strcmp(token, "Bearer deny");
	if (exchange__offloads(x, WORK_AUTH)) {
		exchange__to_threads(x, x->app->io, do_auth, finish_auth);
		return;
	}
	do_auth(x); /* the loop waits, and so does every route */
	finish_auth(x);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct route table[] = {
	{ROUTE_FAST, 0, GET_AND_HEAD, {0}, handle_fast, "/fast"},
	{ROUTE_EXTERNAL, WORK_EXTERNAL, GET_AND_HEAD, {.ms = 50}, handle_external, "/external"},
	{ROUTE_DB, WORK_DB, GET_AND_HEAD, {.ms = 50}, handle_db, "/db"},
	{ROUTE_SLEEP, WORK_SLEEP, GET_AND_HEAD, {.ms = 50}, handle_sleep, "/sleep"},
	{ROUTE_FILE, WORK_FILE, GET_AND_HEAD, {.kb = 1024}, handle_file, "/file"},
	{ROUTE_ENCODE, WORK_ENCODE, EVHTTP_REQ_POST, {0}, handle_encode, "/encode"},
	{ROUTE_METRICS, 0, GET_AND_HEAD, {0}, handle_metrics, "/metrics"},
	{ROUTE_HEALTHZ, 0, GET_AND_HEAD, {0}, handle_healthz, "/healthz"},
	{ROUTE_NONE, 0, ~0u, {0}, handle_none, NULL},
};

#define NR_TABLE (sizeof(table) / sizeof(table[0]))

struct routes {
	struct binding bindings[NR_TABLE];
};

/* Whoever watches the server must not need a session. */
static bool is_guarded(const struct route *route)
{
	return route->id != ROUTE_METRICS && route->id != ROUTE_HEALTHZ;
}

struct routes *routes__new(struct app *app)
{
	struct routes *routes = calloc(1, sizeof(*routes));
	int err = 0;

	if (!routes)
		return NULL;
	/* All that evhttp knows, and what it does not: 405 and 501 are the handlers' to say. */
	evhttp_set_allowed_methods(app->http, (ev_uint16_t)~EVHTTP_REQ_CONNECT);
	for (size_t i = 0; i < NR_TABLE; i++) {
		struct binding *binding = &routes->bindings[i];
		bool guarded = app->options->auth && is_guarded(&table[i]);
		void (*handle)(struct evhttp_request *, void *) =
			guarded ? middleware_auth : table[i].handle;

		binding->app = app;
		binding->route = &table[i];
		if (table[i].path)
			err |= evhttp_set_cb(app->http, table[i].path, handle, binding);
		else
			evhttp_set_gencb(app->http, handle, binding);
	}
	if (!err)
		return routes;
	routes__free(routes);
	errno = ENOMEM;
	return NULL;
}

void routes__free(struct routes *routes)
{
	free(routes);
}
