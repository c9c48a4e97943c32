/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "cli/options.h"
#include "log.h"
#include "trace/proc.h"

bool parse_length(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"", 1e3}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"ns", 1}};
	char *end;
	double value = strtod(text, &end);

	for (size_t i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		value *= units[i].ns;
		if (!(value >= 1e3) || value > 3.6e12)
			break; /* less than a microsecond, more than an hour, or not a number */
		*ns = value;
		return true;
	}
	log_err("'%s' is not a length of time: write 50us, 10ms or 1s (1us to 1h)", text);
	return false;
}

static bool parse_id(const char *text, char **end, pid_t *id)
{
	long value;

	errno = 0;
	value = strtol(text, end, 10);
	if (*end == text || errno || value <= 0 || value > INT_MAX)
		return false;
	*id = value;
	return true;
}

static bool has_pid(const struct pid_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->nr; i++)
		if (list->pids[i] == pid)
			return true;
	return false;
}

bool parse_pids(const char *text, struct pid_list *list)
{
	const char *at = text;
	char *end;
	pid_t pid;

	for (;; at = end + 1) {
		if (!parse_id(at, &end, &pid) || (*end != ',' && *end != '\0')) {
			log_err("'%s' is not a list of process ids: write -p 1234 or -p 1234,5678",
				text);
			return false;
		}
		if (!has_pid(list, pid)) {
			if (list->nr == MAX_PIDS) {
				log_err("more than %d processes", MAX_PIDS);
				return false;
			}
			list->pids[list->nr++] = pid;
		}
		if (*end == '\0')
			return true;
	}
}

bool parse_tid(const char *text, pid_t *tid)
{
	char *end;

	if (parse_id(text, &end, tid) && *end == '\0')
		return true;
	log_err("'%s' is not a thread id", text);
	return false;
}

bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	if (end != text && *end == 's' && end[1] == '\0')
		end++;
	if (end != text && *end == '\0' && isfinite(*seconds) && *seconds > 0 && *seconds < 1e9)
		return true;
	log_err("'%s' is not a number of seconds", text);
	return false;
}

void say_bad_option(int opt, char **argv, const char *name)
{
	const char *word = argv[optind - 1]; /* a long option; a short one may stand among others */
	char letter[3] = {'-', optopt, '\0'};

	if (optopt && !(word[0] == '-' && word[1] == '-'))
		word = letter;
	if (opt == ':')
		log_err("option %s needs a value: see %s -h", word, name);
	else
		log_err("there is no option %s: see %s -h", word, name);
}

static int check_pid(pid_t pid)
{
	pid_t tgid = proc__tgid(pid);

	if (tgid < 0 || (tgid == pid && proc__is_zombie(pid))) {
		log_err("no process %d: it has ended, or it runs in another pid namespace", pid);
		return -ESRCH;
	}
	if (tgid != pid) {
		log_err("%d is a thread of process %d: use -p %d -t %d", pid, tgid, tgid, pid);
		return -EINVAL;
	}
	if (proc__is_kernel_thread(pid)) {
		log_err("process %d is a kernel thread: it has no event loop; name a user process",
			pid);
		return -EINVAL;
	}
	if (proc__is_compat(pid)) {
		log_err("process %d is a 32-bit program: only 64-bit ones can be traced", pid);
		return -ENOTSUP;
	}
	return 0;
}

int check_pids(const struct pid_list *list, pid_t tid)
{
	bool found = !tid || !list->nr;

	for (size_t i = 0; i < list->nr; i++) {
		int err = check_pid(list->pids[i]);

		if (err)
			return err;
		found = found || proc__tgid(tid) == list->pids[i];
	}
	if (found)
		return 0;
	log_err("thread %d does not belong to the processes of -p", tid);
	return -ESRCH;
}

int stop_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
