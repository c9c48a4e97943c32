/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "diff/stats.h"
#include "diff/values.h"
#include "diff/verdict.h"
#include "fixture.h"

static const struct compare_options defaults = {.confidence = 0.95, .min_effect = 0.05};

/* --- made-up recordings --- */

struct make {
	unsigned int seconds;
	unsigned int slice_iterations; /* 0: 250 */
	double scale;                  /* of the iterations beyond the median */
	double unit_ns;                /* the median; 0: 1 ms */
	unsigned int stalls;           /* a second, of 30 ms each */
	const char *function;          /* where they stall */
	const char *file;
	enum ls_cause cause;   /* 0 (cpu): network */
	uint64_t runqueue_ns;  /* of each stall */
	uint64_t threshold_ns; /* 0: 10 ms */
	uint64_t seed;
};

static double normal(struct rng *rng)
{
	double u = ((double)(rng__next(rng) >> 11) + 0.5) / 9007199254740992.0;
	double v = (double)(rng__next(rng) >> 11) / 9007199254740992.0;

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

static void put_stall(struct recording *r, const struct make *m, uint64_t at,
		      struct ls_slice *slice)
{
	struct ls_frame frame = {.kind = LS_FRAME_PYTHON,
				 .function = m->function,
				 .file = m->file ? m->file : "/srv/a/app/main.py",
				 .line = 7};
	enum ls_cause cause = m->cause ? m->cause : LS_NETWORK;
	struct ls_blame b = {.cause = cause,
			     .ns = 30 * MS,
			     .count = 1,
			     .call = {.name = "recvfrom", .fd = 3, .object = "tcp 127.0.0.1:5432"},
			     .site = &frame,
			     .stack = {.frames = &frame, .nr_frames = 1}};
	struct ls_stall s = {.pid = 1,
			     .tid = 1,
			     .start_ns = at,
			     .wall_ns = 30 * MS,
			     .ready = -1,
			     .causes = &b,
			     .nr_causes = 1};

	s.ledger.ns[cause] = 30 * MS;
	recording__reporter.stall(r, &s);
	slice->stalls++;
	slice->iterations++;
	slice->stalled_wall_ns += 30 * MS;
	slice->ledger.ns[cause] += 30 * MS - m->runqueue_ns;
	slice->ledger.ns[LS_RUNQUEUE] += m->runqueue_ns;
	fixture_count(slice->histogram, 30 * MS, 1);
}

static struct recording *make(struct make m)
{
	struct recording *r = recording__new("made-up.lst");
	struct ls_start start = {.threshold_ns = m.threshold_ns ? m.threshold_ns : 10 * MS,
				 .mono_ns = 5 * SEC};
	struct ls_loop_summary loop = {.loop = {.pid = 1, .tid = 1}, .max_ns = 30 * MS};
	struct ls_summary summary = {.seconds = m.seconds, .loops = &loop, .nr_loops = 1};
	struct rng rng = {.state = 77 + m.seed * 1000003};

	recording__reporter.start(r, &start);
	for (uint64_t i = 0; i < m.seconds * 4; i++) {
		struct ls_slice s = {.pid = 1,
				     .tid = 1,
				     .start_ns = 5 * SEC + i * SEC / 4,
				     .end_ns = 5 * SEC + (i + 1) * SEC / 4,
				     .iterations = m.slice_iterations ? m.slice_iterations : 250};

		for (uint64_t k = s.iterations; k; k--) {
			double z = normal(&rng);

			fixture_count(s.histogram,
				      (uint64_t)((m.unit_ns > 0 ? m.unit_ns : MS) * exp(0.5 * z) *
						 (z > 0 ? m.scale : 1)),
				      1);
		}
		for (unsigned int k = 0; i % 4 == 0 && k < m.stalls; k++)
			put_stall(r, &m, s.start_ns + k * MS, &s);
		recording__reporter.slice(r, &s);
	}
	recording__reporter.summary(r, &summary);
	return r;
}

static struct comparison *diff_of(struct make before, struct make after)
{
	static struct recording *r[2];
	struct comparison *c;
	char why[256];

	r[0] = make(before);
	r[1] = make(after);
	c = comparison__new((struct side[]){{&r[0], 1}, {&r[1], 1}}, &defaults, why, sizeof(why));

	if (!c)
		fail_msg("%s", why);
	return c;
}

static void done(struct comparison *c)
{
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < c->sides[side].n; i++)
			recording__free(c->sides[side].recordings[i]);
	comparison__free(c);
}

