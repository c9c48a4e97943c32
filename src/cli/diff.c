/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall diff BEFORE... -- AFTER...: did it get worse? Needs no root, no BPF. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "diff/verdict.h"
#include "log.h"
#include "model/atomicfile.h"

static const char usage[] =
	"usage: loopstall diff BEFORE... -- AFTER... [options]   compare recordings of two "
	"versions\n"
	"\n"
	"  --fail-on CONDITION  fail when it holds, instead of on any regression; may be "
	"repeated:\n"
	"                         'p99>+10%'           worse by more than 10 %, beyond the noise\n"
	"                         'stalls_per_s>0.1'   after, whatever it was before\n"
	"                         'new-site>50ms'      a place that did not stall before\n"
	"                         'regression'         the default verdict\n"
	"  --format FORMAT      text (default), markdown (for a pull request), json, junit\n"
	"  --confidence PERCENT that equal programs pass (default 95)\n"
	"  --min-effect PERCENT smaller relative changes are none (default 5)\n"
	"  -o FILE              write to FILE instead of standard output\n"
	"  -h, -V               this help; the version\n"
	"\n"
	"Several recordings a side show how much runs differ by themselves: give three or more.\n"
	"A file may be - for standard input.\n"
	"Exit status: 0 passed, 1 a regression (or a condition holds), 2 usage, 3 could not "
	"compare.\n";

struct diff_options {
	const struct diff_format *format;
	const char *output;
	struct compare_options compare;
	struct condition *conditions;
	size_t nr_conditions;
	char **paths[2];
	size_t nr_paths[2];
};

static bool find_format(const char *name, const struct diff_format **format)
{
	static const struct diff_format *const formats[] = {
		&diff_text,
		&diff_markdown,
		&diff_json,
		&diff_junit,
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(name, formats[i]->name) != 0)
			continue;
		*format = formats[i];
		return true;
	}
	log_err("format '%s' is none of: text markdown json junit", name);
	return false;
}

/* The condition, and under it the place where it went wrong. */
static void point_at(const char *text, size_t at, const char *why)
{
	log_err("--fail-on: %s", why);
	fprintf(stderr, "  %s\n  %*s^\n", text, (int)at, "");
}

static bool add_condition(struct diff_options *o, const char *text)
{
	struct condition *more =
		realloc(o->conditions, (o->nr_conditions + 1) * sizeof(*o->conditions));
	char why[256];
	size_t at;

	if (!more) {
		log_err("out of memory");
		return false;
	}
	o->conditions = more;
	if (!failon__parse(text, &more[o->nr_conditions].failon, &at, why, sizeof(why))) {
		point_at(text, at, why);
		return false;
	}
	o->nr_conditions++;
	return true;
}

/* A percentage from `low` to below 100, as a share. */
static bool parse_percent(const char *name, const char *text, double low, double *share)
{
	char *end;
	double v = strtod(text, &end);

	if (*end == '%')
		end++;
	if (end == text || *end || !(v >= low && v < 100)) {
		log_err("%s '%s': a percentage from %g to below 100 is wanted", name, text, low);
		return false;
	}
	*share = v / 100;
	return true;
}

/* EXIT_DONE: go on; -1: done already (-h, -V); else the status. */
static int parse_option(int opt, struct diff_options *o)
{
	bool ok = true;

	switch (opt) {
	case 'X':
		ok = add_condition(o, optarg);
		break;
	case 'F':
		ok = find_format(optarg, &o->format);
		break;
	case 'C':
		ok = parse_percent("--confidence", optarg, 50, &o->compare.confidence);
		break;
	case 'E':
		ok = parse_percent("--min-effect", optarg, 0, &o->compare.min_effect);
		break;
	case 'o':
		o->output = optarg;
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
		ok = false; /* say_bad_option() has said why */
	}
	return ok ? EXIT_DONE : EXIT_USAGE;
}

/* Options may stand on either side of the "--": each side is parsed on its own. */
static int parse_side(int argc, char **argv, struct diff_options *o, char ***paths, size_t *n)
{
	static const struct option longs[] = {
		{"fail-on", required_argument, NULL, 'X'},
		{"format", required_argument, NULL, 'F'},
		{"confidence", required_argument, NULL, 'C'},
		{"min-effect", required_argument, NULL, 'E'},
		{"output", required_argument, NULL, 'o'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt, status;

	optind = 0; /* glibc: begin anew, and let options stand after files */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":o:vhV", longs, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			say_bad_option(opt, argv, "loopstall diff");
		status = parse_option(opt, o);
		if (status)
			return status;
	}
	*paths = argv + optind;
	*n = (size_t)(argc - optind);
	return EXIT_DONE;
}

/* Where the "--" between the sides is; argc when there is none. */
static int find_separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return i;
	}
	return argc;
}

