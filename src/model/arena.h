/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Memory that is given back all at once, up to a bound: what a trace file makes a reader keep. */
#ifndef LS_MODEL_ARENA_H
#define LS_MODEL_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena__new(size_t max_bytes); /* NULL: errno */
void arena__free(struct arena *a);

/* Zeroed and aligned for any type. NULL with errno ENOMEM, or E2BIG beyond the bound. */
void *arena__alloc(struct arena *a, size_t bytes);
void *arena__copy(struct arena *a, const void *from, size_t bytes);
char *arena__strdup(struct arena *a, const char *s); /* NULL gives NULL, errno 0 */

#endif
