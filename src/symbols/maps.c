/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A mapped file is opened in two steps: first as a mere path (O_PATH), which has no effect even on
 * a device or a FIFO; then for reading, once it is known to be a regular file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbols/maps.h"

enum { MAX_LINES = 1 << 17 }; /* vm.max_map_count is 65530 unless raised */

static bool parse_hex(char **p, char after, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(*p, &end, 16);
	if (end == *p || *end != after || errno)
		return false;
	*p = end + 1;
	return true;
}

/* "55d0c0a00000-55d0c0a2f000 r-xp 00002000 fe:00 1234       /usr/bin/true" */
bool maps__parse_line(char *line, struct map_line *map)
{
	uint64_t major, minor;
	char *p = line;

	if (!parse_hex(&p, '-', &map->start) || !parse_hex(&p, ' ', &map->end))
		return false;
	if (map->end <= map->start || strnlen(p, 5) < 5 || p[4] != ' ')
		return false;
	map->executable = p[2] == 'x';
	p += 5;
	if (!parse_hex(&p, ' ', &map->pgoff) || !parse_hex(&p, ':', &major) ||
	    !parse_hex(&p, ' ', &minor))
		return false;
	map->dev_major = (unsigned int)major;
	map->dev_minor = (unsigned int)minor;
	map->ino = strtoull(p, &p, 10);
	p += strspn(p, " ");
	p[strcspn(p, "\n")] = '\0';
	map->path = p;
	return true;
}

int maps__read(pid_t pid, int (*each)(const struct map_line *map, void *arg), void *arg)
{
	struct map_line map;
	char path[64], *line = NULL;
	size_t size = 0;
	int err = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	for (int i = 0; !err && i < MAX_LINES && getline(&line, &size, file) > 0; i++)
		if (maps__parse_line(line, &map))
			err = each(&map, arg);
	free(line);
	fclose(file);
	return err;
}

/* From O_PATH to a readable descriptor, if it is a regular file. Takes `fd`. */
static int reopen_regular(int fd)
{
	char path[64];
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	err = err < 0 ? -errno : err;
	close(fd);
	return err;
}

int maps__open_regular(const char *path)
{
	return reopen_regular(open(path, O_PATH | O_CLOEXEC));
}

int maps__open_in_root(pid_t pid, const char *path, bool no_link)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (no_link ? O_NOFOLLOW : 0),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	char root_path[64];
	int root, fd;

	snprintf(root_path, sizeof(root_path), "/proc/%d/root", (int)pid);
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) /* before 5.6: no link in the last component at least */
		fd = openat(root, path + strspn(path, "/"), O_PATH | O_CLOEXEC | O_NOFOLLOW);
	fd = reopen_regular(fd);
	close(root);
	return fd;
}

static bool same_inode(int fd, const struct map_line *map)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == map->ino &&
	       st.st_dev == makedev(map->dev_major, map->dev_minor);
}

/* Device numbers of overlayfs and btrfs differ between maps and stat: compare what is mapped. */
static bool same_bytes(int fd, pid_t pid, uint64_t image)
{
	char in_memory[1024], in_file[sizeof(in_memory)];
	size_t n;

	if (!image)
		return false;
	n = maps__peek(pid, image, in_memory, sizeof(in_memory));
	return n >= 64 && pread(fd, in_file, n, 0) == (ssize_t)n && !memcmp(in_memory, in_file, n);
}

/* Takes `fd`: it must be the file that is mapped. */
static int check_same(int fd, pid_t pid, const struct map_line *map, uint64_t image)
{
	if (fd < 0 || same_inode(fd, map) || same_bytes(fd, pid, image))
		return fd;
	close(fd);
	return -ESTALE;
}

int maps__open(pid_t pid, const struct map_line *map, uint64_t image)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	fd = maps__open_regular(path);
	if (fd >= 0 || map->path[0] != '/')
		return fd;
	fd = check_same(maps__open_in_root(pid, map->path, false), pid, map, image);
	if (fd < 0) /* the path of a chrooted process is told as we would see it */
		fd = check_same(maps__open_regular(map->path), pid, map, image);
	return fd;
}

size_t maps__peek(pid_t pid, uint64_t addr, void *buf, size_t bytes)
{
	struct iovec local = {.iov_base = buf, .iov_len = bytes};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = bytes};
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return n > 0 ? (size_t)n : 0;
}
