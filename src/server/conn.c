/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * evhttp 2.1 gives no hook between accepting a connection and handing over a whole request. This
 * file makes three: it creates each connection's bufferevent, it looks at the bytes as they arrive
 * (a callback on the input buffer), and it can take a connection away from evhttp to refuse it.
 *
 *   IDLE --first byte--> READING --whole--> WORKING --> ANSWERED --end of turn--> WRITING --sent--> IDLE
 *     over a limit or too slow: any --> LINGERING: a refusal is sent, what still comes is thrown
 *     away for a moment, so that the refusal is not lost to a reset
 *
 * The phases with a time limit are lists in order of entry, so the oldest is first.
 */
#include "server/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "server/clock.h"
#include "server/head.h"
#include "server/http.h"

#define ACCEPTS_A_TURN  64 /* then the other descriptors have theirs */
#define SENDS_A_TURN    64
#define SPARE_CONNS     64 /* over the limit: only to be told so */
#define SWEEP_NS        (250 * NS_PER_MS)
#define DRAIN_SWEEP_NS  (20 * NS_PER_MS)
#define DRAIN_IDLE_NS   (200 * NS_PER_MS)
#define CLOSES_A_SWEEP  256
#define WRITE_NOW_BYTES 65536
#define WRITE_LIMIT_NS  (60 * NS_PER_S)
#define LINGER_NS       (2 * NS_PER_S)

enum phase { IDLE, READING, WORKING, ANSWERED, WRITING, LINGERING, NR_PHASES };

struct conn {
	struct conns *conns;
	struct bufferevent *bev;
	struct evhttp_connection *evcon;
	enum phase phase;
	uint64_t since_ns; /* when it entered the phase; coarse */
	struct head head;
	struct event *hangup;
	void (*gone)(void *arg);
	void *gone_arg;
	TAILQ_ENTRY(conn) link; /* in its phase's list */
};

TAILQ_HEAD(conn_list, conn);

struct conns {
	struct event_base *base;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct evhttp_bound_socket *bound;
	struct conn_limits limits;
	struct conn_counts counts;
	struct conn_list phases[NR_PHASES];
	struct conn_list born; /* accepted, not yet known to be evhttp's */
	struct event *adopt, *send, *sweep;
	unsigned int accepts; /* in this turn */
	void (*drained)(void *arg);
	void *drained_arg;
	struct conn **by_fd;
};

static uint64_t limit_of(const struct conns *conns, enum phase phase)
{
	switch (phase) {
	case IDLE:
		return conns->limits.idle_ns;
	case READING:
		return conns->limits.request_ns;
	case WRITING:
		return WRITE_LIMIT_NS;
	case LINGERING:
		return LINGER_NS;
	default:
		return 0; /* WORKING has the pools' deadlines */
	}
}

static void enter(struct conn *conn, enum phase phase)
{
	struct conns *conns = conn->conns;

	TAILQ_REMOVE(&conns->phases[conn->phase], conn, link);
	TAILQ_INSERT_TAIL(&conns->phases[phase], conn, link);
	conn->phase = phase;
	if (!limit_of(conns, phase))
		return;
	conn->since_ns = coarse_now_ns();
	if (!event_pending(conns->sweep, EV_TIMEOUT, NULL)) {
		struct timeval delay = ns_to_timeval(SWEEP_NS);

		evtimer_add(conns->sweep, &delay);
	}
}

/* --- refusing -------------------------------------------------------------------------------- */

static void on_refusal_sent(struct bufferevent *bev, void *arg)
{
	(void)arg;
	shutdown(bufferevent_getfd(bev), SHUT_WR);
	bufferevent_disable(bev, EV_WRITE);
}

static void on_lingering_end(struct bufferevent *bev, short what, void *arg)
{
	struct conn *conn = arg;

	if (what & BEV_EVENT_EOF && evbuffer_get_length(bufferevent_get_output(bev)))
		return;                      /* it has said all, and may still listen */
	evhttp_connection_free(conn->evcon); /* calls on_close() */
}

