/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Three formats, each a list of (length in bytes of bytecode, change of line). Sources: CPython's
 * Objects/lnotab_notes.txt (3.8-3.10) and Objects/locations.md (3.11). The tables come from the
 * target: running lines are kept in 64 bits, where a table of a megabyte cannot overflow them.
 */
#include "symbols/python_lines.h"

static uint32_t valid_line(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* Pairs (u8 bytecode, s8 line): the change of line comes after its bytecode. */
static uint32_t find_in_lnotab(const uint8_t *table, size_t size, int64_t line, int64_t lasti)
{
	int64_t addr = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		addr += table[i];
		if (addr > lasti)
			break;
		line += (int8_t)table[i + 1];
	}
	return valid_line(line);
}

/* Pairs (u8 bytecode, s8 line), the change before its bytecode; -128: that range has no line. */
static uint32_t find_in_linetable(const uint8_t *table, size_t size, int64_t line, int64_t lasti)
{
	enum { NO_LINE = -128 };
	int64_t end = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		int8_t delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != NO_LINE)
			line += delta;
		if (lasti < end)
			return delta == NO_LINE ? 0 : valid_line(line);
	}
	return 0;
}

struct cursor {
	const uint8_t *at, *end;
};

/* Six bits a byte, least significant first; bit 6: more follow. */
static uint64_t take_varint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; c->at < c->end; shift += 6) {
		uint8_t byte = *c->at++;

		if (shift < 36)
			value |= (uint64_t)(byte & 63) << shift;
		if (!(byte & 64))
			break;
	}
	return value;
}

static int64_t take_signed_varint(struct cursor *c)
{
	uint64_t v = take_varint(c);

	return v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
}

static uint32_t take_byte(struct cursor *c)
{
	return c->at < c->end ? *c->at++ : 0;
}

/* An entry: how it changes the line, and what it says of columns. */
struct location {
	int64_t delta, lines; /* to the line before; from the first to the last */
	bool has_line, has_columns;
	uint64_t column, end_column;
};

static struct location take_location(struct cursor *c, unsigned int kind)
{
	struct location l = {.has_line = kind != 15, .has_columns = kind != 15 && kind != 13};
	uint32_t byte;

	switch (kind) {
	case 15: /* no location: the running line stays as it is */
		break;
	case 14: /* long form */
		l.delta = take_signed_varint(c);
		l.lines = (int64_t)take_varint(c);
		l.column = take_varint(c) - 1; /* 0 would be none: then a column beyond any line */
		l.end_column = take_varint(c) - 1;
		break;
	case 13:
		l.delta = take_signed_varint(c);
		break;
	case 10:
	case 11:
	case 12: /* one line */
		l.delta = kind - 10;
		l.column = take_byte(c);
		l.end_column = take_byte(c);
		break;
	default: /* short form */
		byte = take_byte(c);
		l.column = kind << 3 | byte >> 4;
		l.end_column = l.column + (byte & 15);
	}
	return l;
}

/* The entry of the instruction at `lasti`; *line becomes its line. False: there is none. */
static bool find_location(const uint8_t *table, size_t size, int64_t lasti, int64_t *line,
			  struct location *out)
{
	struct cursor c = {table, table + size};
	int64_t end = 0;

	while (c.at < c.end) {
		uint8_t byte = *c.at++;

		end += 2 * ((byte & 7) + 1);
		*out = take_location(&c, (byte >> 3) & 15);
		*line += out->delta;
		if (lasti < end)
			return true;
	}
	return false;
}

static uint32_t find_in_locations(const uint8_t *table, size_t size, int64_t line, int64_t lasti)
{
	struct location l;

	return find_location(table, size, lasti, &line, &l) && l.has_line ? valid_line(line) : 0;
}

bool python_lines__position(const uint8_t *table, size_t size, uint32_t first, int64_t lasti,
			    struct python_position *out)
{
	int64_t line = first;
	struct location l;

	if (lasti < 0 || !find_location(table, size, lasti, &line, &l) || !l.has_columns ||
	    l.column > UINT16_MAX || l.end_column > UINT16_MAX)
		return false;
	*out = (struct python_position){
		.line = valid_line(line),
		.end_line = valid_line(line + l.lines),
		.column = (uint32_t)l.column,
		.end_column = (uint32_t)l.end_column,
	};
	return out->line && out->end_line;
}

uint32_t python_lines__find(enum python_line_format format, const uint8_t *table, size_t size,
			    uint32_t first, int64_t lasti)
{
	if (lasti < 0)
		return valid_line(first);
	switch (format) {
	case PYTHON_LNOTAB:
		return find_in_lnotab(table, size, first, lasti);
	case PYTHON_LINETABLE:
		return find_in_linetable(table, size, first, lasti);
	case PYTHON_LOCATIONS:
		return find_in_locations(table, size, first, lasti);
	}
	return 0;
}
