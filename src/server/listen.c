/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* socket, bind, listen; and which port it became. */
#include "server/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

static void set_port(struct endpoint *endpoint)
{
	struct sockaddr_storage *addr = &endpoint->addr;
	in_port_t port = addr->ss_family == AF_INET6 ? ((struct sockaddr_in6 *)addr)->sin6_port
						     : ((struct sockaddr_in *)addr)->sin_port;
	char *colon = strrchr(endpoint->name, ':');

	if (colon)
		snprintf(colon, sizeof(endpoint->name) - (size_t)(colon - endpoint->name), ":%u",
			 ntohs(port));
}

int listen_at(struct endpoint *endpoint)
{
	int one = 1, err;
	int fd = socket(endpoint->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Accepted sockets inherit it. An answer is one write: waiting for more never pays. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&endpoint->addr, endpoint->addr_len) ||
	    listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&endpoint->addr, &endpoint->addr_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	set_port(endpoint);
	return fd;
}
