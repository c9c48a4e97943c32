/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The command line. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/client.h"

/* Kinds of blocking work, as bits of `offload`. */
enum work_kind {
	WORK_EXTERNAL,
	WORK_DB,
	WORK_SLEEP,
	WORK_FILE,
	WORK_ENCODE,
	WORK_AUTH,
	NR_WORK_KINDS
};

struct options {
	struct endpoint listen;
	struct endpoint upstream;      /* addr_len 0: the embedded one */
	unsigned int offload;          /* bit WORK_x: that work goes to the pools */
	bool mode_given, mode_offload; /* --mode; offload already reflects it */
	bool auth;                     /* --middleware auth */
	bool cpu_threads;              /* --cpu-pool threads */
	unsigned int io_threads, disk_threads, cpu_workers, queue;
	unsigned int max_connections;
	uint32_t max_body_bytes;
	uint64_t deadline_ns, request_timeout_ns, idle_timeout_ns, drain_timeout_ns;
	const char *data_dir; /* NULL: a new one under $TMPDIR or /var/tmp */
};

/*
 * 0: go on. Else the program ends: *exit_status is 0 when help or the version was printed, 2 for
 * bad usage, 1 for a host that does not resolve; the reason has been printed.
 */
int options__parse(struct options *options, int argc, char **argv, int *exit_status);

#endif
