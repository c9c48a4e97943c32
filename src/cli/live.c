/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall -p PID: one block a stall as it ends, a summary at the end. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "log.h"
#include "report/folded.h"
#include "report/json.h"
#include "report/text.h"
#include "trace/session.h"

static const char usage[] =
	"usage: loopstall -p PID[,PID...] [options]        trace the event loops of processes, live\n"
	"       loopstall record | report | diff | export | top | run | doctor ...   (-h after each)\n"
	"\n"
	"  -p PID[,PID...]  processes to trace, their children included\n"
	"  -t TID           this thread only\n"
	"  -m LENGTH        least stall to report (default 10ms; 50us, 1s; a bare number is us)\n"
	"  -M LENGTH        greatest stall to report\n"
	"  -d SECONDS       how long to trace (default: until Ctrl-C)\n"
	"  -T               with the time of day (in text always; kept for bcc's users)\n"
	"  -U, -K           user stacks only, kernel stacks only\n"
	"  -f               folded stacks at the end (flamegraph.pl's input) instead of text\n"
	"  -o FILE          write the report to FILE\n"
	"  --json           one JSON object a line instead of text\n"
	"  -v, -vv          say what is being done; and what libbpf says\n"
	"  -h, -V           this help; the version\n";

struct live_options {
	struct pid_list pids;
	struct session_options session;
	const char *output;
	bool json, folded, user_only, kernel_only;
};

static bool wants_attach_path(enum attach_path *path)
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

/* EXIT_DONE: go on; -1: done already (-h, -V); else the status. */
static int parse_option(int opt, struct live_options *o)
{
	bool ok = true;

	switch (opt) {
	case 'p':
		ok = parse_pids(optarg, &o->pids);
		break;
	case 't':
		ok = parse_tid(optarg, &o->session.tracer.tid);
		break;
	case 'm':
		ok = parse_length(optarg, &o->session.tracer.threshold_ns);
		break;
	case 'M':
		ok = parse_length(optarg, &o->session.max_ns);
		break;
	case 'd':
		ok = parse_seconds(optarg, &o->session.seconds);
		break;
	case 'T':
		break;
	case 'U':
		o->user_only = true;
		break;
	case 'K':
		o->kernel_only = true;
		break;
	case 'f':
		o->folded = true;
		break;
	case 'o':
		o->output = optarg;
		break;
	case 'J':
		o->json = true;
		break;
	case 'v':
		log__set_verbosity(log__verbosity() + 1);
		break;
	case 'h':
		fputs(usage, stdout);
		return -1;
	case 'V':
		puts("loopstall " LS_VERSION);
		return -1;
	default:
		ok = false; /* getopt has said why */
	}
	return ok ? EXIT_DONE : EXIT_USAGE;
}

static int parse(int argc, char **argv, struct live_options *o)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'J' },	{ "pid", required_argument, NULL, 'p' },
		{ "tid", required_argument, NULL, 't' }, { "output", required_argument, NULL, 'o' },
		{ "duration", required_argument, NULL, 'd' }, { "folded", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },	{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	{ 0 },
	};
	int opt, status;

	while ((opt = getopt_long(argc, argv, "p:t:m:M:d:TUKfo:vhV", longs, NULL)) != -1) {
		status = parse_option(opt, o);
		if (status)
			return status;
	}
	if (optind < argc) {
		log_err("'%s' is neither a subcommand nor an option: see loopstall -h", argv[optind]);
		return EXIT_USAGE;
	}
	if (!o->pids.nr) {
		log_err("which process? loopstall -p PID (or loopstall -h)");
		return EXIT_USAGE;
	}
	if (o->json && o->folded) {
		log_err("--json and -f exclude each other");
		return EXIT_USAGE;
	}
	if (o->user_only && o->kernel_only) {
		log_err("-U and -K exclude each other");
		return EXIT_USAGE;
	}
	if (o->session.max_ns && o->session.max_ns < o->session.tracer.threshold_ns) {
		log_err("-M is shorter than -m: no stall could be reported");
		return EXIT_USAGE;
	}
	return wants_attach_path(&o->session.tracer.attach) ? EXIT_DONE : EXIT_USAGE;
}

static FILE *open_output(const char *path)
{
	FILE *out;

	if (!path)
		return stdout;
	out = fopen(path, "we");
	if (!out)
		log_err("cannot write %s: %s", path, strerror(errno));
	return out;
}

static int new_reporter(const struct live_options *o, FILE *out, struct reporter *reporter, void **self)
{
	const struct folded_options folded = { o->user_only, o->kernel_only };
	const struct text_options text = { .user_only = o->user_only, .kernel_only = o->kernel_only };

	if (o->json)
		return report_json__new(out, reporter, self);
	if (o->folded)
		return report_folded__new(out, &folded, reporter, self);
	return report_text__new(out, &text, reporter, self);
}

static int trace(const struct live_options *o, const struct reporter *reporter, void *self, int stop_fd)
{
	struct session *session = session__new(&o->session, reporter, self);
	int err = session ? 0 : -errno;

	for (size_t i = 0; i < o->pids.nr && !err; i++)
		err = session__add(session, o->pids.pids[i]);
	if (!err)
		err = session__attach(session);
	if (!err)
		err = session__run(session, stop_fd);
	session__free(session);
	return err;
}

/* A report that could not be written has failed; one whose reader has gone away has not. */
static int close_output(FILE *out, const char *path, int err)
{
	bool write_error = err == -EPIPE || err == -ENOSPC || err == -EIO || err == -EFBIG;
	int close_err = out == stdout ? fflush(out) : fclose(out);

	if (!err && close_err) {
		err = -errno;
		write_error = true;
	}
	if (err == -EPIPE && !path)
		return 0;
	if (write_error)
		log_err("cannot write %s: %s", path ? path : "the report", strerror(-err));
	return err;
}

int cmd_live(int argc, char **argv)
{
	struct live_options o = { .session = { .tracer = { .threshold_ns = 10000000 } } };
	struct reporter reporter = { 0 };
	void *self = NULL;
	int status = parse(argc, argv, &o), stop_fd, err;
	FILE *out;

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (check_pids(&o.pids, o.session.tracer.tid))
		return EXIT_FAILED;
	stop_fd = stop_signals();
	out = open_output(o.output);
	if (!out || stop_fd < 0)
		return EXIT_FAILED;
	err = new_reporter(&o, out, &reporter, &self);
	if (!err)
		err = trace(&o, &reporter, self, stop_fd);
	if (reporter.free)
		reporter.free(self);
	return close_output(out, o.output, err) ? EXIT_FAILED : EXIT_DONE;
}
