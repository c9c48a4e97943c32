/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The HTTP side: /metrics, /healthz and a small index page, on TCP or a unix socket, served in the
 * caller's own loop. Whoever connects may be slow, hostile or many: connections, their memory and their
 * time are bounded, and all that ask at about the same time share one text.
 */
#ifndef LS_EXPORT_HTTP_H
#define LS_EXPORT_HTTP_H

#include "export/exposition.h"

struct buffer;
struct http;
struct web_config;

/* Writes the metrics as they are now. */
typedef void (*http_render_fn)(void *arg, enum exposition_format format, struct buffer *out);

/* `listen`: "[ADDR]:PORT" or "unix:PATH"; `web`: TLS and users, NULL: neither; borrowed. NULL: errno;
 * why was printed. */
struct http *http__new(const char *listen, struct web_config *web, http_render_fn render,
		       void *arg);
void http__free(struct http *h);

/* "http://127.0.0.1:9964" or "unix:/run/x": the port is the real one where 0 was asked for. */
const char *http__url(const struct http *h);

/* Readable when http__serve has something to do; http__serve is to be called after http__timeout_ms
 * (-1: none) in any case. */
int http__fd(const struct http *h);
int http__timeout_ms(const struct http *h);
void http__serve(struct http *h);

#endif
