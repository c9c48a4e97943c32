/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the parts of the human report share. */
#ifndef LS_REPORT_TEXT_INTERNAL_H
#define LS_REPORT_TEXT_INTERNAL_H

#include "report/line.h"
#include "report/text.h"

enum { SEEN_STACKS = 512 };

/* A stack which was printed already, so that the next one like it need not be. */
struct seen_stack {
	uint64_t hash;
	uint64_t stall; /* its number in this report */
};

struct text {
	struct line line;
	struct text_options options;
	uint64_t nr_stalls;
	struct seen_stack seen[SEEN_STACKS];
	size_t nr_seen;
	uint64_t stalls_added_up, added_up_ns;
	int err;
};

/* Ends the line; what goes wrong is kept for text__finish. */
void text__end(struct text *t);

/* Flushes. 0, or the first thing that went wrong. */
int text__finish(struct text *t);

double text__percent(uint64_t part, uint64_t whole);

/* One of several on a line, which begins with what parts it from the last (", "): on a line of its own,
 * indented, where it does not fit any more. */
void text__item(struct text *t, enum paint paint, size_t indent, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* "sleep 50.1 ms 98%, cpu 288 us 1.0%": all of the ledger, greatest first. */
void text__ledger(struct text *t, const struct ls_ledger *ledger, size_t indent);

/* A frame, shortened so that `after` still has room on the line; that is not printed. */
void text__place(struct text *t, enum paint paint, const struct ls_frame *frame, const char *after);

int text__summary(void *self, const struct ls_summary *summary);

#endif
