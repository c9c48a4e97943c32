/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records from the ring buffer -> captures held a loop -> a stall at the iteration's end -> reporter.
 * Captures are resolved only when their iteration is known to be a stall: the rest costs nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "model/advice.h"
#include "model/histogram.h"
#include "symbols/python.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"
#include "trace/loops.h"
#include "trace/names.h"
#include "trace/proc.h"
#include "trace/pythons.h"
#include "trace/resolve.h"
#include "trace/session.h"
#include "trace/targets.h"

enum { TICK_MS = 50, SLOW_TICK_MS = 250, TOP_SITES = 50, MAX_TARGETS = 16384, HELD_BYTES = 256 << 10, MAX_EXTRAS = 128 };

static const uint64_t hang_ns = 500000000;	   /* an iteration this long is reported as ongoing */
static const uint64_t hang_before_attach_ns = 200000000; /* one that was there before us, sooner */
static const uint64_t sweep_ns = 10000000000;	   /* how often ends that were not seen are looked for */
static const uint64_t loop_grace_ns = 2000000000;  /* how long a busy target may take to show a loop */

/* An interpreter's frames which precede their capture; those of other CPUs may come between. */
struct extra {
	uint8_t *bytes;
	size_t size;
};

struct session {
	struct session_options options;
	const struct reporter *reporter;
	void *self;
	struct tracer *tracer;
	struct resolver resolver;
	struct loops loops;
	struct traced_loop **by_slot; /* those alive */
	pid_t *targets;	   /* alive */
	size_t nr_targets;
	pid_t first_target;
	struct target_census census; /* of all targets, at attach */
	uint64_t attached_ns, slice_ns, own_cpu_from_ns, ticked_ns, swept_ns;
	unsigned int nr_seeded; /* processes whose seeds wait to be taken over */
	bool prepared;
	int err; /* of a reporter; ends the run */
	struct extra extras[MAX_EXTRAS]; /* reused in turn */
	unsigned int next_extra;
	struct resolved *resolved;
};

static void fail(struct session *s, int err)
{
	if (err && !s->err)
		s->err = err;
}

/* --- names ------------------------------------------------------------------------------------- */

static void free_names(struct resolver *r)
{
	symbolizer__free(r->symbolizer);
	python__free(r->python);
	strings__free(r->strings);
}

static int new_names(struct resolver *r)
{
	*r = (struct resolver){ .strings = strings__new() };
	if (r->strings)
		r->symbolizer = symbolizer__new(r->strings);
	if (r->symbolizer)
		r->python = python__new(r->strings);
	if (r->python)
		return 0;
	free_names(r);
	*r = (struct resolver){ 0 };
	return -ENOMEM;
}

/* --- targets ----------------------------------------------------------------------------------- */

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

static void seed_targets(struct session *s)
{
	for (size_t i = 0; i < s->nr_targets; i++) {
		struct target_census census = { 0 };
		int err = targets__seed(s->tracer, s->targets[i], s->options.tracer.tid, &census);

		if (err && err != -ESRCH)
			log_warn("cannot look at the threads of process %d: %s", s->targets[i],
				 strerror(-err));
		s->census.waiting += census.waiting;
		s->census.suspects += census.suspects;
		s->census.running += census.running;
	}
}

static void take_seeds(struct session *s)
{
	s->nr_seeded = 0;
	tracer__take_seeds(s->tracer);
}

/* --- loops ------------------------------------------------------------------------------------- */

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

static struct traced_loop *loop_for(struct session *s, const struct ls_event_hdr *hdr, uint32_t slot)
{
	struct traced_loop *loop;
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);
	char comm[LS_COMM_LEN];

	if (slot >= nr)
		return NULL;
	loop = s->by_slot[slot];
	if (loop && loop->tid == hdr->tid)
		return loop;
	loop = loops__add(&s->loops, hdr->tgid, hdr->tid);
	if (!loop) {
		fail(s, -ENOMEM);
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
	loop->suspect = states[slot].before_attach;
	return loop;
}

