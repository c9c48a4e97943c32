/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall report FILE: a recorded trace in any format. Needs no root, no BPF. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "log.h"
#include "model/atomicfile.h"
#include "model/tracefile.h"
#include "report/flamegraph.h"
#include "report/folded.h"
#include "report/html.h"
#include "report/json.h"
#include "report/perfetto.h"
#include "report/pprof.h"
#include "report/speedscope.h"
#include "report/text.h"

static const char usage[] =
	"usage: loopstall report FILE [options]            show a trace made by loopstall record\n"
	"\n"
	"  --format FORMAT  text (default)  what a live run prints\n"
	"                   json            one object a line, as --json\n"
	"                   folded          stacks for flamegraph.pl and its kin\n"
	"                   flamegraph      one SVG, coloured by cause, to search and zoom\n"
	"                   speedscope      for https://www.speedscope.app\n"
	"                   pprof           for go tool pprof, Pyroscope, Grafana\n"
	"                   perfetto        a timeline for https://ui.perfetto.dev\n"
	"                   html            one page: timeline, histogram, sites, flame graph\n"
	"  -o FILE          write to FILE instead of standard output\n"
	"  -f               as --format folded\n"
	"  -U, -K           user frames only, kernel frames only (text, folded)\n"
	"  -h, -V           this help; the version\n"
	"\n"
	"FILE may be - for standard input. Exit status: 0 done, 1 the file could not be read or "
	"the\n"
	"report not be written, 2 usage.\n";

struct report_options {
	const char *input, *output;
	const struct format *format;
	bool user_only, kernel_only;
};

struct format {
	const char *name;
	int (*new)(FILE *out, const struct report_options *o, struct reporter *r, void **self);
};

static int new_text(FILE *out, const struct report_options *o, struct reporter *r, void **self)
{
	const struct text_options text = {
		.user_only = o->user_only, .kernel_only = o->kernel_only, .recorded = true};

	return report_text__new(out, &text, r, self);
}

static int new_folded(FILE *out, const struct report_options *o, struct reporter *r, void **self)
{
	const struct folded_options folded = {o->user_only, o->kernel_only};

	return report_folded__new(out, &folded, r, self);
}

#define WITHOUT_OPTIONS(name)                                                                \
	static int new_##name(FILE *out, const struct report_options *o, struct reporter *r, \
			      void **self)                                                   \
	{                                                                                    \
		(void)o;                                                                     \
		return report_##name##__new(out, r, self);                                   \
	}

WITHOUT_OPTIONS(json)
WITHOUT_OPTIONS(flamegraph)
WITHOUT_OPTIONS(speedscope)
WITHOUT_OPTIONS(pprof)
WITHOUT_OPTIONS(perfetto)
WITHOUT_OPTIONS(html)

static const struct format formats[] = {
	{"text", new_text},         {"json", new_json},
	{"folded", new_folded},     {"flamegraph", new_flamegraph},
	{"html", new_html},         {"speedscope", new_speedscope},
	{"perfetto", new_perfetto}, {"pprof", new_pprof},
};

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(name, formats[i].name) == 0)
			return &formats[i];
	}
	log_err("format '%s' is none of: text json folded flamegraph speedscope pprof perfetto "
		"html",
		name);
	return NULL;
}

/* EXIT_DONE: go on; -1: done already (-h, -V); else the status. */
static int parse_option(int opt, struct report_options *o)
{
	switch (opt) {
	case 'F':
		o->format = find_format(optarg);
		return o->format ? EXIT_DONE : EXIT_USAGE;
	case 'f':
		o->format = find_format("folded");
		return EXIT_DONE;
	case 'o':
		o->output = optarg;
		return EXIT_DONE;
	case 'U':
		o->user_only = true;
		return EXIT_DONE;
	case 'K':
		o->kernel_only = true;
		return EXIT_DONE;
	case 'v':
		log__set_verbosity(log__verbosity() + 1);
		return EXIT_DONE;
	case 'h':
		fputs(usage, stdout);
		return -1;
	case 'V':
		puts("loopstall " LS_VERSION);
		return -1;
	default:
		return EXIT_USAGE; /* say_bad_option() has said why */
	}
}

static int parse(int argc, char **argv, struct report_options *o)
{
	static const struct option longs[] = {
		{"format", required_argument, NULL, 'F'},
		{"output", required_argument, NULL, 'o'},
		{"folded", no_argument, NULL, 'f'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt, status;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":fo:UKvhV", longs, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			say_bad_option(opt, argv, "loopstall report");
		status = parse_option(opt, o);
		if (status)
			return status;
	}
	if (optind != argc - 1) {
		log_err(optind == argc ? "which trace? loopstall report FILE (or -h)"
				       : "report takes one FILE (or -h)");
		return EXIT_USAGE;
	}
	if (o->user_only && o->kernel_only) {
		log_err("-U and -K exclude each other");
		return EXIT_USAGE;
	}
	o->input = argv[optind];
	return EXIT_DONE;
}

static int open_input(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		log_err("cannot read %s: %s", path, strerror(errno));
	return fd;
}

/* Reads the trace into the format. 0 or -errno; an error of the trace is said here, one of writing
 * is not: *writing tells. */
static int convert(const struct report_options *o, int fd, FILE *out, bool *writing)
{
	struct reporter reporter = {0};
	char why[256] = "";
	void *self = NULL;
	int err = o->format->new (out, o, &reporter, &self);

	if (!err)
		err = tracefile__read(fd, &reporter, self, why, sizeof(why));
	if (reporter.free)
		reporter.free(self);
	if (err && why[0])
		log_err("%s: %s", o->input, why);
	*writing = !why[0];
	return err;
}

static int close_output(FILE *out, struct atomicfile *file, int err)
{
	errno = 0;
	if (fclose(out) != 0 && !err)
		err = errno ? -errno : -EIO;
	if (!err && file)
		err = atomicfile__commit(file);
	return err;
}

static int report(const struct report_options *o, int fd)
{
	struct atomicfile *file = atomicfile__new(o->output ? o->output : "-");
	FILE *out = file ? fdopen(dup(atomicfile__fd(file)), "w") : NULL;
	bool writing = true;
	int err = out ? convert(o, fd, out, &writing) : -errno;

	if (out)
		err = close_output(out, file, err);
	atomicfile__free(file);
	if (err == -EPIPE && !o->output)
		return 0; /* whoever read it has had enough */
	if (err && writing)
		log_err("cannot write %s: %s", o->output ? o->output : "the report",
			strerror(-err));
	return err;
}

int cmd_report(int argc, char **argv)
{
	struct report_options o = {.format = &formats[0]};
	int status = parse(argc, argv, &o), fd, err;

	if (status)
		return status < 0 ? EXIT_DONE : status;
	signal(SIGPIPE, SIG_IGN);
	fd = open_input(o.input);
	if (fd < 0)
		return EXIT_FAILED;
	err = report(&o, fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return err ? EXIT_FAILED : EXIT_DONE;
}