static const struct make plain = {.seconds = 30, .scale = 1};

/* --- statistics --- */

static void near(double a, double b)
{
	if (fabs(a - b) > 1e-3 * fabs(b))
		fail_msg("%g is not %g", a, b);
}

static void quantiles_of_t_and_normal_match_tables(void **state)
{
	(void)state;
	near(stats__normal_quantile(0.025), 1.95996);
	near(stats__normal_quantile(0.0005), 3.29053);
	near(stats__t_quantile(0.025, 1), 12.7062);
	near(stats__t_quantile(0.025, 9), 2.26216);
	near(stats__t_quantile(0.005, 29), 2.75639);
	near(stats__t_quantile(0.0005, 4), 8.61030);
	near(stats__t_quantile(0.025, INFINITY), 1.95996);
}

static void block_length_follows_the_correlation(void **state)
{
	struct rng rng = {.state = 3};
	double white[120], red[120];

	(void)state;
	for (int i = 0; i < 120; i++) {
		white[i] = normal(&rng);
		red[i] = (i ? 0.8 * red[i - 1] : 0) + normal(&rng);
	}
	assert_in_range(stats__block_length(white, 120), 1, 2);
	assert_in_range(stats__block_length(red, 120), 5, 20);
	assert_int_equal(stats__block_length(white, 3), 1);
}

/* --- verdicts --- */

static void the_same_program_passes(void **state)
{
	struct make again = plain;
	struct comparison *c;

	(void)state;
	again.seed = 1;
	c = diff_of(plain, again);
	assert_false(c->regression);
	for (int m = 0; m < NR_METRICS; m++)
		assert_true(c->metrics[m].judgement <= JUDGED_SAME);
	done(c);
}

static void a_tail_of_20_percent_more_is_a_regression(void **state)
{
	struct make slow = plain;
	struct comparison *c;
	struct finding *p99;

	(void)state;
	slow.scale = 1.2;
	slow.seed = 2;
	c = diff_of(plain, slow);
	p99 = &c->metrics[METRIC_P99];
	assert_true(c->regression);
	assert_int_equal(p99->judgement, JUDGED_WORSE);
	assert_true(p99->low > 0 && p99->low < p99->after - p99->before);
	assert_true(p99->high > p99->after - p99->before);
	done(c);
	c = diff_of(slow, plain);
	assert_false(c->regression);
	assert_int_equal(c->metrics[METRIC_P99].judgement, JUDGED_BETTER);
	done(c);
}

static struct make stalling(const char *function, unsigned int stalls)
{
	struct make m = plain;

	m.function = function;
	m.stalls = stalls;
	return m;
}

static const struct site_finding *site(const struct comparison *c, const char *name)
{
	for (size_t i = 0; i < c->nr_sites; i++)
		if (strstr(c->sites[i].f.name, name))
			return &c->sites[i];
	fail_msg("no site %s", name);
	return NULL;
}

static void a_fixed_site_is_gone_and_a_broken_one_new(void **state)
{
	struct comparison *c = diff_of(stalling("external", 3), plain);

	(void)state;
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_GONE);
	assert_false(c->regression);
	assert_int_equal(c->metrics[METRIC_STALLS_PER_S].judgement, JUDGED_BETTER);
	done(c);
	c = diff_of(plain, stalling("external", 3));
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_NEW);
	assert_int_equal(c->ledger[LS_NETWORK].judgement, JUDGED_WORSE);
	assert_true(c->regression);
	done(c);
}

