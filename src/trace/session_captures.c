/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Captures wait at their loop, as they came, and are resolved only once their iteration is known to be
 * a stall: the rest costs nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/python.h"
#include "trace/names.h"
#include "trace/pythons.h"
#include "trace/session_internal.h"

enum { HELD_BYTES = 256 << 10 };

/* CPython may have come up since the process was seen last. */
static void look_for_python(struct session *s, struct traced_loop *loop)
{
	int err;

	if (loop->not_python || python__attached(s->resolver.python, loop->tgid))
		return;
	err = pythons__attach(s->resolver.python, s->tracer, loop->tgid);
	loop->not_python = err && err != -EAGAIN;
}

/* What the stack just resolved says of the loop. */
static void learn_kind(struct session *s, struct traced_loop *loop)
{
	bool runs_loop;
	const char *kind = resolve__kind(&s->resolver, loop->tgid, s->resolved, &runs_loop);

	if (loop->suspect && runs_loop)
		loop->suspect = false;
	if (kind && !loop->suspect)
		loop->model.kind = kind;
}

void session__on_python(struct session *s, const struct ls_event_hdr *hdr)
{
	struct extra *extra = &s->extras[s->next_extra++ % MAX_EXTRAS];

	if (extra->size < hdr->size) {
		uint8_t *grown = realloc(extra->bytes, hdr->size);

		if (!grown)
			return;
		extra->bytes = grown;
		extra->size = hdr->size;
	}
	memcpy(extra->bytes, hdr, hdr->size);
}

static const struct ls_ev_python *find_extra(const struct session *s,
					     const struct ls_ev_capture *capture, uint16_t kind)
{
	for (int i = 0; i < MAX_EXTRAS; i++) {
		const struct ls_ev_python *python = (const void *)s->extras[i].bytes;

		if (python && python->hdr.kind == kind && python->hdr.tid == capture->hdr.tid &&
		    python->serial == capture->serial)
			return python;
	}
	return NULL;
}

static struct capture_extras extras_of(const struct session *s, const struct ls_ev_capture *capture)
{
	return (struct capture_extras){
		.python = find_extra(s, capture, LS_EV_PYTHON),
		.holder = find_extra(s, capture, LS_EV_HOLDER),
	};
}

/* The stack of the loop's home wait. */
void session__on_loop(struct session *s, const struct ls_ev_capture *ev)
{
	struct traced_loop *loop = session__loop(s, &ev->hdr, ev->slot);
	struct capture_extras extras = extras_of(s, ev);
	struct ls_blame ignored;

	if (!loop)
		return;
	look_for_python(s, loop);
	/* Just found: the kernel did not know how to walk it, but it is in its wait most of the time. */
	if (!extras.python &&
	    !python__walk(s->resolver.python, loop->tgid, ev->fsbase, &s->resolved->walked))
		extras.python = &s->resolved->walked.record;
	resolve__blame(&s->resolver, ev, &extras, &loop->home, loop->model.kind, false, s->resolved,
		       &ignored);
	home_stack__set(&loop->home, s->resolved->native,
			s->resolved->native_truncated ? 0 : s->resolved->nr_native);
	loop->suspect = false;
	learn_kind(s, loop);
	loop->model.wait = call_name(ev->call.nr);
	session__announce(s, loop);
}

void session__blame_capture(struct session *s, struct traced_loop *loop,
			    const struct ls_ev_capture *ev, const struct capture_extras *extras)
{
	struct ls_blame blame;

	resolve__blame(&s->resolver, ev, extras, &loop->home, loop->model.kind, false, s->resolved,
		       &blame);
	if (loop->suspect)
		learn_kind(s, loop);
	if (blames__add(&loop->blames, &blame))
		session__fail(s, -ENOMEM);
}

/* The records held back, oldest first: extras come before their capture. */
void session__blame_held(struct session *s, struct traced_loop *loop)
{
	struct capture_extras extras = {0};

	for (size_t at = 0; at < loop->raw.used;) {
		const struct ls_event_hdr *hdr = (const void *)(loop->raw.bytes + at);

		at += (hdr->size + 7) & ~7ULL;
		if (hdr->kind == LS_EV_PYTHON) {
			extras.python = (const void *)hdr;
		} else if (hdr->kind == LS_EV_HOLDER) {
			extras.holder = (const void *)hdr;
		} else {
			session__blame_capture(s, loop, (const void *)hdr, &extras);
			extras = (struct capture_extras){0};
		}
	}
	loop->raw.used = 0;
}

static int hold(struct traced_loop *loop, const struct ls_event_hdr *record)
{
	int err = record ? raw__append(&loop->raw, record, record->size) : 0;

	return err == -ENOMEM ? err : 0;
}

/* Taken from outside while the thread hung; its stack and its Python frames are read now. They belong
 * together only if it has not gone on since: else what the kernel saw is all that is known. */
static void blame_snapshot(struct session *s, struct traced_loop *loop,
			   const struct ls_ev_capture *ev, const struct capture_extras *extras)
{
	uint32_t nr;
	const struct ls_loop_state *state = &tracer__states(s->tracer, &nr)[loop->slot];
	struct ls_blame blame;

	resolve__blame(&s->resolver, ev, extras, &loop->home, loop->model.kind, true, s->resolved,
		       &blame);
	if (state->iteration != ev->iteration || state->off_since_ns != ev->hdr.ts_ns)
		resolve__blame(&s->resolver, ev, extras, &loop->home, loop->model.kind, false,
			       s->resolved, &blame);
	else if (loop->suspect)
		learn_kind(s, loop);
	if (blames__add(&loop->blames, &blame))
		session__fail(s, -ENOMEM);
}

void session__on_capture(struct session *s, const struct ls_ev_capture *ev)
{
	struct traced_loop *loop = session__loop(s, &ev->hdr, ev->slot);
	struct capture_extras extras = extras_of(s, ev);

	if (!loop)
		return;
	loop__enter(loop, ev->iteration);
	if (ev->flags & LS_CAP_SNAPSHOT) {
		blame_snapshot(s, loop, ev, &extras);
	} else {
		if (loop->raw.used > HELD_BYTES)
			session__blame_held(s, loop); /* a long one, and a stall in any case */
		session__fail(s, hold(loop, (const void *)extras.python));
		session__fail(s, hold(loop, (const void *)extras.holder));
		session__fail(s, hold(loop, &ev->hdr));
	}
}
