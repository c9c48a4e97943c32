/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loopstall export: always on, for Prometheus. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/tracing.h"
#include "export/exporter.h"
#include "export/listen.h"
#include "log.h"

static const char usage[] =
	"usage: loopstall export [-p PID[,PID...]] [--comm NAME]... [--all] [options]\n"
	"\n"
	"Traces event loops for as long as it runs and serves what it counts at /metrics, to "
	"Prometheus.\n"
	"\n"
	"  -p PID[,PID...]        these processes, their children included\n"
	"  --comm NAME[,NAME...]  processes of this name, as they come and go\n"
	"  --all                  every event loop of the host\n"
	"  -m LENGTH              least iteration that is a stall (default 10ms)\n"
	"  --listen [ADDR]:PORT   where to serve (default 127.0.0.1:9964; :9964 is every "
	"address),\n"
	"  --listen unix:PATH     or a unix socket\n"
	"  --web.config.file FILE TLS and users, as Prometheus' exporters take them\n"
	"  --sites N              how many sites have series of their own (default 50)\n"
	"  --buckets N            of the iterations' histogram, a power of two: 1, 2 (default), 4, "
	"8\n"
	"  --labels cgroup        also the cgroup and the container's id as labels\n"
	"  --max-loops N          how many loops can be traced at one time (default 2048)\n"
	"  --expire SECONDS       how long a loop that has ended is still shown (default 300)\n"
	"  --user NAME            whom to become when root, once attached (default nobody)\n"
	"  -v, -vv                say what is being done; and what libbpf says\n"
	"  -h, -V                 this help; the version\n";

enum {
	OPT_COMM = 256,
	OPT_ALL,
	OPT_LISTEN,
	OPT_WEB,
	OPT_SITES,
	OPT_BUCKETS,
	OPT_LABELS,
	OPT_MAX_LOOPS,
	OPT_EXPIRE,
	OPT_USER,
};

enum {
	MAX_SITES = 10000,
	MAX_LOOPS = 65535,
	DEFAULT_LOOPS = 2048
}; /* a slot is 16 bits in records */

static bool parse_count(const char *name, const char *text, long max, uint32_t *count)
{
	char *end;
	long n = strtol(text, &end, 10);

	*count = n;
	if (end != text && !*end && n > 0 && n <= max)
		return true;
	log_err("%s is '%s': it must be a number from 1 to %ld", name, text, max);
	return false;
}

static bool parse_comms(char *text, struct discover_options *o)
{
	char *name;

	while ((name = strsep(&text, ","))) {
		if (!*name || o->nr_comms == DISCOVER_NAMES_MAX) {
			log_err(*name ? "too many names of processes" : "--comm needs a name");
			return false;
		}
		o->comms[o->nr_comms++] = name;
	}
	return true;
}

static bool parse_buckets(const char *text, unsigned int *buckets)
{
	*buckets = atoi(text);
	if (strlen(text) == 1 && strchr("1248", *text))
		return true;
	log_err("--buckets is '%s': it must be 1, 2, 4 or 8", text);
	return false;
}

static bool parse_labels(const char *text, struct metrics_options *o)
{
	o->cgroup = !strcmp(text, "cgroup");
	if (!o->cgroup)
		log_err("--labels '%s': only cgroup is known", text);
	return o->cgroup;
}

static bool parse_expire(const char *text, uint64_t *ns)
{
	double seconds;

	if (!parse_seconds(text, &seconds))
		return false;
	*ns = seconds * 1e9;
	return true;
}

struct arguments {
	struct exporter_options o;
	struct pid_list pids;
};

static bool parse_target(int opt, struct arguments *a)
{
	switch (opt) {
	case 'p':
		return parse_pids(optarg, &a->pids);
	case OPT_COMM:
		return parse_comms(optarg, &a->o.discover);
	default:
		a->o.discover.all = true;
		return true;
	}
}

