/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Both ends of a worker's life: how the server starts one, and what it then does.
 *
 * posix_spawn() rather than fork(): it shares the parent's memory until the exec, so its cost does
 * not grow with the server's heap, and the threads of the server are no danger to the child.
 */
#include "server/cpu_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/encode.h"
#include "server/frame.h"

extern char **environ;

/* --- the server's side ---------------------------------------------------------------------- */

static int exec_worker(int socket_fd, uint32_t max_bytes, pid_t *pid)
{
	char bytes[16], parent[16];
	char *argv[] = {"offload-worker", CPU_WORKER_FLAG, bytes, parent, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	int err;

	snprintf(bytes, sizeof(bytes), "%u", max_bytes);
	snprintf(parent, sizeof(parent), "%d", getpid());
	sigemptyset(&none);

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, STDIN_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, socket_fd, CPU_WORKER_FD);
	/* Not argv[0]: this is the program that runs now, even when its file was replaced since. */
	if (!err)
		err = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

int cpu_worker__spawn(uint32_t max_bytes, pid_t *pid, int *socket_fd, int *pidfd)
{
	int sv[2];
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -errno;
	if (fcntl(sv[0], F_SETFL, O_NONBLOCK)) {
		err = -errno;
		goto fail;
	}
	err = exec_worker(sv[1], max_bytes, pid);
	if (err)
		goto fail;
	/* Ours and not yet waited for: the number cannot have been given to another process. */
	*pidfd = pidfd_open(*pid, 0);
	if (*pidfd < 0) {
		err = -errno; /* no descriptor left: the worker ends at the end of its socket */
		goto fail;
	}
	*socket_fd = sv[0];
	close(sv[1]);
	return 0;
fail:
	close(sv[0]);
	close(sv[1]);
	return err;
}

/* --- the worker's side ---------------------------------------------------------------------- */

/* 0, -EAGAIN at an orderly end before the first byte, else -errno. */
static int read_exactly(int fd, uint8_t *buf, size_t len)
{
	size_t n = 0;

	while (n < len) {
		ssize_t got = read(fd, buf + n, len - n);

		if (got == 0)
			return n ? -EPIPE : -EAGAIN;
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int write_all(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t put = send(fd, buf, len, MSG_NOSIGNAL);

		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0) {
			buf += put;
			len -= (size_t)put;
		}
	}
	return 0;
}

static int reply(int fd, uint64_t id, enum frame_kind kind, const uint8_t *data, size_t bytes)
{
	struct frame frame = {.kind = kind, .id = id, .bytes = (uint32_t)bytes};
	uint8_t header[FRAME_HEADER_BYTES];
	int err;

	frame__encode(&frame, header);
	err = write_all(fd, header, sizeof(header));
	return err ? err : write_all(fd, data, bytes);
}

static int compute(int fd, const struct frame *frame, const uint8_t *in)
{
	uint8_t *out = NULL;
	size_t out_bytes = 0;
	int err;

	if (frame->kind == FRAME_ECHO)
		return reply(fd, frame->id, FRAME_RESULT, in, frame->bytes);
	if (encode_deflate(in, frame->bytes, NULL, &out, &out_bytes))
		return reply(fd, frame->id, FRAME_FAILED, NULL, 0);
	err = reply(fd, frame->id, FRAME_RESULT, out, out_bytes);
	free(out);
	return err;
}

static int serve_one(int fd, uint32_t max_bytes)
{
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame frame;
	uint8_t *in;
	int err = read_exactly(fd, header, sizeof(header));

	if (err)
		return err;
	if (frame__decode(header, sizeof(header), max_bytes, &frame) < 0 ||
	    (frame.kind != FRAME_DEFLATE && frame.kind != FRAME_ECHO))
		return -EPROTO;
	in = malloc(frame.bytes + 1); /* never of 0 bytes */
	if (!in)
		return -ENOMEM;
	err = read_exactly(fd, in, frame.bytes);
	if (!err)
		err = compute(fd, &frame, in);
	free(in);
	return err == -EAGAIN ? -EPIPE : err;
}

int cpu_worker__serve(int fd, uint32_t max_bytes)
{
	int err;

	do
		err = serve_one(fd, max_bytes);
	while (!err);
	return err == -EAGAIN ? 0 : 1;
}

int cpu_worker__main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	prctl(PR_SET_NAME, "offload-worker");
	/* The server drains on these, and needs its workers meanwhile. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	/* A hung worker must not outlive a killed server. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != atoi(argv[3]))
		return 1;
	close_range(CPU_WORKER_FD + 1, ~0u, 0);
	return cpu_worker__serve(CPU_WORKER_FD, (uint32_t)strtoul(argv[2], NULL, 10));
}