static void a_new_small_site_is_excused_when_the_whole_fell(void **state)
{
	struct comparison *c = diff_of(stalling("external", 6), stalling("pool", 1));

	(void)state;
	assert_int_equal(site(c, "pool")->f.judgement, JUDGED_NEW);
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_GONE);
	assert_true(c->sites_excused);
	assert_false(c->regression);
	done(c);
}

static void a_site_is_the_same_in_another_checkout(void **state)
{
	struct make elsewhere = stalling("external", 3);
	struct comparison *c;

	(void)state;
	elsewhere.file = "/home/ci/build-815/app/main.py";
	c = diff_of(stalling("external", 3), elsewhere);
	assert_int_equal(c->nr_sites, 1);
	assert_int_equal(c->sites[0].f.judgement, JUDGED_SAME);
	done(c);
}

static void runs_that_differ_by_themselves_raise_the_bar(void **state)
{
	struct recording *r[6];
	struct comparison *c;
	char why[256];

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct make m = plain;

		m.seed = (uint64_t)i;
		m.scale = (i < 3 ? 1 : 1.15) * (1 + 0.15 * (i % 3));
		r[i] = make(m);
	}
	c = comparison__new((struct side[]){{r, 3}, {r + 3, 3}}, &defaults, why, sizeof(why));
	assert_non_null(c);
	assert_int_equal(c->metrics[METRIC_P99].judgement, JUDGED_SAME);
	assert_false(c->regression);
	done(c);
}

/* The fix leaves a few stalls that are all run queue: the bug beside them is seen as ever. */
static void a_healthy_side_that_waits_for_its_cpu_hides_nothing(void **state)
{
	struct make healthy = stalling("external", 1);
	struct comparison *c;

	(void)state;
	healthy.cause = LS_RUNQUEUE;
	c = diff_of(stalling("external", 20), healthy);
	assert_int_equal(c->metrics[METRIC_STALLED_SHARE].judgement, JUDGED_BETTER);
	assert_int_equal(c->ledger[LS_NETWORK].judgement, JUDGED_BETTER);
	done(c);
	c = diff_of(healthy, stalling("external", 20));
	assert_int_equal(c->metrics[METRIC_STALLED_SHARE].judgement, JUDGED_WORSE);
	assert_true(c->regression);
	done(c);
	c = diff_of(healthy, healthy);
	assert_true(c->contention > 0.99);
	done(c);
}

/* A third of the bug's own stalls may be waits for a CPU, so that runs differ much: gone is gone. */
static void what_is_gone_is_seen_on_a_busy_machine(void **state)
{
	struct make busy = stalling("external", 8), gone = plain;
	struct comparison *c;

	(void)state;
	busy.runqueue_ns = 10 * MS;
	c = diff_of(busy, gone);
	assert_true(c->contention > 0.3);
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_GONE);
	assert_int_equal(c->metrics[METRIC_STALLS_PER_S].judgement, JUDGED_BETTER);
	done(c);
	gone = busy;
	gone.stalls = 6; /* a quarter less is none, there */
	c = diff_of(busy, gone);
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_SAME);
	done(c);
}

/* A few stalls among many waits, so that neither noise excludes much alone: still, none are left. */
static void rare_stalls_that_are_gone_are_seen_on_a_busy_machine(void **state)
{
	struct make busy = stalling("external", 1), gone = plain;
	struct comparison *c;

	(void)state;
	busy.seconds = gone.seconds = 10;
	busy.runqueue_ns = 20 * MS;
	c = diff_of(busy, gone);
	assert_true(c->contention > 0.6);
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_GONE);
	done(c);
	c = diff_of(gone, busy);
	assert_int_equal(site(c, "external")->f.judgement, JUDGED_NEW);
	done(c);
}

/* A few us more are what another program does to the caches. */
static void microseconds_are_no_regression(void **state)
{
	struct make make_short = plain, worse;
	struct comparison *c;

	(void)state;
	make_short.unit_ns = 50000;
	worse = make_short;
	worse.scale = 1.2;
	c = diff_of(make_short, worse);
	assert_true(c->metrics[METRIC_P99].after > 1.15 * c->metrics[METRIC_P99].before);
	assert_int_equal(c->metrics[METRIC_P99].judgement, JUDGED_SAME);
	assert_false(c->regression);
	done(c);
}

