/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The trace file: JSON lines under zstd, described in docs/trace-format.md. Written by a reporter,
 * and read back into any other.
 */
#ifndef LS_MODEL_TRACEFILE_H
#define LS_MODEL_TRACEFILE_H

#include "model/stall.h"

enum { TRACEFILE_VERSION = 1 };

struct tracefile_options {
	uint64_t max_bytes; /* stalls are kept one by one up to here, then added up; 0: 16 MiB */
};

/*
 * Writes `path` ("-": standard output), which appears when summary() succeeds and not before. 0 or
 * -errno; ends with r->free(*self).
 */
int tracefile__new(const char *path, const struct tracefile_options *options, struct reporter *r,
		   void **self);

/*
 * Reads the trace in `fd` into a reporter; a file from anywhere, so nothing in it is believed. 0 or
 * -errno. With an error of the file itself `why` says what is wrong with it, one line; when the
 * reporter failed, `why` is "".
 */
int tracefile__read(int fd, const struct reporter *r, void *self, char *why, size_t why_bytes);

#endif
