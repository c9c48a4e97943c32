/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdbool.h>

#include "model/utf8.h"

/* How many continuation bytes follow a lead byte, and the least code point that form may hold. */
static int continuation_bytes(unsigned char lead, uint32_t *least)
{
	if (lead >= 0xc2 && lead <= 0xdf) {
		*least = 0x80;
		return 1;
	}
	if (lead >= 0xe0 && lead <= 0xef) {
		*least = 0x800;
		return 2;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		*least = 0x10000;
		return 3;
	}
	return -1;
}

static bool allowed(uint32_t c, uint32_t least)
{
	return c >= least && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
}

uint32_t utf8__next(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	uint32_t c, least = 0;
	int more;

	if (!*p)
		return 0;
	(*s)++;
	if (*p < 0x80)
		return *p;
	more = continuation_bytes(*p, &least);
	if (more < 0)
		return UTF8_REPLACEMENT;
	c = *p & (0x3f >> more);
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return UTF8_REPLACEMENT;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (!allowed(c, least))
		return UTF8_REPLACEMENT;
	*s += more;
	return c;
}

int utf8__encode(uint32_t c, char out[4])
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
