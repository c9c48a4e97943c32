/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Renders counters; measures nothing itself. */
#include "server/metrics.h"

#include <event2/buffer.h>
#include <stdbool.h>

#include "server/app.h"

const char *route_name(enum route_id id)
{
	static const char *const names[NR_ROUTES] = {
		[ROUTE_FAST] = "fast",       [ROUTE_EXTERNAL] = "external",
		[ROUTE_DB] = "db",           [ROUTE_SLEEP] = "sleep",
		[ROUTE_FILE] = "file",       [ROUTE_ENCODE] = "encode",
		[ROUTE_METRICS] = "metrics", [ROUTE_HEALTHZ] = "healthz",
		[ROUTE_NONE] = "none",
	};

	return names[id];
}

/* One pool, whatever it is made of. */
struct view {
	const char *name;
	const struct job_stats *stats;
	unsigned int queued, running;
};

#define NR_POOLS 3

static struct view view_threads(const char *name, struct pool *pool)
{
	struct view view = {.name = name, .stats = pool__stats(pool)};

	pool__depth(pool, &view.queued, &view.running);
	return view;
}

static struct view view_workers(const char *name, const struct cpu_pool *pool)
{
	struct view view = {.name = name, .stats = cpu_pool__stats(pool)};

	cpu_pool__depth(pool, &view.queued, &view.running);
	return view;
}

static void view_pools(const struct app *app, struct view views[NR_POOLS])
{
	views[0] = view_threads("io", app->io);
	views[1] = view_threads("disk", app->disk);
	views[2] = app->cpu ? view_workers("cpu", app->cpu) : view_threads("cpu", app->cpu_threads);
}

static void head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP offload_%s %s\n# TYPE offload_%s %s\n", name, help, name,
			    type);
}

static void histogram(struct evbuffer *out, const char *name, const char *pool,
		      const struct histogram *h)
{
	uint64_t below = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->counts[i];
		evbuffer_add_printf(out, "offload_%s_bucket{pool=\"%s\",le=\"%.9g\"} %llu\n", name,
				    pool, (double)histogram__limit_ns(i) / 1e9,
				    (unsigned long long)below);
	}
	evbuffer_add_printf(out, "offload_%s_bucket{pool=\"%s\",le=\"+Inf\"} %llu\n", name, pool,
			    (unsigned long long)h->count);
	evbuffer_add_printf(out, "offload_%s_sum{pool=\"%s\"} %.9f\n", name, pool,
			    (double)h->sum_ns / 1e9);
	evbuffer_add_printf(out, "offload_%s_count{pool=\"%s\"} %llu\n", name, pool,
			    (unsigned long long)h->count);
}

static void render_requests(const struct app *app, struct evbuffer *out)
{
	head(out, "requests_total", "counter", "Answers by route and status.");
	for (unsigned int route = 0; route < NR_ROUTES; route++) {
		for (unsigned int status = 0; status < STATUS_MAX; status++) {
			uint64_t n = app->metrics.answers[route][status];

			if (n)
				evbuffer_add_printf(
					out,
					"offload_requests_total{route=\"%s\",code=\"%u\"} %llu\n",
					route_name(route), status, (unsigned long long)n);
		}
	}
}

static void render_connections(const struct app *app, struct evbuffer *out)
{
	const struct conn_counts *c = conns__counts(app->conns);

	head(out, "connections", "gauge", "Open connections.");
	evbuffer_add_printf(out, "offload_connections %u\n", c->open);
	head(out, "connections_accepted_total", "counter", "Connections accepted.");
	evbuffer_add_printf(out, "offload_connections_accepted_total %llu\n",
			    (unsigned long long)c->accepted);
	head(out, "connections_refused_total", "counter", "Connections over the limit.");
	evbuffer_add_printf(out, "offload_connections_refused_total %llu\n",
			    (unsigned long long)c->refused);
	head(out, "requests_rejected_total", "counter",
	     "Requests too slow, too long or too ambiguous to be read.");
	evbuffer_add_printf(out, "offload_requests_rejected_total %llu\n",
			    (unsigned long long)c->rejected);
	head(out, "clients_gone_total", "counter", "Clients that left before their answer.");
	evbuffer_add_printf(out, "offload_clients_gone_total %llu\n", (unsigned long long)c->gone);
}

static void render_depths(const struct app *app, struct evbuffer *out, const struct view *views)
{
	head(out, "queue_depth", "gauge", "Jobs that wait.");
	for (unsigned int i = 0; i < NR_POOLS; i++)
		evbuffer_add_printf(out, "offload_queue_depth{pool=\"%s\"} %u\n", views[i].name,
				    views[i].queued);
	head(out, "queue_capacity", "gauge", "Jobs that may wait.");
	for (unsigned int i = 0; i < NR_POOLS; i++)
		evbuffer_add_printf(out, "offload_queue_capacity{pool=\"%s\"} %u\n", views[i].name,
				    app->options->queue);
	head(out, "jobs_running", "gauge", "Jobs that run.");
	for (unsigned int i = 0; i < NR_POOLS; i++)
		evbuffer_add_printf(out, "offload_jobs_running{pool=\"%s\"} %u\n", views[i].name,
				    views[i].running);
}

static void render_jobs(struct evbuffer *out, const struct view *views)
{
	head(out, "jobs_total", "counter", "Jobs by how they ended.");
	for (unsigned int i = 0; i < NR_POOLS; i++) {
		const struct job_stats *s = views[i].stats;
		const struct {
			const char *name;
			uint64_t n;
		} ends[] = {{"done", s->done},
			    {"failed", s->failed},
			    {"expired", s->expired},
			    {"cancelled", s->cancelled},
			    {"rejected", s->rejected}};

		for (unsigned int k = 0; k < sizeof(ends) / sizeof(ends[0]); k++)
			evbuffer_add_printf(
				out, "offload_jobs_total{pool=\"%s\",result=\"%s\"} %llu\n",
				views[i].name, ends[k].name, (unsigned long long)ends[k].n);
	}
	head(out, "job_wait_seconds", "histogram", "From submission to start.");
	for (unsigned int i = 0; i < NR_POOLS; i++)
		histogram(out, "job_wait_seconds", views[i].name, &views[i].stats->wait);
	head(out, "job_run_seconds", "histogram", "From start to end.");
	for (unsigned int i = 0; i < NR_POOLS; i++)
		histogram(out, "job_run_seconds", views[i].name, &views[i].stats->run);
}

static void render_workers(const struct app *app, struct evbuffer *out)
{
	unsigned int alive;
	uint64_t replaced;

	if (!app->cpu)
		return;
	cpu_pool__workers(app->cpu, &alive, &replaced);
	head(out, "workers", "gauge", "Worker processes that live.");
	evbuffer_add_printf(out, "offload_workers %u\n", alive);
	head(out, "workers_replaced_total", "counter", "Worker processes that died.");
	evbuffer_add_printf(out, "offload_workers_replaced_total %llu\n",
			    (unsigned long long)replaced);
}

void metrics__render(const struct app *app, struct evbuffer *out)
{
	struct view views[NR_POOLS];

	view_pools(app, views);
	render_requests(app, out);
	render_connections(app, out);
	render_depths(app, out, views);
	render_jobs(out, views);
	render_workers(app, out);
}