static void announce(struct session *s, struct traced_loop *loop)
{
	if (loop->announced)
		return;
	loop->announced = true;
	if (s->reporter->loop)
		fail(s, s->reporter->loop(s->self, &loop->model));
}

/* --- interpreters' frames ---------------------------------------------------------------------- */

static void on_python(struct session *s, const struct ls_event_hdr *hdr)
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

/* CPython may have come up since the process was seen last. */
static void look_for_python(struct session *s, struct traced_loop *loop)
{
	if (loop->not_python || python__attached(s->resolver.python, loop->tgid))
		return;
	loop->not_python = pythons__attach(s->resolver.python, s->tracer, loop->tgid) == -ENOENT;
}

/* --- a loop's kind ------------------------------------------------------------------------------ */

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

/* The stack of the loop's home wait. */
static void on_loop(struct session *s, const struct ls_ev_capture *ev)
{
	struct traced_loop *loop = loop_for(s, &ev->hdr, ev->slot);
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
	announce(s, loop);
}

/* --- captures ---------------------------------------------------------------------------------- */

static void blame_capture(struct session *s, struct traced_loop *loop, const struct ls_ev_capture *ev,
			  const struct capture_extras *extras, bool live)
{
	struct ls_blame blame;

	resolve__blame(&s->resolver, ev, extras, &loop->home, loop->model.kind, live, s->resolved, &blame);
	if (loop->suspect)
		learn_kind(s, loop);
	if (blames__add(&loop->blames, &blame))
		fail(s, -ENOMEM);
}

/* The records held back, oldest first: extras come before their capture. */
static void blame_held(struct session *s, struct traced_loop *loop)
{
	struct capture_extras extras = { 0 };

	for (size_t at = 0; at < loop->raw.used;) {
		const struct ls_event_hdr *hdr = (const void *)(loop->raw.bytes + at);

		at += (hdr->size + 7) & ~7ULL;
		if (hdr->kind == LS_EV_PYTHON) {
			extras.python = (const void *)hdr;
		} else if (hdr->kind == LS_EV_HOLDER) {
			extras.holder = (const void *)hdr;
		} else {
			blame_capture(s, loop, (const void *)hdr, &extras, false);
			extras = (struct capture_extras){ 0 };
		}
	}
	loop->raw.used = 0;
}

static void enter_iteration(struct traced_loop *loop, uint64_t iteration)
{
	if (loop->iteration == iteration)
		return;
	loop->raw.used = 0;
	blames__clear(&loop->blames);
	loop->iteration = iteration;
}

static int hold(struct traced_loop *loop, const struct ls_event_hdr *record)
{
	int err = record ? raw__append(&loop->raw, record, record->size) : 0;

	return err == -ENOMEM ? err : 0;
}

static void on_capture(struct session *s, const struct ls_ev_capture *ev)
{
	struct traced_loop *loop = loop_for(s, &ev->hdr, ev->slot);
	struct capture_extras extras = extras_of(s, ev);

	if (!loop)
		return;
	enter_iteration(loop, ev->iteration);
	if (ev->flags & LS_CAP_SNAPSHOT) {
		blame_capture(s, loop, ev, &extras, true);
	} else {
		if (loop->raw.used > HELD_BYTES)
			blame_held(s, loop); /* a long one, and a stall in any case */
		fail(s, hold(loop, (const void *)extras.python));
		fail(s, hold(loop, (const void *)extras.holder));
		fail(s, hold(loop, &ev->hdr));
	}
}

/* --- stalls ------------------------------------------------------------------------------------ */

static void fill_ledger(struct ls_ledger *ledger, const __u64 ns[LS_NR_CAUSES], uint64_t wall_ns)
{
	uint64_t left = wall_ns;

	for (int i = 0; i < LS_NR_CAUSES; i++) {
		ledger->ns[i] = ns[i] < left ? ns[i] : left; /* never more than the wall */
		left -= ledger->ns[i];
	}
	ledger->unaccounted_ns = left;
}

static uint64_t real_time_of(uint64_t mono_ns)
{
	return clock__real_ns() - (clock__mono_ns() - mono_ns);
}

