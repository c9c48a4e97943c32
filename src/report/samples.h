/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Stalled time by place: stalls with the same stack, cause and call become one sample. What folded
 * stacks, flame graphs and profiles are made of. Every nanosecond of a stall is in exactly one
 * sample: time of a cause that no stack stands for gets a sample without frames.
 */
#ifndef LS_REPORT_SAMPLES_H
#define LS_REPORT_SAMPLES_H

#include "model/stacks.h"
#include "model/stall.h"

enum { SAMPLE_UNACCOUNTED = LS_NR_CAUSES };

struct sample {
	const char *comm; /* NULL unknown */
	const char *kind;
	int cause;              /* enum ls_cause or SAMPLE_UNACCOUNTED */
	const char *call;       /* system call; NULL none */
	const char *object;     /* NULL none */
	const uint32_t *frames; /* numbers for samples__frame(), leaf first */
	size_t nr_frames;
	bool truncated;
	uint64_t ns;
	uint64_t stalls; /* that it took part in */
};

struct samples;

struct samples *samples__new(void); /* NULL: errno */
void samples__free(struct samples *s);

int samples__add(struct samples *s, const struct ls_stall *stall);
int samples__add_rest(struct samples *s, const struct ls_rest *rest);

size_t samples__count(const struct samples *s);
/* Borrowed until the next samples__add. */
struct sample samples__at(const struct samples *s, size_t i);
size_t samples__nr_frames(const struct samples *s);
const struct ls_frame *samples__frame(const struct samples *s, uint32_t frame);

/* "cpu" ... "other", "unaccounted". */
const char *sample__cause_name(int cause);

#endif
