/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The run: records from the ring buffer to those who take them, a tick now and then, the end.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "symbols/python.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"
#include "trace/proc.h"
#include "trace/pythons.h"
#include "trace/session_internal.h"

enum { TICK_MS = 50, SLOW_TICK_MS = 250, YOUNG_TICK_MS = 5 };

static const uint64_t loop_grace_ns =
	2000000000; /* how long a busy target may take to show a loop */

void session__fail(struct session *s, int err)
{
	if (err && !s->err)
		s->err = err;
}

static bool is_whole(const struct ls_event_hdr *hdr, size_t bytes)
{
	const struct ls_ev_capture *capture = (const void *)hdr;

	if (hdr->size != bytes)
		return false;
	switch (hdr->kind) {
	case LS_EV_LOOP:
	case LS_EV_CAPTURE:
		return bytes >= sizeof(*capture) &&
		       capture->stack_bytes == bytes - sizeof(*capture);
	case LS_EV_PYTHON:
	case LS_EV_HOLDER:
		return python__record_ok((const void *)hdr, bytes);
	case LS_EV_STALL:
		return bytes >= sizeof(struct ls_ev_stall);
	default:
		return bytes >= sizeof(struct ls_ev_process);
	}
}

static void on_event(void *arg, const struct ls_event_hdr *hdr, size_t bytes)
{
	struct session *s = arg;

	if (!is_whole(hdr, bytes) || s->err)
		return;
	switch (hdr->kind) {
	case LS_EV_LOOP:
		session__on_loop(s, (const void *)hdr);
		break;
	case LS_EV_CAPTURE:
		session__on_capture(s, (const void *)hdr);
		break;
	case LS_EV_PYTHON:
	case LS_EV_HOLDER:
		session__on_python(s, hdr);
		break;
	case LS_EV_STALL:
		session__on_stall(s, (const void *)hdr);
		break;
	default:
		session__on_process(s, (const void *)hdr);
	}
}

struct session *session__new(const struct session_options *options, const struct reporter *reporter,
			     void *self)
{
	struct session *s = calloc(1, sizeof(*s));
	uint32_t nr_slots;
	int err = ENOMEM;

	if (!s)
		return NULL;
	s->options = *options;
	s->reporter = reporter;
	s->self = self;
	s->own_cpu_from_ns = 0;
	s->resolved = malloc(sizeof(*s->resolved));
	if (resolver__init(&s->resolver) || !s->resolved) {
		log_err("out of memory");
		goto fail;
	}
	s->tracer = tracer__new(&options->tracer, on_event, s);
	err = errno;
	if (!s->tracer)
		goto fail;
	tracer__states(s->tracer, &nr_slots);
	s->by_slot = calloc(nr_slots, sizeof(struct traced_loop *));
	if (s->by_slot)
		return s;
	err = ENOMEM;
fail:
	session__free(s);
	errno = err;
	return NULL;
}

void session__free(struct session *s)
{
	if (!s)
		return;
	tracer__free(s->tracer);
	loops__free(&s->loops);
	resolver__free(&s->resolver);
	for (int i = 0; i < MAX_EXTRAS; i++)
		free(s->extras[i].bytes);
	free(s->resolved);
	free(s->by_slot);
	free(s->targets);
	free(s);
}

/* The target's command line, which a command that is to be started does not have yet. */
static void put_command_line(const struct session *s, pid_t pid, char *buf, size_t size)
{
	size_t at = 0;

	if (!s->options.command) {
		proc__command_line(pid, buf, size);
		return;
	}
	for (char *const *arg = s->options.command; *arg && at < size; arg++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? " " : "", *arg);
}

static int report_start(struct session *s)
{
	struct utsname host;
	const char **commands;
	int err;
	struct ls_start start = {
		.time_ns = clock__real_ns(),
		.mono_ns = s->attached_ns,
		.version = LS_VERSION,
		.attach = tracer__attach_name(s->tracer),
		.threshold_ns = s->options.tracer.threshold_ns,
		.pids = s->targets,
		.nr_pids = s->nr_targets,
	};

	uname(&host);
	start.host = host.nodename;
	start.kernel = host.release;
	commands = calloc(s->nr_targets + 1, sizeof(*commands));
	for (size_t i = 0; commands && i < s->nr_targets; i++) {
		char line[4096];

		put_command_line(s, s->targets[i], line, sizeof(line));
		commands[i] = strings__intern(s->resolver.strings, line);
	}
	start.commands = commands;
	err = s->reporter->start ? s->reporter->start(s->self, &start) : 0;
	free(commands);
	return err;
}

