/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The model as JSON members, named as the contract names them. What --json, the trace file and the
 * other JSON formats have in common; each writes its own line around them.
 */
#ifndef LS_MODEL_LINES_H
#define LS_MODEL_LINES_H

#include "model/stall.h"

struct jsonw;

/* "type":"start" and its members, into the open object; likewise the next. */
void lines__start(struct jsonw *w, const struct ls_start *start);
void lines__loop(struct jsonw *w, const struct ls_loop *loop);
/* All of a stall's members but "causes". */
void lines__stall(struct jsonw *w, const struct ls_stall *stall);
/* "cause", "ns" and "count"; then, apart, what may be absent. */
void lines__blame(struct jsonw *w, const struct ls_blame *blame);
void lines__call(struct jsonw *w, const struct ls_blocking_call *call);
/* A frame's members, into the open object. */
void lines__frame(struct jsonw *w, const struct ls_frame *frame);
void lines__ledger(struct jsonw *w, const struct ls_ledger *ledger);
/* [[lower_ns,count],...] of the buckets that are not empty. */
void lines__histogram(struct jsonw *w, const uint32_t histogram[LS_HIST_BUCKETS]);
/* The members of an entry of the summary's "loops". */
void lines__loop_summary(struct jsonw *w, const struct ls_loop_summary *summary);
/* "type":"summary" with all its members. */
void lines__summary(struct jsonw *w, const struct ls_summary *summary);

#endif