static void what_cannot_be_compared_is_refused(void **state)
{
	struct make brief = plain, other = plain;
	struct recording *r[3];
	char why[256] = "";

	(void)state;
	brief.seconds = 1;
	other.threshold_ns = 5 * MS;
	r[0] = make(plain);
	r[1] = make(brief);
	r[2] = make(other);
	assert_null(comparison__new((struct side[]){{&r[0], 1}, {&r[1], 1}}, &defaults, why,
				    sizeof(why)));
	assert_non_null(strstr(why, "too short"));
	assert_null(comparison__new((struct side[]){{&r[0], 1}, {&r[2], 1}}, &defaults, why,
				    sizeof(why)));
	assert_non_null(strstr(why, "threshold"));
	for (int i = 0; i < 3; i++)
		recording__free(r[i]);
}

/* Long enough for bins to be added together, with a gap in which the loop did nothing. */
static void bins_stay_bounded_and_gaps_count_as_time(void **state)
{
	struct recording *r = recording__new("x");
	struct ls_loop_summary loop = {.max_ns = 1};
	struct ls_summary summary = {.seconds = 2000, .loops = &loop, .nr_loops = 1};
	struct ls_slice s = {.iterations = 10};

	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		if (i >= 500 && i < 1500)
			continue;
		s.start_ns = (i + 1) * SEC;
		s.end_ns = s.start_ns + SEC;
		recording__reporter.slice(r, &s);
	}
	recording__reporter.summary(r, &summary);
	assert_in_range(r->nr_bins, MAX_BINS / 2, MAX_BINS);
	near(r->total.seconds, 2000);
	near(r->total.iterations, 10000);
	recording__free(r);
}

static void idle_time_at_start_and_end_counts(void **state)
{
	struct recording *r = recording__new("x");
	struct ls_start start = {.mono_ns = 100 * SEC, .threshold_ns = 10 * MS};
	struct ls_loop_summary loop = {.max_ns = 1};
	struct ls_summary summary = {.seconds = 60, .loops = &loop, .nr_loops = 1};
	struct ls_slice s = {.iterations = 600, .stalls = 3};

	(void)state;
	recording__reporter.start(r, &start);
	for (uint64_t i = 20; i < 40; i++) {
		s.start_ns = start.mono_ns + i * SEC;
		s.end_ns = s.start_ns + SEC;
		recording__reporter.slice(r, &s);
	}
	recording__reporter.summary(r, &summary);
	near(r->total.seconds, 60);
	near(r->total.stalls / r->total.seconds, 1);
	assert_int_equal(r->nr_bins, 60);
	recording__free(r);
}

/* --- conditions --- */

static void parses(const char *text, enum failon_kind kind, double value)
{
	struct failon f;
	char why[200];
	size_t at;

	if (!failon__parse(text, &f, &at, why, sizeof(why)))
		fail_msg("%s: %s at %zu", text, why, at);
	assert_int_equal(f.kind, kind);
	near(f.value, value);
}

static void conditions_parse(void **state)
{
	(void)state;
	parses("p99>+10%", FAILON_RELATIVE, 0.1);
	parses(" p99 >= +5ms ", FAILON_DIFFERENCE, 5e6);
	parses("p99.9>50ms", FAILON_ABSOLUTE, 50e6);
	parses("max>1.5s", FAILON_ABSOLUTE, 1.5e9);
	parses("stalls_per_s>0.1", FAILON_ABSOLUTE, 0.1);
	parses("stalls_per_s>+25%", FAILON_RELATIVE, 0.25);
	parses("stalled_share>2%", FAILON_ABSOLUTE, 0.02);
	parses("stalled_share>+20%", FAILON_RELATIVE, 0.2);
	parses("iterations_per_s<-10%", FAILON_RELATIVE, -0.1);
	parses("disk>5ms/s", FAILON_ABSOLUTE, 5e6);
	parses("gil>+10%", FAILON_RELATIVE, 0.1);
	parses("new-site>50ms", FAILON_ABSOLUTE, 50e6);
	parses("worse-site>100us", FAILON_ABSOLUTE, 1e5);
}

