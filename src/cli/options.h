/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Values of options that several subcommands share. What cannot be parsed is said on stderr. */
#ifndef LS_CLI_OPTIONS_H
#define LS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAX_PIDS = 256 };

struct pid_list {
	pid_t pids[MAX_PIDS];
	size_t nr;
};

/* "50us", "10ms", "1.5s"; a bare number is microseconds, as in offcputime. False: said why. */
bool parse_length(const char *text, uint64_t *ns);
/* "12,34"; may be called again to add more. False: said why. */
bool parse_pids(const char *text, struct pid_list *list);
bool parse_tid(const char *text, pid_t *tid);
/* Seconds, a fraction allowed. */
bool parse_seconds(const char *text, double *seconds);

/* After getopt (with opterr 0 and an option string that begins "+:") has returned '?' or ':': says what
 * is wrong, and that `name` -h helps. */
void say_bad_option(int opt, char **argv, const char *name);

/* Processes that exist and can be traced. 0 or -errno; why not was said. */
int check_pids(const struct pid_list *list, pid_t tid);

/* Blocks SIGINT, SIGTERM and SIGHUP and makes them readable: Ctrl-C ends a run in order. The
 * descriptor, or -errno. */
int stop_signals(void);

#endif
