/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Windows in which the kernel counts the run time of BPF programs. To open one takes CAP_SYS_ADMIN,
 * each time: kept open, it would cost every BPF program of the host two readings of the clock a run. Who
 * gives the capability up leaves a small child process behind, an ordinary user with nothing but it, whose
 * system calls are filtered: it can open windows when asked, and nothing else.
 */
#ifndef LS_TRACE_STATS_H
#define LS_TRACE_STATS_H

/* A descriptor: the window is open until it is closed. -1: not permitted. */
int stats__open_window(void);

struct identity;

/* Starts the child, as `who`; it ends with this process. 0 or -errno: -EPERM when there is nothing to
 * keep. */
int stats__keep(const struct identity *who);

#endif
