/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <asm/unistd.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <linux/kcmp.h>

#include "trace/names.h"
#include "trace/proc.h"
#include "trace/targets.h"
#include "trace/tracer.h"

enum { MAX_SUSPECTS = 16, MAX_EPOLLS = 64 };

/* A multiplexing wait, and whether it names its own descriptor in the first argument. */
static bool is_wait(long nr, bool *has_fd)
{
	*has_fd = nr == __NR_epoll_wait || nr == __NR_epoll_pwait || nr == __NR_epoll_pwait2 ||
		  nr == __NR_io_uring_enter;
	return *has_fd || nr == __NR_poll || nr == __NR_ppoll || nr == __NR_select ||
	       nr == __NR_pselect6;
}

/* poll() on one descriptor is a blocking call, not a loop's wait. */
static bool may_be_home(const struct proc_syscall *call, bool *has_fd)
{
	if (call->running || !is_wait(call->nr, has_fd))
		return false;
	if (call->nr == __NR_io_uring_enter)
		return call->args[3] & 1; /* IORING_ENTER_GETEVENTS: else it only submits */
	if (call->nr == __NR_poll || call->nr == __NR_ppoll)
		return call->args[1] >= 2;
	return *has_fd || call->args[0] >= 1;
}

struct epolls {
	int fds[MAX_EPOLLS];
	size_t nr;
};

static bool add_epoll(void *arg, int fd)
{
	struct epolls *epolls = arg;

	if (epolls->nr < MAX_EPOLLS)
		epolls->fds[epolls->nr++] = fd;
	return epolls->nr < MAX_EPOLLS;
}

static void drop_epoll(struct epolls *epolls, int fd)
{
	for (size_t i = 0; i < epolls->nr; i++)
		if (epolls->fds[i] == fd)
			epolls->fds[i--] = epolls->fds[--epolls->nr];
}

/* A child that was forked has its parent's descriptors, and no loop for it. */
static void drop_inherited(pid_t pid, struct epolls *epolls)
{
	pid_t parent = proc__parent(pid);

	for (size_t i = 0; parent > 0 && i < epolls->nr; i++)
		if (!syscall(SYS_kcmp, pid, parent, KCMP_FILE, epolls->fds[i], epolls->fds[i]))
			epolls->fds[i--] = epolls->fds[--epolls->nr];
}

static int seed_waiting(struct tracer *t, pid_t tid, const struct proc_syscall *call, bool has_fd)
{
	struct ls_seed seed = {.home = {.nr = call->nr, .fd = -1, .sp = call->sp}};

	if (has_fd)
		seed.home.fd = call->args[0];
	return tracer__add_seed(t, tid, &seed);
}

/* It is in no wait, while the process has an epoll descriptor that nobody waits on. */
static int seed_suspect(struct tracer *t, pid_t tid, int epfd)
{
	struct ls_seed seed = {.home = {.nr = __NR_epoll_wait, .fd = epfd}, .hung = 1};

	return tracer__add_seed(t, tid, &seed);
}

int targets__seed(struct tracer *t, pid_t pid, pid_t only_tid, struct target_census *census)
{
	unsigned int max_suspects = census->max_suspects ? census->max_suspects : MAX_SUSPECTS;
	struct epolls epolls = {.nr = 0};
	struct proc_syscall *calls;
	ssize_t nr, i;
	pid_t *tids;
	int err = 0;

	nr = proc__threads(pid, &tids);
	if (nr < 0)
		return nr;
	calls = calloc(nr, sizeof(*calls));
	if (!calls) {
		free(tids);
		return -ENOMEM;
	}
	proc__each_epoll(pid, add_epoll, &epolls);
	drop_inherited(pid, &epolls);
	for (i = 0; i < nr && !err; i++) {
		bool has_fd;

		if ((only_tid && tids[i] != only_tid) || proc__syscall(pid, tids[i], &calls[i])) {
			tids[i] = 0; /* not wanted, or gone */
			continue;
		}
		census->running += calls[i].running;
		if (!may_be_home(&calls[i], &has_fd))
			continue;
		if (has_fd)
			drop_epoll(&epolls, calls[i].args[0]);
		err = seed_waiting(t, tids[i], &calls[i], has_fd);
		census->waiting++;
		tids[i] = 0;
	}
	for (i = 0; i < nr && !err && epolls.nr && census->suspects < max_suspects; i++) {
		if (!tids[i])
			continue;
		err = seed_suspect(t, tids[i], epolls.fds[0]);
		census->suspects++;
	}
	free(calls);
	free(tids);
	return err;
}

bool targets__waits_on(pid_t pid, int epfd)
{
	struct proc_syscall call;
	bool has_fd, found = false;
	pid_t *tids;
	ssize_t nr = proc__threads(pid, &tids);

	for (ssize_t i = 0; i < nr && !found; i++)
		found = !proc__syscall(pid, tids[i], &call) && !call.running &&
			is_wait(call.nr, &has_fd) && has_fd && call.args[0] == (uint64_t)epfd;
	if (nr >= 0)
		free(tids);
	return found;
}

bool targets__has_loop(pid_t pid)
{
	struct proc_syscall call;
	bool has_fd, found = false;
	pid_t *tids;
	ssize_t nr = proc__threads(pid, &tids);

	for (ssize_t i = 0; i < nr && !found; i++)
		found = !proc__syscall(pid, tids[i], &call) && may_be_home(&call, &has_fd);
	if (nr >= 0)
		free(tids);
	return found;
}

void targets__describe(pid_t pid, char *buf, size_t size)
{
	struct {
		const char *name;
		unsigned int count;
	} calls[6] = {0};
	unsigned int nr_calls = 0, at;
	ssize_t nr, i;
	pid_t *tids;
	size_t used = 0;

	buf[0] = '\0';
	nr = proc__threads(pid, &tids);
	if (nr < 0) {
		snprintf(buf, size, "gone");
		return;
	}
	for (i = 0; i < nr; i++) {
		struct proc_syscall call;
		const char *name = "?";

		if (!proc__syscall(pid, tids[i], &call))
			name = call.running  ? "running"
			       : call.nr < 0 ? "a fault"
					     : call_name(call.nr);
		for (at = 0; at < nr_calls && strcmp(calls[at].name, name ? name : "?") != 0; at++)
			;
		if (at == nr_calls && nr_calls < 6)
			calls[nr_calls++].name = name ? name : "?";
		if (at < nr_calls)
			calls[at].count++;
	}
	free(tids);
	for (at = 0; at < nr_calls && used < size; at++)
		used += snprintf(buf + used, size - used, "%s%u %s%s", at ? ", " : "",
				 calls[at].count, strcmp(calls[at].name, "running") ? "in " : "",
				 calls[at].name);
}
