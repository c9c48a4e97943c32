/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "symbols/strings.h"
#include "trace/names.h"

static const char *const call_names[] = {
#include "syscall_names.h" /* [nr] = "name", made from asm/unistd_64.h by the Makefile */
};

const char *call_name(int32_t nr)
{
	return nr >= 0 && (size_t)nr < sizeof(call_names) / sizeof(call_names[0]) ? call_names[nr]
										  : NULL;
}

/* Turns "app.db\0lib\0var\0" into "/var/lib/app.db". */
static void join_path(const struct ls_object *o, char *out, size_t size)
{
	size_t left = o->path_bytes < LS_PATH_LEN ? o->path_bytes : LS_PATH_LEN, used = 0;

	if (o->path_truncated && size > 3) {
		memcpy(out, "...", 3);
		used = 3;
	}
	while (left > 1) {
		size_t end = left - 1, begin = end; /* end: the component's NUL */

		while (begin > 0 && o->path[begin - 1])
			begin--;
		if (used + (end - begin) + 2 > size)
			break;
		out[used++] = '/';
		memcpy(out + used, o->path + begin, end - begin);
		used += end - begin;
		left = begin;
	}
	out[used] = '\0';
}

static const char *inet_name(struct strings *pool, const struct ls_object *o)
{
	const char *proto = o->proto == IPPROTO_TCP   ? "tcp"
			    : o->proto == IPPROTO_UDP ? "udp"
						      : "ip";
	const char *open = o->family == AF_INET6 ? "[" : "",
		   *close = o->family == AF_INET6 ? "]" : "";
	char address[INET6_ADDRSTRLEN];

	if (o->remote_port) {
		inet_ntop(o->family, o->remote, address, sizeof(address));
		return strings__printf(pool, "%s %s%s%s:%u", proto, open, address, close,
				       o->remote_port);
	}
	if (!o->local_port)
		return strings__printf(pool, "%s socket", proto);
	inet_ntop(o->family, o->local, address, sizeof(address));
	return strings__printf(pool, "%s listening on %s%s%s:%u", proto, open, address, close,
			       o->local_port);
}

static const char *unix_name(struct strings *pool, const struct ls_object *o)
{
	int bytes = o->path_bytes < LS_PATH_LEN ? o->path_bytes : LS_PATH_LEN;

	if (bytes > 1)
		return strings__printf(pool, "unix %.*s", bytes, o->path);
	if (o->kind == LS_OBJ_SELF_SOCKET)
		return "unix socket pair of its own";
	return o->peer_tgid ? strings__printf(pool, "unix socket to pid %u", o->peer_tgid)
			    : "unix socket";
}

static const char *socket_name(struct strings *pool, const struct ls_object *o)
{
	switch (o->family) {
	case AF_INET:
	case AF_INET6:
		return inet_name(pool, o);
	case AF_UNIX:
		return unix_name(pool, o);
	case AF_NETLINK:
		return "netlink socket";
	}
	return strings__printf(pool, "socket of family %u", o->family);
}

static const char *named_or(struct strings *pool, const struct ls_object *o, const char *prefix,
			    const char *otherwise)
{
	char path[LS_PATH_LEN + 8];

	join_path(o, path, sizeof(path));
	return path[0] ? strings__printf(pool, "%s%s", prefix, path) : otherwise;
}

/* An anonymous pipe's dentry has no name worth showing. */
static const char *pipe_name(struct strings *pool, const struct ls_object *o)
{
	return o->path_bytes > 1 && o->path[0] != '\0' ? named_or(pool, o, "fifo ", "pipe")
						       : "pipe";
}

static const char *one_object(struct strings *pool, const struct ls_object *o)
{
	switch ((enum ls_object_kind)o->kind) {
	case LS_OBJ_NONE:
		return NULL;
	case LS_OBJ_FILE:
		return named_or(pool, o, "", NULL);
	case LS_OBJ_BLOCKDEV:
		return named_or(pool, o, "block device ", "block device");
	case LS_OBJ_CHARDEV:
		return named_or(pool, o, "", "character device");
	case LS_OBJ_TTY:
		return named_or(pool, o, "tty ", "tty");
	case LS_OBJ_PIPE:
		return pipe_name(pool, o);
	case LS_OBJ_SOCKET:
	case LS_OBJ_SELF_SOCKET:
		return socket_name(pool, o);
	case LS_OBJ_EVENTFD:
		return "eventfd";
	case LS_OBJ_EPOLL:
		return "epoll";
	case LS_OBJ_TIMERFD:
		return "timerfd";
	case LS_OBJ_SIGNALFD:
		return "signalfd";
	case LS_OBJ_INOTIFY:
		return "inotify";
	case LS_OBJ_PIDFD:
		return "pidfd";
	case LS_OBJ_IO_URING:
		return "io_uring";
	case LS_OBJ_ANON:
		return "anonymous inode";
	case LS_OBJ_PATH:
		return strings__printf(pool, "%.*s", (int)strnlen(o->path, LS_PATH_LEN), o->path);
	}
	return NULL;
}

const char *object_name(struct strings *pool, const struct ls_call *call)
{
	const char *name = one_object(pool, &call->object);
	uint32_t nr = call->object.nr_fds;

	if (nr > 1)
		return name ? strings__printf(pool, "%u descriptors, first %s", nr, name)
			    : strings__printf(pool, "%u descriptors", nr);
	return name;
}
