/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Flags to struct options: a table, and a parser for each kind of value. */
#include "server/options.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/log.h"

#define MAX_BODY_LIMIT (64u << 20)
#define ALL_WORK       ((1u << NR_WORK_KINDS) - 1)

static const char usage[] =
	"usage: offload-server [OPTION]...\n"
	"One event loop that does each kind of blocking work in the loop, or in its pools.\n"
	"\n"
	"  --listen ADDR:PORT          where to serve (127.0.0.1:8080; port 0: any free one)\n"
	"  --mode inline|offload       do blocking work in the loop, or in the pools (offload)\n"
	"  --offload LIST              these alone: external,db,sleep,file,encode,auth\n"
	"  --middleware auth           a blocking check before every route\n"
	"  --upstream HOST:PORT        what /external calls (a slow service of its own)\n"
	"  --cpu-pool processes|threads  where /encode computes when offloaded (processes)\n"
	"  --io-threads N              threads that wait, for /external and /db (64)\n"
	"  --disk-threads N            threads that write, for /file: few serve a disk best (4)\n"
	"  --cpu-workers N             processes or threads for CPU work (one a CPU)\n"
	"  --queue N                   jobs that may wait for each pool (256)\n"
	"  --deadline TIME             from request to answer, then 504 (5s)\n"
	"  --max-connections N         further ones get 503 (16384)\n"
	"  --max-body SIZE             greatest request body (8M)\n"
	"  --request-timeout TIME      for a request to arrive whole, then 408 (20s)\n"
	"  --idle-timeout TIME         for a connection without a request (60s)\n"
	"  --drain-timeout TIME        for requests under way at SIGTERM (10s)\n"
	"  --data-dir DIR              for the database and uploads (one of its own in /var/tmp)\n"
	"  -h, --help   -V, --version\n"
	"\n"
	"Routes: /fast /external?ms=50 /db?ms=50 /sleep?ms=50 /file?kb=1024 POST /encode /metrics\n"
	"/healthz; each takes ?mode=inline or ?mode=offload. TIME has a unit: us, ms, s; SIZE may: "
	"K, M.\n";

enum flag {
	FLAG_LISTEN = 256,
	FLAG_MODE,
	FLAG_OFFLOAD,
	FLAG_MIDDLEWARE,
	FLAG_UPSTREAM,
	FLAG_CPU_POOL,
	FLAG_IO_THREADS,
	FLAG_DISK_THREADS,
	FLAG_CPU_WORKERS,
	FLAG_QUEUE,
	FLAG_DEADLINE,
	FLAG_MAX_CONNECTIONS,
	FLAG_MAX_BODY,
	FLAG_REQUEST_TIMEOUT,
	FLAG_IDLE_TIMEOUT,
	FLAG_DRAIN_TIMEOUT,
	FLAG_DATA_DIR,
};

static const struct option flags[] = {
	{"listen", required_argument, NULL, FLAG_LISTEN},
	{"mode", required_argument, NULL, FLAG_MODE},
	{"offload", required_argument, NULL, FLAG_OFFLOAD},
	{"middleware", required_argument, NULL, FLAG_MIDDLEWARE},
	{"upstream", required_argument, NULL, FLAG_UPSTREAM},
	{"cpu-pool", required_argument, NULL, FLAG_CPU_POOL},
	{"io-threads", required_argument, NULL, FLAG_IO_THREADS},
	{"disk-threads", required_argument, NULL, FLAG_DISK_THREADS},
	{"cpu-workers", required_argument, NULL, FLAG_CPU_WORKERS},
	{"queue", required_argument, NULL, FLAG_QUEUE},
	{"deadline", required_argument, NULL, FLAG_DEADLINE},
	{"max-connections", required_argument, NULL, FLAG_MAX_CONNECTIONS},
	{"max-body", required_argument, NULL, FLAG_MAX_BODY},
	{"request-timeout", required_argument, NULL, FLAG_REQUEST_TIMEOUT},
	{"idle-timeout", required_argument, NULL, FLAG_IDLE_TIMEOUT},
	{"drain-timeout", required_argument, NULL, FLAG_DRAIN_TIMEOUT},
	{"data-dir", required_argument, NULL, FLAG_DATA_DIR},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

/* All value parsers: 0, or -EINVAL for text that is no such value. */

static int parse_count(const char *text, unsigned int min, unsigned int max, unsigned int *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v < min || v > max)
		return -EINVAL;
	*out = (unsigned int)v;
	return 0;
}

static int parse_size(const char *text, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || v > max)
		return -EINVAL;
	if (*end == 'K' || *end == 'M')
		v <<= *end++ == 'K' ? 10 : 20;
	if (*end || v == 0 || v > max)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

/* Up to an hour, and never zero. */
static int parse_time(const char *text, uint64_t *out_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"us", 1000}, {"ms", NS_PER_MS}, {"s", NS_PER_S}};
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || v == 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name))
			continue;
		if (v > 3600 * NS_PER_S / units[i].ns)
			return -EINVAL;
		*out_ns = v * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

static int parse_choice(const char *text, const char *no, const char *yes, bool *out)
{
	*out = !strcmp(text, yes);
	return *out || !strcmp(text, no) ? 0 : -EINVAL;
}

