/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Frames already named, by address: a hash table up to a bound. */
#ifndef LS_SYMBOLS_FRAMES_H
#define LS_SYMBOLS_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "model/stall.h"

struct frame_list {
	uint64_t key;
	uint32_t nr_frames;
	struct ls_frame frames[];
};

struct frame_cache {
	struct frame_list **slots;
	size_t nr_slots, nr_lists;
	size_t *left; /* how many lists all caches that share it may still add; NULL no bound */
};

/* NULL: not there. */
const struct frame_list *frames__find(const struct frame_cache *cache, uint64_t key);

/* A copy of the frames under a key that is not there yet; NULL: no memory or the cache is full.
 * Lists never move. */
const struct frame_list *frames__add(struct frame_cache *cache, uint64_t key,
				     const struct ls_frame *frames, size_t nr_frames);

/* Frees all lists; `left` stays. */
void frames__clear(struct frame_cache *cache);

#endif
