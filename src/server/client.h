/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A blocking HTTP client, the kind that every code base has somewhere. Any thread. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FETCH_BODY_MAX 65536

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char name[128]; /* HOST:PORT, for the Host header and messages */
};

struct fetched {
	int status;
	char *body; /* the caller frees it */
	size_t body_bytes;
};

/*
 * GET `path`; blocks in connect() and recv() until the answer is whole. 0 whatever the status;
 * -ETIMEDOUT at `deadline_ns`, -EPROTO for what is not HTTP or breaks off, -EMSGSIZE, or what the
 * socket said.
 */
int upstream_fetch(const struct endpoint *endpoint, const char *path, uint64_t deadline_ns,
		   struct fetched *out);

#endif
