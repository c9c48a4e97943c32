/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A line of text for people: built in pieces, cut at the width of the terminal (files: 400 columns), in colour where that
 * is wanted. Bytes which could steer a terminal are shown as '?': names come from the target.
 */
#ifndef LS_REPORT_LINE_H
#define LS_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_YELLOW, PAINT_GREEN, PAINT_CYAN };

struct line {
	FILE *out;
	bool colour, fixed;
	size_t width;
	char text[2048];
	size_t bytes, columns;
	bool cut;
};

void line__init(struct line *l, FILE *out, int width);
/* A terminal's width may have changed. */
void line__measure(struct line *l);
void line__add(struct line *l, enum paint paint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Spaces up to a column; at least one when it is past it. */
void line__tab(struct line *l, size_t column);
/* Writes the line. 0 or -errno. */
int line__end(struct line *l);

#endif
