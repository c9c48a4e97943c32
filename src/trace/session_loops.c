/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The loop threads of a session: a slot in the kernel's table, a model for the reporter. */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "symbols/perfmap.h"
#include "symbols/strings.h"
#include "trace/names.h"
#include "trace/session_internal.h"

static const char *wait_name(const struct ls_home *home)
{
	const char *name = call_name(home->nr);

	return name ? name : "?";
}

static const char *kind_by_wait(int nr)
{
	const char *wait = call_name(nr);

	if (!wait)
		return "epoll";
	if (!strcmp(wait, "io_uring_enter"))
		return "io_uring";
	if (strstr(wait, "poll") == wait || !strcmp(wait, "ppoll"))
		return "poll";
	return strstr(wait, "select") ? "select" : "epoll";
}

struct traced_loop *session__loop(struct session *s, const struct ls_event_hdr *hdr, uint32_t slot)
{
	struct traced_loop *loop;
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);
	char comm[LS_COMM_LEN];

	/* A record may come when its thread has been missed and the slot given to another. */
	if (slot >= nr || !hdr->tid || states[slot].tid != hdr->tid)
		return NULL;
	loop = s->by_slot[slot];
	if (loop && loop->tid == hdr->tid)
		return loop;
	loop = loops__add(&s->loops, hdr->tgid, hdr->tid);
	if (!loop) {
		session__fail(s, -ENOMEM);
		return NULL;
	}
	s->by_slot[slot] = loop;
	memcpy(comm, states[slot].comm, sizeof(comm));
	loop->slot = slot;
	loop->model = (struct ls_loop){
		.pid = hdr->tgid,
		.tid = hdr->tid,
		.comm = strings__intern_n(s->resolver.strings, comm, strnlen(comm, sizeof(comm))),
		.kind = kind_by_wait(states[slot].home.nr),
		.wait = wait_name(&states[slot].home),
	};
	/* One that has not shown itself is in its first iteration, or has waited by chance. */
	loop->suspect = states[slot].before_attach || !states[slot].home_hash;
	return loop;
}

/* Said once, where it can still be mended before the next run. */
static void note_nameless_scripts(const struct session *s, const struct traced_loop *loop)
{
	if (s->options.always_on || loop->tid != loop->tgid || !loop->model.kind ||
	    strcmp(loop->model.kind, "node") != 0 || perfmap__exists(loop->tgid))
		return;
	log_note("process %d: its JavaScript functions have no names; they have when node is "
		 "started "
		 "with --perf-basic-prof --interpreted-frames-native-stack",
		 loop->tgid);
}

void session__announce(struct session *s, struct traced_loop *loop)
{
	if (loop->announced)
		return;
	loop->announced = true;
	note_nameless_scripts(s, loop);
	if (s->reporter->loop)
		session__fail(s, s->reporter->loop(s->self, &loop->model));
}

void session__end_loop(struct session *s, struct traced_loop *loop)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	if (states[loop->slot].tid == loop->tid)
		loop->last = states[loop->slot];
	loop->ended = true;
	loop__enter(loop, 0);
	if (s->by_slot[loop->slot] == loop) {
		s->by_slot[loop->slot] = NULL;
		tracer__release(s->tracer, loop->slot);
	}
	if (loop->announced && s->reporter->ended)
		session__fail(s, s->reporter->ended(s->self, &loop->model, &loop->last));
	if (s->options.always_on)
		loops__remove(&s->loops, loop);
}

void session__end_loops_of(struct session *s, uint32_t tgid)
{
	for (size_t i = s->loops.nr; i-- > 0;) /* backwards: those that end may leave the list */
		if (s->loops.items[i]->tgid == tgid && !s->loops.items[i]->ended)
			session__end_loop(s, s->loops.items[i]);
}

void session__each_loop(const struct session *s, session_loop_fn fn, void *arg)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	for (size_t i = 0; i < s->loops.nr; i++) {
		const struct traced_loop *loop = s->loops.items[i];

		if (loop->announced && !loop->ended)
			fn(arg, &loop->model, &states[loop->slot]);
	}
}