static void set_stall(struct ls_stall *stall, const struct traced_loop *loop, uint64_t start_ns,
		      uint64_t wall_ns)
{
	*stall = (struct ls_stall){
		.pid = loop->tgid,
		.tid = loop->tid,
		.comm = loop->model.comm,
		.kind = loop->model.kind,
		.iteration = loop->iteration,
		.start_ns = start_ns,
		.time_ns = real_time_of(start_ns),
		.wall_ns = wall_ns,
		.ready = -1,
	};
}

static void name_unplaced(struct blames *list, const char *kind)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!list->items[i].advice)
			list->items[i].advice = advice__for(list->items[i].cause, kind, NULL, NULL);
}

static void filter_out(struct traced_loop *loop, const struct ls_stall *stall)
{
	loop->filtered++;
	loop->filtered_wall_ns += stall->wall_ns;
	for (int i = 0; i < LS_NR_CAUSES; i++)
		loop->filtered_ledger.ns[i] += stall->ledger.ns[i];
	loop->filtered_ledger.unaccounted_ns += stall->ledger.unaccounted_ns;
}

/* Hands the stall over with the blames collected so far. */
static void report_stall(struct session *s, struct traced_loop *loop, struct ls_stall *stall,
			 const uint32_t counts[LS_NR_CAUSES])
{
	fail(s, blames__balance(&loop->blames, &stall->ledger, counts));
	name_unplaced(&loop->blames, loop->model.kind);
	stall->kind = loop->model.kind;
	stall->causes = loop->blames.items;
	stall->nr_causes = loop->blames.nr;
	announce(s, loop);
	if (!stall->ongoing && !s->options.always_on)
		fail(s, sites__add(&loop->sites, stall));
	if (s->reporter->stall && !s->err)
		fail(s, s->reporter->stall(s->self, stall));
}

static void on_stall(struct session *s, const struct ls_ev_stall *ev)
{
	struct traced_loop *loop = loop_for(s, &ev->hdr, ev->slot);
	struct ls_stall stall;

	if (!loop)
		return;
	enter_iteration(loop, ev->iteration);
	loop->suspect = false; /* it came to its wait: a loop after all */
	set_stall(&stall, loop, ev->start_ns, ev->end_ns - ev->start_ns);
	stall.before_attach = ev->before_attach;
	stall.ready = ev->ready;
	fill_ledger(&stall.ledger, ev->ledger_ns, stall.wall_ns);
	if (s->options.max_ns && stall.wall_ns > s->options.max_ns) {
		filter_out(loop, &stall);
	} else {
		blame_held(s, loop);
		report_stall(s, loop, &stall, ev->counts);
	}
	enter_iteration(loop, 0);
}

/* --- stalls under way -------------------------------------------------------------------------- */

/* The block which the loop is in now, seen from outside. */
static void blame_current(struct session *s, struct traced_loop *loop, uint64_t now)
{
	const struct ls_loop_state *state;
	struct capture_extras extras = { 0 };
	const struct ls_ev_capture *held;
	struct ls_ev_capture *ev;
	uint32_t nr;

	held = tracer__current_capture(s->tracer, loop->slot, &extras.python);
	if (!held)
		return;
	state = &tracer__states(s->tracer, &nr)[loop->slot];
	ev = (struct ls_ev_capture *)held; /* our own copy of it */
	ev->hdr.tgid = loop->tgid;
	ev->hdr.tid = loop->tid;
	ev->ns = state->pending_ns[ev->cause % LS_NR_CAUSES] + (now - state->off_since_ns);
	ev->count = state->pending_counts[ev->cause % LS_NR_CAUSES] + 1;
	ev->waker_tid = 0;
	blame_capture(s, loop, ev, &extras, false);
}

static bool is_ongoing(const struct session *s, const struct ls_loop_state *state, uint64_t now)
{
	uint64_t least = state->before_attach ? hang_before_attach_ns : hang_ns;

	if (least < s->options.tracer.threshold_ns)
		least = s->options.tracer.threshold_ns;
	return state->tid && state->start_ns && now > state->start_ns && now - state->start_ns >= least;
}