/* Takes the connection from evhttp, which must be reading from it. */
static void refuse(struct conn *conn, int status)
{
	const char *reason = http__phrase(status);
	struct evbuffer *in = bufferevent_get_input(conn->bev);
	char body[128];
	int len = snprintf(body, sizeof(body), "{\"error\":\"%s\"}\n", reason);

	/* No read callback: meanwhile on_input() throws away what comes. */
	bufferevent_setcb(conn->bev, NULL, on_refusal_sent, on_lingering_end, conn);
	evbuffer_add_printf(bufferevent_get_output(conn->bev),
			    "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
			    "Content-Length: %d\r\nConnection: close\r\n%s\r\n%s",
			    status, reason, len, status == 503 ? "Retry-After: 1\r\n" : "", body);
	evbuffer_drain(in, evbuffer_get_length(in));
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	enter(conn, LINGERING);
}

/* evhttp takes its read callback away while it answers an error of its own. */
static bool evhttp_reads(const struct conn *conn)
{
	bufferevent_data_cb read_cb;

	bufferevent_getcb(conn->bev, &read_cb, NULL, NULL, NULL);
	return read_cb;
}

static void reject(struct conn *conn, int status)
{
	if (!evhttp_reads(conn))
		return;
	conn->conns->counts.rejected++;
	refuse(conn, status);
}

/* --- bytes as they arrive -------------------------------------------------------------------- */

/* Feeds the last `added` bytes of the buffer to the head's measure. */
static int measure(struct conn *conn, struct evbuffer *in, size_t added)
{
	struct evbuffer_iovec vec[8];
	struct evbuffer_ptr at;
	int n, status = conn->head.status;

	evbuffer_ptr_set(in, &at, evbuffer_get_length(in) - added, EVBUFFER_PTR_SET);
	while (added && !status) {
		size_t seen = 0;

		n = evbuffer_peek(in, (ev_ssize_t)added, &at, vec, 8);
		for (int i = 0; i < n && i < 8 && !status; i++) {
			size_t len = vec[i].iov_len < added - seen ? vec[i].iov_len : added - seen;

			status = head__feed(&conn->head, vec[i].iov_base, len,
					    &conn->conns->limits.head);
			seen += len;
		}
		added -= seen;
		if (!seen || (added && evbuffer_ptr_set(in, &at, seen, EVBUFFER_PTR_ADD)))
			break;
	}
	return status;
}

/*
 * evhttp sees this too, but answers and closes at once: the client, still sending, gets a reset.
 * Small chunks may take several times their content on the wire.
 */
static int excess(const struct conn *conn)
{
	uint64_t max = conn->conns->limits.body_bytes;

	if (!conn->head.complete)
		return 0;
	if (conn->head.content_length > max || conn->head.chunks.total_bytes > max)
		return 413;
	return conn->head.body_bytes > 8 * max ? 413 : 0;
}

static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *conn = arg;
	int status;

	if (!info->n_added)
		return;
	if (conn->phase == LINGERING) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	if (conn->phase == IDLE) {
		conn->head = (struct head){0};
		enter(conn, READING);
	}
	if (conn->phase != READING)
		return; /* the next request, early: measured when its turn comes */
	status = measure(conn, in, info->n_added);
	if (!status)
		status = excess(conn);
	if (status)
		reject(conn, status);
}

/* --- beginning and end ----------------------------------------------------------------------- */

static void check_drained(struct conns *conns)
{
	if (conns->drained && conns->counts.open == 0)
		conns->drained(conns->drained_arg);
}

