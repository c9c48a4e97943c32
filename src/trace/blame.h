/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The causes of one iteration: captures of the same cause, call and place become one entry. At its
 * end the entries are balanced against the ledger: samples are scaled to the CPU time they stand for,
 * and what no capture stands for becomes an entry without a place.
 */
#ifndef LS_TRACE_BLAME_H
#define LS_TRACE_BLAME_H

#include "model/stall.h"

struct blames {
	struct ls_blame *items;
	size_t nr;
};

/* Adds a copy of `blame`, its frames included (strings are borrowed). 0 or -ENOMEM. */
int blames__add(struct blames *list, const struct ls_blame *blame);

/* Makes the entries of each cause sum to the ledger's, greatest first. 0 or -ENOMEM. */
int blames__balance(struct blames *list, const struct ls_ledger *ledger,
		    const uint32_t counts[LS_NR_CAUSES]);

/* A deep copy of `from` into the empty list `to`. 0 or -ENOMEM. */
int blames__copy(struct blames *to, const struct blames *from);

/* Empties the list; it may be used again. */
void blames__clear(struct blames *list);

/* Two frames name the same place of the program; with `lines`, the same line. NULLs are equal. */
bool same_place(const struct ls_frame *a, const struct ls_frame *b, bool lines);

#endif
