/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Gives equal byte strings one number, counted from 0, and keeps one copy of each. Strings, frames,
 * stacks and whatever else a format numbers. Keys stay where they are until the table is freed.
 */
#ifndef LS_MODEL_INTERN_H
#define LS_MODEL_INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern;

struct intern *intern__new(size_t max_bytes); /* NULL: errno */
void intern__free(struct intern *t);

/* The key's number, new or known. -ENOMEM, or -E2BIG beyond max_bytes of keys. */
int64_t intern__id(struct intern *t, const void *key, size_t bytes);
/* -1: not there. */
int64_t intern__find(const struct intern *t, const void *key, size_t bytes);

size_t intern__count(const struct intern *t);
/* Aligned for any type; `bytes` may be NULL. */
const void *intern__key(const struct intern *t, size_t id, size_t *bytes);

#endif
