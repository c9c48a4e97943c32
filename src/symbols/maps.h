/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* /proc/PID/maps, and opening what is mapped. */
#ifndef LS_SYMBOLS_MAPS_H
#define LS_SYMBOLS_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct map_line {
	uint64_t start, end, pgoff;
	uint64_t ino;
	unsigned int dev_major, dev_minor;
	bool executable;
	const char *path; /* points into the line; "" for anonymous memory */
};

/* One line, newline included or not; it is changed. False: not a line of maps. */
bool maps__parse_line(char *line, struct map_line *map);

/* Calls `each` for every line until it returns other than 0, and returns that. -errno: unreadable.
 */
int maps__read(pid_t pid, int (*each)(const struct map_line *map, void *arg), void *arg);

/*
 * Opens the very file that is mapped at `map`, though its path be deleted, replaced or in another
 * mount namespace: by map_files where the privilege allows it, else by /proc/PID/root and only if
 * that file begins with the bytes that are mapped at `image` (the mapping of file offset 0; 0
 * none). Regular files only. A descriptor or -errno.
 */
int maps__open(pid_t pid, const struct map_line *map, uint64_t image);

/*
 * Opens a regular file by a path inside the target's root, whose links stay inside it (`no_link`:
 * the file itself must be no link); never waits on a FIFO or a device. A descriptor or -errno.
 */
int maps__open_in_root(pid_t pid, const char *path, bool no_link);

/* The same for a path of our own. */
int maps__open_regular(const char *path);

/* Reads at most `bytes` of the target's memory; the bytes read, 0 none. Never stops the target. */
size_t maps__peek(pid_t pid, uint64_t addr, void *buf, size_t bytes);

#endif
