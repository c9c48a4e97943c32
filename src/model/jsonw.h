/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Writes JSON to a FILE. Commas and escapes are its job, nesting is the caller's. Strings become
 * valid UTF-8 with every control character escaped, whatever bytes they hold. The first write error
 * sticks.
 */
#ifndef LS_MODEL_JSONW_H
#define LS_MODEL_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct jsonw {
	FILE *out;
	int err;        /* 0 or the first -errno */
	bool comma;     /* a value precedes at this level */
	bool html_safe; /* escape < > & too: the text may stand inside <script> */
};

void jsonw__init(struct jsonw *w, FILE *out);

/* `key` is NULL in arrays and at the top. A NULL string writes nothing: absent facts are absent
 * keys. */
void jsonw__object(struct jsonw *w, const char *key);
void jsonw__end_object(struct jsonw *w);
void jsonw__array(struct jsonw *w, const char *key);
void jsonw__end_array(struct jsonw *w);
void jsonw__str(struct jsonw *w, const char *key, const char *value);
void jsonw__u64(struct jsonw *w, const char *key, uint64_t value);
void jsonw__i64(struct jsonw *w, const char *key, int64_t value);
void jsonw__bool(struct jsonw *w, const char *key, bool value);
/* A decimal fraction with `digits` (0..9) after the point, in any locale; not finite becomes null.
 */
void jsonw__fraction(struct jsonw *w, const char *key, double value, int digits);
/* RFC 3339, UTC, microseconds. */
void jsonw__time(struct jsonw *w, const char *key, uint64_t time_ns);

/* Ends a line: 0 or the first -errno. */
int jsonw__newline(struct jsonw *w);
/* Ends a line and flushes. */
int jsonw__line(struct jsonw *w);

#endif
