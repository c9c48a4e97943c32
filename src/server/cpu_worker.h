/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A worker process of the pool: reads frames from its socket, computes, answers. */
#ifndef SERVER_CPU_WORKER_H
#define SERVER_CPU_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#define CPU_WORKER_FD   3 /* where the worker finds its socket */
#define CPU_WORKER_FLAG "--cpu-worker"

/*
 * Starts the running program again as a worker for inputs of up to `max_bytes`. 0 or -errno; then
 * `socket_fd` (non-blocking) and `pidfd` are the caller's. The worker is killed when the calling
 * thread ends.
 */
int cpu_worker__spawn(uint32_t max_bytes, pid_t *pid, int *socket_fd, int *pidfd);

/* main() of a worker: `CPU_WORKER_FLAG MAX_BYTES PARENT_PID`. Returns the exit status. */
int cpu_worker__main(int argc, char **argv);

/* The worker's loop on `fd`, until the other end closes it (0) or breaks the protocol (1). */
int cpu_worker__serve(int fd, uint32_t max_bytes);

#endif
