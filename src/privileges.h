/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef LS_EXPORT_PRIVILEGES_H
#define LS_EXPORT_PRIVILEGES_H

/*
 * Gives up, for good, what is not needed once the probes are attached: the user becomes `user` (when
 * it was root), and of the capabilities these remain, as far as they were there:
 *   CAP_BPF              to update maps and to run the iterator over new targets' threads
 *   CAP_PERFMON          the same for tracing programs
 *   CAP_SYS_PTRACE       to read /proc/PID of other users, and their memory
 *   CAP_DAC_READ_SEARCH  to read their programs' files for symbols
 *   CAP_SYSLOG           to read kernel addresses
 * 0 or -errno; why was printed.
 */
int privileges__drop(const char *user);

#endif
