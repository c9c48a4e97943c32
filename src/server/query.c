/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A strict parser for "ms=50&kb=4&mode=inline"; allocates nothing. */
#include "server/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define VALUE_MAX 15 /* no valid value is longer */

static int hex(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Undoes %XX. 0, or -EINVAL when it is broken, too long, or hides a NUL. */
static int decode(const char *in, size_t len, char out[VALUE_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == '%') {
			int high = len - i < 3 ? -1 : hex(in[i + 1]);
			int low = len - i < 3 ? -1 : hex(in[i + 2]);

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (n == VALUE_MAX || c == '\0')
			return -EINVAL;
		out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

static int number(const char *text, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		v = v * 10 + (uint32_t)(*text - '0');
		if (v > max)
			return -EINVAL;
	}
	*out = v;
	return 0;
}

static int mode(const char *text, enum query_mode *out)
{
	if (!strcmp(text, "inline"))
		*out = QUERY_MODE_INLINE;
	else if (!strcmp(text, "offload"))
		*out = QUERY_MODE_OFFLOAD;
	else
		return -EINVAL;
	return 0;
}

enum name { NAME_MS, NAME_KB, NAME_MODE, NAME_OTHER };

static enum name name_of(const char *text, size_t len)
{
	if (len == 2 && !memcmp(text, "ms", 2))
		return NAME_MS;
	if (len == 2 && !memcmp(text, "kb", 2))
		return NAME_KB;
	if (len == 4 && !memcmp(text, "mode", 4))
		return NAME_MODE;
	return NAME_OTHER;
}

static int parse_pair(const char *text, size_t len, unsigned int *seen, struct query *query)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;
	size_t value_len = equals ? len - name_len - 1 : 0;
	enum name name = name_of(text, name_len);
	char value[VALUE_MAX + 1];

	if (name == NAME_OTHER)
		return 0;
	if (!equals || *seen & 1u << name || decode(equals + 1, value_len, value))
		return -EINVAL;
	*seen |= 1u << name;
	if (name == NAME_MS)
		return number(value, QUERY_MS_MAX, &query->ms);
	if (name == NAME_KB)
		return number(value, QUERY_KB_MAX, &query->kb);
	return mode(value, &query->mode);
}

int query__parse(const char *text, struct query *query)
{
	unsigned int seen = 0;
	size_t len;

	for (; text && *text; text += len + (text[len] == '&')) {
		len = strcspn(text, "&");
		if (parse_pair(text, len, &seen, query))
			return -EINVAL;
	}
	return 0;
}
