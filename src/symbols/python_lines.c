/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Three formats, each a list of (length in bytes of bytecode, change of line). Sources: CPython's
 * Objects/lnotab_notes.txt (3.8-3.10) and Objects/locations.md (3.11). The tables come from the
 * target: running lines are kept in 64 bits, where a table of a megabyte cannot overflow them.
 */
#include "symbols/python_lines.h"

#include <stdbool.h>

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

/* Kinds of entries: which bytes follow the first one, and how the line changes. */
static int64_t take_location(struct cursor *c, unsigned int kind, bool *has_line)
{
	int64_t delta = 0;
	size_t skip = 0;

	*has_line = kind != 15;
	switch (kind) {
	case 15: /* no location: the running line stays as it is */
		break;
	case 14: /* long form: line, end line, column, end column */
		delta = take_signed_varint(c);
		for (int i = 0; i < 3; i++)
			take_varint(c);
		break;
	case 13: /* no columns */
		delta = take_signed_varint(c);
		break;
	case 10:
	case 11:
	case 12: /* one line: columns in two bytes */
		delta = kind - 10;
		skip = 2;
		break;
	default: /* short form: columns in one byte */
		skip = 1;
	}
	c->at += skip < (size_t)(c->end - c->at) ? skip : (size_t)(c->end - c->at);
	return delta;
}

static uint32_t find_in_locations(const uint8_t *table, size_t size, int64_t line, int64_t lasti)
{
	struct cursor c = {table, table + size};
	int64_t end = 0;

	while (c.at < c.end) {
		uint8_t byte = *c.at++;
		bool has_line;

		end += 2 * ((byte & 7) + 1);
		line += take_location(&c, (byte >> 3) & 15, &has_line);
		if (lasti < end)
			return has_line ? valid_line(line) : 0;
	}
	return 0;
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