static void refuses_at(const char *text, size_t at_expected, const char *why_expected)
{
	struct failon f;
	char why[200];
	size_t at;

	if (failon__parse(text, &f, &at, why, sizeof(why)))
		fail_msg("%s was taken", text);
	if (at != at_expected || !strstr(why, why_expected))
		fail_msg("%s: at %zu: %s", text, at, why);
}

static void errors_point_at_the_character(void **state)
{
	(void)state;
	refuses_at("", 0, "expected p50");
	refuses_at("p98>1ms", 0, "expected p50");
	refuses_at("p99", 3, "expected > or <");
	refuses_at("p99=1ms", 3, "expected > or <");
	refuses_at("p99>", 4, "expected a number");
	refuses_at("p99>+ten%", 5, "expected a number");
	refuses_at("p99>1e9", 5, "expected ns, us");
	refuses_at("p99>10%", 6, "expected ns, us");
	refuses_at("p99>+10", 7, "expected %, ns");
	refuses_at("p99>10parsecs", 6, "expected ns, us");
	refuses_at("stalls_per_s>0.1ms", 16, "expected the end");
	refuses_at("stalled_share>1", 15, "expected %");
	refuses_at("new-site>+5ms", 9, "no sign");
	refuses_at("new-site<5ms", 8, "takes >");
	refuses_at("p99>1ms p50>1ms", 8, "nothing more");
	refuses_at("regression>1", 10, "nothing more");
	refuses_at("max>+10%", 4, "max takes no sign");
	refuses_at("max<=-5ms", 5, "max takes no sign");
	refuses_at("max>10%", 6, "expected ns, us, ms or s");
	refuses_at("disk>5ms", 6, "expected us/s");
}

static enum failon_result result(const struct comparison *c, const char *text)
{
	struct failon f;
	char why[200], detail[300];
	size_t at;

	assert_true(failon__parse(text, &f, &at, why, sizeof(why)));
	return failon__judge(&f, c, detail, sizeof(detail));
}

static bool holds(const struct comparison *c, const char *text)
{
	return result(c, text) == FAILON_HOLDS;
}

static void a_quantile_of_too_few_iterations_is_not_judged(void **state)
{
	struct make brief = plain;
	struct comparison *c;

	(void)state;
	brief.seconds = 2; /* 2000 iterations: 20 beyond p99, 2 beyond p99.9 */
	c = diff_of(plain, brief);
	assert_int_equal(result(c, "p99>+1000%"), FAILON_PASSES);
	assert_int_equal(result(c, "p99.9>+1000%"), FAILON_UNJUDGED);
	assert_int_equal(result(c, "p99.9>1ns"), FAILON_UNJUDGED);
	assert_int_equal(result(c, "max>10s"), FAILON_PASSES);
	assert_int_equal(result(c, "busy_share>200%"), FAILON_PASSES);
	done(c);
}

static void conditions_hold_when_they_should(void **state)
{
	struct make slow = plain;
	struct comparison *c;

	(void)state;
	slow.scale = 1.2;
	c = diff_of(plain, slow);
	assert_true(holds(c, "p99>+10%"));
	assert_false(holds(c, "p99>+30%"));
	assert_false(holds(c, "p99<+0%"));
	assert_true(holds(c, "p99>1ms"));
	assert_false(holds(c, "p99>10s"));
	assert_true(holds(c, "regression"));
	assert_false(holds(c, "new-site>1ms"));
	done(c);
	c = diff_of(plain, stalling("external", 2));
	assert_true(holds(c, "new-site>50ms"));
	assert_false(holds(c, "new-site>20s"));
	assert_true(holds(c, "stalls_per_s>0.1"));
	assert_false(holds(c, "stalls_per_s>2.5"));
	assert_true(holds(c, "stalls_per_s>+10%")); /* from nothing */
	assert_true(holds(c, "network>1ms/s"));
	done(c);
	c = diff_of(stalling("external", 1), stalling("external", 4));
	assert_true(holds(c, "worse-site>50ms"));
	assert_false(holds(c, "new-site>1us"));
	done(c);
}

