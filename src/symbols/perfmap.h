/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * /tmp/perf-PID.map of the target: the names that V8 (--perf-basic-prof), HotSpot
 * (Compiler.perfmap), .NET and CPython (-X perf) give to generated code.
 */
#ifndef LS_SYMBOLS_PERFMAP_H
#define LS_SYMBOLS_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/stall.h"

struct strings;
struct perfmap;

/* Opens nothing yet. *frames_left: how many frames it may make (frames.h). NULL: errno. */
struct perfmap *perfmap__new(pid_t pid, size_t *frames_left);
void perfmap__free(struct perfmap *map);
void perfmap__trim(struct perfmap *map); /* frees the frames, which will be made again */

/* The frame of the generated code at `addr`: a later entry of the file replaces all those it
 * overlaps. Valid until perfmap__free. NULL: no name. */
const struct ls_frame *perfmap__find(struct perfmap *map, struct strings *pool, uint64_t addr);

/* There is such a file now, and one that may be trusted. */
bool perfmap__exists(pid_t pid);

/* --- the format ------------------------------------------------------------------------------- */

/* Parts of a line; not terminated. */
struct perfmap_text {
	const char *s;
	size_t bytes;
};

struct perfmap_line {
	uint64_t start;
	uint32_t size;
	struct perfmap_text name;
};

struct perfmap_name {
	struct perfmap_text function, file; /* s NULL: absent */
	uint32_t line;
};

/* "3ef414c0 398 JS:*handler /srv/n.js:7:23", without its newline. */
bool perfmap__parse_line(const char *s, size_t bytes, struct perfmap_line *line);

/* The name taken apart where the runtime's way to write it is known, else a function as it stands.
 */
void perfmap__parse_name(const char *s, size_t bytes, struct perfmap_name *name);

#endif
