/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From a bytecode offset to its line: CPython's line tables, decoded without I/O or allocation. */
#ifndef LS_SYMBOLS_PYTHON_LINES_H
#define LS_SYMBOLS_PYTHON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum python_line_format {
	PYTHON_LNOTAB,    /* 3.8, 3.9: co_lnotab */
	PYTHON_LINETABLE, /* 3.10: co_linetable, PEP 626 */
	PYTHON_LOCATIONS, /* 3.11 and later: the location table, Objects/locations.md */
};

/*
 * The line of the instruction at `lasti`, in bytes from the start of the bytecode; `first` is
 * co_firstlineno. 0: the instruction has no line, or the table (untrusted) does not say.
 */
uint32_t python_lines__find(enum python_line_format format, const uint8_t *table, size_t size,
			    uint32_t first, int64_t lasti);

/* Where the expression stands that the instruction belongs to; columns in bytes from 0. */
struct python_position {
	uint32_t line, end_line;
	uint32_t column, end_column;
};

/* PYTHON_LOCATIONS only. False: the table does not say. */
bool python_lines__position(const uint8_t *table, size_t size, uint32_t first, int64_t lasti,
			    struct python_position *out);

#endif