static void a_wait_for_a_cpu_is_no_new_site(void **state)
{
	struct make waiting = stalling("external", 3);
	struct comparison *c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		waiting.cause = i ? LS_THROTTLED : LS_RUNQUEUE;
		c = diff_of(plain, waiting);
		assert_true(site(c, "external")->total_ns[1] > 50e6);
		assert_false(holds(c, "new-site>50ms"));
		assert_false(holds(c, "worse-site>50ms"));
		done(c);
	}
}

static void noise_does_not_make_a_relative_condition_hold(void **state)
{
	struct make again = plain;
	struct comparison *c;

	(void)state;
	again.seed = 9;
	c = diff_of(plain, again);
	assert_false(holds(c, "p99>+0%"));
	assert_false(holds(c, "p50>+0%"));
	assert_false(holds(c, "p50<-0%"));
	done(c);
}

/* --- formats --- */

static char *print(const struct diff_format *format, struct comparison *c, const char *fail_on)
{
	struct condition condition = {0};
	struct verdict v = {
		.comparison = c, .conditions = &condition, .nr_conditions = fail_on != NULL};
	char *buf = NULL, why[200];
	size_t bytes, at;
	FILE *out = open_memstream(&buf, &bytes);

	if (fail_on)
		assert_true(failon__parse(fail_on, &condition.failon, &at, why, sizeof(why)));
	verdict__decide(&v);
	assert_int_equal(format->print(out, &v), 0);
	fclose(out);
	return buf;
}

static void json_says_all_of_it(void **state)
{
	struct comparison *c = diff_of(plain, stalling("external", 3));
	char *text = print(&diff_json, c, "new-site>50ms");
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *site0;

	(void)state;
	assert_non_null(o);
	assert_true(json_is_true(json_object_get(o, "failed")));
	assert_int_equal(json_array_size(json_object_get(o, "metrics")), NR_METRICS);
	site0 = json_array_get(json_object_get(o, "sites"), 0);
	assert_string_equal(json_string_value(json_object_get(site0, "judgement")), "new");
	assert_string_equal(json_string_value(json_object_get(site0, "site")),
			    "external (app/main.py:7)");
	assert_true(json_is_true(
		json_object_get(json_array_get(json_object_get(o, "conditions"), 0), "failed")));
	json_decref(o);
	free(text);
	done(c);
}

static void junit_counts_what_failed(void **state)
{
	struct comparison *c = diff_of(plain, stalling("external", 3));
	char *text = print(&diff_junit, c, NULL);

	(void)state;
	assert_non_null(strstr(text, "tests=\"4\" failures=\""));
	assert_non_null(strstr(text, "name=\"external (app/main.py:7)\">\n    <failure"));
	free(text);
	text = print(&diff_junit, c, "new-site>50ms");
	assert_non_null(strstr(text, "tests=\"1\" failures=\"1\""));
	assert_non_null(strstr(text, "new-site&gt;50ms"));
	free(text);
	done(c);
}

/* Too short for p99: 12 slices of 50 iterations. */
static struct comparison *brief_comparison(void)
{
	struct make brief = plain;

	brief.seconds = 3;
	brief.slice_iterations = 50;
	return diff_of(plain, brief);
}

