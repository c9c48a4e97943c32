/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Counts bytes up to the blank line; looks at line ends and at what frames the body. */
#include "server/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static void keep(struct head *head, const char *data, size_t len)
{
	size_t room = HEAD_LINE_KEPT - 1;

	if (head->line_bytes >= room)
		return;
	if (len > room - head->line_bytes)
		len = room - head->line_bytes;
	memcpy(head->kept + head->line_bytes, data, len);
	head->kept[head->line_bytes + len] = '\0';
}

/* The value of the line in `kept`, if it is this header's; else NULL. `name` is in lower case,
 * and ends in a colon. */
static const char *value_of(const struct head *head, const char *name)
{
	size_t len;

	if ((head->kept[0] | 0x20) != name[0]) /* most end here: this is paid for every line */
		return NULL;
	len = strlen(name);
	if (strncasecmp(head->kept, name, len))
		return NULL;
	return head->kept + len + strspn(head->kept + len, " \t");
}

/* Only to refuse early what is too large: evhttp and http.c check what the number looks like. */
static void read_length(struct head *head)
{
	const char *p = value_of(head, "content-length:");
	uint64_t n = 0;

	if (!p)
		return;
	for (; isdigit((unsigned char)*p); p++)
		n = n > UINT64_MAX / 10 - 1 ? n : n * 10 + (uint64_t)(*p - '0');
	head->content_length = n;
}

/* evhttp says so too, but then waits for more: a tunnel has no end. */
static int check_method(const struct head *head)
{
	return strncmp(head->kept, "CONNECT ", 8) ? 0 : 501;
}

/* evhttp knows but one coding; http.c refuses all others. */
static int read_coding(struct head *head)
{
	static const char coding[] = "chunked";
	const char *value = value_of(head, "transfer-encoding:");

	if (!value)
		return 0;
	if (head->line_bytes >= HEAD_LINE_KEPT)
		return 400; /* blanks, and after them something that evhttp would see and we do not */
	if (strcspn(value, " \t\r\n") == sizeof(coding) - 1 &&
	    !strncasecmp(value, coding, sizeof(coding) - 1))
		head->chunked = true;
	return 0;
}

/* A line has ended; `cr` tells whether its last byte was a CR. */
static int end_line(struct head *head, bool cr)
{
	uint32_t content = head->line_bytes - 1 - (cr && head->line_bytes > 1);
	int status = head->has_line ? read_coding(head) : check_method(head);

	head->complete = content == 0 && head->has_line;
	read_length(head);
	head->has_line = true;
	head->line_bytes = 0;
	head->kept[0] = '\0';
	head->ends_in_cr = false;
	return status;
}

/* What others may read in another way: evhttp joins folded lines and ends a value at a NUL. */
static bool is_ambiguous(const struct head *head, const char *data, size_t len)
{
	bool folded = head->has_line && head->line_bytes == 0 && (*data == ' ' || *data == '\t');

	return folded || memchr(data, '\0', len);
}

/* `len` bytes of one line, its end among them or not. */
static int feed_line(struct head *head, const char *data, size_t len, const struct head_limits *max)
{
	bool ended = data[len - 1] == '\n';
	bool cr = ended ? (len > 1 ? data[len - 2] == '\r' : head->ends_in_cr)
			: data[len - 1] == '\r';

	if (len > max->head_bytes - head->bytes)
		return head->has_line ? 431 : 414;
	if (is_ambiguous(head, data, len))
		return 400;
	head->bytes += (uint32_t)len;
	keep(head, data, len);
	head->line_bytes += (uint32_t)len;
	if (!head->has_line && head->line_bytes > max->line_bytes)
		return 414;
	head->ends_in_cr = cr;
	return ended ? end_line(head, cr) : 0;
}

int head__feed(struct head *head, const char *data, size_t len, const struct head_limits *max)
{
	while (len && !head->complete && !head->status) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) + 1 : len;

		head->status = feed_line(head, data, n, max);
		data += n;
		len -= n;
	}
	head->body_bytes += len;
	if (head->chunked && head->complete && !head->status &&
	    chunks__feed(&head->chunks, data, len))
		head->status = 400;
	return head->status;
}
