/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The embedded slow service: evhttp and a timer a request. */
#include "server/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/query.h"

struct pending {
	struct upstream *upstream;
	struct evhttp_request *req;
	struct event *timer;
	uint32_t ms;
	int status;
	LIST_ENTRY(pending) link;
};

struct upstream {
	struct event_base *base;
	struct evhttp *http;
	struct event *stop;
	int stop_fd;
	bool running;
	pthread_t thread;
	struct endpoint endpoint;
	LIST_HEAD(pending_list, pending) pending;
};

static void drop(struct pending *p)
{
	LIST_REMOVE(p, link);
	event_free(p->timer);
	free(p);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pending *p = arg;
	struct evbuffer *body = evbuffer_new();

	(void)fd;
	(void)what;
	if (body)
		evbuffer_add_printf(body, "{\"upstream\":\"%s\",\"ms\":%u}\n",
				    p->status == 200 ? "ok" : "denied", p->ms);
	evhttp_send_reply(p->req, p->status, NULL, body);
	if (body)
		evbuffer_free(body);
	drop(p);
}

/*
 * The client is blocking and reads to the end: it cannot go before the answer, save by its
 * deadline, and then evhttp drops the answer, as nobody watches the connection meanwhile.
 */
static void hold(struct upstream *upstream, struct evhttp_request *req, int status)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	struct query query = {.ms = 50};
	struct pending *p = NULL;
	struct timeval delay;

	if (query__parse(evhttp_uri_get_query(uri), &query)) {
		evhttp_send_error(req, 400, NULL);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (p)
		p->timer = evtimer_new(upstream->base, on_timer, p);
	if (!p || !p->timer) {
		free(p);
		evhttp_send_error(req, 500, NULL);
		return;
	}
	p->upstream = upstream;
	p->req = req;
	p->ms = query.ms;
	p->status = status;
	LIST_INSERT_HEAD(&upstream->pending, p, link);
	delay = ns_to_timeval(query.ms * NS_PER_MS);
	evtimer_add(p->timer, &delay);
}

static void on_slow(struct evhttp_request *req, void *arg)
{
	hold(arg, req, 200);
}

static void on_deny(struct evhttp_request *req, void *arg)
{
	hold(arg, req, 403);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *upstream = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(upstream->base);
}

static void *thread_main(void *arg)
{
	struct upstream *upstream = arg;

	event_base_dispatch(upstream->base);
	return NULL;
}

static int listen_on_loopback(struct upstream *upstream)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&upstream->endpoint.addr;
	struct evhttp_bound_socket *bound;

	bound = evhttp_bind_socket_with_handle(upstream->http, "127.0.0.1", 0);
	if (!bound)
		return -errno;
	upstream->endpoint.addr_len = sizeof(upstream->endpoint.addr);
	if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)in,
			&upstream->endpoint.addr_len))
		return -errno;
	snprintf(upstream->endpoint.name, sizeof(upstream->endpoint.name), "127.0.0.1:%u",
		 ntohs(in->sin_port));
	return 0;
}

static int start_thread(struct upstream *upstream)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&upstream->thread, NULL, thread_main, upstream);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	upstream->running = true;
	pthread_setname_np(upstream->thread, "upstream");
	return 0;
}

/* By default libevent's timers may be some milliseconds early: /slow?ms=20 must not be. */
static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int assemble(struct upstream *upstream)
{
	upstream->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (upstream->stop_fd < 0)
		return -errno;
	upstream->base = make_base();
	if (!upstream->base)
		return -ENOMEM;
	upstream->http = evhttp_new(upstream->base);
	upstream->stop = event_new(upstream->base, upstream->stop_fd, EV_READ, on_stop, upstream);
	if (!upstream->http || !upstream->stop || event_add(upstream->stop, NULL))
		return -ENOMEM;
	evhttp_set_cb(upstream->http, "/slow", on_slow, upstream);
	evhttp_set_cb(upstream->http, "/auth", on_slow, upstream);
	evhttp_set_cb(upstream->http, "/deny", on_deny, upstream);
	return listen_on_loopback(upstream);
}

struct upstream *upstream__start(void)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	int err;

	if (!upstream)
		return NULL;
	upstream->stop_fd = -1;
	err = assemble(upstream);
	if (!err)
		err = start_thread(upstream);
	if (!err)
		return upstream;
	upstream__stop(upstream);
	errno = -err;
	return NULL;
}

void upstream__stop(struct upstream *upstream)
{
	if (!upstream)
		return;
	if (upstream->running) {
		eventfd_write(upstream->stop_fd, 1);
		pthread_join(upstream->thread, NULL);
	}
	while (!LIST_EMPTY(&upstream->pending))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the first is another one each time */
		drop(LIST_FIRST(&upstream->pending));
	if (upstream->http)
		evhttp_free(upstream->http);
	if (upstream->stop)
		event_free(upstream->stop);
	if (upstream->base)
		event_base_free(upstream->base);
	if (upstream->stop_fd >= 0)
		close(upstream->stop_fd);
	free(upstream);
}

const struct endpoint *upstream__endpoint(const struct upstream *upstream)
{
	return &upstream->endpoint;
}
