/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The connections of the server, and what evhttp leaves open about them: how many there may be, how
 * long a request may take to arrive and an answer to leave, 414 and 431 for what is too long, 400 for
 * what evhttp reads too kindly, and the notice that a client has gone while its request is being
 * worked on. All on the loop.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "server/head.h"

struct conn;
struct conns;
struct event_base;
struct evconnlistener;
struct evhttp;
struct evhttp_request;

struct conn_limits {
	unsigned int max;        /* further ones are answered 503 and closed */
	unsigned int max_fds;    /* no descriptor of this process is above it */
	struct head_limits head; /* of a request */
	uint32_t body_bytes;
	uint64_t request_ns, idle_ns; /* for a request to arrive; between two */
};

struct conn_counts {
	unsigned int open;
	uint64_t accepted, refused; /* refused: over the limit */
	uint64_t rejected;          /* 400, 408, 413, 414, 431 before evhttp had it */
	uint64_t gone;              /* clients that left before their answer */
};

/* Takes the listener; sets evhttp's own limits. NULL with errno set. Free after evhttp_free(). */
struct conns *conns__new(struct event_base *base, struct evhttp *http,
			 struct evconnlistener *listener, const struct conn_limits *limits);
void conns__free(struct conns *conns);
const struct conn_counts *conns__counts(const struct conns *conns);

/* Accepts no more, ends each connection after its request, calls `drained` when none is left. */
void conns__drain(struct conns *conns, void (*drained)(void *arg), void *arg);

/* The connection of a request which its callback has just been given. */
struct conn *conns__of(struct conns *conns, struct evhttp_request *req);
/* 0, or the status that its bytes deserve, for one sent ahead: others were refused on arrival. */
int conn__malformed(const struct conn *conn);
/* The request is whole and being worked on: no time-out runs. May be called again. */
void conn__begin(struct conn *conn);
/* `gone` is called, and the request is no more, if the connection ends before its answer. */
void conn__watch(struct conn *conn, void (*gone)(void *arg), void *arg);
/* Call right before evhttp_send_reply(): adds Connection: close when draining; ends the watch. */
void conn__reply(struct conn *conn, struct evhttp_request *req);
/* Call right after it, and touch neither again: the connection may be gone. */
void conn__replied(struct conn *conn);

#endif
