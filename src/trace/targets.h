/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A look at a process's threads when tracing begins: who sits in a wait, who may hang. */
#ifndef LS_TRACE_TARGETS_H
#define LS_TRACE_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tracer;

struct target_census {
	unsigned int max_suspects; /* to take; 0: the default */
	unsigned int waiting;      /* threads in a wait that may be a loop's home */
	unsigned int suspects;     /* threads which may be loops that hang: seeded as such */
	unsigned int running;      /* threads on a CPU: they may come to a wait yet */
};

/* Gives the tracer a seed for each thread of pid that is worth one, and counts them. 0 or -errno. */
int targets__seed(struct tracer *t, pid_t pid, pid_t only_tid, struct target_census *census);

/* Does a thread of pid wait on this epoll descriptor now? */
bool targets__waits_on(pid_t pid, int epfd);

/* One of its threads waits now as a loop does. */
bool targets__has_loop(pid_t pid);

/* What the threads of pid wait in instead: "2 in futex, 1 in clock_nanosleep". */
void targets__describe(pid_t pid, char *buf, size_t size);

#endif
