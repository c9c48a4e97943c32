/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One connection a call, HTTP/1.0, read to the end of the stream: nothing to keep or share. */
#include "server/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/clock.h"

#define ANSWER_MAX (FETCH_BODY_MAX + 4096)

/* Bounds the next call on the socket: one drop a second would satisfy a fixed time-out for ever. */
static int limit_wait(int fd, int option, uint64_t deadline_ns)
{
	uint64_t now = now_ns();
	struct timeval left;

	if (now >= deadline_ns)
		return -ETIMEDOUT;
	left = ns_to_timeval(deadline_ns - now + 1000); /* zero would mean for ever */
	return setsockopt(fd, SOL_SOCKET, option, &left, sizeof(left)) ? -errno : 0;
}

static int wait_error(void)
{
	return errno == EAGAIN || errno == EINPROGRESS ? -ETIMEDOUT : -errno;
}

static int open_connection(const struct endpoint *endpoint, uint64_t deadline_ns)
{
	int fd = socket(endpoint->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = limit_wait(fd, SO_SNDTIMEO, deadline_ns); /* connect() obeys it too */
	if (!err && connect(fd, (const struct sockaddr *)&endpoint->addr, endpoint->addr_len))
		err = wait_error();
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int send_request(int fd, const struct endpoint *endpoint, const char *path)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path,
			   endpoint->name);

	if (len >= (int)sizeof(text))
		return -EMSGSIZE;
	/* It fits the empty socket buffer: never partial. */
	return send(fd, text, (size_t)len, MSG_NOSIGNAL) == len ? 0 : wait_error();
}

/* Bytes read until the end of the stream, or -errno. */
static ssize_t read_answer(int fd, char *buf, size_t size, uint64_t deadline_ns)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got;
		int err = limit_wait(fd, SO_RCVTIMEO, deadline_ns);

		if (err)
			return err;
		got = recv(fd, buf + n, size - n, 0);
		if (got == 0)
			return (ssize_t)n;
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			return wait_error();
	}
	return -EMSGSIZE;
}

/* -1 when there is none. */
static long content_length(const char *head)
{
	static const char name[] = "\ncontent-length:";
	const char *line = strcasestr(head, name);

	return line ? strtol(line + sizeof(name) - 1, NULL, 10) : -1;
}

/* Parses the answer in `buf`, which is `len` bytes and a NUL. */
static int parse_answer(char *buf, size_t len, struct fetched *out)
{
	char *end = strstr(buf, "\r\n\r\n");
	int minor, status;
	size_t body_bytes;
	long announced;

	if (!end || sscanf(buf, "HTTP/1.%1d %3d", &minor, &status) != 2 || status < 200)
		return -EPROTO;
	*end = '\0';
	end += 4;
	body_bytes = len - (size_t)(end - buf);
	announced = content_length(buf);
	if (announced >= 0 && (size_t)announced != body_bytes)
		return -EPROTO;

	out->status = status;
	out->body_bytes = body_bytes;
	out->body = malloc(body_bytes + 1);
	if (!out->body)
		return -ENOMEM;
	memcpy(out->body, end, body_bytes);
	out->body[body_bytes] = '\0';
	return 0;
}

int upstream_fetch(const struct endpoint *endpoint, const char *path, uint64_t deadline_ns,
		   struct fetched *out)
{
	char *buf = NULL;
	ssize_t len;
	int err, fd = open_connection(endpoint, deadline_ns);

	if (fd < 0)
		return fd;
	err = send_request(fd, endpoint, path);
	if (err)
		goto out;
	buf = malloc(ANSWER_MAX + 1);
	if (!buf) {
		err = -ENOMEM;
		goto out;
	}
	len = read_answer(fd, buf, ANSWER_MAX, deadline_ns);
	if (len < 0) {
		err = (int)len;
		goto out;
	}
	buf[len] = '\0';
	err = parse_answer(buf, (size_t)len, out);
out:
	free(buf);
	close(fd);
	return err;
}
