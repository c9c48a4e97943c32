/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "model/arena.h"
#include "model/intern.h"

struct entry {
	const void *key;
	size_t bytes;
	uint64_t hash;
};

struct intern {
	struct arena *arena;
	struct entry *entries;
	size_t count, size; /* of entries[] */
	uint32_t *slots;    /* id + 1; 0 free */
	size_t nr_slots;    /* a power of two, at least twice the entries */
	uint64_t seed;      /* keys come from files that may want collisions */
};

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h;
}

static uint64_t hash_bytes(uint64_t seed, const void *key, size_t bytes)
{
	const unsigned char *p = key;
	uint64_t h = mix(seed ^ bytes), word;

	for (; bytes >= sizeof(word); p += sizeof(word), bytes -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = mix((h ^ word) * 0x9e3779b97f4a7c15u);
	}
	word = 0;
	memcpy(&word, p, bytes);
	return mix((h ^ word) * 0x9e3779b97f4a7c15u);
}

struct intern *intern__new(size_t max_bytes)
{
	struct intern *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed = (uintptr_t)t;
	t->arena = arena__new(max_bytes);
	t->nr_slots = 64;
	t->slots = calloc(t->nr_slots, sizeof(*t->slots));
	if (!t->arena || !t->slots) {
		intern__free(t);
		errno = ENOMEM;
		return NULL;
	}
	return t;
}

void intern__free(struct intern *t)
{
	if (!t)
		return;
	arena__free(t->arena);
	free(t->entries);
	free(t->slots);
	free(t);
}

/* The slot that holds the key, or the free one where it belongs. */
static size_t find_slot(const struct intern *t, const void *key, size_t bytes, uint64_t hash)
{
	size_t i = hash & (t->nr_slots - 1);
	const struct entry *e;

	for (; t->slots[i]; i = (i + 1) & (t->nr_slots - 1)) {
		e = &t->entries[t->slots[i] - 1];
		if (e->hash == hash && e->bytes == bytes && memcmp(e->key, key, bytes) == 0)
			break;
	}
	return i;
}

static int grow_slots(struct intern *t)
{
	size_t nr_slots = t->nr_slots * 2, at;
	uint32_t *slots = calloc(nr_slots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++) {
		at = t->entries[i].hash & (nr_slots - 1);
		while (slots[at])
			at = (at + 1) & (nr_slots - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->nr_slots = nr_slots;
	return 0;
}

static int grow_entries(struct intern *t)
{
	size_t size = t->size ? t->size * 2 : 32;
	struct entry *entries;

	if (size > UINT32_MAX / 4)
		return -E2BIG;
	entries = realloc(t->entries, size * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	t->entries = entries;
	t->size = size;
	return 0;
}

int64_t intern__id(struct intern *t, const void *key, size_t bytes)
{
	uint64_t hash = hash_bytes(t->seed, key, bytes);
	size_t slot = find_slot(t, key, bytes, hash);
	const void *copy;
	int err;

	if (t->slots[slot])
		return t->slots[slot] - 1;
	if (t->count == t->size && (err = grow_entries(t)) != 0)
		return err;
	if ((t->count + 1) * 2 > t->nr_slots) {
		if ((err = grow_slots(t)) != 0)
			return err;
		slot = find_slot(t, key, bytes, hash);
	}
	copy = arena__copy(t->arena, key, bytes);
	if (!copy)
		return -errno;
	t->entries[t->count] = (struct entry){.key = copy, .bytes = bytes, .hash = hash};
	t->slots[slot] = (uint32_t)++t->count;
	return (int64_t)t->count - 1;
}

int64_t intern__find(const struct intern *t, const void *key, size_t bytes)
{
	return (int64_t)t->slots[find_slot(t, key, bytes, hash_bytes(t->seed, key, bytes))] - 1;
}

size_t intern__count(const struct intern *t)
{
	return t->count;
}

const void *intern__key(const struct intern *t, size_t id, size_t *bytes)
{
	if (bytes)
		*bytes = t->entries[id].bytes;
	return t->entries[id].key;
}
