/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* RFC 9112 on framing: a request that two parsers could read in two ways is refused (400). */
#include "server/http.h"

#include <ctype.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

struct framing {
	unsigned int hosts, lengths, encodings;
	bool bad_value, chunked;
};

static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	}
	return true;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static void note(struct framing *f, const char *name, const char *value)
{
	if (!strcasecmp(name, "Host")) {
		f->hosts++;
	} else if (!strcasecmp(name, "Content-Length")) {
		f->lengths++;
		f->bad_value = f->bad_value || !is_number(value);
	} else if (!strcasecmp(name, "Transfer-Encoding")) {
		f->encodings++;
		f->chunked = !strcasecmp(value, "chunked");
	}
}

/* A path, a whole URI, or the asterisk; nothing but visible ASCII. */
static bool bad_target(const char *uri)
{
	for (const char *c = uri; *c; c++) {
		if (*c <= ' ' || *c == 0x7f) /* a signed char: above ASCII is below zero */
			return true;
	}
	if (*uri != '/' && strcmp(uri, "*") != 0 && !strstr(uri, "://"))
		return true;
	/* evhttp compares decoded paths as C strings: /fast%00x would be /fast. */
	return strstr(uri, "%00");
}

/* evhttp reads no body for these, so one that was announced would be the next request. */
static bool may_have_body(enum evhttp_cmd_type type)
{
	return type != EVHTTP_REQ_HEAD && type != EVHTTP_REQ_TRACE;
}

int http__check(const struct evhttp_request *req)
{
	const struct evkeyval *header;
	struct framing f = {0};

	TAILQ_FOREACH(header, req->input_headers, next)
	{
		if (!is_token(header->key))
			return 400;
		note(&f, header->key, header->value);
	}
	if (req->major != 1 || req->minor < 0 || bad_target(req->uri))
		return 400;
	if (f.hosts > 1 || (f.hosts == 0 && req->minor > 0))
		return 400;
	if (f.bad_value || f.lengths > 1 || f.encodings > 1 || (f.lengths && f.encodings))
		return 400;
	if (f.encodings && req->minor == 0)
		return 400; /* no such thing in HTTP/1.0: whoever relayed it may not have seen it */
	if (f.encodings && !f.chunked)
		return 501;
	if ((f.lengths || f.encodings) && !may_have_body(req->type))
		return 400;
	return 0;
}

const char *http__phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Unknown";
}
