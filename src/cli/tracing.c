/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/tracing.h"
#include "clock.h"
#include "log.h"
#include "trace/features.h"

static const uint64_t STOP_NS = 5000000000; /* that a command may take to end by SIGTERM */

void tracing__init(struct tracing *t)
{
	*t = (struct tracing){.session.tracer.threshold_ns = 10000000};
}

int tracing__option(struct tracing *t, int opt, const char *arg, const char *usage)
{
	bool ok = true;

	switch (opt) {
	case 'p':
		ok = parse_pids(arg, &t->pids);
		break;
	case 't':
		ok = parse_tid(arg, &t->session.tracer.tid);
		break;
	case 'm':
		ok = parse_length(arg, &t->session.tracer.threshold_ns);
		break;
	case 'M':
		ok = parse_length(arg, &t->session.max_ns);
		break;
	case 'd':
		ok = parse_seconds(arg, &t->session.seconds);
		break;
	case 'v':
		log__set_verbosity(log__verbosity() + 1);
		break;
	case 'h':
		fputs(usage, stdout);
		return TRACING_DONE;
	case 'V':
		puts("loopstall " LS_VERSION);
		return TRACING_DONE;
	default:
		ok = false; /* say_bad_option() has said why */
	}
	return ok ? EXIT_DONE : EXIT_USAGE;
}

bool tracing__choose_attach(enum attach_path *path)
{
	const char *value = getenv("LOOPSTALL_ATTACH");

	if (!value || !*value)
		return true;
	if (!strcmp(value, "fentry"))
		*path = ATTACH_FENTRY;
	else if (!strcmp(value, "tracepoint"))
		*path = ATTACH_TRACEPOINT;
	else
		log_err("LOOPSTALL_ATTACH is '%s': only fentry and tracepoint are known", value);
	return *path != ATTACH_AUTO;
}

int tracing__finish(struct tracing *t, int argc, char **argv, int at, const char *name)
{
	if (at < argc && (at == 0 || strcmp(argv[at - 1], "--") != 0)) {
		log_err("'%s' is not an option: see %s -h", argv[at], name);
		return EXIT_USAGE;
	}
	if (at < argc)
		t->command = argv + at;
	if (t->command && t->pids.nr) {
		log_err("-p and a command exclude each other");
		return EXIT_USAGE;
	}
	if (!t->command && !t->pids.nr) {
		log_err("which process? %s %s (or %s -h)", name,
			strstr(name, " run") ? "-- COMMAND" : "-p PID", name);
		return EXIT_USAGE;
	}
	if (t->session.max_ns && t->session.max_ns < t->session.tracer.threshold_ns) {
		log_err("-M is shorter than -m: no stall could be reported");
		return EXIT_USAGE;
	}
	if (!tracing__choose_attach(&t->session.tracer.attach))
		return EXIT_USAGE;
	/* Before any file is created: what cannot be traced leaves nothing behind. */
	return features__require() || check_pids(&t->pids, t->session.tracer.tid) ? EXIT_FAILED
										  : EXIT_DONE;
}

/* --- running processes -------------------------------------------------------------------------- */

static int trace_pids(const struct tracing *t, const struct reporter *reporter, void *self)
{
	struct session *session;
	int err, stop_fd;

	stop_fd = stop_signals();
	if (stop_fd < 0)
		return stop_fd;
	session = session__new(&t->session, reporter, self);
	err = session ? 0 : -errno;
	for (size_t i = 0; i < t->pids.nr && !err; i++)
		err = session__add(session, t->pids.pids[i]);
	if (!err)
		err = session__attach(session);
	if (!err)
		err = session__run(session, stop_fd);
	session__free(session);
	close(stop_fd);
	return err;
}

/* --- a command ---------------------------------------------------------------------------------- */

static volatile pid_t command_pid;

/* Passed on when it was sent to us alone; a terminal's Ctrl-C has reached the command already. */
static void pass_on(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0 && command_pid > 0)
		kill(command_pid, number);
}

static void pass_signals(void)
{
	const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
	struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Forks a child which becomes the command when `go` says so. Its pid, or -errno. */
static pid_t start_command(char **command, int go[2])
{
	pid_t pid;
	char byte;

	if (pipe(go))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(go[0]);
		return pid;
	}
	close(go[1]);
	if (read(go[0], &byte, 1) != 1)
		_exit(EXIT_FAILED); /* tracing failed: nothing is started */
	close(go[0]);
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], command);
	log_err("cannot start %s: %s", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int wait_for_command(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	return exit_status(status);
}

static bool ends_within(int pidfd, uint64_t ns)
{
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};
	uint64_t end = clock__mono_ns() + ns, now;
	int ready = 0;

	while (!ready && (now = clock__mono_ns()) < end) {
		ready = poll(&fd, 1, (int)((end - now) / 1000000 + 1));
		if (ready < 0 && errno == EINTR)
			ready = 0; /* a signal that was passed on */
	}
	return ready > 0;
}

/* The time of -d is over before the command is, which was started to be traced: as perf record has it.
 * One that ended in this moment has its own status. */
static int end_command(pid_t pid, int pidfd)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		return exit_status(status);
	kill(pid, SIGTERM);
	if (!ends_within(pidfd, STOP_NS))
		log_note("the command, process %d, is still there 5 s after SIGTERM: it is left "
			 "alone",
			 pid);
	return EXIT_DONE;
}

static int trace_command(const struct tracing *t, const struct reporter *reporter, void *self,
			 int *status)
{
	struct session_options options = t->session;
	struct session *session;
	int go[2] = {-1, -1}, pidfd = -1, err;
	bool is_over;
	pid_t pid;

	options.wait_for_loop = true;
	options.command = t->command;
	options.tracer.from_start = true;
	session = session__new(&options, reporter, self);
	if (!session)
		return -errno;
	pid = start_command(t->command, go);
	if (pid < 0) {
		log_err("cannot start %s: %s", t->command[0], strerror(-pid));
		session__free(session);
		return pid;
	}
	command_pid = pid;
	pass_signals();
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	err = pidfd < 0 ? -errno : session__add(session, pid);
	if (!err)
		err = session__attach(session);
	if (!err && write(go[1], "g", 1) != 1)
		err = -errno;
	close(go[1]);
	if (!err)
		err = session__run(session, pidfd);
	is_over = t->session.seconds && session__nr_targets(session);
	session__free(session); /* what follows may take long, and must cost nothing */
	*status = is_over ? end_command(pid, pidfd) : wait_for_command(pid);
	close(pidfd);
	return err;
}

int tracing__run(const struct tracing *t, const struct reporter *reporter, void *self, int *status)
{
	*status = EXIT_DONE;
	return t->command ? trace_command(t, reporter, self, status)
			  : trace_pids(t, reporter, self);
}