static void end_watch(struct conn *conn)
{
	if (conn->hangup)
		event_del(conn->hangup);
	conn->gone = NULL;
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
	struct conn *conn = arg;
	struct conns *conns = conn->conns;
	void (*gone)(void *) = conn->gone;

	(void)evcon;
	end_watch(conn);
	if (gone) {
		conns->counts.gone++;
		gone(conn->gone_arg);
	}
	if (conn->hangup)
		event_free(conn->hangup);
	conns->by_fd[bufferevent_getfd(conn->bev)] = NULL;
	TAILQ_REMOVE(&conns->phases[conn->phase], conn, link);
	free(conn);
	if (conns->counts.open-- == conns->limits.max + SPARE_CONNS && conns->listener)
		evconnlistener_enable(conns->listener);
	check_drained(conns);
}

/* evhttp asks for a bufferevent: a connection has been accepted. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct conns *conns = arg;
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->bev = bufferevent_socket_new(base, -1, 0);
	if (!conn->bev || !evbuffer_add_cb(bufferevent_get_input(conn->bev), on_input, conn)) {
		if (conn->bev)
			bufferevent_free(conn->bev);
		free(conn);
		return NULL;
	}
	/* What a client may send ahead of its turn; evhttp wants one whole body in the buffer. */
	bufferevent_setwatermark(conn->bev, EV_READ, 0,
				 conns->limits.head.head_bytes + conns->limits.body_bytes + 4096);
	bufferevent_incref(conn->bev); /* evhttp may yet fail and free it */
	conn->conns = conns;
	conn->phase = IDLE;
	TAILQ_INSERT_TAIL(&conns->born, conn, link);
	event_active(conns->adopt, EV_TIMEOUT, 0);

	conns->counts.open++;
	conns->counts.accepted++;
	if (++conns->accepts == ACCEPTS_A_TURN ||
	    conns->counts.open >= conns->limits.max + SPARE_CONNS)
		evconnlistener_disable(conns->listener);
	return conn->bev;
}

static void disown(struct conn *conn)
{
	conn->conns->counts.open--;
	TAILQ_REMOVE(&conn->conns->born, conn, link);
	bufferevent_decref(conn->bev);
	free(conn);
}

/* evhttp has set the connection up, or has given up on it. */
static void adopt(struct conn *conn)
{
	struct conns *conns = conn->conns;
	bufferevent_data_cb read_cb;
	void *evcon;

	bufferevent_getcb(conn->bev, &read_cb, NULL, NULL, &evcon);
	if (!read_cb) {
		disown(conn);
		return;
	}
	TAILQ_REMOVE(&conns->born, conn, link);
	bufferevent_decref(conn->bev);
	conn->evcon = evcon;
	conns->by_fd[bufferevent_getfd(conn->bev)] = conn;
	TAILQ_INSERT_TAIL(&conns->phases[IDLE], conn, link);
	enter(conn, IDLE); /* from now on its time counts */
	evhttp_connection_set_closecb(conn->evcon, on_close, conn);
	if (conns->counts.open > conns->limits.max) {
		conns->counts.refused++;
		refuse(conn, 503);
	}
}

static void on_adopt(evutil_socket_t fd, short what, void *arg)
{
	struct conns *conns = arg;

	(void)fd;
	(void)what;
	while (!TAILQ_EMPTY(&conns->born))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the first is another one each time */
		adopt(TAILQ_FIRST(&conns->born));
	if (conns->accepts >= ACCEPTS_A_TURN && conns->listener &&
	    conns->counts.open < conns->limits.max + SPARE_CONNS)
		evconnlistener_enable(conns->listener);
	conns->accepts = 0;
}

/* --- time limits ----------------------------------------------------------------------------- */

static void expire(struct conn *conn)
{
	if (conn->phase == READING && evhttp_reads(conn))
		reject(conn, conn->head.status ? conn->head.status : 408);
	else
		evhttp_connection_free(conn->evcon);
}

static void sweep_phase(struct conns *conns, enum phase phase, uint64_t now)
{
	uint64_t limit = limit_of(conns, phase);
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&conns->phases[phase])) && now - conn->since_ns >= limit)
		expire(conn);
}

