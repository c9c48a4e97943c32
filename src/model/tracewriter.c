/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * model -> lines -> zstd -> file. Frames, stacks and places (a place is what is constant in a
 * cause: its call, stack, site, callee and advice) are written before the first line that names
 * them, and named by number from then on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/lines.h"
#include "model/settle.h"
#include "model/tracefile.h"
#include "model/tracewriter_internal.h"
#include "model/zstdio.h"

enum {
	DEFAULT_MAX_BYTES = 16 << 20,
	MAX_TABLE_BYTES = 48 << 20, /* of each table; the reader takes 64 */
};

void writer__open_line(struct writer *t, const char *type)
{
	jsonw__object(&t->w, NULL);
	jsonw__str(&t->w, "type", type);
}

int writer__close_line(struct writer *t)
{
	jsonw__end_object(&t->w);
	return jsonw__newline(&t->w);
}

/* --- lines --- */

static int write_header(struct writer *t, const char *version)
{
	writer__open_line(t, "header");
	jsonw__str(&t->w, "format", "loopstall-trace");
	jsonw__u64(&t->w, "version", TRACEFILE_VERSION);
	jsonw__str(&t->w, "loopstall", version);
	return writer__close_line(t);
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
	err = writer__close_line(t);
	return err ? err : writer__write_cause_places(t);
}

static int on_loop(void *self, const struct ls_loop *loop)
{
	struct writer *t = self;
	int64_t id = writer__put_loop(t, loop->pid, loop->tid);
	int err;

	if (id < 0)
		return (int)id;
	if ((err = writer__put_string(t, loop->comm, &t->loops[id].comm)) != 0 ||
	    (err = writer__put_string(t, loop->kind, &t->loops[id].kind)) != 0)
		return err;
	jsonw__object(&t->w, NULL);
	lines__loop(&t->w, loop);
	return writer__close_line(t);
}

void writer__write_ledger(struct writer *t, const struct ls_ledger *ledger)
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
		id = writer__put_place(t, &stall->causes[i]);
		if (id < 0)
			return (int)id;
		n[i].place = (uint32_t)id;
		if (stall->causes[i].holder.tid)
			err = writer__put_stack(t, &stall->causes[i].holder.stack,
						&n[i].holder_stack);
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

	if ((err = writer__put_string(t, stall->comm, &comm)) != 0 ||
	    (err = writer__put_string(t, stall->kind, &kind)) != 0)
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

	writer__open_line(t, "stall");
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
	writer__write_ledger(t, &stall->ledger);
	jsonw__array(&t->w, "causes");
	for (size_t i = 0; i < stall->nr_causes; i++)
		write_cause(t, &stall->causes[i], &n[i]);
	jsonw__end_array(&t->w);
	return writer__close_line(t);
}

static int on_stall(void *self, const struct ls_stall *stall)
{
	struct writer *t = self;
	struct numbered *n = NULL;
	int64_t loop = writer__put_loop(t, stall->pid, stall->tid);
	int err;

	if (loop < 0)
		return (int)loop;
	t->stalls++;
	err = number_causes(t, stall, &n);
	if (!err && t->bytes < t->max_bytes)
		err = write_stall(t, stall, &t->loops[loop], n);
	else if (!err)
		err = writer__add_up(t, (uint32_t)loop, stall, n);
	free(n);
	return err;
}

static int on_slice(void *self, const struct ls_slice *slice)
{
	struct writer *t = self;

	if (t->bytes >= 2 * t->max_bytes) {
		t->slices_dropped++;
		return 0;
	}
	writer__open_line(t, "slice");
	jsonw__i64(&t->w, "pid", slice->pid);
	jsonw__i64(&t->w, "tid", slice->tid);
	jsonw__u64(&t->w, "start_ns", slice->start_ns);
	jsonw__u64(&t->w, "end_ns", slice->end_ns);
	jsonw__u64(&t->w, "iterations", slice->iterations);
	jsonw__u64(&t->w, "stalls", slice->stalls);
	jsonw__u64(&t->w, "busy_ns", slice->busy_ns);
	jsonw__u64(&t->w, "wait_ns", slice->wait_ns);
	jsonw__u64(&t->w, "stalled_wall_ns", slice->stalled_wall_ns);
	writer__write_ledger(t, &slice->ledger);
	lines__histogram(&t->w, slice->histogram);
	return writer__close_line(t);
}

/* --- the end --- */

static int write_totals(struct writer *t, const struct ls_summary *summary)
{
	int err = 0;

	for (size_t i = 0; i < summary->nr_loops && !err; i++) {
		writer__open_line(t, "total");
		lines__loop_summary(&t->w, &summary->loops[i]);
		err = writer__close_line(t);
	}
	return err;
}

static int on_summary(void *self, const struct ls_summary *summary)
{
	struct ls_summary without_loops = *summary;
	struct writer *t = self;
	FILE *text = t->text;
	int err;

	if ((err = writer__write_rests(t)) != 0 || (err = write_totals(t, summary)) != 0)
		return err;
	without_loops.nr_loops = 0;
	jsonw__object(&t->w, NULL);
	lines__summary(&t->w, &without_loops);
	jsonw__u64(&t->w, "stalls", t->stalls - t->stalls_added_up);
	jsonw__u64(&t->w, "stalls_added_up", t->stalls_added_up);
	jsonw__u64(&t->w, "slices_dropped", t->slices_dropped);
	err = writer__close_line(t);
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
