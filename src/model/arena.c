/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "model/arena.h"

enum { FIRST_CHUNK_BYTES = 4096, MAX_CHUNK_BYTES = 1 << 20 };

struct chunk {
	struct chunk *next;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct chunk *chunks;
	size_t used, size; /* of the newest chunk */
	size_t total_bytes, max_bytes;
};

struct arena *arena__new(size_t max_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a)
		a->max_bytes = max_bytes;
	return a;
}

void arena__free(struct arena *a)
{
	struct chunk *next;

	if (!a)
		return;
	for (struct chunk *c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

static int grow(struct arena *a, size_t bytes)
{
	size_t size = a->size ? a->size * 2 : FIRST_CHUNK_BYTES;
	struct chunk *chunk;

	if (size > MAX_CHUNK_BYTES)
		size = MAX_CHUNK_BYTES;
	if (size < bytes)
		size = bytes;
	if (size > a->max_bytes - a->total_bytes)
		size = bytes;
	if (size > a->max_bytes - a->total_bytes) {
		errno = E2BIG;
		return -1;
	}
	chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk)
		return -1;
	chunk->next = a->chunks;
	a->chunks = chunk;
	a->size = size;
	a->used = 0;
	a->total_bytes += size;
	return 0;
}

void *arena__alloc(struct arena *a, size_t bytes)
{
	size_t align = alignof(max_align_t);
	void *p;

	if (bytes > a->max_bytes) {
		errno = E2BIG;
		return NULL;
	}
	bytes = (bytes + align - 1) / align * align;
	if (bytes > a->size - a->used && grow(a, bytes) != 0)
		return NULL;
	p = a->chunks->bytes + a->used;
	a->used += bytes;
	return p;
}

void *arena__copy(struct arena *a, const void *from, size_t bytes)
{
	void *to = arena__alloc(a, bytes ? bytes : 1);

	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

char *arena__strdup(struct arena *a, const char *s)
{
	errno = 0;
	return s ? arena__copy(a, s, strlen(s) + 1) : NULL;
}
