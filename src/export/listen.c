/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "export/listen.h"
#include "log.h"

/* Of what is sent the kernel holds at most twice SEND_BYTES a connection; its own bound is megabytes. */
enum { BACKLOG = 1024, HOST_BYTES = 256, SEND_BYTES = 64 << 10 };

/* --- unix -------------------------------------------------------------------------------------- */

/* A socket left behind by one who died: nobody accepts there. What is no socket refuses a connection in
 * the same way, and is not ours to remove. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat status;
	bool stale;
	int fd;

	if (lstat(address->sun_path, &status) || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const void *)address, sizeof(*address)) && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (is_stale(&address))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0660) || bind(fd, (const void *)&address, sizeof(address)) ||
	    chmod(path, 0660) || listen(fd, BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* --- TCP --------------------------------------------------------------------------------------- */

/* "127.0.0.1:80", ":80", "[::1]:80" -> host ("" for all) and port. */
static bool split(const char *where, char host[HOST_BYTES], const char **port)
{
	const char *colon = strrchr(where, ':'), *from = where;
	size_t length;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || atol(colon + 1) > 65535)
		return false;
	length = colon - where;
	if (*from == '[' && length >= 2 && colon[-1] == ']') {
		from++;
		length -= 2;
	} else if (memchr(from, ':', length)) {
		return false; /* IPv6 without brackets: where would the port begin? */
	}
	if (length >= HOST_BYTES)
		return false;
	snprintf(host, HOST_BYTES, "%.*s", (int)length, from);
	*port = colon + 1;
	return true;
}

static int listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1,
	    off = 0, send_bytes = SEND_BYTES, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes)); /* is inherited */
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* `why` is set where errno has no word for it. */
static int listen_tcp(const char *host, const char *port, const char **why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
	int fd = -EADDRNOTAVAIL, err;

	err = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (err) {
		*why = gai_strerror(err);
		return fd;
	}
	/* Every address is one IPv6 socket which takes IPv4 too, where there is IPv6. */
	for (int family = *host ? AF_UNSPEC : AF_INET6; fd < 0; family = AF_INET) {
		for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
			if (family == AF_UNSPEC || a->ai_family == family)
				fd = listen_at(a);
		if (family != AF_INET6)
			break;
	}
	freeaddrinfo(found);
	return fd;
}

static void name_tcp(int fd, char *name, size_t bytes)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	char host[INET6_ADDRSTRLEN + 16] = "?", port[8] = "?";

	if (!getsockname(fd, (void *)&address, &length))
		getnameinfo((void *)&address, length, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, bytes, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* The path of "unix:PATH"; NULL: it is no such address. */
static const char *unix_path(const char *where)
{
	static const char prefix[] = "unix:";

	return strncmp(where, prefix, strlen(prefix)) ? NULL : where + strlen(prefix);
}

bool listen__valid(const char *where)
{
	const char *path = unix_path(where), *port;
	char host[HOST_BYTES];

	if (path ? *path != '\0' : split(where, host, &port))
		return true;
	log_err("'%s' is not an address to listen on: write 127.0.0.1:9964, :9964, [::1]:9964 or "
		"unix:/run/loopstall.sock",
		where);
	return false;
}

int listen__open(const char *where, char *name, size_t bytes)
{
	const char *path = unix_path(where), *port, *why = NULL;
	char host[HOST_BYTES];
	int fd = -EINVAL;

	if (!listen__valid(where))
		return -EINVAL;
	snprintf(name, bytes, "%s", where);
	if (path) {
		fd = listen_unix(path);
	} else if (split(where, host, &port)) {
		fd = listen_tcp(host, port, &why);
		if (fd >= 0)
			name_tcp(fd, name, bytes);
	}
	if (fd < 0)
		log_err("cannot listen on %s: %s", where, why ? why : strerror(-fd));
	return fd;
}
