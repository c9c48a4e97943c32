/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "model/utf8.h"
#include "model/xml.h"

static void put(FILE *out, uint32_t c)
{
	char bytes[4];

	if (c == '&')
		fputs("&amp;", out);
	else if (c == '<')
		fputs("&lt;", out);
	else if (c == '>')
		fputs("&gt;", out);
	else if (c == '"')
		fputs("&quot;", out);
	else if (c == '\n')
		fputs("&#10;", out);
	else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff)
		fputs("\xef\xbf\xbd", out);
	else
		fwrite(bytes, 1, (size_t)utf8__encode(c, bytes), out);
}

size_t xml__chars(const char *s)
{
	size_t n = 0;

	while (utf8__next(&s))
		n++;
	return n;
}

void xml__put(FILE *out, const char *s, size_t chars)
{
	size_t n = chars == (size_t)-1 ? 0 : xml__chars(s), left = n > chars ? chars - 2 : chars;
	uint32_t c;

	for (; left > 0 && (c = utf8__next(&s)) != 0; left--)
		put(out, c);
	if (n > chars)
		fputs("..", out);
}