static void what_was_not_judged_is_said(void **state)
{
	struct comparison *c = brief_comparison();
	char *text = print(&diff_text, c, NULL);

	(void)state;
	assert_non_null(strstr(text, "note: p99 was not judged: too few iterations, 30000 before "
				     "and 600 after; it takes 1000 a side"));
	free(text);
	text = print(&diff_markdown, c, NULL);
	assert_non_null(strstr(text, "Note: p99 was not judged"));
	free(text);
	text = print(&diff_junit, c, NULL);
	assert_non_null(strstr(text, "errors=\"0\" skipped=\"1\""));
	assert_non_null(strstr(text, "name=\"p99\">\n    <skipped message=\"too few"));
	free(text);
	text = print(&diff_junit, c, "p99>+10%");
	assert_non_null(strstr(text, "errors=\"1\" skipped=\"0\""));
	assert_non_null(strstr(text, "not judged: no difference"));
	free(text);
	text = print(&diff_text, c, "stalls_per_s>5");
	assert_null(strstr(text, "note: p99"));
	free(text);
	done(c);
}

static void losses_and_stalls_added_up_are_said(void **state)
{
	static const struct diff_format *const formats[] = {&diff_text, &diff_markdown,
							    &diff_junit};
	struct comparison *c = diff_of(plain, plain);
	char *text;

	(void)state;
	c->sides[0].recordings[0]->lost = 3;
	c->sides[1].recordings[0]->nr_added_up = 1234;
	for (int i = 0; i < 3; i++) {
		text = print(formats[i], c, NULL);
		assert_non_null(strstr(text, "3 events were lost"));
		assert_non_null(strstr(text, "1234 stalls were added up"));
		free(text);
	}
	done(c);
}

static void markdown_cannot_be_broken_by_names(void **state)
{
	struct comparison *c = diff_of(plain, stalling("a|b`<script>@all", 3));
	char *text = print(&diff_markdown, c, NULL);

	(void)state;
	assert_non_null(strstr(text, "a\\|b\\`&lt;script\\>&#64;all"));
	assert_non_null(strstr(text, "| **new** |"));
	free(text);
	done(c);
}

static void text_names_the_site_and_the_interval(void **state)
{
	struct comparison *c = diff_of(stalling("external", 3), stalling("evil\x1b[31m", 3));
	char *text = print(&diff_text, c, NULL);

	(void)state;
	assert_non_null(strstr(text, "  gone    external (app/main.py:7)"));
	assert_null(strchr(text, '\x1b'));
	free(text);
	done(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_of_t_and_normal_match_tables),
		cmocka_unit_test(block_length_follows_the_correlation),
		cmocka_unit_test(the_same_program_passes),
		cmocka_unit_test(a_tail_of_20_percent_more_is_a_regression),
		cmocka_unit_test(a_fixed_site_is_gone_and_a_broken_one_new),
		cmocka_unit_test(a_new_small_site_is_excused_when_the_whole_fell),
		cmocka_unit_test(a_site_is_the_same_in_another_checkout),
		cmocka_unit_test(runs_that_differ_by_themselves_raise_the_bar),
		cmocka_unit_test(a_healthy_side_that_waits_for_its_cpu_hides_nothing),
		cmocka_unit_test(what_is_gone_is_seen_on_a_busy_machine),
		cmocka_unit_test(rare_stalls_that_are_gone_are_seen_on_a_busy_machine),
		cmocka_unit_test(microseconds_are_no_regression),
		cmocka_unit_test(what_cannot_be_compared_is_refused),
		cmocka_unit_test(bins_stay_bounded_and_gaps_count_as_time),
		cmocka_unit_test(idle_time_at_start_and_end_counts),
		cmocka_unit_test(conditions_parse),
		cmocka_unit_test(errors_point_at_the_character),
		cmocka_unit_test(conditions_hold_when_they_should),
		cmocka_unit_test(a_wait_for_a_cpu_is_no_new_site),
		cmocka_unit_test(a_quantile_of_too_few_iterations_is_not_judged),
		cmocka_unit_test(what_was_not_judged_is_said),
		cmocka_unit_test(losses_and_stalls_added_up_are_said),
		cmocka_unit_test(noise_does_not_make_a_relative_condition_hold),
		cmocka_unit_test(json_says_all_of_it),
		cmocka_unit_test(junit_counts_what_failed),
		cmocka_unit_test(markdown_cannot_be_broken_by_names),
		cmocka_unit_test(text_names_the_site_and_the_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
