/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * diff_power [TRIALS [SECONDS]] | check: how often diff, at its defaults, calls a difference between two
 * made-up runs of the same program (a false alarm), and how often it finds the tail of the
 * iterations 20 % longer. Several kinds of service; for each, runs that do and do not differ from
 * one another by themselves. `check`: runs of 30 s that differ by 1.5 %, one a side; 200 of the same
 * program and 100 with the longer tail; exit status 1 when a service that is held to the bounds misses
 * them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "diff/compare.h"
#include "diff/stats.h"

#define MS  1000000.0
#define SEC 1000000000ull

struct service {
	const char *name;
	double rate;                            /* iterations a second */
	double median_ns, sigma;                /* lognormal */
	double slow_share, slow_ns, slow_sigma; /* of another mode; 0: none */
	double swing, memory; /* sd of the log of the rate from second to second, and its lag-1
				 correlation */
	double drag;          /* how much longer iterations are when the rate is up: exponent */
	bool bounded;         /* check holds it to the bounds: 30 s show its 99th percentile */
};

static const struct service services[] = {
	{"steady 1000/s", 1000, 0.5 * MS, 1.0, 0, 0, 0, 0, 0, 0, true},
	{"steady 200/s", 200, 2 * MS, 0.8, 0, 0, 0, 0, 0, 0, false},
	{"short 10000/s", 10000, 0.05 * MS, 0.9, 0, 0, 0, 0, 0, 0, true},
	{"two modes", 1000, 0.3 * MS, 0.5, 0.03, 40 * MS, 0.25, 0, 0, 0, true},
	{"rare slow mode", 1000, 0.3 * MS, 0.7, 0.004, 60 * MS, 0.3, 0, 0, 0, true},
	{"gap at p99", 1000, 0.3 * MS, 0.3, 0.0101, 50 * MS, 0.3, 0, 0, 0, false},
	{"swinging load", 1000, 0.5 * MS, 0.9, 0.01, 30 * MS, 0.4, 0.3, 0.6, 0.3, false},
};

static struct rng rng = {.state = 12345};

