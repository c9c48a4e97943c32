/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the parts of the trace file's reader share: tracereader.c, and a file for each kind of line. */
#ifndef LS_MODEL_TRACEREADER_INTERNAL_H
#define LS_MODEL_TRACEREADER_INTERNAL_H

#include <errno.h>

#include "model/arena.h"
#include "model/intern.h"
#include "model/jsonr.h"
#include "model/stacks.h"
#include "model/stall.h"

/* What a file may ask for. */
enum {
	MAX_TABLE_BYTES = 64 << 20,
	MAX_LOOPS = 16384,
	MAX_STACK_FRAMES = 1024,
	MAX_CAUSES = 4096,             /* of a line */
	MAX_EXPANDED_FRAMES = 1 << 18, /* likewise */
	MAX_TOP = 1000,
	NONE = UINT32_MAX,
};

/* What a place says of a blame. Strings lie in the table. */
struct place {
	enum ls_cause cause;
	struct ls_blocking_call call;
	const char *advice;
	uint32_t stack, site, callee; /* numbers in the tables; NONE */
};

struct ids {
	uint32_t *ids; /* the file's number -> the table's */
	size_t n, size;
};

struct reader {
	const struct reporter *out;
	void *self;
	struct jsonr json;
	struct stacks *stacks;
	struct ids frame_ids, stack_ids;
	struct place *places;
	size_t nr_places, places_size;
	struct intern *threads; /* {pid, tid} -> loops[] */
	struct ls_loop *loops;
	size_t nr_loops, loops_size;
	struct arena *arena; /* of the totals */
	struct ls_loop_summary *totals;
	size_t nr_totals, totals_size;
	struct ls_blame *causes; /* of the line at hand */
	size_t causes_size;
	struct ls_frame *frames; /* their stacks, one after another */
	size_t nr_frames, frames_size;
	uint64_t time_ns, mono_ns;
	bool started, ended;
	unsigned long line;
	char *why;
	size_t why_bytes;
};

/* --- tracereader.c --- */

__attribute__((format(printf, 2, 3))) void reader__complain(struct reader *rd, const char *fmt,
							    ...);

/* A macro, so that the analyzer sees that it is never 0. */
#define bad(...) (reader__complain(__VA_ARGS__), -EBADMSG)

/* The first fault of the line's members, if any. */
int reader__check(struct reader *rd);
/* Makes room for one more element of an array. */
int reader__grow(void *array, size_t *size, size_t n, size_t element);
/* Replaces *s by a copy that stays. */
int reader__keep(struct reader *rd, const char **s);
/* The loop of that thread, for a first mention an empty one. */
int reader__find_loop(struct reader *rd, int pid, int tid, struct ls_loop **loop);
int reader__get_loop(struct reader *rd, const json_t *o, struct ls_loop *loop);

/* --- tracereader_tables.c: frame, stack, place --- */

void reader__get_frame(struct reader *rd, const json_t *o, struct ls_frame *f);
int reader__get_reference(struct reader *rd, const json_t *o, const char *key,
			  const struct ids *ids, uint32_t *number);
enum ls_cause reader__get_cause(struct reader *rd, const json_t *o);
int reader__get_call(struct reader *rd, const json_t *o, struct ls_blocking_call *call);

/* --- tracereader_stalls.c: stall, rest --- */

void reader__get_ledger(struct reader *rd, const json_t *o, struct ls_ledger *ledger);

/* --- what each line does: 0 or -errno --- */

int reader__on_frame(struct reader *rd, const json_t *o);
int reader__on_stack(struct reader *rd, const json_t *o);
int reader__on_place(struct reader *rd, const json_t *o);
int reader__on_stall(struct reader *rd, const json_t *o);
int reader__on_rest(struct reader *rd, const json_t *o);
int reader__on_slice(struct reader *rd, const json_t *o);
int reader__on_total(struct reader *rd, const json_t *o);
int reader__on_summary(struct reader *rd, const json_t *o);

#endif
