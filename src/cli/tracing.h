/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What every tracing subcommand does alike: its options, its targets, the run. */
#ifndef LS_CLI_TRACING_H
#define LS_CLI_TRACING_H

#include "cli/options.h"
#include "model/stall.h"
#include "trace/session.h"

/* For getopt, and for usage texts. */
#define TRACING_OPTIONS "p:t:m:M:d:vhV"
#define TRACING_USAGE                                                                              \
	"  -p PID[,PID...]  processes to trace, their children included\n"                         \
	"  -t TID           this thread only\n"                                                    \
	"  -m LENGTH        least stall to report (default 10ms; 50us, 1s; a bare number is us)\n" \
	"  -M LENGTH        greatest stall to report\n"                                            \
	"  -d SECONDS       how long to trace (default: until Ctrl-C); a command that was\n"       \
	"                   started gets SIGTERM then\n"                                           \
	"  -v, -vv          say what is being done; and what libbpf says\n"                        \
	"  -h, -V           this help; the version\n"

struct tracing {
	struct pid_list pids;
	struct session_options session;
	char **command; /* after --: to be started and traced from its beginning; NULL: none */
};

enum { TRACING_DONE = -1 };

/* The defaults. */
void tracing__init(struct tracing *t);

/* Takes an option that is of TRACING_OPTIONS. EXIT_DONE: go on; TRACING_DONE: -h or -V is answered;
 * EXIT_USAGE: wrong, and said why. */
int tracing__option(struct tracing *t, int opt, const char *arg, const char *usage);

/* After the options: what remains of argv must be a command, or nothing; the targets must exist and
 * tracing be allowed. EXIT_DONE, EXIT_USAGE or EXIT_FAILED. */
int tracing__finish(struct tracing *t, int argc, char **argv, int optind, const char *name);

/* LOOPSTALL_ATTACH: for tests, and for kernels where the automatic choice turns out wrong. False: said
 * why. */
bool tracing__choose_attach(enum attach_path *path);

/* Traces into the reporter, until time, a signal, or the end of the targets or the command. 0 or
 * -errno, with the reason printed but for errors of the reporter. *status: the command's exit status,
 * 128 + signal if one killed it; 0 if the time was over first and SIGTERM ended it. */
int tracing__run(const struct tracing *t, const struct reporter *reporter, void *self, int *status);

#endif
