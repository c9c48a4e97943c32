/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "model/utf8.h"
#include "report/line.h"

enum { DEFAULT_WIDTH = 100, LEAST_WIDTH = 40, FILE_WIDTH = 400 };

static const char *const codes[] = {
	[PAINT_BOLD] = "\033[1m",    [PAINT_DIM] = "\033[2m",    [PAINT_RED] = "\033[1;31m",
	[PAINT_YELLOW] = "\033[33m", [PAINT_GREEN] = "\033[32m", [PAINT_CYAN] = "\033[36m",
};

static int terminal_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) || size.ws_col < LEAST_WIDTH)
		return DEFAULT_WIDTH;
	return size.ws_col;
}

void line__init(struct line *l, FILE *out, int width)
{
	const char *no_colour = getenv("NO_COLOR");

	memset(l, 0, sizeof(*l));
	l->out = out;
	l->colour = isatty(fileno(out)) && !(no_colour && *no_colour);
	l->fixed = width || !isatty(fileno(out));
	l->width = width ? width : FILE_WIDTH;
	line__measure(l);
}

void line__measure(struct line *l)
{
	if (!l->fixed)
		l->width = terminal_width(l->out);
}

static void raw(struct line *l, const char *s, size_t n)
{
	if (l->bytes + n > sizeof(l->text))
		return;
	memcpy(l->text + l->bytes, s, n);
	l->bytes += n;
}

/* What a terminal obeys rather than shows: controls, and those which turn the direction of text. */
static bool is_steering(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || c == 0x061c ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void add_visible(struct line *l, const char *s)
{
	char bytes[4];
	uint32_t c;

	while ((c = utf8__next(&s))) {
		if (l->columns + 1 >= l->width && *s) { /* room for the mark alone */
			raw(l, "~", 1);
			l->columns++;
			l->cut = true;
			return;
		}
		if (is_steering(c))
			c = '?';
		raw(l, bytes, utf8__encode(c, bytes));
		l->columns++;
	}
}

void line__add(struct line *l, enum paint paint, const char *fmt, ...)
{
	char piece[1024];
	va_list args;

	if (l->cut || l->columns >= l->width)
		return;
	va_start(args, fmt);
	vsnprintf(piece, sizeof(piece), fmt, args);
	va_end(args);
	if (l->colour && paint)
		raw(l, codes[paint], strlen(codes[paint]));
	add_visible(l, piece);
	if (l->colour && paint)
		raw(l, "\033[0m", 4);
}

void line__tab(struct line *l, size_t column)
{
	do
		line__add(l, PAINT_NONE, " ");
	while (l->columns < column && !l->cut && l->columns < l->width);
}

int line__end(struct line *l)
{
	size_t written;

	while (l->bytes && l->text[l->bytes - 1] == ' ')
		l->bytes--;
	errno = 0;
	written = fwrite(l->text, 1, l->bytes, l->out);
	if (fputc('\n', l->out) == EOF || written < l->bytes)
		return errno ? -errno : -EIO;
	l->bytes = l->columns = 0;
	l->cut = false;
	return 0;
}
