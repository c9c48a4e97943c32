/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What evhttp lets through and HTTP does not. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

struct evhttp_request;

/*
 * Looks at the head of a whole request: how its body was framed, its Host, its version, the bytes
 * of its names and target. 0, or the status to refuse it with; then the connection must be closed,
 * as where the next request begins cannot be trusted.
 */
int http__check(const struct evhttp_request *req);

/* The status in words; never NULL. */
const char *http__phrase(int status);

#endif
