/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* /metrics: what the pools and the routes have seen, as Prometheus text. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

struct app;
struct evbuffer;

enum route_id {
	ROUTE_FAST,
	ROUTE_EXTERNAL,
	ROUTE_DB,
	ROUTE_SLEEP,
	ROUTE_FILE,
	ROUTE_ENCODE,
	ROUTE_METRICS,
	ROUTE_HEALTHZ,
	ROUTE_NONE, /* no such route */
	NR_ROUTES,
};

#define STATUS_MAX 600

struct metrics {
	uint64_t answers[NR_ROUTES][STATUS_MAX]; /* sparse, and not worth a map */
};

const char *route_name(enum route_id id);
void metrics__render(const struct app *app, struct evbuffer *out);

#endif
