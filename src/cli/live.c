/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall -p PID and loopstall run -- COMMAND: one block a stall as it ends, a summary at the end. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/tracing.h"
#include "log.h"
#include "report/folded.h"
#include "report/json.h"
#include "report/text.h"

#define LIVE_USAGE                                                                              \
	"  -U, -K           user stacks only, kernel stacks only\n"                             \
	"  -f               folded stacks at the end (flamegraph.pl's input) instead of text\n" \
	"  -o FILE          write the report to FILE\n"                                         \
	"  --json           one JSON object a line instead of text\n"                           \
	"  -T               timestamps; the text always has them (for bcc's users)\n"

static const char live_usage[] =
	"usage: loopstall -p PID[,PID...] [options]      trace the event loops of processes, live\n"
	"       loopstall run [options] -- COMMAND ...   start a command and trace it\n"
	"       loopstall record | report | diff | export | doctor   (-h after each)\n"
	"\n" TRACING_USAGE LIVE_USAGE;

static const char run_usage[] = "usage: loopstall run [options] -- COMMAND [ARG...]\n"
				"\n"
				"Starts the command and traces it from its first iteration; ends "
				"with it, and with its exit\n"
				"status. Signals are passed on.\n"
				"\n" TRACING_USAGE LIVE_USAGE;

struct live_options {
	struct tracing tracing;
	const char *output;
	bool json, folded, user_only, kernel_only;
};

/* As tracing__option(). */
static int parse_option(struct live_options *o, int opt, const char *usage)
{
	switch (opt) {
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
	default:
		return tracing__option(&o->tracing, opt, optarg, usage);
	}
	return EXIT_DONE;
}

static int parse(int argc, char **argv, struct live_options *o, const char *name, const char *usage)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'J'},
		{"pid", required_argument, NULL, 'p'},
		{"tid", required_argument, NULL, 't'},
		{"output", required_argument, NULL, 'o'},
		{"duration", required_argument, NULL, 'd'},
		{"folded", no_argument, NULL, 'f'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:TUKfo:" TRACING_OPTIONS, longs, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			say_bad_option(opt, argv, name);
		status = parse_option(o, opt, usage);
		if (status)
			return status;
	}
	if (o->json && o->folded) {
		log_err("--json and -f exclude each other");
		return EXIT_USAGE;
	}
	if (o->json && (o->user_only || o->kernel_only)) {
		log_err("--json has whole stacks: each frame says its kind; leave out -U and -K");
		return EXIT_USAGE;
	}
	if (o->user_only && o->kernel_only) {
		log_err("-U and -K exclude each other");
		return EXIT_USAGE;
	}
	return tracing__finish(&o->tracing, argc, argv, optind, name);
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

static int new_reporter(const struct live_options *o, FILE *out, struct reporter *reporter,
			void **self)
{
	const struct folded_options folded = {o->user_only, o->kernel_only};
	const struct text_options text = {.user_only = o->user_only, .kernel_only = o->kernel_only};

	if (o->json)
		return report_json__new(out, reporter, self);
	if (o->folded)
		return report_folded__new(out, &folded, reporter, self);
	return report_text__new(out, &text, reporter, self);
}

/* A report that could not be written has failed; one whose reader has gone away has not. */
static int close_output(FILE *out, const char *path, int err)
{
	bool write_error = output__is_write_error(err);
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

static int live(int argc, char **argv, const char *name, const char *usage)
{
	struct live_options o = {0};
	struct reporter reporter = {0};
	void *self = NULL;
	int status, err;
	FILE *out;

	tracing__init(&o.tracing);
	status = parse(argc, argv, &o, name, usage);
	if (status)
		return status == TRACING_DONE ? EXIT_DONE : status;
	out = open_output(o.output);
	if (!out)
		return EXIT_FAILED;
	err = new_reporter(&o, out, &reporter, &self);
	if (!err)
		err = tracing__run(&o.tracing, &reporter, self, &status);
	if (reporter.free)
		reporter.free(self);
	return close_output(out, o.output, err) ? EXIT_FAILED : status;
}

int cmd_live(int argc, char **argv)
{
	return live(argc, argv, "loopstall", live_usage);
}

int cmd_run(int argc, char **argv)
{
	return live(argc, argv, "loopstall run", run_usage);
}
