/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Python's str objects to UTF-8. Code names are "compact" strings: a header whose state says how
 * wide a character is, and the characters behind it.
 */
#include "symbols/python_internal.h"

#include <string.h>

#include "symbols/strings.h"

/* Control characters would reach a terminal, lone surrogates are not UTF-8: both become '?'. */
static uint32_t printable(uint32_t c)
{
	bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0);
	bool is_valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

	return is_valid && !is_control ? c : '?';
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static uint32_t character(const void *data, size_t i, unsigned int kind)
{
	if (kind == 1)
		return ((const uint8_t *)data)[i];
	if (kind == 2)
		return ((const uint16_t *)data)[i];
	return ((const uint32_t *)data)[i];
}

void python_names__to_utf8(const void *data, size_t length, unsigned int kind, char *out,
			   size_t out_size)
{
	size_t n = 0;

	for (size_t i = 0; i < length && n + 5 <= out_size; i++)
		n += put_utf8(out + n, printable(character(data, i, kind)));
	out[n] = '\0';
}

struct unicode_state {
	unsigned int kind;
	bool compact, ascii;
};

/* PyASCIIObject.state: interned:2, kind:3, compact:1, ascii:1 (3.8 to 3.14, with the GIL). */
static struct unicode_state decode_state(uint32_t state)
{
	return (struct unicode_state){
		.kind = state >> 2 & 7,
		.compact = state >> 5 & 1,
		.ascii = state >> 6 & 1,
	};
}

const char *python_names__read(const struct python_interpreter *in, struct strings *pool,
			       uint64_t object)
{
	uint8_t head[PYTHON_UNICODE_STATE + 4];
	uint32_t data[PYTHON_NAME_MAX]; /* the widest kind */
	char utf8[PYTHON_UTF8_MAX];
	struct unicode_state s;
	uint64_t length;
	uint32_t state;

	if (target__read(in->tgid, object, head, sizeof(head)) != 0)
		return NULL;
	memcpy(&length, head + PYTHON_UNICODE_LENGTH, sizeof(length));
	memcpy(&state, head + PYTHON_UNICODE_STATE, sizeof(state));
	s = decode_state(state);
	if (length > PYTHON_NAME_MAX || !s.compact || (s.kind != 1 && s.kind != 2 && s.kind != 4))
		return NULL;
	object += s.ascii ? in->offsets.unicode.ascii_size : in->offsets.unicode.compact_size;
	if (target__read(in->tgid, object, data, length * s.kind) != 0)
		return NULL;
	python_names__to_utf8(data, length, s.kind, utf8, sizeof(utf8));
	return strings__intern(pool, utf8);
}
