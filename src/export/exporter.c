/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "clock.h"
#include "export/buffer.h"
#include "export/exporter.h"
#include "export/http.h"
#include "log.h"
#include "privileges.h"
#include "trace/stats.h"

/*
 * Needed once the probes are attached (docs/export.md): to update maps and run the iterator over new
 * targets' threads; to read /proc/PID of other users and their memory; to read their programs' files for
 * symbols; to read kernel addresses.
 */
static const uint64_t kept_capabilities = CAP_BIT(CAP_BPF) | CAP_BIT(CAP_PERFMON) |
					  CAP_BIT(CAP_SYS_PTRACE) | CAP_BIT(CAP_DAC_READ_SEARCH) |
					  CAP_BIT(CAP_SYSLOG);

static const uint64_t scan_ns = 1000000000, observe_ns = 10000000000;

struct exporter {
	const struct exporter_options *options;
	struct web_config *web;
	struct metrics *metrics;
	struct session *session;
	struct discover *discover;
	struct http *http;
	uint64_t scanned_ns, observed_ns;
};

struct observation {
	struct metrics *metrics;
	uint64_t now_ns;
};

static void observe_loop(void *arg, const struct ls_loop *loop, const struct ls_loop_state *state)
{
	const struct observation *o = arg;

	metrics__observe(o->metrics, loop, state, o->now_ns);
}

static void observe(struct exporter *e, uint64_t now)
{
	struct observation o = {e->metrics, now};

	session__each_loop(e->session, observe_loop, &o);
	e->observed_ns = now;
}

static void render(void *arg, enum exposition_format format, struct buffer *out)
{
	struct exporter *e = arg;
	struct metrics *m = e->metrics;
	uint64_t estimate = m->overhead.bpf_ns, now = clock__mono_ns();

	observe(e, now);
	metrics__expire(m, now);
	session__cost(e->session, &m->lost, &m->overhead);
	if (m->overhead.bpf_ns < estimate)
		m->overhead.bpf_ns = estimate; /* an estimate may fall, a counter not */
	m->nr_targets = session__nr_targets(e->session);
	m->scrapes++;
	exposition__write(m, format, out);
}

/* --- life -------------------------------------------------------------------------------------- */

/* A connection each, and a file each that is looked into. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max < 16384 ? limit.rlim_max : 16384;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int start_session(struct exporter *e)
{
	const struct exporter_options *o = e->options;
	int err = 0;

	e->session = session__new(&o->session, &metrics_reporter, e->metrics);
	if (!e->session)
		return -errno;
	for (size_t i = 0; i < o->nr_pids && !err; i++)
		err = session__add(e->session, o->pids[i]);
	return err ? err : session__attach(e->session);
}

static int start(struct exporter *e)
{
	const struct exporter_options *o = e->options;
	struct identity who;
	int err;

	raise_file_limit();
	err = privileges__find_user(o->user, &who);
	if (err)
		return err;
	err = stats__keep(&who); /* while this process is small */
	if (err && err != -EPERM)
		log_warn("the cost of the probes will not be known: %s", strerror(-err));
	if (o->web_config && !(e->web = web_config__read(o->web_config)))
		return -errno;
	e->metrics = metrics__new(&o->metrics);
	e->discover = discover__new(&o->discover);
	if (!e->metrics || !e->discover)
		return -ENOMEM;
	e->http = http__new(o->listen, e->web, render, e);
	if (!e->http)
		return -errno;
	err = start_session(e);
	if (!err)
		err = privileges__keep(kept_capabilities, &who);
	if (!err)
		log_note("metrics at %s%s", http__url(e->http),
			 strncmp(http__url(e->http), "unix:", 5) ? "/metrics" : ", in /metrics");
	return err;
}

static void stop(struct exporter *e)
{
	http__free(e->http);
	session__free(e->session);
	discover__free(e->discover);
	metrics__free(e->metrics);
	web_config__free(e->web);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static int wait_for_work(struct exporter *e, int stop_fd, bool *stopped)
{
	struct pollfd fds[] = {
		{.fd = session__event_fd(e->session), .events = POLLIN},
		{.fd = http__fd(e->http), .events = POLLIN},
		{.fd = stop_fd, .events = POLLIN},
	};
	int timeout = session__turn_ms(e->session), http = http__timeout_ms(e->http);

	if (http >= 0 && http < timeout)
		timeout = http;
	if (poll(fds, 3, timeout) < 0 && errno != EINTR)
		return -errno;
	*stopped = fds[2].revents;
	return 0;
}

static int work(struct exporter *e)
{
	int err = session__turn(e->session);
	uint64_t now;

	http__serve(e->http);
	now = clock__mono_ns();
	if (!err && now - e->scanned_ns >= scan_ns) {
		e->scanned_ns = now;
		err = discover__scan(e->discover, e->session);
	}
	if (now - e->observed_ns >= observe_ns) {
		observe(e, now);
		metrics__expire(e->metrics, now);
	}
	return err;
}

int exporter__run(const struct exporter_options *options, int stop_fd)
{
	struct exporter e = {.options = options};
	bool stopped = false;
	int err = start(&e);

	while (!err && !stopped) {
		err = wait_for_work(&e, stop_fd, &stopped);
		if (!err)
			err = work(&e);
	}
	stop(&e);
	return err;
}
