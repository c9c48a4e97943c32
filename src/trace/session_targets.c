/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The processes of a session: named by the user, their children, found by export. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "symbols/python.h"
#include "symbols/symbolizer.h"
#include "trace/proc.h"
#include "trace/pythons.h"
#include "trace/session_internal.h"

enum { MAX_TARGETS = 16384 };

static int list_target(struct session *s, pid_t pid)
{
	pid_t *grown;

	if (s->nr_targets == MAX_TARGETS)
		return -E2BIG;
	grown = realloc(s->targets, (s->nr_targets + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->targets = grown;
	s->targets[s->nr_targets++] = pid;
	return 0;
}

static int add_target(struct session *s, pid_t pid)
{
	int err = list_target(s, pid);

	if (err)
		return err;
	err = tracer__add_target(s->tracer, pid);
	if (err)
		s->nr_targets--;
	return err;
}

static void drop_target(struct session *s, pid_t pid)
{
	for (size_t i = 0; i < s->nr_targets; i++)
		if (s->targets[i] == pid)
			s->targets[i--] = s->targets[--s->nr_targets];
}

int session__add(struct session *s, pid_t pid)
{
	pid_t *family;
	ssize_t nr;
	int err;

	if (!s->first_target)
		s->first_target = pid;
	err = add_target(s, pid);
	nr = err ? 0 : proc__descendants(pid, &family);
	for (ssize_t i = 0; i < nr && !err; i++)
		err = add_target(s, family[i]);
	if (!err && nr >= 0)
		free(family);
	if (err)
		log_err("cannot trace process %d: %s", pid, strerror(-err));
	return err;
}

bool session__traces(const struct session *s, pid_t pid)
{
	for (size_t i = 0; i < s->nr_targets; i++)
		if (s->targets[i] == pid)
			return true;
	return false;
}

size_t session__nr_targets(const struct session *s)
{
	return s->nr_targets;
}

void session__seed_targets(struct session *s)
{
	for (size_t i = 0; i < s->nr_targets; i++) {
		struct target_census census = {0};
		int err = targets__seed(s->tracer, s->targets[i], s->options.tracer.tid, &census);

		if (err && err != -ESRCH)
			log_warn("cannot look at the threads of process %d: %s", s->targets[i],
				 strerror(-err));
		s->census.waiting += census.waiting;
		s->census.suspects += census.suspects;
		s->census.running += census.running;
	}
}

void session__take_seeds(struct session *s)
{
	s->nr_seeded = 0;
	tracer__take_seeds(s->tracer);
}

int session__add_one(struct session *s, pid_t pid)
{
	struct target_census census = {.max_suspects = s->options.always_on ? 1 : 0};
	int err;

	if (session__traces(s, pid))
		return -EEXIST;
	err = add_target(s, pid);
	if (err)
		return err;
	err = targets__seed(s->tracer, pid, s->options.tracer.tid, &census);
	if (err == -E2BIG && s->nr_seeded) { /* many threads at once */
		session__take_seeds(s);
		err = targets__seed(s->tracer, pid, s->options.tracer.tid, &census);
	}
	s->nr_seeded++;
	if (err != -ESRCH)
		pythons__attach(s->resolver.python, s->tracer, pid);
	return err;
}

/* A program that has just begun: its interpreter is looked for until it is there, so that what blocks the
 * loop's first iterations has Python frames. */
void session__look_at_young(struct session *s, uint64_t now)
{
	static const uint64_t to_load_ns = 100000000, to_begin_ns = 2000000000;
	uint64_t age_ns = now - s->young_ns;
	int err = -EALREADY;

	if (!python__attached(s->resolver.python, s->young))
		err = pythons__attach(s->resolver.python, s->tracer, s->young);
	if ((err == -ENOENT && age_ns < to_load_ns) || (err == -EAGAIN && age_ns < to_begin_ns))
		return;
	s->young = 0;
}

void session__end_process(struct session *s, uint32_t tgid)
{
	session__end_loops_of(s, tgid);
	symbolizer__forget(s->resolver.symbolizer, tgid);
	python__forget(s->resolver.python, tgid);
	drop_target(s, tgid);
}

void session__on_process(struct session *s, const struct ls_ev_process *ev)
{
	struct traced_loop *loop;

	switch (ev->hdr.kind) {
	case LS_EV_FORK:
		log_info("process %u forked process %u: traced too", ev->hdr.tgid, ev->child);
		/* The kernel's map has it, or had it: it may be gone again. */
		session__fail(s, list_target(s, ev->child) == -ENOMEM ? -ENOMEM : 0);
		break;
	case LS_EV_EXEC:
		session__end_loops_of(s, ev->hdr.tgid);
		symbolizer__forget(s->resolver.symbolizer, ev->hdr.tgid);
		python__forget(s->resolver.python, ev->hdr.tgid);
		if (s->options.tracer.from_start) {
			s->young = (pid_t)ev->hdr.tgid;
			s->young_ns = ev->hdr.ts_ns;
		}
		break;
	case LS_EV_EXIT:
		loop = loops__find(&s->loops, ev->hdr.tid);
		if (ev->is_process) {
			session__end_process(s, ev->hdr.tgid);
		} else if (loop) {
			session__end_loop(s, loop);
		}
		break;
	}
}
