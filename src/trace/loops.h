/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the session keeps of each loop thread: its captures in waiting, its worst sites, its end. */
#ifndef LS_TRACE_LOOPS_H
#define LS_TRACE_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "model/stall.h"
#include "trace/blame.h"
#include "trace/dispatch.h"

/* Records of an iteration which is not known to be a stall yet. */
struct raw_records {
	uint8_t *bytes;
	size_t used, size;
};

struct site_totals {
	struct ls_site_total *items;
	size_t nr;
};

/* A loop's stalls without those that -M leaves out. */
struct stalled_totals {
	uint64_t stalls, wall_ns;
	uint64_t ns[LS_NR_CAUSES];
};

struct traced_loop {
	uint32_t tid, tgid;
	uint32_t slot;
	struct ls_loop model; /* strings in the session's pool */
	struct home_stack home;
	bool announced;       /* the reporter has it */
	bool suspect;         /* taken for a loop because it hung; not proven yet */
	bool not_python;      /* its process has no CPython */
	bool ended;           /* its last state is in `last` */
	uint64_t iteration;   /* that `raw` and `blames` belong to */
	uint64_t reported_ns; /* start of the stall last reported as ongoing */
	struct raw_records raw;
	struct blames blames;
	struct site_totals sites;
	uint64_t filtered; /* stalls not reported because of -M */
	uint64_t filtered_wall_ns;
	struct ls_ledger filtered_ledger;
	uint64_t over; /* the iteration that `raw` belongs to, once it was seen to be over */
	struct ls_loop_state last;
	struct ls_loop_state slice_from;     /* totals at the last slice */
	struct stalled_totals slice_stalled; /* likewise */
};

struct loops {
	struct traced_loop **items;
	size_t nr;
};

/* The loop of a thread which has not ended; NULL. */
struct traced_loop *loops__find(const struct loops *loops, uint32_t tid);
/* NULL: out of memory. */
struct traced_loop *loops__add(struct loops *loops, uint32_t tgid, uint32_t tid);
/* Forgets what is held of another iteration. */
void loop__enter(struct traced_loop *loop, uint64_t iteration);
/* Frees one, and what it holds. */
void loops__remove(struct loops *loops, struct traced_loop *loop);
void loops__free(struct loops *loops);

int raw__append(struct raw_records *raw, const void *record, size_t bytes);
void raw__free(struct raw_records *raw);

/* Adds a stall's causes to the loop's sites. Each object of a site has a total of its own, up to four; all further
 * ones (temporary files) share one without an object. */
int sites__add(struct site_totals *sites, const struct ls_stall *stall);
/* Worst first; at most `max` remain, the rest is dropped (the ledger still has their time). */
void sites__rank(struct site_totals *sites, size_t max);

#endif
