/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "model/jsonw.h"
#include "model/utf8.h"

static void put(struct jsonw *w, const char *bytes, size_t n)
{
	if (w->err)
		return;
	errno = 0;
	if (fwrite(bytes, 1, n, w->out) != n)
		w->err = errno ? -errno : -EIO;
}

static void put_str(struct jsonw *w, const char *s)
{
	put(w, s, strlen(s));
}

static bool needs_escape(const struct jsonw *w, uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
		return true;
	return w->html_safe && (c == '<' || c == '>' || c == '&');
}

static void put_char(struct jsonw *w, uint32_t c)
{
	char buf[8];

	if (c == '"' || c == '\\')
		put(w, buf, (size_t)snprintf(buf, sizeof(buf), "\\%c", (char)c));
	else if (needs_escape(w, c))
		put(w, buf, (size_t)snprintf(buf, sizeof(buf), "\\u%04" PRIx32, c & 0xffff));
	else
		put(w, buf, (size_t)utf8__encode(c, buf));
}

/* The length of the part at `s` that needs no thought: most strings, whole. */
static size_t plain_bytes(const char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && !strchr("\"\\<>&", s[n]))
		n++;
	return n;
}

static void put_quoted(struct jsonw *w, const char *s)
{
	size_t n;

	put(w, "\"", 1);
	while (*s) {
		n = plain_bytes(s);
		put(w, s, n);
		s += n;
		if (*s)
			put_char(w, utf8__next(&s));
	}
	put(w, "\"", 1);
}

static void begin(struct jsonw *w, const char *key)
{
	if (w->comma)
		put(w, ",", 1);
	w->comma = true;
	if (!key)
		return;
	put_quoted(w, key);
	put(w, ":", 1);
}

void jsonw__init(struct jsonw *w, FILE *out)
{
	*w = (struct jsonw){.out = out};
}

void jsonw__object(struct jsonw *w, const char *key)
{
	begin(w, key);
	put(w, "{", 1);
	w->comma = false;
}

void jsonw__end_object(struct jsonw *w)
{
	put(w, "}", 1);
	w->comma = true;
}

void jsonw__array(struct jsonw *w, const char *key)
{
	begin(w, key);
	put(w, "[", 1);
	w->comma = false;
}

void jsonw__end_array(struct jsonw *w)
{
	put(w, "]", 1);
	w->comma = true;
}

void jsonw__str(struct jsonw *w, const char *key, const char *value)
{
	if (!value)
		return;
	begin(w, key);
	put_quoted(w, value);
}

void jsonw__u64(struct jsonw *w, const char *key, uint64_t value)
{
	char buf[24];

	begin(w, key);
	put(w, buf, (size_t)snprintf(buf, sizeof(buf), "%" PRIu64, value));
}

void jsonw__i64(struct jsonw *w, const char *key, int64_t value)
{
	char buf[24];

	begin(w, key);
	put(w, buf, (size_t)snprintf(buf, sizeof(buf), "%" PRId64, value));
}

void jsonw__bool(struct jsonw *w, const char *key, bool value)
{
	begin(w, key);
	put_str(w, value ? "true" : "false");
}

void jsonw__fraction(struct jsonw *w, const char *key, double value, int digits)
{
	char buf[64];
	uint64_t scale = 1, n;

	begin(w, key);
	for (int i = 0; i < digits; i++)
		scale *= 10;
	if (!isfinite(value) || fabs(value) * (double)scale >= 1e18) {
		put_str(w, "null");
		return;
	}
	n = (uint64_t)llround(fabs(value) * (double)scale);
	snprintf(buf, sizeof(buf), "%s%" PRIu64, value < 0 && n ? "-" : "", n / scale);
	put_str(w, buf);
	if (digits) {
		snprintf(buf, sizeof(buf), ".%0*" PRIu64, digits, n % scale);
		put_str(w, buf);
	}
}

void jsonw__time(struct jsonw *w, const char *key, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	char buf[80], day[32];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(buf, sizeof(buf), "%s.%06uZ", day, (unsigned int)(time_ns / 1000 % 1000000));
	jsonw__str(w, key, buf);
}

int jsonw__newline(struct jsonw *w)
{
	put(w, "\n", 1);
	w->comma = false;
	return w->err;
}

int jsonw__line(struct jsonw *w)
{
	jsonw__newline(w);
	if (!w->err && fflush(w->out) != 0)
		w->err = -errno;
	return w->err;
}
