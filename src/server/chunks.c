/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A state a byte of framing; data is skipped as a whole. */
#include "server/chunks.h"

#include <errno.h>
#include <stdbool.h>

#define DIGITS_MAX 16 /* what 64 bits hold */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool size_byte(struct chunks *chunks, char c)
{
	int digit = hex(c);

	if (c == '\r' && chunks->digits) {
		chunks->at = CHUNKS_SIZE_LF;
		return true;
	}
	if (digit < 0 || chunks->digits == DIGITS_MAX)
		return false;
	chunks->digits++;
	chunks->left = chunks->left << 4 | (unsigned int)digit;
	return true;
}

static void begin_chunk(struct chunks *chunks)
{
	uint64_t room = UINT64_MAX - chunks->total_bytes;

	chunks->total_bytes += chunks->left < room ? chunks->left : room;
	chunks->at = chunks->left ? CHUNKS_DATA : CHUNKS_END;
}

static bool framing_byte(struct chunks *chunks, char c)
{
	switch (chunks->at) {
	case CHUNKS_SIZE:
		return size_byte(chunks, c);
	case CHUNKS_SIZE_LF:
		begin_chunk(chunks);
		return c == '\n';
	case CHUNKS_DATA_CR:
		chunks->at = CHUNKS_DATA_LF;
		return c == '\r';
	default: /* CHUNKS_DATA_LF */
		chunks->at = CHUNKS_SIZE;
		chunks->digits = 0;
		return c == '\n';
	}
}

int chunks__feed(struct chunks *chunks, const char *data, size_t len)
{
	while (len && chunks->at != CHUNKS_END) {
		size_t n = 1;

		if (chunks->at == CHUNKS_DATA) {
			n = len < chunks->left ? len : (size_t)chunks->left;
			chunks->left -= n;
			if (!chunks->left)
				chunks->at = CHUNKS_DATA_CR;
		} else if (!framing_byte(chunks, *data)) {
			return -EINVAL;
		}
		data += n;
		len -= n;
	}
	return 0;
}