/*
 * A thread which hung before we came, and whose stack names no known loop. It is taken for one when
 * nobody waits on the process's epoll descriptor, no other thread has shown itself as a loop, and it
 * is the main thread (or the only one).
 */
static bool is_likely_loop(const struct session *s, const struct traced_loop *loop)
{
	uint32_t nr;
	const struct ls_loop_state *state = &tracer__states(s->tracer, &nr)[loop->slot];

	if (loop->tid != loop->tgid)
		return false;
	for (size_t i = 0; i < s->loops.nr; i++)
		if (s->loops.items[i]->tgid == loop->tgid && !s->loops.items[i]->suspect)
			return false;
	return !targets__waits_on(loop->tgid, state->home.fd);
}

static void swap_blames(struct blames *a, struct blames *b)
{
	struct blames old = *a;

	*a = *b;
	*b = old;
}

static void report_ongoing(struct session *s, struct traced_loop *loop,
			   const struct ls_loop_state *live, uint64_t now)
{
	struct ls_loop_state state = *live; /* it may move while we look */
	struct blames so_far = { 0 };
	struct ls_stall stall;

	if (state.start_ns != live->start_ns || loop->reported_ns == state.start_ns)
		return;
	enter_iteration(loop, state.iteration);
	blame_held(s, loop);
	/* The end will have the block under way, whole: what is known now goes to a copy. */
	fail(s, blames__copy(&so_far, &loop->blames));
	swap_blames(&so_far, &loop->blames);
	if (state.off_since_ns)
		blame_current(s, loop, now);
	if (loop->suspect && !is_likely_loop(s, loop)) {
		swap_blames(&so_far, &loop->blames);
		blames__clear(&so_far);
		return;
	}
	set_stall(&stall, loop, state.start_ns, now - state.start_ns);
	stall.ongoing = true;
	stall.before_attach = state.before_attach;
	if (state.off_since_ns && state.off_since_ns < now)
		state.ledger_ns[state.off_cause % LS_NR_CAUSES] += now - state.off_since_ns;
	else if (state.on_since_ns < now)
		state.ledger_ns[LS_CPU] += now - state.on_since_ns;
	fill_ledger(&stall.ledger, state.ledger_ns, stall.wall_ns);
	loop->reported_ns = state.start_ns;
	report_stall(s, loop, &stall, state.counts);
	swap_blames(&so_far, &loop->blames);
	blames__clear(&so_far);
}

static void look_for_hangs(struct session *s, uint64_t now)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		struct traced_loop *loop;
		struct ls_event_hdr hdr = { .tgid = states[i].tgid, .tid = states[i].tid };

		if (!is_ongoing(s, &states[i], now))
			continue;
		loop = loop_for(s, &hdr, i);
		if (loop)
			report_ongoing(s, loop, &states[i], now);
	}
}

/* --- processes --------------------------------------------------------------------------------- */

static void end_loop(struct session *s, struct traced_loop *loop)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	if (states[loop->slot].tid == loop->tid)
		loop->last = states[loop->slot];
	loop->ended = true;
	enter_iteration(loop, 0);
	s->by_slot[loop->slot] = NULL;
	tracer__release(s->tracer, loop->slot);
	if (loop->announced && s->reporter->ended)
		fail(s, s->reporter->ended(s->self, &loop->model, &loop->last));
	if (s->options.always_on)
		loops__remove(&s->loops, loop);
}

static void end_loops_of(struct session *s, uint32_t tgid)
{
	for (size_t i = s->loops.nr; i-- > 0;) /* backwards: those that end may leave the list */
		if (s->loops.items[i]->tgid == tgid && !s->loops.items[i]->ended)
			end_loop(s, s->loops.items[i]);
}

static void end_process(struct session *s, uint32_t tgid)
{
	end_loops_of(s, tgid);
	symbolizer__forget(s->resolver.symbolizer, tgid);
	python__forget(s->resolver.python, tgid);
	drop_target(s, tgid);
}