static double uniform(void)
{
	return ((double)(rng__next(&rng) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static double length_of(const struct service *s, double scale, double tail)
{
	bool slow = uniform() < s->slow_share;
	double ns = slow ? s->slow_ns * exp(s->slow_sigma * normal())
			 : s->median_ns * exp(s->sigma * normal());
	/* What lies beyond the 95th percentile of the fast mode is the tail. */
	bool in_tail = slow || ns > s->median_ns * exp(1.645 * s->sigma);

	return ns * scale * (in_tail ? tail : 1);
}

static void add_stall(struct recording *r, uint64_t at, double ns)
{
	static const struct ls_frame sites[] = {
		{.kind = LS_FRAME_PYTHON, .function = "external", .file = "/srv/app.py"},
		{.kind = LS_FRAME_PYTHON, .function = "render", .file = "/srv/app.py"},
		{.kind = LS_FRAME_PYTHON, .function = "load", .file = "/srv/db.py"},
		{.kind = LS_FRAME_PYTHON, .function = "rare", .file = "/srv/db.py"},
	};
	double u = uniform();
	const struct ls_frame *site = &sites[u < 0.5 ? 0 : u < 0.8 ? 1 : u < 0.97 ? 2 : 3];
	struct ls_blame b = {.cause = u < 0.5 ? LS_NETWORK : LS_CPU,
			     .ns = (uint64_t)ns,
			     .count = 1,
			     .call.fd = -1,
			     .site = site,
			     .stack = {.frames = site, .nr_frames = 1}};
	struct ls_stall stall = {.pid = 1,
				 .tid = 1,
				 .start_ns = at,
				 .wall_ns = (uint64_t)ns,
				 .causes = &b,
				 .nr_causes = 1};

	stall.ledger.ns[b.cause] = b.ns;
	recording__reporter.stall(r, &stall);
}

/* A slice of a quarter of a second. */
static void add_slice(struct recording *r, const struct service *s, double rate, double scale,
		      double tail, uint64_t number)
{
	struct ls_slice slice = {
		.pid = 1, .tid = 1, .start_ns = number * SEC / 4, .end_ns = (number + 1) * SEC / 4};
	double ns;

	for (double t = -log(uniform()) / rate; t < 0.25; t -= log(uniform()) / rate) {
		ns = length_of(s, scale, tail);
		slice.iterations++;
		slice.busy_ns += (uint64_t)ns;
		slice.histogram[hist_bucket((__u64)ns)]++;
		if (ns < 10 * MS)
			continue;
		slice.stalls++;
		slice.stalled_wall_ns += (uint64_t)ns;
		add_stall(r, slice.start_ns + (uint64_t)(t * 1e9), ns);
	}
	recording__reporter.slice(r, &slice);
}

/* `run_sd`: how much runs of the same program differ, in their lengths and their load. */
static struct recording *run(const struct service *s, unsigned int seconds, double run_sd,
			     double tail)
{
	struct recording *r = recording__new("simulated");
	struct ls_start start = {.threshold_ns = 10000000};
	struct ls_loop_summary loop = {.max_ns = 1};
	struct ls_summary summary = {.seconds = seconds, .loops = &loop, .nr_loops = 1};
	double scale = exp(run_sd * normal()), load = exp(run_sd * normal()), swing = normal();

	recording__reporter.start(r, &start);
	for (unsigned int i = 0; i < seconds; i++) {
		double now = exp(s->swing * swing);

		for (unsigned int q = 0; q < 4; q++)
			add_slice(r, s, s->rate * load * now, scale * pow(now, s->drag), tail,
				  4 * i + q);
		swing = s->memory * swing + sqrt(1 - s->memory * s->memory) * normal();
	}
	recording__reporter.summary(r, &summary);
	return r;
}

struct counts {
	unsigned int regressions, called, p99_worse;
};

static void tally(const struct comparison *c, struct counts *n)
{
	bool called = false;

	for (int i = 0; i < NR_METRICS; i++)
		called |= c->metrics[i].judgement > JUDGED_SAME;
	for (int i = 0; i < LEDGER_CLASSES; i++)
		called |= c->ledger[i].judgement > JUDGED_SAME;
	for (size_t i = 0; i < c->nr_sites; i++)
		called |= c->sites[i].f.judgement > JUDGED_SAME;
	n->called += called;
	n->regressions += c->regression;
	n->p99_worse += c->metrics[METRIC_P99].judgement == JUDGED_WORSE;
}

static struct counts trial(const struct service *s, unsigned int trials, unsigned int seconds,
			   unsigned int recordings, double run_sd, double tail)
{
	static const struct compare_options options = {.confidence = 0.95, .min_effect = 0.05};
	struct recording *r[2][16];
	struct counts n = {0};
	struct comparison *c;
	char why[256];

	for (unsigned int t = 0; t < trials; t++) {
		for (unsigned int i = 0; i < recordings; i++) {
			r[0][i] = run(s, seconds, run_sd, 1);
			r[1][i] = run(s, seconds, run_sd, tail);
		}
		c = comparison__new((struct side[]){{r[0], recordings}, {r[1], recordings}},
				    &options, why, sizeof(why));
		if (c)
			tally(c, &n);
		else
			printf("%s\n", why);
		comparison__free(c);
		for (unsigned int i = 0; i < recordings; i++) {
			recording__free(r[0][i]);
			recording__free(r[1][i]);
		}
	}
	return n;
}

enum { CHECK_SAME = 200, CHECK_WORSE = 100, MAX_ALARMS = 10, MIN_FOUND = 95 };

static bool check_service(const struct service *s)
{
	struct counts same = trial(s, CHECK_SAME, 30, 1, 0.015, 1);
	struct counts worse = trial(s, CHECK_WORSE, 30, 1, 0.015, 1.2);
	bool ok = same.regressions <= MAX_ALARMS && worse.p99_worse >= MIN_FOUND;

	printf("%-16s %3u of %d false alarms, +20 %% found in %3u of %d as p99, in %3u as "
	       "anything: "
	       "%s\n",
	       s->name, same.regressions, CHECK_SAME, worse.p99_worse, CHECK_WORSE,
	       worse.regressions,
	       !s->bounded ? "no bound"
	       : ok        ? "ok"
			   : "MISSED");
	fflush(stdout);
	return ok || !s->bounded;
}

static int check(void)
{
	bool ok = true;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		ok &= check_service(&services[i]);
	return !ok;
}

int main(int argc, char **argv)
{
	unsigned int trials = argc > 1 ? (unsigned int)atoi(argv[1]) : 100;
	unsigned int seconds = argc > 2 ? (unsigned int)atoi(argv[2]) : 30;
	static const struct {
		double run_sd;
		unsigned int recordings;
	} designs[] = {{0, 1}, {0.015, 1}, {0.03, 1}, {0.03, 3}, {0.03, 5}};
	struct counts same, worse;
	double n = trials / 100.0;

	if (argc > 1 && !strcmp(argv[1], "check"))
		return check();
	printf("%u trials of %u s, percent\n%-16s %9s %10s | %7s %10s | %9s %9s\n", trials, seconds,
	       "service", "runs vary", "recordings", "A/A: any", "regression", "+20 %: p99",
	       "regression");
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		for (size_t d = 0; d < sizeof(designs) / sizeof(designs[0]); d++) {
			same = trial(&services[i], trials, seconds, designs[d].recordings,
				     designs[d].run_sd, 1);
			worse = trial(&services[i], trials, seconds, designs[d].recordings,
				      designs[d].run_sd, 1.2);
			printf("%-16s %7.1f %% %10u | %7.1f %10.1f | %9.1f %9.1f\n",
			       services[i].name, 100 * designs[d].run_sd, designs[d].recordings,
			       same.called / n, same.regressions / n, worse.p99_worse / n,
			       worse.regressions / n);
			fflush(stdout);
		}
	}
	return 0;
}