/* A draining server closes idle connections, a few at a time: those that have been idle for a moment,
 * since the request of a new one, or the next of a busy one, may be on its way. */
static void sweep_idle(struct conns *conns, uint64_t now)
{
	for (unsigned int i = 0; i < CLOSES_A_SWEEP; i++) {
		struct conn *conn = TAILQ_FIRST(&conns->phases[IDLE]);

		if (!conn || now - conn->since_ns < DRAIN_IDLE_NS)
			return;
		evhttp_connection_free(conn->evcon);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct conns *conns = arg;
	uint64_t now = coarse_now_ns();
	bool again = conns->drained;
	struct timeval delay = ns_to_timeval(again ? DRAIN_SWEEP_NS : SWEEP_NS);

	(void)fd;
	(void)what;
	if (conns->drained)
		sweep_idle(conns, now);
	for (enum phase phase = 0; phase < NR_PHASES; phase++) {
		if (!limit_of(conns, phase))
			continue;
		sweep_phase(conns, phase, now);
		again = again || !TAILQ_EMPTY(&conns->phases[phase]);
	}
	if (again)
		evtimer_add(conns->sweep, &delay);
}

/* --- sending --------------------------------------------------------------------------------- */

/* What fits the socket right now, and most answers do, needs no turn of the loop. */
static void send_now(struct conn *conn)
{
	struct evbuffer *out = bufferevent_get_output(conn->bev);

	evbuffer_unfreeze(out, 1);
	/* An error is left for the bufferevent to meet. */
	evbuffer_write_atmost(out, bufferevent_getfd(conn->bev), WRITE_NOW_BYTES);
	evbuffer_freeze(out, 1);
	if (evbuffer_get_length(out) == 0) {
		bufferevent_trigger(conn->bev, EV_WRITE, 0); /* evhttp goes on, or frees it */
		return;
	}
	/* Not until the answer is out: a client that has shut its own side down still wants it. */
	bufferevent_disable(conn->bev, EV_READ);
}

/* Runs behind what was ready in this turn of the loop: to wake a client for each answer, between the
 * requests of others, costs more than to wake it once. */
static void on_send(evutil_socket_t fd, short what, void *arg)
{
	struct conns *conns = arg;
	struct conn *conn;

	(void)fd;
	(void)what;
	for (unsigned int i = 0; i < SENDS_A_TURN; i++) {
		conn = TAILQ_FIRST(&conns->phases[ANSWERED]);
		if (!conn)
			return;
		enter(conn, WRITING);
		send_now(conn);
	}
	event_active(conns->send, EV_WRITE, 0);
}

/* --- all of them ----------------------------------------------------------------------------- */

static int assemble(struct conns *conns)
{
	const struct conn_limits *limits = &conns->limits;
	conns->by_fd = calloc(limits->max_fds, sizeof(conns->by_fd[0]));
	conns->adopt = event_new(conns->base, -1, EV_PERSIST, on_adopt, conns);
	conns->send = event_new(conns->base, -1, EV_PERSIST, on_send, conns);
	conns->sweep = evtimer_new(conns->base, on_sweep, conns);
	if (!conns->by_fd || !conns->adopt || !conns->send || !conns->sweep)
		return -ENOMEM;
	conns->bound = evhttp_bind_listener(conns->http, conns->listener);
	if (!conns->bound)
		return -ENOMEM;
	evhttp_set_bevcb(conns->http, on_accept, conns);
	/* Ours come first; these are for requests that were sent ahead. */
	evhttp_set_max_headers_size(conns->http, limits->head.head_bytes);
	evhttp_set_max_body_size(conns->http, limits->body_bytes);
	return 0;
}

struct conns *conns__new(struct event_base *base, struct evhttp *http,
			 struct evconnlistener *listener, const struct conn_limits *limits)
{
	struct conns *conns = calloc(1, sizeof(*conns));
	int err;

	if (!conns)
		return NULL;
	conns->base = base;
	conns->http = http;
	conns->listener = listener;
	conns->limits = *limits;
	TAILQ_INIT(&conns->born);
	for (enum phase phase = 0; phase < NR_PHASES; phase++)
		TAILQ_INIT(&conns->phases[phase]);
	err = assemble(conns);
	if (!err)
		return conns;
	conns__free(conns);
	errno = -err;
	return NULL;
}

void conns__free(struct conns *conns)
{
	if (!conns)
		return;
	while (!TAILQ_EMPTY(&conns->born))
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the first is another one each time */
		disown(TAILQ_FIRST(&conns->born));
	if (conns->adopt)
		event_free(conns->adopt);
	if (conns->send)
		event_free(conns->send);
	if (conns->sweep)
		event_free(conns->sweep);
	free(conns->by_fd);
	free(conns);
}

const struct conn_counts *conns__counts(const struct conns *conns)
{
	return &conns->counts;
}

void conns__drain(struct conns *conns, void (*drained)(void *arg), void *arg)
{
	struct timeval now = {0};

	evhttp_del_accept_socket(conns->http, conns->bound);
	conns->listener = NULL;
	conns->drained = drained;
	conns->drained_arg = arg;
	evtimer_add(conns->sweep, &now);
	check_drained(conns);
}

/* --- one request ----------------------------------------------------------------------------- */

struct conn *conns__of(struct conns *conns, struct evhttp_request *req)
{
	return conns->by_fd[bufferevent_getfd(evhttp_connection_get_bufferevent(req->evcon))];
}

int conn__malformed(const struct conn *conn)
{
	return conn->head.status;
}

void conn__begin(struct conn *conn)
{
	if (conn->phase != WORKING)
		enter(conn, WORKING);
}

static void on_hangup(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	evhttp_connection_free(conn->evcon); /* calls on_close(), which calls gone() */
}

void conn__watch(struct conn *conn, void (*gone)(void *arg), void *arg)
{
	/* EV_CLOSED sees the end of the stream without reading what may stand before it. */
	if (!conn->hangup)
		conn->hangup = event_new(conn->conns->base, bufferevent_getfd(conn->bev), EV_CLOSED,
					 on_hangup, conn);
	if (conn->hangup)
		event_add(conn->hangup, NULL);
	conn->gone = gone;
	conn->gone_arg = arg;
}

/* The next sweep takes it: evhttp, which is at work on it now, may wait for more. */
static void hasten(struct conn *conn)
{
	struct conn_list *list = &conn->conns->phases[conn->phase];

	TAILQ_REMOVE(list, conn, link);
	TAILQ_INSERT_HEAD(list, conn, link);
	conn->since_ns = 0;
}

static void on_sent(struct evhttp_request *req, void *arg)
{
	struct conn *conn = arg;
	struct evbuffer *in = bufferevent_get_input(conn->bev);

	(void)req;
	enter(conn, IDLE);
	if (!evbuffer_get_length(in))
		return;
	/* The next request was sent ahead, at least in part: its time starts now. */
	conn->head = (struct head){0};
	enter(conn, READING);
	if (measure(conn, in, evbuffer_get_length(in)))
		hasten(conn);
}

void conn__reply(struct conn *conn, struct evhttp_request *req)
{
	end_watch(conn);
	enter(conn, WRITING);
	if (conn->conns->drained)
		evhttp_add_header(req->output_headers, "Connection", "close");
	evhttp_request_set_on_complete_cb(req, on_sent, conn);
}

void conn__replied(struct conn *conn)
{
	struct conns *conns = conn->conns;

	if (TAILQ_EMPTY(&conns->phases[ANSWERED]))
		event_active(conns->send, EV_WRITE, 0);
	enter(conn, ANSWERED);
}
