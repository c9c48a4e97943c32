/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The export run: a session, its metrics, discovery and HTTP in one loop of one thread. */
#ifndef LS_EXPORT_EXPORTER_H
#define LS_EXPORT_EXPORTER_H

#include <sys/types.h>

#include "export/discover.h"
#include "export/metrics.h"
#include "export/webconfig.h"
#include "trace/session.h"

struct exporter_options {
	struct session_options session;
	struct metrics_options metrics;
	struct discover_options discover;
	const pid_t *pids;
	size_t nr_pids;
	const char *listen;
	const char *web_config; /* path; NULL */
	const char *user;       /* to become after attaching, when root */
};

/* Serves until a signal of `stop_fd`. 0 or -errno; why was printed. */
int exporter__run(const struct exporter_options *options, int stop_fd);

#endif