static int parse(int argc, char **argv, struct diff_options *o)
{
	int at = find_separator(argc, argv), status;

	status = parse_side(at, argv, o, &o->paths[0], &o->nr_paths[0]);
	if (!status && at < argc)
		status = parse_side(argc - at, argv + at, o, &o->paths[1], &o->nr_paths[1]);
	if (status)
		return status;
	if (at == argc && o->nr_paths[0] == 2) { /* no need of "--" between two files */
		o->paths[1] = o->paths[0] + 1;
		o->nr_paths[0] = o->nr_paths[1] = 1;
	}
	if (o->nr_paths[0] && o->nr_paths[1])
		return EXIT_DONE;
	log_err("which recordings? loopstall diff BEFORE... -- AFTER... (or -h)");
	return EXIT_USAGE;
}

static void free_side(struct side *side)
{
	for (size_t i = 0; i < side->n; i++)
		recording__free(side->recordings[i]);
	free(side->recordings);
}

static bool read_side(char **paths, size_t n, struct side *side)
{
	char why[256] = "";

	side->recordings = calloc(n, sizeof(struct recording *));
	for (size_t i = 0; i < n && side->recordings; i++) {
		side->recordings[i] = recording__read(paths[i], why, sizeof(why));
		if (!side->recordings[i]) {
			log_err("%s: %s", paths[i], why);
			return false;
		}
		side->n++;
	}
	if (!side->recordings)
		log_err("out of memory");
	return side->recordings;
}

static int print_to(const struct diff_options *o, FILE *out, struct atomicfile *file,
		    const struct verdict *v)
{
	int err = o->format->print(out, v);

	errno = 0;
	if (fclose(out) != 0 && !err)
		err = errno ? -errno : -EIO;
	return err ? err : atomicfile__commit(file);
}

/* 0, or -errno after saying why. */
static int print(const struct diff_options *o, const struct verdict *v)
{
	struct atomicfile *file = atomicfile__new(o->output ? o->output : "-");
	FILE *out = file ? fdopen(dup(atomicfile__fd(file)), "w") : NULL;
	int err = out ? print_to(o, out, file, v) : -errno;

	atomicfile__free(file);
	if (err == -EPIPE && !o->output)
		err = 0;
	if (err)
		log_err("cannot write %s: %s", o->output ? o->output : "the report",
			strerror(-err));
	return err;
}

/* The exit status of a verdict that was printed. */
static int conclude(const struct verdict *v)
{
	if (v->failed || !v->unjudged)
		return v->failed ? EXIT_FAILED : EXIT_DONE;
	for (size_t i = 0; i < v->nr_conditions; i++)
		if (v->conditions[i].result == FAILON_UNJUDGED)
			log_err("%s: %s", v->conditions[i].failon.text, v->conditions[i].detail);
	return EXIT_NO_VERDICT;
}

static int diff(const struct diff_options *o)
{
	struct side sides[2] = {0};
	struct verdict v = {.conditions = o->conditions, .nr_conditions = o->nr_conditions};
	struct comparison *c = NULL;
	char why[400];
	int status = EXIT_NO_VERDICT;

	if (!read_side(o->paths[0], o->nr_paths[0], &sides[0]) ||
	    !read_side(o->paths[1], o->nr_paths[1], &sides[1]))
		goto out;
	c = comparison__new(sides, &o->compare, why, sizeof(why));
	if (!c) {
		log_err("cannot compare: %s", why);
		goto out;
	}
	v.comparison = c;
	verdict__decide(&v);
	if (print(o, &v) == 0)
		status = conclude(&v);
out:
	comparison__free(c);
	free_side(&sides[0]);
	free_side(&sides[1]);
	return status;
}

int cmd_diff(int argc, char **argv)
{
	struct diff_options o = {
		.format = &diff_text,
		.compare = {.confidence = 0.95, .min_effect = 0.05},
	};
	int status = parse(argc, argv, &o);

	signal(SIGPIPE, SIG_IGN);
	if (!status)
		status = diff(&o);
	else if (status < 0)
		status = EXIT_DONE;
	free(o.conditions);
	return status;
}
