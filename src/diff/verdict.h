/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A comparison with the conditions it was to be held against, and the formats it is printed in. */
#ifndef LS_DIFF_VERDICT_H
#define LS_DIFF_VERDICT_H

#include <stdio.h>

#include "diff/compare.h"
#include "diff/failon.h"

struct condition {
	struct failon failon;
	enum failon_result result;
	char detail[300];
};

struct verdict {
	const struct comparison *comparison;
	struct condition *conditions; /* none: the default, a regression */
	size_t nr_conditions;
	bool failed;
	bool unjudged; /* of a condition nothing can be said, and no other failed */
};

/* Fills in the results. */
void verdict__decide(struct verdict *v);

/* "regression: p99, 2 sites"; for the first line. Returns buf. */
const char *verdict__headline(const struct verdict *v, char *buf, size_t bytes);

struct diff_format {
	const char *name;
	int (*print)(FILE *out, const struct verdict *v); /* 0 or -errno; flushes */
};

extern const struct diff_format diff_text, diff_markdown, diff_json, diff_junit;

/* What a reader must know beside the numbers: each a sentence in buf, or NULL when it is not so. */
enum verdict_note { NOTE_UNJUDGED, NOTE_LOST, NOTE_ADDED_UP, NR_NOTES };
const char *verdict__note(const struct verdict *v, enum verdict_note note, char *buf, size_t bytes);

/* For the formats: what a site is worth showing for. */
bool site_finding__shown(const struct site_finding *s);
/* "external (srv/app.py:18)". Returns buf. */
const char *site_finding__place(const struct site_finding *s, char *buf, size_t bytes);
/* "[-2.1 %, +12 %]". Returns buf. */
const char *finding__interval(const struct finding *f, char *buf, size_t bytes);
double side__seconds(const struct side *side);

int diff__flush(FILE *out);

#endif
