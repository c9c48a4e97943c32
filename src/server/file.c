/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* write() in chunks, one fsync(), unlink(). */
#include "server/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u

static int write_all(int fd, uint64_t bytes, const atomic_int *cancelled)
{
	static const char chunk[CHUNK_BYTES];

	while (bytes) {
		size_t n = bytes < CHUNK_BYTES ? (size_t)bytes : CHUNK_BYTES;
		ssize_t put;

		if (cancelled && atomic_load(cancelled))
			return -ECANCELED;
		put = write(fd, chunk, n);
		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0)
			bytes -= (uint64_t)put;
	}
	return 0;
}

int file_store(const char *dir, unsigned int slot, uint32_t kb, const atomic_int *cancelled)
{
	char path[256];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/upload-%u", dir, slot) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, (uint64_t)kb << 10, cancelled);
	if (!err && fsync(fd))
		err = -errno;
	close(fd);
	unlink(path);
	return err;
}
