/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * model -> lines -> zstd -> file. Frames, stacks and places (a place is what is constant in a
 * cause: its call, stack, site, callee and advice) are written before the first line that names
 * them, and named by number from then on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/atomicfile.h"
#include "model/intern.h"
#include "model/jsonw.h"
#include "model/lines.h"
#include "model/settle.h"
#include "model/stacks.h"
#include "model/tracefile.h"
#include "model/zstdio.h"

enum {
	DEFAULT_MAX_BYTES = 16 << 20,
	MAX_TABLE_BYTES = 48 << 20, /* of each table; the reader takes 64 */
	REST_CAUSES_A_LINE = 1000,
};

/* Numbers are those of the tables plus one; 0 is none. */
struct place {
	uint32_t cause, call, object, advice, stack, site, callee;
	int32_t fd;
};

struct thread {
	int pid, tid;
};

struct loop {
	uint32_t comm, kind; /* string numbers plus one, as the loop's line has them */
	uint64_t rest_stalls, rest_wall_ns;
	struct ls_ledger rest_ledger;
};

struct rest_key {
	uint32_t loop, place;
};

struct rest {
	uint64_t ns, stalls, last; /* last: the stall that was counted last */
};

struct writer {
	struct atomicfile *file;
	FILE *text;
	struct jsonw w;
	uint64_t bytes, max_bytes; /* compressed */
	uint64_t time_ns, mono_ns; /* at the start: stalls differ from them alike */
	struct stacks *stacks;
	size_t frames_written, stacks_written;
	struct intern *places;
	struct intern *threads; /* struct thread -> loops[] */
	struct loop *loops;
	size_t loops_size;
	struct intern *rest_keys; /* struct rest_key -> rests[] */
	struct rest *rests;
	size_t rests_size;
	uint64_t stalls, stalls_added_up, slices_dropped;
};

static void open_line(struct writer *t, const char *type)
{
	jsonw__object(&t->w, NULL);
	jsonw__str(&t->w, "type", type);
}

/* Without a flush: lines go out as the buffers fill. */
static int close_line(struct writer *t)
{
	jsonw__end_object(&t->w);
	return jsonw__newline(&t->w);
}

/* --- tables --- */

