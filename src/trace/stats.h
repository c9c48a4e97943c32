/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Windows in which the kernel counts the run time of BPF programs. To open one takes CAP_SYS_ADMIN,
 * which is as much as root. Who gives that up leaves a small child process behind, which has nothing
 * but this capability and does nothing but to open windows when asked.
 */
#ifndef LS_TRACE_STATS_H
#define LS_TRACE_STATS_H

/* A descriptor: the window is open until it is closed. -1: not permitted. */
int stats__open_window(void);

/* Starts the child; it ends with this process. 0 or -errno. */
int stats__keep(void);

#endif
