/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Stalled time by site and cause, over all loops of a run. A site is told apart by its function and
 * file, not by its line, so that it stays the same when lines move between two builds.
 */
#ifndef LS_MODEL_SITETABLE_H
#define LS_MODEL_SITETABLE_H

#include "model/stall.h"

/* Strings are borrowed from the table; NULL when not known. */
struct site {
	const char *function, *file, *module; /* all NULL: the site is not known */
	enum ls_cause cause;
	uint32_t line; /* of the longest stall; 0 unknown. So are the next four */
	const char *callee;
	const char *call, *object;
	const char *advice;
	uint64_t ns, stalls;
	uint64_t max_ns; /* the most in one stall */
};

struct sitetable;

struct sitetable *sitetable__new(void); /* NULL: errno */
void sitetable__free(struct sitetable *s);

/* 0 or -errno. */
int sitetable__add(struct sitetable *s, const struct ls_stall *stall);
int sitetable__add_rest(struct sitetable *s, const struct ls_rest *rest);

size_t sitetable__count(const struct sitetable *s);
/* Borrowed until the next sitetable__add. */
const struct site *sitetable__at(const struct sitetable *s, size_t i);

#endif
