/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "trace/proc.h"

/* The whole of a small file as a string. Bytes read, or -errno. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, size - 1);
	err = errno;
	close(fd);
	if (n < 0)
		return -err;
	buf[n] = '\0';
	return n;
}

int proc__syscall(pid_t pid, pid_t tid, struct proc_syscall *out)
{
	char path[64], line[256];
	unsigned long long v[9] = {0};
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	n = read_file(path, line, sizeof(line));
	if (n < 0)
		return n;
	memset(out, 0, sizeof(*out));
	if (!strncmp(line, "running", 7)) {
		out->running = true;
		return 0;
	}
	if (sscanf(line, "%ld 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx 0x%llx", &out->nr,
		   &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) == 9) {
		for (int i = 0; i < 6; i++)
			out->args[i] = v[i];
		out->sp = v[6];
		out->pc = v[7];
		return 0;
	}
	if (sscanf(line, "%ld 0x%llx 0x%llx", &out->nr, &v[0], &v[1]) != 3)
		return -EINVAL;
	out->sp = v[0];
	out->pc = v[1];
	return 0;
}

void proc__comm(pid_t pid, pid_t tid, char comm[16])
{
	char path[64], line[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	n = read_file(path, line, sizeof(line));
	if (n <= 0) {
		strcpy(comm, "?");
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	snprintf(comm, 16, "%.15s", line);
}

void proc__command_line(pid_t pid, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	n = read_file(path, buf, size);
	if (n < 0)
		n = 0;
	while (n > 0 && buf[n - 1] == '\0')
		n--;
	buf[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = ' ';
}

bool proc__has_thread(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	return access(path, F_OK) == 0;
}

bool proc__exists(pid_t pid)
{
	return proc__has_thread(pid, pid);
}

bool proc__is_kernel_thread(pid_t pid)
{
	char path[64], line[512], *paren;
	unsigned int flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_file(path, line, sizeof(line)) < 0 || !(paren = strrchr(line, ')')))
		return false;
	/* state ppid pgrp session tty tpgid flags; PF_KTHREAD is 0x200000 (include/linux/sched.h) */
	if (sscanf(paren + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	return flags & 0x00200000;
}

bool proc__is_zombie(pid_t pid)
{
	char path[64], line[512], *paren;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return read_file(path, line, sizeof(line)) > 0 && (paren = strrchr(line, ')')) &&
	       !strncmp(paren, ") Z", 3);
}

bool proc__is_compat(pid_t pid)
{
	unsigned char ident[EI_NIDENT];
	char path[64];
	bool compat;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	compat = read(fd, ident, sizeof(ident)) == sizeof(ident) && ident[EI_CLASS] == ELFCLASS32;
	close(fd);
	return compat;
}

/* The value of a numeric line of /proc/.../status ("Tgid:"); -ESRCH. */
static long status_value(const char *path, const char *key)
{
	char text[8192], *at;

	if (read_file(path, text, sizeof(text)) < 0 || !(at = strstr(text, key)))
		return -ESRCH;
	return strtol(at + strlen(key), NULL, 10);
}

pid_t proc__tgid(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return status_value(path, "\nTgid:");
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static int push_pid(pid_t **list, size_t *nr, pid_t pid)
{
	pid_t *grown;

	if ((*nr & (*nr - 1)) == 0) { /* at powers of two */
		grown = realloc(*list, (*nr ? *nr * 2 : 1) * sizeof(pid_t));
		if (!grown)
			return -ENOMEM;
		*list = grown;
	}
	(*list)[(*nr)++] = pid;
	return 0;
}

/* The numeric entries of a directory. */
static ssize_t list_pids(const char *path, pid_t **pids)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t nr = 0;
	int err = 0;

	*pids = NULL;
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			err = push_pid(pids, &nr, atoi(entry->d_name));
	closedir(dir);
	if (err) {
		free(*pids);
		*pids = NULL;
		return err;
	}
	if (nr)
		qsort(*pids, nr, sizeof(pid_t), compare_pids);
	return nr;
}

ssize_t proc__threads(pid_t pid, pid_t **tids)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return list_pids(path, tids);
}

pid_t proc__parent(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return status_value(path, "\nPPid:");
}

static bool contains(const pid_t *list, size_t nr, pid_t pid)
{
	for (size_t i = 0; i < nr; i++)
		if (list[i] == pid)
			return true;
	return false;
}

ssize_t proc__descendants(pid_t pid, pid_t **pids)
{
	pid_t *all, *family = NULL;
	ssize_t nr_all = list_pids("/proc", &all);
	size_t nr = 0, before;
	int err = 0;

	*pids = NULL;
	if (nr_all < 0)
		return nr_all;
	for (ssize_t i = 0; i < nr_all; i++) /* parents once; pids seen are overwritten by 0 */
		if (all[i] == pid)
			all[i] = 0;
	do { /* a generation a round: a child's pid may be lower than its parent's */
		before = nr;
		for (ssize_t i = 0; i < nr_all && !err; i++) {
			pid_t parent = all[i] ? proc__parent(all[i]) : -1;

			if (parent != pid && !contains(family, nr, parent))
				continue;
			err = push_pid(&family, &nr, all[i]);
			all[i] = 0;
		}
	} while (!err && nr > before);
	free(all);
	if (err) {
		free(family);
		return err;
	}
	*pids = family;
	return nr;
}

int proc__each_epoll(pid_t pid, bool (*fn)(void *arg, int fd), void *arg)
{
	char path[PATH_MAX], target[64];
	DIR *dir;
	struct dirent *entry;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (!strcmp(target, "anon_inode:[eventpoll]") && !fn(arg, atoi(entry->d_name)))
			break;
	}
	closedir(dir);
	return 0;
}

pid_t proc__tid_from_ns(pid_t pid, pid_t ns_tid)
{
	pid_t *tids, found = -ESRCH;
	ssize_t nr = proc__threads(pid, &tids);
	char path[64], text[8192], *at, *last;

	for (ssize_t i = 0; i < nr && found < 0; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): none only when nr is 0 */
		snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tids[i]);
		if (read_file(path, text, sizeof(text)) < 0 || !(at = strstr(text, "\nNSpid:")))
			continue;
		at[strcspn(at + 1, "\n") + 1] = '\0';
		last = strrchr(at, '\t'); /* the innermost namespace comes last */
		if (last && atoi(last + 1) == ns_tid)
			found = tids[i];
	}
	if (nr >= 0)
		free(tids);
	return found;
}

uint64_t proc__own_cpu_ns(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000ULL +
	       (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000ULL;
}

uint64_t proc__own_rss_bytes(void)
{
	char line[128];
	unsigned long long pages = 0;

	if (read_file("/proc/self/statm", line, sizeof(line)) < 0 ||
	    sscanf(line, "%*u %llu", &pages) != 1)
		return 0;
	return pages * sysconf(_SC_PAGESIZE);
}
