/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Samples as a tree: everything, then programs, then frames from the outermost inwards, then what
 * the time went to ("network: recvfrom tcp 127.0.0.1:5432"). What a flame graph draws.
 */
#ifndef LS_REPORT_FLAMETREE_H
#define LS_REPORT_FLAMETREE_H

#include <stddef.h>
#include <stdint.h>

#include "report/samples.h"

enum { FLAME_NR_CAUSES = SAMPLE_UNACCOUNTED + 1 };

struct flame_node {
	const char *label;
	const struct ls_frame
		*frame;  /* the first that has this label here; NULL for what is none */
	uint32_t parent; /* the root is its own */
	uint32_t first_child, next_sibling; /* 0: none; the greatest first */
	uint32_t depth;
	uint64_t ns, stalls;
	uint64_t cause_ns[FLAME_NR_CAUSES];
};

struct flametree;

/* Borrows the samples' frames. NULL: errno. */
struct flametree *flametree__new(const struct samples *samples);
void flametree__free(struct flametree *t);

/* Node 0 is the root; parents come before children. */
const struct flame_node *flametree__nodes(const struct flametree *t, size_t *n);

/* The cause that has most of the node's time. */
int flame_node__cause(const struct flame_node *node);

#endif
