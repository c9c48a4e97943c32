/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Text through zstd: a FILE that compresses what is written to it, and a reader of lines. */
#ifndef LS_MODEL_ZSTDIO_H
#define LS_MODEL_ZSTDIO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The stream writes to `fd`, which stays the caller's; fclose ends the zstd frame, and fails if any
 * write did. *bytes counts what has reached fd while the stream lives. NULL: errno. */
FILE *zstdio__compress(int fd, uint64_t *bytes);

struct linereader;

/* Reads zstd, or plain text if it does not begin with zstd's magic number. `fd` stays the caller's.
 */
struct linereader *linereader__new(int fd); /* NULL: errno */
void linereader__free(struct linereader *r);

/*
 * 1: *line, without its newline and with a NUL after it, is borrowed until the next call. 0: the
 * end. -EBADMSG: not zstd, or damaged; -ENODATA: cut off within a frame; -E2BIG: a line, the window
 * or the expansion is beyond what a trace needs; other -errno of reading.
 */
int linereader__next(struct linereader *r, char **line, size_t *bytes);

#endif