static void on_process(struct session *s, const struct ls_ev_process *ev)
{
	struct traced_loop *loop;

	switch (ev->hdr.kind) {
	case LS_EV_FORK:
		log_info("process %u forked process %u: traced too", ev->hdr.tgid, ev->child);
		/* The kernel's map has it, or had it: it may be gone again. */
		fail(s, list_target(s, ev->child) == -ENOMEM ? -ENOMEM : 0);
		break;
	case LS_EV_EXEC:
		end_loops_of(s, ev->hdr.tgid);
		symbolizer__forget(s->resolver.symbolizer, ev->hdr.tgid);
		python__forget(s->resolver.python, ev->hdr.tgid);
		break;
	case LS_EV_EXIT:
		loop = loops__find(&s->loops, ev->hdr.tid);
		if (ev->is_process) {
			end_process(s, ev->hdr.tgid);
		} else if (loop) {
			end_loop(s, loop);
		}
		break;
	}
}

/* --- records ----------------------------------------------------------------------------------- */

static bool is_whole(const struct ls_event_hdr *hdr, size_t bytes)
{
	const struct ls_ev_capture *capture = (const void *)hdr;

	if (hdr->size != bytes)
		return false;
	switch (hdr->kind) {
	case LS_EV_LOOP:
	case LS_EV_CAPTURE:
		return bytes >= sizeof(*capture) && capture->stack_bytes == bytes - sizeof(*capture);
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
		on_loop(s, (const void *)hdr);
		break;
	case LS_EV_CAPTURE:
		on_capture(s, (const void *)hdr);
		break;
	case LS_EV_PYTHON:
	case LS_EV_HOLDER:
		on_python(s, hdr);
		break;
	case LS_EV_STALL:
		on_stall(s, (const void *)hdr);
		break;
	default:
		on_process(s, (const void *)hdr);
	}
}

/* --- slices and summary ------------------------------------------------------------------------- */

static const struct ls_loop_state *state_of(const struct session *s, const struct traced_loop *loop)
{
	uint32_t nr;

	return loop->ended ? &loop->last : &tracer__states(s->tracer, &nr)[loop->slot];
}

static void fill_loop_summary(const struct session *s, struct traced_loop *loop,
			      struct ls_loop_summary *out)
{
	const struct ls_loop_state *state = state_of(s, loop);
	uint64_t sum = 0;

	sites__rank(&loop->sites, TOP_SITES);
	*out = (struct ls_loop_summary){
		.loop = loop->model,
		.iterations = state->iterations,
		.stalls = state->stalls - loop->filtered,
		.busy_ns = state->busy_ns,
		.wait_ns = state->wait_ns,
		.max_ns = state->max_ns,
		.stalled_wall_ns = state->stalled_wall_ns - loop->filtered_wall_ns,
		.top = loop->sites.items,
		.nr_top = loop->sites.nr,
	};
	memcpy(out->histogram, state->histogram, sizeof(out->histogram));
	out->p50_ns = histogram__quantile_ns(out->histogram, 0.50, state->max_ns);
	out->p90_ns = histogram__quantile_ns(out->histogram, 0.90, state->max_ns);
	out->p99_ns = histogram__quantile_ns(out->histogram, 0.99, state->max_ns);
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		out->ledger.ns[i] = state->stalled_ns[i] - loop->filtered_ledger.ns[i];
		sum += out->ledger.ns[i];
	}
	out->ledger.unaccounted_ns = out->stalled_wall_ns > sum ? out->stalled_wall_ns - sum : 0;
}

