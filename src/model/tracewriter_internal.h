/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the parts of the trace file's writer share: tracewriter.c, its tables, and the stalls that do not fit. */
#ifndef LS_MODEL_TRACEWRITER_INTERNAL_H
#define LS_MODEL_TRACEWRITER_INTERNAL_H

#include <stdio.h>

#include "model/atomicfile.h"
#include "model/intern.h"
#include "model/jsonw.h"
#include "model/stacks.h"
#include "model/stall.h"

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

struct numbered {
	uint32_t place, holder_stack;
};

/* --- tracewriter.c --- */

void writer__open_line(struct writer *t, const char *type);
/* Without a flush: lines go out as the buffers fill. */
int writer__close_line(struct writer *t);
/* Only what is not zero. */
void writer__write_ledger(struct writer *t, const struct ls_ledger *ledger);

/* --- tracewriter_tables.c: strings, frames, stacks and places become numbers; a line at the first mention --- */

int writer__put_string(struct writer *t, const char *s, uint32_t *number);
int writer__put_stack(struct writer *t, const struct ls_stack *stack, uint32_t *number);
/* The blame's place: a number, or -errno. When a table is full, the cause alone: number `cause`. */
int64_t writer__put_place(struct writer *t, const struct ls_blame *blame);
/* Places 0 to 12 are the causes alone. */
int writer__write_cause_places(struct writer *t);
int64_t writer__put_loop(struct writer *t, int pid, int tid);

/* --- tracewriter_rest.c: stalls beyond the bound, added up --- */

int writer__add_up(struct writer *t, uint32_t number, const struct ls_stall *stall,
		   const struct numbered *n);
int writer__write_rests(struct writer *t);

#endif