static int put_string(struct writer *t, const char *s, uint32_t *number)
{
	int64_t id;

	*number = 0;
	if (!s)
		return 0;
	id = stacks__string(t->stacks, s);
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int write_frames(struct writer *t)
{
	int err = 0;

	for (; t->frames_written < stacks__nr_frames(t->stacks) && !err; t->frames_written++) {
		open_line(t, "frame");
		jsonw__u64(&t->w, "id", t->frames_written);
		lines__frame(&t->w, stacks__frame_at(t->stacks, t->frames_written));
		err = close_line(t);
	}
	return err;
}

static int write_stacks(struct writer *t)
{
	const uint32_t *frames;
	bool truncated;
	size_t n;
	int err = 0;

	for (; t->stacks_written < stacks__nr_stacks(t->stacks) && !err; t->stacks_written++) {
		frames = stacks__stack_at(t->stacks, t->stacks_written, &n, &truncated);
		open_line(t, "stack");
		jsonw__u64(&t->w, "id", t->stacks_written);
		if (truncated)
			jsonw__bool(&t->w, "truncated", true);
		jsonw__array(&t->w, "frames");
		for (size_t i = 0; i < n; i++)
			jsonw__u64(&t->w, NULL, frames[i]);
		jsonw__end_array(&t->w);
		err = close_line(t);
	}
	return err;
}

static int put_stack(struct writer *t, const struct ls_stack *stack, uint32_t *number)
{
	int64_t id;
	int err;

	*number = 0;
	if (!stack->nr_frames)
		return 0;
	id = stacks__stack(t->stacks, stack);
	if ((err = write_frames(t)) != 0 || (err = write_stacks(t)) != 0)
		return err;
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int put_frame(struct writer *t, const struct ls_frame *frame, uint32_t *number)
{
	int64_t id;
	int err;

	*number = 0;
	if (!frame)
		return 0;
	id = stacks__frame(t->stacks, frame);
	if ((err = write_frames(t)) != 0)
		return err;
	if (id < 0)
		return (int)id;
	*number = (uint32_t)id + 1;
	return 0;
}

static int write_place(struct writer *t, size_t id, const struct place *place,
		       const struct ls_blame *blame)
{
	open_line(t, "place");
	jsonw__u64(&t->w, "id", id);
	jsonw__str(&t->w, "cause", ls_cause__name(place->cause));
	if (blame) {
		lines__call(&t->w, &blame->call);
		jsonw__str(&t->w, "advice", blame->advice);
	}
	if (place->stack)
		jsonw__u64(&t->w, "stack", place->stack - 1);
	if (place->site)
		jsonw__u64(&t->w, "site", place->site - 1);
	if (place->callee)
		jsonw__u64(&t->w, "callee", place->callee - 1);
	return close_line(t);
}

static int number_place(struct writer *t, const struct ls_blame *b, struct place *p)
{
	int err;

	*p = (struct place){.cause = b->cause, .fd = b->call.fd};
	if ((err = put_string(t, b->call.name, &p->call)) ||
	    (err = put_string(t, b->call.object, &p->object)) ||
	    (err = put_string(t, b->advice, &p->advice)) ||
	    (err = put_stack(t, &b->stack, &p->stack)) || (err = put_frame(t, b->site, &p->site)) ||
	    (err = put_frame(t, b->callee, &p->callee)))
		return err;
	return 0;
}

/* The blame's place: a number, or -errno. When a table is full, the cause alone: number `cause`. */
static int64_t put_place(struct writer *t, const struct ls_blame *blame)
{
	size_t known = intern__count(t->places);
	struct place place;
	int64_t id;
	int err = number_place(t, blame, &place);

	if (err)
		return err == -E2BIG ? (int64_t)blame->cause : err;
	id = intern__id(t->places, &place, sizeof(place));
	if (id == -E2BIG)
		return blame->cause;
	if (id >= 0 && (size_t)id == known && (err = write_place(t, known, &place, blame)) != 0)
		return err;
	return id;
}

/* Places 0 to 12 are the causes alone. */
static int write_cause_places(struct writer *t)
{
	struct place place = {.fd = -1};
	int err = 0;

	for (int i = 0; i < LS_NR_CAUSES && !err; i++) {
		place.cause = (uint32_t)i;
		if (intern__id(t->places, &place, sizeof(place)) != i)
			return -ENOMEM;
		err = write_place(t, (size_t)i, &place, NULL);
	}
	return err;
}

static int64_t put_loop(struct writer *t, int pid, int tid)
{
	struct thread thread = {.pid = pid, .tid = tid};
	int64_t id = intern__id(t->threads, &thread, sizeof(thread));
	struct loop *loops;
	size_t size;

	if (id < 0 || (size_t)id < t->loops_size)
		return id;
	size = t->loops_size ? t->loops_size * 2 : 16;
	loops = realloc(t->loops, size * sizeof(*loops));
	if (!loops)
		return -ENOMEM;
	memset(loops + t->loops_size, 0, (size - t->loops_size) * sizeof(*loops));
	t->loops = loops;
	t->loops_size = size;
	return id;
}

/* --- lines --- */

static int write_header(struct writer *t, const char *version)
{
	open_line(t, "header");
	jsonw__str(&t->w, "format", "loopstall-trace");
	jsonw__u64(&t->w, "version", TRACEFILE_VERSION);
	jsonw__str(&t->w, "loopstall", version);
	return close_line(t);
}

static int on_start(void *self, const struct ls_start *start)
{
	struct writer *t = self;
	int err;

	t->time_ns = start->time_ns;
	t->mono_ns = start->mono_ns;
	err = write_header(t, start->version);
	if (err)
		return err;
	jsonw__object(&t->w, NULL);
	lines__start(&t->w, start);
	jsonw__u64(&t->w, "time_ns", start->time_ns);
	err = close_line(t);
	return err ? err : write_cause_places(t);
}

static int on_loop(void *self, const struct ls_loop *loop)
{
	struct writer *t = self;
	int64_t id = put_loop(t, loop->pid, loop->tid);
	int err;

	if (id < 0)
		return (int)id;
	if ((err = put_string(t, loop->comm, &t->loops[id].comm)) != 0 ||
	    (err = put_string(t, loop->kind, &t->loops[id].kind)) != 0)
		return err;
	jsonw__object(&t->w, NULL);
	lines__loop(&t->w, loop);
	return close_line(t);
}

/* Only what is not zero. */
static void write_ledger(struct writer *t, const struct ls_ledger *ledger)
{
	jsonw__object(&t->w, "ledger");
	for (int i = 0; i < LS_NR_CAUSES; i++) {
		if (ledger->ns[i])
			jsonw__u64(&t->w, ls_cause__name(i), ledger->ns[i]);
	}
	if (ledger->unaccounted_ns)
		jsonw__u64(&t->w, "unaccounted", ledger->unaccounted_ns);
	jsonw__end_object(&t->w);
}

static void write_holder(struct writer *t, const struct ls_holder *holder, uint32_t stack)
{
	if (!holder->tid)
		return;
	jsonw__object(&t->w, "holder");
	jsonw__i64(&t->w, "tid", holder->tid);
	jsonw__str(&t->w, "comm", holder->comm);
	if (stack)
		jsonw__u64(&t->w, "stack", stack - 1);
	jsonw__end_object(&t->w);
}

struct numbered {
	uint32_t place, holder_stack;
};

/* Numbers a stall's causes, which may write table lines. The caller frees *out. */
static int number_causes(struct writer *t, const struct ls_stall *stall, struct numbered **out)
{
	struct numbered *n = calloc(stall->nr_causes + 1, sizeof(*n));
	int64_t id;
	int err = 0;

	*out = n;
	if (!n)
		return -ENOMEM;
	for (size_t i = 0; i < stall->nr_causes && !err; i++) {
		id = put_place(t, &stall->causes[i]);
		if (id < 0)
			return (int)id;
		n[i].place = (uint32_t)id;
		if (stall->causes[i].holder.tid)
			err = put_stack(t, &stall->causes[i].holder.stack, &n[i].holder_stack);
		if (err == -E2BIG)
			err = 0;
	}
	return err;
}

static void write_cause(struct writer *t, const struct ls_blame *blame, const struct numbered *n)
{
	jsonw__object(&t->w, NULL);
	jsonw__u64(&t->w, "place", n->place);
	jsonw__u64(&t->w, "ns", blame->ns);
	jsonw__u64(&t->w, "count", blame->count);
	jsonw__str(&t->w, "task", blame->task);
	write_holder(t, &blame->holder, n->holder_stack);
	jsonw__end_object(&t->w);
}

/* The clocks run alike; when they do not (the time was set), the stall says its own. */
static bool time_follows(const struct writer *t, const struct ls_stall *stall)
{
	uint64_t expected = t->time_ns + (stall->start_ns - t->mono_ns);

	return stall->time_ns - expected + 1000000 <= 2000000;
}

/* A stall's comm and kind are its loop's unless it says otherwise. */
static int write_names(struct writer *t, const struct ls_stall *stall, const struct loop *loop)
{
	uint32_t comm, kind;
	int err;

	if ((err = put_string(t, stall->comm, &comm)) != 0 ||
	    (err = put_string(t, stall->kind, &kind)) != 0)
		return err == -E2BIG ? 0 : err;
	if (comm != loop->comm)
		jsonw__str(&t->w, "comm", stall->comm);
	if (kind != loop->kind)
		jsonw__str(&t->w, "kind", stall->kind);
	return 0;
}

static int write_stall(struct writer *t, const struct ls_stall *stall, const struct loop *loop,
		       const struct numbered *n)
{
	int err;

	open_line(t, "stall");
	jsonw__i64(&t->w, "pid", stall->pid);
	jsonw__i64(&t->w, "tid", stall->tid);
	err = write_names(t, stall, loop);
	if (err)
		return err;
	jsonw__u64(&t->w, "iteration", stall->iteration);
	jsonw__u64(&t->w, "start_ns", stall->start_ns);
	if (!time_follows(t, stall))
		jsonw__u64(&t->w, "time_ns", stall->time_ns);
	jsonw__u64(&t->w, "wall_ns", stall->wall_ns);
	if (stall->ongoing)
		jsonw__bool(&t->w, "ongoing", true);
	if (stall->before_attach)
		jsonw__bool(&t->w, "before_attach", true);
	if (stall->ready >= 0)
		jsonw__i64(&t->w, "ready", stall->ready);
	write_ledger(t, &stall->ledger);
	jsonw__array(&t->w, "causes");
	for (size_t i = 0; i < stall->nr_causes; i++)
		write_cause(t, &stall->causes[i], &n[i]);
	jsonw__end_array(&t->w);
	return close_line(t);
}

/* --- what does not fit --- */

static int64_t put_rest(struct writer *t, uint32_t loop, uint32_t place)
{
	struct rest_key key = {.loop = loop, .place = place};
	int64_t id = intern__id(t->rest_keys, &key, sizeof(key));
	struct rest *rests;
	size_t size;

	if (id < 0 || (size_t)id < t->rests_size)
		return id;
	size = t->rests_size ? t->rests_size * 2 : 256;
	rests = realloc(t->rests, size * sizeof(*rests));
	if (!rests)
		return -ENOMEM;
	memset(rests + t->rests_size, 0, (size - t->rests_size) * sizeof(*rests));
	t->rests = rests;
	t->rests_size = size;
	return id;
}

static int add_rest(struct writer *t, uint32_t loop, uint32_t place, uint64_t ns)
{
	int64_t id = put_rest(t, loop, place);
	struct rest *rest;

	if (id < 0)
		return id == -E2BIG ? 0 : (int)id; /* the ledger has it */
	rest = &t->rests[id];
	rest->ns += ns;
	rest->stalls += rest->last != t->stalls;
	rest->last = t->stalls;
	return 0;
}

static int add_up(struct writer *t, uint32_t number, const struct ls_stall *stall,
		  const struct numbered *n)
{
	struct loop *loop = &t->loops[number];
	uint64_t left[LS_NR_CAUSES], ns;
	int err = 0;

	t->stalls_added_up++;
	loop->rest_stalls++;
	loop->rest_wall_ns += stall->wall_ns;
	loop->rest_ledger.unaccounted_ns += stall->ledger.unaccounted_ns;
	memcpy(left, stall->ledger.ns, sizeof(left));
	for (size_t i = 0; i < stall->nr_causes && !err; i++) {
		ns = stall->causes[i].ns;
		left[stall->causes[i].cause] -=
			ns < left[stall->causes[i].cause] ? ns : left[stall->causes[i].cause];
		err = add_rest(t, number, n[i].place, ns);
	}
	for (uint32_t i = 0; i < LS_NR_CAUSES && !err; i++) {
		loop->rest_ledger.ns[i] += stall->ledger.ns[i];
		if (left[i])
			err = add_rest(t, number, i, left[i]);
	}
	return err;
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct writer *t = self;
	struct numbered *n = NULL;
	int64_t loop = put_loop(t, stall->pid, stall->tid);
	int err;

	if (loop < 0)
		return (int)loop;
	t->stalls++;
	err = number_causes(t, stall, &n);
	if (!err && t->bytes < t->max_bytes)
		err = write_stall(t, stall, &t->loops[loop], n);
	else if (!err)
		err = add_up(t, (uint32_t)loop, stall, n);
	free(n);
	return err;
}

static void open_rest(struct writer *t, size_t loop, bool totals)
{
	const struct thread *thread = intern__key(t->threads, loop, NULL);
	const struct loop *l = &t->loops[loop];

	open_line(t, "rest");
	jsonw__i64(&t->w, "pid", thread->pid);
	jsonw__i64(&t->w, "tid", thread->tid);
	if (totals) {
		jsonw__u64(&t->w, "stalls", l->rest_stalls);
		jsonw__u64(&t->w, "wall_ns", l->rest_wall_ns);
		write_ledger(t, &l->rest_ledger);
	}
	jsonw__array(&t->w, "causes");
}

static int close_rest(struct writer *t)
{
	jsonw__end_array(&t->w);
	return close_line(t);
}

/* A loop's stalls that were added up; in several lines when the places are many. */
static int write_rest(struct writer *t, size_t loop)
{
	const struct rest_key *key;
	size_t n = 0;
	int err = 0;

	open_rest(t, loop, true);
	for (size_t i = 0; i < intern__count(t->rest_keys) && !err; i++) {
		key = intern__key(t->rest_keys, i, NULL);
		if (key->loop != loop)
			continue;
		if (n && n % REST_CAUSES_A_LINE == 0) {
			err = close_rest(t);
			open_rest(t, loop, false);
		}
		n++;
		jsonw__object(&t->w, NULL);
		jsonw__u64(&t->w, "place", key->place);
		jsonw__u64(&t->w, "ns", t->rests[i].ns);
		jsonw__u64(&t->w, "stalls", t->rests[i].stalls);
		jsonw__end_object(&t->w);
	}
	return err ? err : close_rest(t);
}

static int on_slice(void *self, const struct ls_slice *slice)
{
	struct writer *t = self;

	if (t->bytes >= 2 * t->max_bytes) {
		t->slices_dropped++;
		return 0;
	}
	open_line(t, "slice");
	jsonw__i64(&t->w, "pid", slice->pid);
	jsonw__i64(&t->w, "tid", slice->tid);
	jsonw__u64(&t->w, "start_ns", slice->start_ns);
	jsonw__u64(&t->w, "end_ns", slice->end_ns);
	jsonw__u64(&t->w, "iterations", slice->iterations);
	jsonw__u64(&t->w, "stalls", slice->stalls);
	jsonw__u64(&t->w, "busy_ns", slice->busy_ns);
	jsonw__u64(&t->w, "wait_ns", slice->wait_ns);
	jsonw__u64(&t->w, "stalled_wall_ns", slice->stalled_wall_ns);
	write_ledger(t, &slice->ledger);
	lines__histogram(&t->w, slice->histogram);
	return close_line(t);
}

/* --- the end --- */

static int write_totals(struct writer *t, const struct ls_summary *summary)
{
	int err = 0;

	for (size_t i = 0; i < summary->nr_loops && !err; i++) {
		open_line(t, "total");
		lines__loop_summary(&t->w, &summary->loops[i]);
		err = close_line(t);
	}
	return err;
}

static int write_rests(struct writer *t)
{
	int err = 0;

	for (size_t i = 0; i < intern__count(t->threads) && !err; i++) {
		if (t->loops[i].rest_stalls)
			err = write_rest(t, i);
	}
	return err;
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct ls_summary without_loops = *summary;
	struct writer *t = self;
	FILE *text = t->text;
	int err;

	if ((err = write_rests(t)) != 0 || (err = write_totals(t, summary)) != 0)
		return err;
	without_loops.nr_loops = 0;
	jsonw__object(&t->w, NULL);
	lines__summary(&t->w, &without_loops);
	jsonw__u64(&t->w, "stalls", t->stalls - t->stalls_added_up);
	jsonw__u64(&t->w, "stalls_added_up", t->stalls_added_up);
	jsonw__u64(&t->w, "slices_dropped", t->slices_dropped);
	err = close_line(t);
	if (err)
		return err;
	t->text = NULL;
	if (fclose(text) != 0)
		return -errno;
	return atomicfile__commit(t->file);
}

static void on_free(void *self)
{
	struct writer *t = self;

	if (!t)
		return;
	if (t->text)
		fclose(t->text);
	atomicfile__free(t->file);
	stacks__free(t->stacks);
	intern__free(t->places);
	intern__free(t->threads);
	intern__free(t->rest_keys);
	free(t->loops);
	free(t->rests);
	free(t);
}

static int open_output(struct writer *t, const char *path)
{
	t->file = atomicfile__new(path);
	if (!t->file)
		return -errno;
	t->text = zstdio__compress(atomicfile__fd(t->file), &t->bytes);
	if (!t->text)
		return -errno;
	jsonw__init(&t->w, t->text);
	return 0;
}

int tracefile__new(const char *path, const struct tracefile_options *options, struct reporter *r,
		   void **self)
{
	struct writer *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->max_bytes = options && options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
	t->stacks = stacks__new(MAX_TABLE_BYTES);
	t->places = intern__new(MAX_TABLE_BYTES);
	t->threads = intern__new(MAX_TABLE_BYTES);
	t->rest_keys = intern__new(MAX_TABLE_BYTES);
	err = t->stacks && t->places && t->threads && t->rest_keys ? open_output(t, path) : -ENOMEM;
	if (err) {
		on_free(t);
		return err;
	}
	*r = (struct reporter){
		.start = on_start,
		.loop = on_loop,
		.stall = on_stall,
		.slice = on_slice,
		.summary = on_summary,
		.free = on_free,
	};
	*self = t;
	return settle__wrap(r, self);
}
