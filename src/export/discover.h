/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Processes to trace, as they come: by name, or all of the host. The children of those traced are seen
 * by the kernel's fork events; what is left is to look through /proc, every second.
 */
#ifndef LS_EXPORT_DISCOVER_H
#define LS_EXPORT_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>

struct discover;
struct session;

enum { DISCOVER_NAMES_MAX = 32 };

struct discover_options {
	bool all;
	const char *comms[DISCOVER_NAMES_MAX]; /* borrowed */
	size_t nr_comms;
};

struct discover *discover__new(const struct discover_options *options); /* NULL: errno */
void discover__free(struct discover *d);

/* Adds what is new to the session. 0 or -errno. */
int discover__scan(struct discover *d, struct session *s);

#endif