int session__attach(struct session *s)
{
	int err;

	session__seed_targets(s);
	for (size_t i = 0; i < s->nr_targets; i++)
		pythons__attach(s->resolver.python, s->tracer, s->targets[i]);
	err = tracer__attach(s->tracer);
	if (err)
		return err;
	s->attached_ns = s->slice_ns = clock__mono_ns();
	return report_start(s);
}

/* The first quiet moment: modules are opened while the targets live, and not at their last stall. */
static void prepare_symbols(struct session *s)
{
	if (s->prepared)
		return;
	s->prepared = true;
	for (size_t i = 0; i < s->nr_targets; i++)
		symbolizer__prepare(s->resolver.symbolizer, s->targets[i]);
}

static bool has_loop(const struct session *s)
{
	return s->census.waiting || s->loops.nr || s->options.wait_for_loop;
}

static int refuse_no_loop(const struct session *s)
{
	char what[128];

	targets__describe(s->first_target, what, sizeof(what));
	log_err("no event loop in process %d: its threads wait elsewhere (%s); name the right "
		"process, "
		"or a thread with -t",
		s->first_target, what);
	return -ENOENT;
}

static int wait_for_events(struct session *s, int stop_fd, uint64_t until_ns, bool *stopped)
{
	struct pollfd fds[] = {
		{.fd = tracer__event_fd(s->tracer), .events = POLLIN},
		{.fd = stop_fd, .events = POLLIN},
	};
	uint64_t now = clock__mono_ns();
	int timeout = s->young ? YOUNG_TICK_MS : TICK_MS;

	if (until_ns && until_ns < now + timeout * 1000000ULL)
		timeout = until_ns > now ? (until_ns - now + 999999) / 1000000 : 0;
	if (poll(fds, 2, timeout) < 0 && errno != EINTR)
		return -errno;
	*stopped = fds[1].revents;
	return 0;
}

void session__cost(struct session *s, struct ls_losses *losses, struct ls_overhead *overhead)
{
	tracer__losses(s->tracer, losses);
	tracer__overhead(s->tracer, overhead);
	overhead->tracer_cpu_ns = proc__own_cpu_ns() - s->own_cpu_from_ns;
	overhead->tracer_rss_bytes = proc__own_rss_bytes();
}

static void tick(struct session *s, uint64_t now)
{
	tracer__tick(s->tracer, now);
	if (s->nr_seeded)
		session__take_seeds(s);
	session__look_for_hangs(s, now);
	if (s->options.always_on)
		session__keep_house(s, now);
	else if (s->prepared)
		session__end_gone(s, now);
	else if (!s->young) /* which is urgent, and this takes long */
		prepare_symbols(s);
	if (s->options.slice_ns && now - s->slice_ns >= s->options.slice_ns)
		session__report_slices(s, now);
}

int session__event_fd(const struct session *s)
{
	return tracer__event_fd(s->tracer);
}

int session__turn_ms(const struct session *s)
{
	return s->options.always_on ? SLOW_TICK_MS : TICK_MS;
}

int session__turn(struct session *s)
{
	int err = tracer__consume(s->tracer);
	uint64_t now = clock__mono_ns();

	if (s->young)
		session__look_at_young(s, now);
	if (now - s->ticked_ns >= session__turn_ms(s) * 1000000ULL) {
		tick(s, now);
		s->ticked_ns = now;
	}
	return err ? err : s->err;
}

int session__run(struct session *s, int stop_fd)
{
	uint64_t now = s->attached_ns;
	uint64_t until = s->options.seconds ? now + (uint64_t)(s->options.seconds * 1e9) : 0;
	bool stopped = false;
	int err = 0;

	while (!err && !s->err && !stopped && s->nr_targets && (!until || now < until)) {
		err = wait_for_events(s, stop_fd, until, &stopped);
		if (!err)
			err = session__turn(s);
		now = clock__mono_ns();
		if (!has_loop(s) && (now - s->attached_ns > loop_grace_ns ||
				     (!s->census.running && !s->census.suspects)))
			return refuse_no_loop(s);
	}
	tracer__freeze(s->tracer);
	if (!err)
		err = tracer__consume(s->tracer);
	session__report_slices(s, now);
	if (!s->err)
		session__report_summary(s, now);
	return err ? err : s->err;
}
