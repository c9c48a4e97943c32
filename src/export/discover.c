/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/discover.h"
#include "log.h"
#include "trace/proc.h"
#include "trace/session.h"

/* Kernel threads and 32-bit programs stay what they are, but their numbers are used again. */
enum { FORGET_SCANS = 10, MAX_PID = 1 << 22, COMM_BYTES = 15 };

struct discover {
	struct discover_options options;
	DIR *proc;
	unsigned int scans;
	bool warned;
	pid_t highest;
	unsigned char refused[MAX_PID / 8]; /* a bit a pid */
};

struct discover *discover__new(const struct discover_options *options)
{
	struct discover *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->options = *options;
	d->proc = opendir("/proc");
	if (d->proc)
		return d;
	log_err("cannot read /proc: %s", strerror(errno));
	free(d);
	return NULL;
}

void discover__free(struct discover *d)
{
	if (!d)
		return;
	closedir(d->proc);
	free(d);
}

static bool is_named(const struct discover *d, pid_t pid)
{
	char comm[16];

	proc__comm(pid, pid, comm);
	for (size_t i = 0; i < d->options.nr_comms; i++)
		if (!strncmp(comm, d->options.comms[i], COMM_BYTES))
			return true;
	return false;
}

static bool is_refused(const struct discover *d, pid_t pid)
{
	return pid < MAX_PID && d->refused[pid / 8] >> (pid % 8) & 1;
}

static bool is_wanted(struct discover *d, pid_t pid)
{
	if (pid == getpid())
		return false; /* its own loop would feed itself */
	if (!d->options.all && !is_named(d, pid))
		return false;
	if (!proc__is_kernel_thread(pid) && !proc__is_compat(pid))
		return true;
	if (pid < MAX_PID) {
		d->refused[pid / 8] |= 1 << (pid % 8);
		d->highest = pid > d->highest ? pid : d->highest;
	}
	return false;
}

static void forget_refused(struct discover *d)
{
	memset(d->refused, 0, d->highest / 8 + 1);
	d->highest = 0;
}

int discover__scan(struct discover *d, struct session *s)
{
	struct dirent *entry;
	int err = 0;

	if (!d->options.all && !d->options.nr_comms)
		return 0;
	if (++d->scans % FORGET_SCANS == 0)
		forget_refused(d);
	rewinddir(d->proc);
	while (err != -ENOMEM && (entry = readdir(d->proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || is_refused(d, pid) || session__traces(s, pid) || !is_wanted(d, pid))
			continue;
		err = session__add_one(s, pid);
		if (err == -E2BIG && !d->warned) {
			log_warn("more processes than can be watched: the rest is left out");
			d->warned = true;
		}
	}
	return err == -ENOMEM ? err : 0;
}
