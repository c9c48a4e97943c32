/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Measures a request as its bytes arrive, before and beside evhttp's parser, which answers 400 to
 * everything that is too long, and overlooks what C strings and strtoll() overlook.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/chunks.h"

#define HEAD_LINE_KEPT 40 /* enough of a line for "Content-Length: " and any number */

struct head_limits {
	uint32_t line_bytes, head_bytes; /* of the first line; of it and all headers */
};

struct head {
	uint32_t bytes;            /* of the head so far */
	uint32_t line_bytes;       /* of its line under way */
	bool has_line;             /* the first line is complete */
	bool ends_in_cr;           /* that line, so far */
	bool complete;             /* the blank line has come: what follows is body */
	uint64_t content_length;   /* as announced, saturating; 0 without */
	uint64_t body_bytes;       /* so far, as sent: chunk headers count */
	bool chunked;              /* so announced */
	struct chunks chunks;      /* then, how far they have come */
	int status;                /* what head__feed() found; stays */
	char kept[HEAD_LINE_KEPT]; /* the beginning of the line under way */
};

/*
 * Feed it what was received. 0, or the status that is due: 414, 431, 501 for CONNECT, or 400 for a
 * NUL or a folded line in the head and for bad chunks (413 is for the caller).
 */
int head__feed(struct head *head, const char *data, size_t len, const struct head_limits *max);

#endif
