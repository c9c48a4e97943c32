/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A pool of immutable strings: equal strings are one pointer, valid until the pool is freed. Symbol
 * names, paths and objects live here, so that the model can borrow them. Not thread-safe.
 */
#ifndef LS_SYMBOLS_STRINGS_H
#define LS_SYMBOLS_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings;

struct strings *strings__new(void); /* NULL: errno */
void strings__free(struct strings *pool);

/* It has come to three quarters of its bound. */
bool strings__nearly_full(const struct strings *pool);

/* The pooled copy. Never NULL for a non-NULL string: when memory ends, or the pool has grown to its
 * bound (a hostile target could name things without end), "?" comes back. NULL gives NULL. */
const char *strings__intern(struct strings *pool, const char *s);
const char *strings__intern_n(struct strings *pool, const char *s, size_t bytes);
const char *strings__printf(struct strings *pool, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
