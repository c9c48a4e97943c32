/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "trace/tracepoint.h"

static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

static int read_id(int root, const char *name)
{
	char path[256], text[16] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "events/%s/id", name);
	fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? atoi(text) : -1;
}

static int read_ids(int root, const char *const *names, int *ids, int nr)
{
	/* As who we act: access() would ask for the real user, without its capabilities. */
	if (faccessat(root, "events/syscalls", R_OK, AT_EACCESS) != 0)
		return -errno;
	for (int i = 0; i < nr; i++)
		ids[i] = read_id(root, names[i]);
	return 0;
}

/* A tracefs of our own that is mounted nowhere, so that nobody else sees it: a descriptor, or -errno. */
static int open_unmounted(void)
{
	int err, context, root = -1;

	context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	if (!fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		root = fsmount(context, FSMOUNT_CLOEXEC,
			       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	err = root < 0 ? -errno : 0;
	close(context);
	return err ? err : root;
}

int tracepoint__ids(const char *const *names, int *ids, int nr)
{
	bool forbidden = false;
	int root, err;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		root = open(roots[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		err = root < 0 ? -errno : read_ids(root, names, ids, nr);
		if (root >= 0)
			close(root);
		if (!err)
			return 0;
		forbidden = forbidden || err == -EACCES;
	}
	root = open_unmounted();
	err = root < 0 ? root : read_ids(root, names, ids, nr);
	if (root >= 0)
		close(root);
	return err && forbidden ? -EACCES : err;
}

const char *tracepoint__mend(int err)
{
	if (err == -EACCES)
		return "tracefs may not be read: run it as root, or with CAP_DAC_READ_SEARCH too";
	if (err == -EPERM)
		return "tracefs is not mounted, and who is not root cannot mount it: mount -t "
		       "tracefs tracefs /sys/kernel/tracing";
	return "it needs CONFIG_FTRACE_SYSCALLS, and tracefs: mount -t tracefs tracefs "
	       "/sys/kernel/tracing";
}
