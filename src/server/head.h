/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Measures a request's head as its bytes arrive, before and beside evhttp's parser, which answers
 * 400 to everything that is too long.
 */
#ifndef SERVER_HEAD_H
#define SERVER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_LINE_KEPT 40 /* enough of a line for "Content-Length: " and any number */

struct head {
	uint32_t bytes;            /* of the head so far */
	uint32_t line_bytes;       /* of its line under way */
	bool has_line;             /* the first line is complete */
	bool ends_in_cr;           /* that line, so far */
	bool complete;             /* the blank line has come: what follows is body */
	uint64_t content_length;   /* as announced, saturating; 0 without */
	uint64_t body_bytes;       /* so far, as sent: chunk headers count */
	char kept[HEAD_LINE_KEPT]; /* the beginning of the line under way */
};

/* Feed it what was received. 0, or the status that is due: 414 or 431 (413 is for the caller). */
int head__feed(struct head *head, const char *data, size_t len, uint32_t max_line,
	       uint32_t max_head);

#endif