static int parse_work(const char *text, unsigned int *out)
{
	static const char *const names[NR_WORK_KINDS] = {
		[WORK_EXTERNAL] = "external", [WORK_DB] = "db",         [WORK_SLEEP] = "sleep",
		[WORK_FILE] = "file",         [WORK_ENCODE] = "encode", [WORK_AUTH] = "auth",
	};

	*out = 0;
	for (size_t len; *text; text += len + (text[len] == ',')) {
		unsigned int i = 0;

		len = strcspn(text, ",");
		while (i < NR_WORK_KINDS &&
		       (strlen(names[i]) != len || memcmp(text, names[i], len)))
			i++;
		if (i == NR_WORK_KINDS)
			return -EINVAL;
		*out |= 1u << i;
	}
	return *out ? 0 : -EINVAL;
}

/* HOST:PORT or [V6]:PORT. -EINVAL; -ENOENT when the host does not resolve. */
static int parse_endpoint(const char *text, struct endpoint *out)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	const char *colon = strrchr(text, ':');
	unsigned int port;
	char host[100];
	size_t len;

	if (!colon || parse_count(colon + 1, 0, 65535, &port))
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL;
	}
	if (len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';

	if (getaddrinfo(host, colon + 1, &hints, &found) || !found)
		return -ENOENT;
	memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
	out->addr_len = found->ai_addrlen;
	snprintf(out->name, sizeof(out->name), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	freeaddrinfo(found);
	return 0;
}

static int set_numbers(struct options *o, int flag, const char *value)
{
	switch (flag) {
	case FLAG_IO_THREADS:
		return parse_count(value, 1, 256, &o->io_threads);
	case FLAG_DISK_THREADS:
		return parse_count(value, 1, 256, &o->disk_threads);
	case FLAG_CPU_WORKERS:
		return parse_count(value, 1, 256, &o->cpu_workers);
	case FLAG_QUEUE:
		return parse_count(value, 1, 1000000, &o->queue);
	case FLAG_MAX_CONNECTIONS:
		return parse_count(value, 1, 1000000, &o->max_connections);
	case FLAG_MAX_BODY:
		return parse_size(value, MAX_BODY_LIMIT, &o->max_body_bytes);
	case FLAG_DEADLINE:
		return parse_time(value, &o->deadline_ns);
	case FLAG_REQUEST_TIMEOUT:
		return parse_time(value, &o->request_timeout_ns);
	case FLAG_IDLE_TIMEOUT:
		return parse_time(value, &o->idle_timeout_ns);
	case FLAG_DRAIN_TIMEOUT:
		return parse_time(value, &o->drain_timeout_ns);
	default:
		return -EINVAL;
	}
}

static int set(struct options *o, int flag, const char *value)
{
	switch (flag) {
	case FLAG_LISTEN:
		return parse_endpoint(value, &o->listen);
	case FLAG_UPSTREAM:
		return parse_endpoint(value, &o->upstream);
	case FLAG_MODE:
		o->mode_given = true;
		return parse_choice(value, "inline", "offload", &o->mode_offload);
	case FLAG_OFFLOAD:
		return parse_work(value, &o->offload);
	case FLAG_MIDDLEWARE:
		return parse_choice(value, "none", "auth", &o->auth);
	case FLAG_CPU_POOL:
		return parse_choice(value, "processes", "threads", &o->cpu_threads);
	case FLAG_DATA_DIR:
		o->data_dir = value;
		return *value ? 0 : -EINVAL;
	default:
		return set_numbers(o, flag, value);
	}
}

static const char *name_of(int flag)
{
	const struct option *f = flags;

	while (f->name && f->val != flag)
		f++;
	return f->name;
}

static void set_defaults(struct options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*o = (struct options){
		.io_threads = 64,
		.disk_threads = 4,
		.cpu_workers = cpus > 0 && cpus <= 256 ? (unsigned int)cpus : 1,
		.queue = 256,
		.max_connections = 16384,
		.max_body_bytes = 8u << 20,
		.deadline_ns = 5 * NS_PER_S,
		.request_timeout_ns = 20 * NS_PER_S,
		.idle_timeout_ns = 60 * NS_PER_S,
		.drain_timeout_ns = 10 * NS_PER_S,
	};
	parse_endpoint("127.0.0.1:8080", &o->listen);
}

/* Prints what is wrong with it; the exit status. */
static int complain(int flag, const char *value, int err)
{
	if (err == -ENOENT) {
		log_line("--%s: cannot resolve '%s'", name_of(flag), value);
		return 1;
	}
	log_line("--%s: bad value '%s' (see --help)", name_of(flag), value);
	return 2;
}

int options__parse(struct options *options, int argc, char **argv, int *exit_status)
{
	int flag, err;

	set_defaults(options);
	*exit_status = 2;
	while ((flag = getopt_long(argc, argv, "hV", flags, NULL)) != -1) {
		if (flag == 'h' || flag == 'V') {
			printf("%s", flag == 'h' ? usage : "offload-server " LS_VERSION "\n");
			*exit_status = 0;
			return 1;
		}
		if (flag == '?') /* getopt has said why */
			return 1;
		err = set(options, flag, optarg);
		if (err) {
			*exit_status = complain(flag, optarg, err);
			return 1;
		}
	}
	if (optind < argc) {
		log_line("unexpected '%s' (see --help)", argv[optind]);
		return 1;
	}
	/* A list names what goes to the pools; without one, and without a mode, everything does. */
	if (options->mode_given ? options->mode_offload : !options->offload)
		options->offload = ALL_WORK;
	return 0;
}
