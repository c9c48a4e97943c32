/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/tracepoint.h"

static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

static int read_id(const char *root, const char *name)
{
	char path[256], text[16] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/events/%s/id", root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? atoi(text) : -1;
}

static int read_ids(const char *root, const char *const *names, int *ids, int nr)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/events/syscalls", root);
	/* As who we act: access() would ask for the real user, without its capabilities. */
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
		return -errno;
	for (int i = 0; i < nr; i++)
		ids[i] = read_id(root, names[i]);
	return 0;
}

/* In a child with a mount namespace of its own: nobody else sees the mount. */
static int mount_and_read(const char *const *names, int *ids, int nr)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", roots[0], "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	return read_ids(roots[0], names, ids, nr);
}

static int read_ids_in_child(const char *const *names, int *ids, int nr)
{
	size_t bytes = nr * sizeof(int);
	int fds[2], status, err = 0;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (child == 0) {
		err = mount_and_read(names, ids, nr);
		if (!err && write(fds[1], ids, bytes) != (ssize_t)bytes)
			err = -EIO;
		_exit(-err);
	}
	close(fds[1]);
	if (read(fds[0], ids, bytes) != (ssize_t)bytes)
		err = -EIO;
	close(fds[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return -WEXITSTATUS(status);
	return err;
}

int tracepoint__ids(const char *const *names, int *ids, int nr)
{
	bool forbidden = false;
	int err;

	for (unsigned int i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		err = read_ids(roots[i], names, ids, nr);
		if (!err)
			return 0;
		forbidden = forbidden || err == -EACCES;
	}
	err = read_ids_in_child(names, ids, nr);
	return err && forbidden ? -EACCES : err;
}

const char *tracepoint__mend(int err)
{
	if (err == -EACCES)
		return "tracefs may not be read: run it as root, or with CAP_DAC_READ_SEARCH too";
	if (err == -EPERM)
		return "tracefs is not mounted, and who is not root cannot mount it: mount -t "
		       "tracefs "
		       "tracefs /sys/kernel/tracing";
	return "it needs CONFIG_FTRACE_SYSCALLS, and tracefs: mount -t tracefs tracefs "
	       "/sys/kernel/tracing";
}
