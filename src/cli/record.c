/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall record: trace to a file, for report and diff. */
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
#include "model/tracefile.h"

static const char usage[] =
	"usage: loopstall record -p PID[,PID...] -o FILE [options]\n"
	"       loopstall record -o FILE [options] -- COMMAND [ARG...]\n"
	"\n"
	"Writes a trace file, which appears when it is complete. Read it with loopstall report "
	"FILE,\n"
	"compare with loopstall diff BEFORE -- AFTER.\n"
	"\n" TRACING_USAGE "  -o FILE          the trace file (default loopstall.lst)\n"
	"  --max-size MB    stalls are kept one by one up to this size, then added up (default "
	"16)\n";

struct record_options {
	struct tracing tracing;
	const char *output;
	struct tracefile_options file;
};

static bool parse_size(const char *text, uint64_t *bytes)
{
	char *end;
	double mb = strtod(text, &end);

	if (end == text || *end || !(mb > 0) || mb > 65536) {
		log_err("'%s' is not a size in MB", text);
		return false;
	}
	*bytes = mb * (1 << 20);
	return true;
}

static int parse(int argc, char **argv, struct record_options *o)
{
	static const struct option longs[] = {
		{"max-size", required_argument, NULL, 'S'},
		{"output", required_argument, NULL, 'o'},
		{"pid", required_argument, NULL, 'p'},
		{"duration", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:o:" TRACING_OPTIONS, longs, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			say_bad_option(opt, argv, "loopstall record");
		status = EXIT_DONE;
		if (opt == 'o')
			o->output = optarg;
		else if (opt == 'S')
			status = parse_size(optarg, &o->file.max_bytes) ? EXIT_DONE : EXIT_USAGE;
		else
			status = tracing__option(&o->tracing, opt, optarg, usage);
		if (status)
			return status;
	}
	return tracing__finish(&o->tracing, argc, argv, optind, "loopstall record");
}

/* About as many slices as diff can use, whatever the length of the run. */
static uint64_t slice_length(double seconds)
{
	double length = seconds > 0 ? seconds / 120 : 1;

	return 1e9 * (length < 0.1 ? 0.1 : length > 10 ? 10 : length);
}

int cmd_record(int argc, char **argv)
{
	struct record_options o = {.output = "loopstall.lst"};
	struct reporter reporter = {0};
	void *self = NULL;
	int status, err;

	tracing__init(&o.tracing);
	status = parse(argc, argv, &o);
	if (status)
		return status == TRACING_DONE ? EXIT_DONE : status;
	o.tracing.session.slice_ns = slice_length(o.tracing.session.seconds);
	err = tracefile__new(o.output, &o.file, &reporter, &self);
	if (err) {
		log_err("cannot write %s: %s", o.output, strerror(-err));
		return EXIT_FAILED;
	}
	err = tracing__run(&o.tracing, &reporter, self, &status);
	reporter.free(self);
	if (output__is_write_error(err))
		log_err("cannot write %s: %s", o.output, strerror(-err));
	return err ? EXIT_FAILED : status;
}
