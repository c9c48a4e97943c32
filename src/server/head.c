/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Counts bytes up to the blank line; looks at nothing but line ends and Content-Length. */
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

/* Only to refuse early what is too large: evhttp and http.c check what the number looks like. */
static void read_length(struct head *head)
{
	static const char name[] = "content-length:";
	const char *p = head->kept + sizeof(name) - 1;
	uint64_t n = 0;

	if (strncasecmp(head->kept, name, sizeof(name) - 1))
		return;
	for (p += strspn(p, " \t"); isdigit((unsigned char)*p); p++)
		n = n > UINT64_MAX / 10 - 1 ? n : n * 10 + (uint64_t)(*p - '0');
	head->content_length = n;
}

/* A line has ended; `cr` tells whether its last byte was a CR. */
static void end_line(struct head *head, bool cr)
{
	uint32_t content = head->line_bytes - 1 - (cr && head->line_bytes > 1);

	if (content == 0 && head->has_line)
		head->complete = true;
	else
		head->has_line = true;
	read_length(head);
	head->line_bytes = 0;
	head->kept[0] = '\0';
	head->ends_in_cr = false;
}

int head__feed(struct head *head, const char *data, size_t len, uint32_t max_line,
	       uint32_t max_head)
{
	while (len && !head->complete) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) + 1 : len;
		bool cr = end ? (n > 1 ? end[-1] == '\r' : head->ends_in_cr) : data[n - 1] == '\r';

		if (n > max_head - head->bytes)
			return head->has_line ? 431 : 414;
		head->bytes += (uint32_t)n;
		keep(head, data, n);
		head->line_bytes += (uint32_t)n;
		if (!head->has_line && head->line_bytes > max_line)
			return 414;
		head->ends_in_cr = cr;
		if (end)
			end_line(head, cr);
		data += n;
		len -= n;
	}
	head->body_bytes += len;
	return 0;
}
