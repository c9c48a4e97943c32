/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/frames.h"

enum { FIRST_SLOTS = 64 };

static struct frame_list **find_slot(struct frame_list **slots, size_t nr_slots, uint64_t key)
{
	size_t i = (size_t)((key * 0x9e3779b97f4a7c15ULL) >> 32) & (nr_slots - 1);

	while (slots[i] && slots[i]->key != key)
		i = (i + 1) & (nr_slots - 1);
	return &slots[i];
}

const struct frame_list *frames__find(const struct frame_cache *cache, uint64_t key)
{
	return cache->nr_slots ? *find_slot(cache->slots, cache->nr_slots, key) : NULL;
}

static bool make_room(struct frame_cache *cache)
{
	size_t nr_slots = cache->nr_slots ? cache->nr_slots * 2 : FIRST_SLOTS;
	struct frame_list **slots;

	if (cache->nr_lists * 4 < cache->nr_slots * 3)
		return true;
	slots = calloc(nr_slots, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < cache->nr_slots; i++)
		if (cache->slots[i])
			*find_slot(slots, nr_slots, cache->slots[i]->key) = cache->slots[i];
	free(cache->slots);
	cache->slots = slots;
	cache->nr_slots = nr_slots;
	return true;
}

const struct frame_list *frames__add(struct frame_cache *cache, uint64_t key,
				     const struct ls_frame *frames, size_t nr_frames)
{
	struct frame_list *list;

	if ((cache->left && !*cache->left) || !make_room(cache))
		return NULL;
	list = malloc(sizeof(*list) + nr_frames * sizeof(*frames));
	if (!list)
		return NULL;
	list->key = key;
	list->nr_frames = (uint32_t)nr_frames;
	memcpy(list->frames, frames, nr_frames * sizeof(*frames));
	*find_slot(cache->slots, cache->nr_slots, key) = list;
	cache->nr_lists++;
	if (cache->left)
		--*cache->left;
	return list;
}

void frames__clear(struct frame_cache *cache)
{
	for (size_t i = 0; i < cache->nr_slots; i++)
		free(cache->slots[i]);
	free(cache->slots);
	if (cache->left)
		*cache->left += cache->nr_lists;
	*cache = (struct frame_cache){.left = cache->left};
}
