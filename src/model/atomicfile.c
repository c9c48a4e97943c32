/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/atomicfile.h"

struct atomicfile {
	int fd;
	char *path; /* NULL: written in place */
	char *tmp;  /* its name until the commit; NULL while it has none */
};

static mode_t file_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* "DIR/.NAME.XXXXXX"; the caller frees it. */
static char *tmp_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash - path) + 1 : 0;
	char *name;

	if (asprintf(&name, "%.*s.%.200s.XXXXXX", dir, path, path + dir) < 0)
		return NULL;
	return name;
}

static int open_nameless(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666) : -1;

	free(copy);
	return fd;
}

static int open_tmp(struct atomicfile *f)
{
	f->fd = open_nameless(f->path);
	if (f->fd >= 0)
		return 0;
	f->tmp = tmp_name(f->path);
	if (!f->tmp)
		return -ENOMEM;
	f->fd = mkostemp(f->tmp, O_CLOEXEC);
	if (f->fd < 0) {
		free(f->tmp);
		f->tmp = NULL;
		return -errno;
	}
	fchmod(f->fd, file_mode());
	return 0;
}

static int open_in_place(struct atomicfile *f, const char *path)
{
	f->fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
				       : open(path, O_WRONLY | O_CLOEXEC);
	return f->fd < 0 ? -errno : 0;
}

static int open_file(struct atomicfile *f, const char *path)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return open_in_place(f, path);
	if (stat(path, &st) != 0) {
		f->path = strdup(path);
		return f->path ? open_tmp(f) : -ENOMEM;
	}
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return open_in_place(f, path);
	f->path = realpath(path, NULL); /* a link stays, its target is replaced */
	return f->path ? open_tmp(f) : -errno;
}

struct atomicfile *atomicfile__new(const char *path)
{
	struct atomicfile *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return NULL;
	f->fd = -1;
	err = open_file(f, path);
	if (!err)
		return f;
	atomicfile__free(f);
	errno = -err;
	return NULL;
}

int atomicfile__fd(const struct atomicfile *f)
{
	return f->fd;
}

/* A nameless file gets a temporary name, for a link cannot replace what is there. */
static int give_tmp_name(struct atomicfile *f)
{
	char proc[64], *name = NULL;
	int err = -EEXIST;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->fd);
	for (int i = 0; i < 100 && err == -EEXIST; i++) {
		free(name);
		name = tmp_name(f->path);
		if (!name)
			return -ENOMEM;
		snprintf(name + strlen(name) - 6, 7, "%06x",
			 (unsigned int)(getpid() * 100 + i) & 0xffffff);
		err = linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
	}
	if (err)
		free(name);
	else
		f->tmp = name;
	return err;
}

int atomicfile__commit(struct atomicfile *f)
{
	int err;

	if (!f->path)
		return 0;
	if (fsync(f->fd) != 0)
		return -errno;
	if (!f->tmp && (err = give_tmp_name(f)) != 0)
		return err;
	if (rename(f->tmp, f->path) != 0)
		return -errno;
	free(f->tmp);
	f->tmp = NULL;
	return 0;
}

void atomicfile__free(struct atomicfile *f)
{
	if (!f)
		return;
	if (f->tmp)
		unlink(f->tmp);
	if (f->fd >= 0)
		close(f->fd);
	free(f->tmp);
	free(f->path);
	free(f);
}
