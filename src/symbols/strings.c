/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The string pool: an open-addressing hash set of pointers into chunks that are never freed before
 * the pool is. It stops growing at POOL_MAX_BYTES: names come from the target, which is not
 * trusted.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/strings.h"

enum {
	CHUNK_BYTES = 64 << 10,
	POOL_MAX_BYTES = 16 << 20, /* a quarter of the tracer's memory budget */
	STRING_MAX_BYTES = 16 << 10,
	FIRST_SLOTS = 1024,
};

struct chunk {
	struct chunk *next;
	size_t used, size;
	char bytes[];
};

struct slot {
	uint32_t hash, bytes;
	const char *string; /* NULL: free */
};

struct strings {
	struct chunk *chunks; /* the one being filled is first */
	struct slot *slots;
	size_t nr_slots; /* a power of two */
	size_t nr_strings;
	size_t total_bytes; /* of the chunks */
};

static const char unknown[] = "?";

struct strings *strings__new(void)
{
	struct strings *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->nr_slots = FIRST_SLOTS;
	pool->slots = calloc(pool->nr_slots, sizeof(*pool->slots));
	if (!pool->slots) {
		free(pool);
		errno = ENOMEM;
		return NULL;
	}
	return pool;
}

void strings__free(struct strings *pool)
{
	struct chunk *next;

	if (!pool)
		return;
	for (struct chunk *c = pool->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(pool->slots);
	free(pool);
}

/* FNV-1a: short strings, few of them. */
static uint32_t hash_bytes(const char *s, size_t bytes)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ (unsigned char)s[i]) * 16777619u;
	return hash;
}

static struct slot *find_slot(struct slot *slots, size_t nr_slots, uint32_t hash, const char *s,
			      size_t bytes)
{
	size_t i = hash & (nr_slots - 1);

	while (slots[i].string && (slots[i].hash != hash || slots[i].bytes != bytes ||
				   memcmp(slots[i].string, s, bytes) != 0))
		i = (i + 1) & (nr_slots - 1);
	return &slots[i];
}

static bool grow_slots(struct strings *pool)
{
	size_t nr_slots = pool->nr_slots * 2;
	struct slot *slots = calloc(nr_slots, sizeof(*slots)), *old;

	if (!slots)
		return false;
	for (size_t i = 0; i < pool->nr_slots; i++) {
		old = &pool->slots[i];
		if (old->string)
			*find_slot(slots, nr_slots, old->hash, old->string, old->bytes) = *old;
	}
	free(pool->slots);
	pool->slots = slots;
	pool->nr_slots = nr_slots;
	return true;
}

static char *take_bytes(struct strings *pool, size_t bytes)
{
	struct chunk *c = pool->chunks;

	if (!c || c->size - c->used < bytes) {
		if (pool->total_bytes + CHUNK_BYTES > POOL_MAX_BYTES)
			return NULL;
		c = malloc(CHUNK_BYTES);
		if (!c)
			return NULL;
		c->used = 0;
		c->size = CHUNK_BYTES - sizeof(*c);
		c->next = pool->chunks;
		pool->chunks = c;
		pool->total_bytes += CHUNK_BYTES;
	}
	c->used += bytes;
	return c->bytes + c->used - bytes;
}

bool strings__nearly_full(const struct strings *pool)
{
	return pool->total_bytes > POOL_MAX_BYTES / 4 * 3;
}

const char *strings__intern_n(struct strings *pool, const char *s, size_t bytes)
{
	struct slot *slot;
	uint32_t hash;
	char *copy;

	if (!s)
		return NULL;
	if (bytes > STRING_MAX_BYTES)
		bytes = STRING_MAX_BYTES;
	hash = hash_bytes(s, bytes);
	slot = find_slot(pool->slots, pool->nr_slots, hash, s, bytes);
	if (slot->string)
		return slot->string;
	if (pool->nr_strings * 4 >= pool->nr_slots * 3) {
		if (!grow_slots(pool))
			return unknown;
		slot = find_slot(pool->slots, pool->nr_slots, hash, s, bytes);
	}
	copy = take_bytes(pool, bytes + 1);
	if (!copy)
		return unknown;
	memcpy(copy, s, bytes);
	copy[bytes] = '\0';
	*slot = (struct slot){.hash = hash, .bytes = (uint32_t)bytes, .string = copy};
	pool->nr_strings++;
	return copy;
}

const char *strings__intern(struct strings *pool, const char *s)
{
	return s ? strings__intern_n(pool, s, strlen(s)) : NULL;
}

const char *strings__printf(struct strings *pool, const char *fmt, ...)
{
	char small[512], *large = NULL;
	const char *s = unknown;
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n >= 0 && (size_t)n < sizeof(small))
		s = strings__intern_n(pool, small, (size_t)n);
	else if (n >= 0 && vasprintf(&large, fmt, again) >= 0)
		s = strings__intern_n(pool, large, (size_t)n);
	va_end(again);
	va_end(ap);
	free(large);
	return s;
}