static bool parse_bound(int opt, struct exporter_options *o)
{
	uint32_t count = 0;
	bool ok;

	switch (opt) {
	case OPT_SITES:
		ok = parse_count("--sites", optarg, MAX_SITES, &count);
		o->metrics.max_sites = count;
		return ok;
	case OPT_MAX_LOOPS:
		return parse_count("--max-loops", optarg, MAX_LOOPS, &o->session.tracer.max_loops);
	case OPT_BUCKETS:
		return parse_buckets(optarg, &o->metrics.buckets);
	default:
		return parse_expire(optarg, &o->metrics.expire_ns);
	}
}

/* EXIT_DONE: go on; -1: done already (-h, -V); else the status. */
static int parse_option(int opt, struct arguments *a)
{
	switch (opt) {
	case 'p':
	case OPT_COMM:
	case OPT_ALL:
		return parse_target(opt, a) ? EXIT_DONE : EXIT_USAGE;
	case OPT_SITES:
	case OPT_MAX_LOOPS:
	case OPT_BUCKETS:
	case OPT_EXPIRE:
		return parse_bound(opt, &a->o) ? EXIT_DONE : EXIT_USAGE;
	case 'm':
		return parse_length(optarg, &a->o.session.tracer.threshold_ns) ? EXIT_DONE
									       : EXIT_USAGE;
	case OPT_LISTEN:
		a->o.listen = optarg;
		return listen__valid(optarg) ? EXIT_DONE : EXIT_USAGE;
	case OPT_WEB:
		a->o.web_config = optarg;
		return EXIT_DONE;
	case OPT_LABELS:
		return parse_labels(optarg, &a->o.metrics) ? EXIT_DONE : EXIT_USAGE;
	case OPT_USER:
		a->o.user = optarg;
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
	}
	return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option longs[] = {
		{"pid", required_argument, NULL, 'p'},
		{"comm", required_argument, NULL, OPT_COMM},
		{"all", no_argument, NULL, OPT_ALL},
		{"listen", required_argument, NULL, OPT_LISTEN},
		{"web.config.file", required_argument, NULL, OPT_WEB},
		{"sites", required_argument, NULL, OPT_SITES},
		{"buckets", required_argument, NULL, OPT_BUCKETS},
		{"labels", required_argument, NULL, OPT_LABELS},
		{"max-loops", required_argument, NULL, OPT_MAX_LOOPS},
		{"expire", required_argument, NULL, OPT_EXPIRE},
		{"user", required_argument, NULL, OPT_USER},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int opt, status;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:p:m:vhV", longs, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			say_bad_option(opt, argv, "loopstall export");
		status = parse_option(opt, a);
		if (status)
			return status;
	}
	if (optind < argc) {
		log_err("'%s' is not an option of export: see loopstall export -h", argv[optind]);
		return EXIT_USAGE;
	}
	if (!a->pids.nr && !a->o.discover.nr_comms && !a->o.discover.all) {
		log_err("which processes? -p PID, --comm NAME or --all (or loopstall export -h)");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

int cmd_export(int argc, char **argv)
{
	struct arguments a = {
		.o =
			{
				.session =
					{
						.tracer = {.threshold_ns = 10000000,
							   .max_loops = DEFAULT_LOOPS},
						.wait_for_loop = true,
						.always_on = true,
					},
				.metrics = {.expire_ns = 300000000000,
					    .max_sites = 50,
					    .buckets = 2},
				.listen = "127.0.0.1:9964",
				.user = "nobody",
			},
	};
	int status = parse(argc, argv, &a), stop_fd;

	if (status)
		return status < 0 ? EXIT_DONE : status;
	if (!tracing__choose_attach(&a.o.session.tracer.attach))
		return EXIT_USAGE;
	if (check_pids(&a.pids, 0))
		return EXIT_FAILED;
	a.o.metrics.threshold_ns = a.o.session.tracer.threshold_ns;
	a.o.metrics.max_ended = a.o.session.tracer.max_loops;
	a.o.pids = a.pids.pids;
	a.o.nr_pids = a.pids.nr;
	stop_fd = stop_signals();
	if (stop_fd < 0)
		return EXIT_FAILED;
	return exporter__run(&a.o, stop_fd) ? EXIT_FAILED : EXIT_DONE;
}