static void report_summary(struct session *s, uint64_t now)
{
	struct ls_loop_summary *loops = calloc(s->loops.nr + 1, sizeof(*loops));
	struct ls_summary summary = { .seconds = (now - s->attached_ns) / 1e9, .loops = loops };

	if (!loops) {
		fail(s, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < s->loops.nr; i++)
		if (s->loops.items[i]->announced)
			fill_loop_summary(s, s->loops.items[i], &loops[summary.nr_loops++]);
	session__cost(s, &summary.lost, &summary.overhead);
	symbolizer__counts(s->resolver.symbolizer, &summary.frames_total, &summary.frames_symbolized);
	if (s->reporter->summary && !s->err)
		fail(s, s->reporter->summary(s->self, &summary));
	free(loops);
}

static void report_slice(struct session *s, struct traced_loop *loop, uint64_t now)
{
	struct ls_loop_state state = *state_of(s, loop), *from = &loop->slice_from;
	struct ls_slice slice = {
		.pid = loop->tgid,
		.tid = loop->tid,
		.start_ns = s->slice_ns,
		.end_ns = now,
		.iterations = state.iterations - from->iterations,
		.stalls = state.stalls - from->stalls,
		.busy_ns = state.busy_ns - from->busy_ns,
		.wait_ns = state.wait_ns - from->wait_ns,
		.stalled_wall_ns = state.stalled_wall_ns - from->stalled_wall_ns,
	};
	uint64_t sum = 0;

	if (!slice.iterations && !slice.wait_ns)
		return;
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		slice.ledger.ns[i] = state.stalled_ns[i] - from->stalled_ns[i];
		sum += slice.ledger.ns[i];
	}
	slice.ledger.unaccounted_ns = slice.stalled_wall_ns > sum ? slice.stalled_wall_ns - sum : 0;
	for (int i = 0; i < LS_HIST_BUCKETS; i++)
		slice.histogram[i] = state.histogram[i] - from->histogram[i];
	*from = state;
	fail(s, s->reporter->slice(s->self, &slice));
}

static void report_slices(struct session *s, uint64_t now)
{
	if (!s->options.slice_ns || !s->reporter->slice)
		return;
	for (size_t i = 0; i < s->loops.nr && !s->err; i++)
		if (s->loops.items[i]->announced)
			report_slice(s, s->loops.items[i], now);
	s->slice_ns = now;
}

/* --- the run ------------------------------------------------------------------------------------ */

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
	if (new_names(&s->resolver) || !s->resolved) {
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
	free_names(&s->resolver);
	for (int i = 0; i < MAX_EXTRAS; i++)
		free(s->extras[i].bytes);
	free(s->resolved);
	free(s->by_slot);
	free(s->targets);
	free(s);
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

		proc__command_line(s->targets[i], line, sizeof(line));
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

	seed_targets(s);
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
	log_err("no event loop in process %d: its threads wait elsewhere (%s); name the right process, "
		"or a thread with -t",
		s->first_target, what);
	return -ENOENT;
}

