/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Numbers of tracepoints, which only tracefs tells. */
#ifndef LS_TRACE_TRACEPOINT_H
#define LS_TRACE_TRACEPOINT_H

/* ids[i] becomes the id of names[i] ("syscalls/sys_exit_epoll_wait"), -1 where the kernel has none.
 * Where tracefs is not mounted, one is made that is mounted nowhere (fsmount(), Linux 5.2). 0 or -errno. */
int tracepoint__ids(const char *const *names, int *ids, int nr);

/* What to do about an error of tracepoint__ids, in one line. */
const char *tracepoint__mend(int err);

#endif
