/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/buffer.h"

static bool make_room(struct buffer *b, size_t bytes)
{
	size_t size = b->size ? b->size : 4096;
	char *grown;

	if (b->failed)
		return false;
	if (b->bytes + bytes <= b->size)
		return true;
	while (size < b->bytes + bytes)
		size *= 2;
	grown = realloc(b->text, size);
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->text = grown;
	b->size = size;
	return true;
}

void buffer__add(struct buffer *b, const char *text, size_t bytes)
{
	if (!make_room(b, bytes))
		return;
	memcpy(b->text + b->bytes, text, bytes);
	b->bytes += bytes;
}

void buffer__puts(struct buffer *b, const char *text)
{
	buffer__add(b, text, strlen(text));
}

void buffer__printf(struct buffer *b, const char *fmt, ...)
{
	char text[2048];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n > 0)
		buffer__add(b, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* Digits of v, at least `least` of them, in front of `end`. */
static char *digits(char *end, uint64_t v, int least)
{
	while (v || least > 0) {
		*--end = '0' + v % 10;
		v /= 10;
		least--;
	}
	return end;
}

void buffer__u64(struct buffer *b, uint64_t v)
{
	char text[20], *end = text + sizeof(text), *at = digits(end, v, 1);

	buffer__add(b, at, end - at);
}

void buffer__seconds(struct buffer *b, uint64_t ns)
{
	char text[24], *end = text + sizeof(text), *at;

	buffer__u64(b, ns / 1000000000);
	ns %= 1000000000;
	if (!ns)
		return;
	at = digits(end, ns, 9);
	*--at = '.';
	while (end[-1] == '0')
		end--;
	buffer__add(b, at, end - at);
}

void buffer__free(struct buffer *b)
{
	free(b->text);
	*b = (struct buffer){0};
}