static int wait_for_events(struct session *s, int stop_fd, uint64_t until_ns, bool *stopped)
{
	struct pollfd fds[] = {
		{ .fd = tracer__event_fd(s->tracer), .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	uint64_t now = clock__mono_ns();
	int timeout = TICK_MS;

	if (until_ns && until_ns < now + TICK_MS * 1000000ULL)
		timeout = until_ns > now ? (until_ns - now + 999999) / 1000000 : 0;
	if (poll(fds, 2, timeout) < 0 && errno != EINTR)
		return -errno;
	*stopped = fds[1].revents;
	return 0;
}

/* --- what an endless run needs ------------------------------------------------------------------ */

bool session__traces(const struct session *s, pid_t pid)
{
	for (size_t i = 0; i < s->nr_targets; i++)
		if (s->targets[i] == pid)
			return true;
	return false;
}

int session__add_one(struct session *s, pid_t pid)
{
	struct target_census census = { .max_suspects = s->options.always_on ? 1 : 0 };
	int err;

	if (session__traces(s, pid))
		return -EEXIST;
	err = add_target(s, pid);
	if (err)
		return err;
	err = targets__seed(s->tracer, pid, s->options.tracer.tid, &census);
	if (err == -E2BIG && s->nr_seeded) { /* many threads at once */
		take_seeds(s);
		err = targets__seed(s->tracer, pid, s->options.tracer.tid, &census);
	}
	s->nr_seeded++;
	if (err != -ESRCH)
		pythons__attach(s->resolver.python, s->tracer, pid);
	return err;
}

/* Records of an iteration which ended without becoming a stall. Its end may wait in the ring buffer:
 * they go when it has been over for a tick. */
static void drop_records(struct traced_loop *loop, const struct ls_loop_state *state)
{
	if (!loop->raw.size || state->iteration == loop->iteration)
		return;
	if (loop->over == loop->iteration)
		raw__free(&loop->raw);
	loop->over = loop->iteration;
}

/* A loop whose first stack was lost is a loop nevertheless. */
static void find_quiet(struct session *s, uint32_t slot, const struct ls_loop_state *state)
{
	struct ls_event_hdr hdr = { .tgid = state->tgid, .tid = state->tid };
	struct traced_loop *loop;

	if (!state->iterations || state->before_attach)
		return;
	loop = loop_for(s, &hdr, slot);
	if (loop && !loop->suspect)
		announce(s, loop);
}

/* It was taken for a loop because it seemed to hang; now that others show themselves, it is not. */
static void withdraw(struct session *s, struct traced_loop *loop, const struct ls_loop_state *state)
{
	loop->announced = false;
	if (s->reporter->ended)
		fail(s, s->reporter->ended(s->self, &loop->model, state));
}

/* The pool of names is bounded and forgets nothing: in the end all that is new would be nameless. It
 * begins anew, with all that refers to it. */
static void renew_names(struct session *s)
{
	struct resolver fresh;

	if (!strings__nearly_full(s->resolver.strings) || new_names(&fresh))
		return;
	for (size_t i = 0; i < s->loops.nr; i++) {
		struct traced_loop *loop = s->loops.items[i];

		blames__clear(&loop->blames);
		loop->model.comm = strings__intern(fresh.strings, loop->model.comm);
	}
	free_names(&s->resolver);
	s->resolver = fresh;
	for (size_t i = 0; i < s->nr_targets; i++)
		pythons__attach(s->resolver.python, s->tracer, s->targets[i]);
}

/* Ends whose records were lost. */
static void sweep(struct session *s)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	for (size_t i = s->nr_targets; i-- > 0;) {
		pid_t pid = s->targets[i];

		if (proc__exists(pid))
			continue;
		tracer__drop_target(s->tracer, pid);
		end_process(s, pid);
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (!states[i].tid || proc__has_thread(states[i].tgid, states[i].tid))
			continue;
		if (s->by_slot[i])
			end_loop(s, s->by_slot[i]);
		else
			tracer__release(s->tracer, i);
	}
}

static void keep_house(struct session *s, uint64_t now)
{
	uint32_t nr;
	const struct ls_loop_state *states = tracer__states(s->tracer, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		if (!states[i].tid)
			continue;
		if (!s->by_slot[i]) {
			find_quiet(s, i, &states[i]);
			continue;
		}
		drop_records(s->by_slot[i], &states[i]);
		if (s->by_slot[i]->suspect && s->by_slot[i]->announced &&
		    !is_likely_loop(s, s->by_slot[i]))
			withdraw(s, s->by_slot[i], &states[i]);
	}
	if (now - s->swept_ns >= sweep_ns) {
		s->swept_ns = now;
		sweep(s);
		symbolizer__trim(s->resolver.symbolizer);
		renew_names(s);
	}
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

void session__cost(struct session *s, struct ls_losses *losses, struct ls_overhead *overhead)
{
	tracer__losses(s->tracer, losses);
	tracer__overhead(s->tracer, overhead);
	overhead->tracer_cpu_ns = proc__own_cpu_ns() - s->own_cpu_from_ns;
	overhead->tracer_rss_bytes = proc__own_rss_bytes();
}

size_t session__nr_targets(const struct session *s)
{
	return s->nr_targets;
}

/* --- turns --------------------------------------------------------------------------------------- */

static void tick(struct session *s, uint64_t now)
{
	tracer__tick(s->tracer, now);
	if (s->nr_seeded)
		take_seeds(s);
	look_for_hangs(s, now);
	if (s->options.always_on)
		keep_house(s, now);
	else
		prepare_symbols(s);
	if (s->options.slice_ns && now - s->slice_ns >= s->options.slice_ns)
		report_slices(s, now);
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
	report_slices(s, now);
	if (!s->err)
		report_summary(s, now);
	return err ? err : s->err;
}
