/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A tracing run: processes in, model out. Feeds a reporter with the start, each loop, each stall as it
 * ends (or, when it does not end, as ongoing) and the summary.
 */
#ifndef LS_TRACE_SESSION_H
#define LS_TRACE_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/stall.h"
#include "trace/tracer.h"

struct session;

struct session_options {
	struct tracer_options tracer;
	uint64_t max_ns;    /* -M: longer stalls are not reported; 0: no bound */
	double seconds;     /* how long to trace; 0: until stopped */
	bool wait_for_loop; /* the targets have just begun: a loop may come at any time */
	char *const
		*command; /* what the target becomes by exec, once it is traced; NULL: it is that */
	uint64_t slice_ns; /* length of the reporter's slices; 0: none */
	bool always_on;    /* for weeks: nothing is kept of loops that have ended, so no summary */
};

/* Loads the programs. `reporter` and `self` are borrowed until session__free, which does not free
 * them. NULL: errno; why was printed. */
struct session *session__new(const struct session_options *options, const struct reporter *reporter,
			     void *self);
void session__free(struct session *s);

/* Before session__attach: a process to trace with its descendants. 0 or -errno; why was printed. */
int session__add(struct session *s, pid_t pid);

/* Attaches to the processes added and reports the start. 0 or -errno; why was printed. */
int session__attach(struct session *s);

/* One process alone, at any time. 0, -EEXIST when it is traced already, or -errno; prints nothing. */
int session__add_one(struct session *s, pid_t pid);

/* Traces until the time is up, a signal of `stop_fd` (a signalfd) arrives, or no target is left; then
 * reports the summary. 0 or -errno; why was printed. */
int session__run(struct session *s, int stop_fd);

/* The same in the caller's own loop: a turn is due when the descriptor is readable, and every
 * session__turn_ms in any case. 0 or -errno. */
int session__event_fd(const struct session *s);
int session__turn_ms(const struct session *s);
int session__turn(struct session *s);

/* Calls fn for each loop alive that the reporter has; `state` moves on while it is read. */
typedef void (*session_loop_fn)(void *arg, const struct ls_loop *loop,
				const struct ls_loop_state *state);
void session__each_loop(const struct session *s, session_loop_fn fn, void *arg);

/* Losses and cost so far. */
void session__cost(struct session *s, struct ls_losses *losses, struct ls_overhead *overhead);

bool session__traces(const struct session *s, pid_t pid);
size_t session__nr_targets(const struct session *s);

#endif
