/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The server's parts, for those of its files that need several of them. */
#ifndef SERVER_APP_H
#define SERVER_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "server/conn.h"
#include "server/cpu_pool.h"
#include "server/db.h"
#include "server/metrics.h"
#include "server/options.h"
#include "server/pool.h"
#include "server/upstream.h"

struct app {
	const struct options *options;
	struct event_base *base;
	struct evhttp *http;
	struct conns *conns;
	struct pool *io;          /* threads that wait for others */
	struct pool *disk;        /* threads that write */
	struct pool *cpu_threads; /* one of these two computes */
	struct cpu_pool *cpu;
	struct event *io_done, *disk_done, *cpu_done, *on_term, *on_int, *drain_limit;
	struct routes *routes;
	struct db *db;                  /* slot 0 is the loop's, slot n + 1 I/O thread n's */
	struct upstream *upstream;      /* NULL when --upstream names another */
	struct endpoint external;       /* what /external and the middleware call */
	const struct timeval *deadline; /* of all jobs alike, so libevent keeps them in a list */
	char data_dir[200];             /* made by us, and removed */
	bool draining, drained;
	struct metrics metrics;
};

/* Serves until it is told to end, and has drained. The exit status. */
int app__run(const struct options *options);

#endif
