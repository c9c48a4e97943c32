/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "account.h"
#include "clock.h"
#include "export/buffer.h"
#include "export/exposition.h"
#include "export/labels.h"
#include "export/metrics.h"
#include "fixture.h"

static const struct metrics_options defaults = {
	.threshold_ns = 10 * MS,
	.expire_ns = 300 * SEC,
	.max_sites = 4,
	.max_ended = 8,
	.buckets = 2,
};

static char *write_text(const struct metrics *m, enum exposition_format format)
{
	struct buffer out = {0};

	exposition__write(m, format, &out);
	buffer__add(&out, "", 1);
	assert_false(out.failed);
	return out.text;
}

/* The value of the line that begins with `series`; fails when there is none. */
static double value_of(const char *text, const char *series)
{
	const char *at = strstr(text, series);

	if (!at)
		fail_msg("no series %s", series);
	return strtod(at + strlen(series), NULL);
}

static struct ls_stall stall_of(const char *comm, enum ls_cause cause, uint64_t ns,
				const struct ls_blame *blame)
{
	struct ls_stall s = {.pid = 7,
			     .tid = 8,
			     .comm = comm,
			     .kind = "epoll",
			     .wall_ns = ns,
			     .time_ns = 5 * SEC};

	s.ledger.ns[cause] = ns;
	s.causes = blame;
	s.nr_causes = blame ? 1 : 0;
	return s;
}

static struct ls_loop loop_named(const char *comm)
{
	return (struct ls_loop){
		.pid = 7, .tid = 8, .comm = comm, .kind = "epoll", .wait = "epoll_wait"};
}

static struct metrics *metrics_with(const struct ls_loop *loop)
{
	struct metrics *m = metrics__new(&defaults);

	assert_non_null(m);
	assert_int_equal(metrics_reporter.loop(m, loop), 0);
	return m;
}

/* --- labels ----------------------------------------------------------------------------------- */

static void label_values_are_escaped(void **state)
{
	struct buffer out = {0};

	(void)state;
	label__write(&out, "a", "q\"b\\s\nn", true);
	buffer__add(&out, "", 1);
	assert_string_equal(out.text, ",a=\"q\\\"b\\\\s\\nn\"");
	buffer__free(&out);
}

static void label_values_are_valid_utf8_and_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	label__clean("a\xff\x01", out, sizeof(out));
	assert_string_equal(out, "a\xef\xbf\xbd?");
	label__clean("abcdef\xc3\xa9", out, sizeof(out));
	assert_string_equal(out, "abcdef");
}

static void two_hostile_names_that_look_alike_are_one_series(void **state)
{
	struct ls_loop a = loop_named("x\x80"), b = loop_named("x\x81");
	struct metrics *m = metrics_with(&a);

	(void)state;
	assert_int_equal(metrics_reporter.loop(m, &b), 0);
	assert_int_equal(m->nr_series, 1);
	metrics__free(m);
}

static void a_containers_id_is_found_in_its_cgroup(void **state)
{
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	static const char *const with[] = {
		"/docker/" ID,
		"/system.slice/docker-" ID ".scope",
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1234.slice/"
		"cri-containerd-" ID ".scope",
		"/kubepods/besteffort/pod2f1a/" ID,
	};
	char id[LABEL_CONTAINER_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		assert_true(label__container(with[i], id));
		assert_string_equal(id, ID);
	}
	assert_false(label__container("/system.slice/nginx.service", id));
	assert_false(label__container("/x/0" ID, id));
	assert_string_equal(id, "");
}

/* --- histograms ------------------------------------------------------------------------------- */

static void iteration_buckets_are_cumulative_and_hold_every_length(void **state)
{
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_loop_state s = {.tid = 8, .tgid = 7};
	uint64_t lengths[] = {0, 1000, 4095, 4096, 70 * MS, 20 * SEC, 2000 * SEC};
	double last = 0;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		s.histogram[hist_bucket(lengths[i])]++;
	s.busy_ns = 123456789;
	metrics__observe(m, &loop, &s, SEC);
	text = write_text(m, FORMAT_TEXT);
	for (const char *at = text; (at = strstr(at, "iteration_seconds_bucket{")); at++) {
		double v = strtod(strstr(at, "\"} ") + 3, NULL);

		assert_true(v >= last);
		last = v;
	}
	assert_true(last == 7);
#define LABELS "{pid=\"7\",tid=\"8\",comm=\"app\",kind=\"epoll\""
	assert_true(value_of(text, "bucket" LABELS ",le=\"0.000004096\"} ") == 3);
	assert_true(value_of(text, "bucket" LABELS ",le=\"0.000006144\"} ") == 4);
	assert_true(value_of(text, "bucket" LABELS ",le=\"17.179869184\"} ") == 5);
	assert_true(value_of(text, "bucket" LABELS ",le=\"+Inf\"} ") == 7);
	assert_true(value_of(text, "iteration_seconds_count" LABELS "} ") == 7);
	assert_non_null(strstr(text, "iteration_seconds_sum" LABELS "} 0.123456789\n"));
	free(text);
	metrics__free(m);
}

/* Lengths between `least` ns and a million times that, as many short as long ones. */
static uint64_t random_length(uint64_t *random, uint64_t least)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return least * exp((double)(*random >> 11) / (1ULL << 53) * log(1e6));
}

static int compare_lengths(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

enum { NR_LENGTHS = 1000 };

/* What is served of iterations of random lengths, and the lengths, sorted. */
static char *serve_lengths(unsigned int buckets, uint64_t seed, uint64_t lengths[NR_LENGTHS])
{
	struct metrics_options options = defaults;
	struct ls_loop loop = loop_named("app");
	struct ls_loop_state s = {.tid = 8, .tgid = 7};
	struct metrics *m;
	char *text;

	options.buckets = buckets;
	m = metrics__new(&options);
	assert_non_null(m);
	assert_int_equal(metrics_reporter.loop(m, &loop), 0);
	for (int i = 0; i < NR_LENGTHS; i++) {
		lengths[i] = random_length(&seed, 5000);
		s.histogram[hist_bucket(lengths[i])]++;
	}
	qsort(lengths, NR_LENGTHS, sizeof(*lengths), compare_lengths);
	metrics__observe(m, &loop, &s, SEC);
	text = write_text(m, FORMAT_TEXT);
	metrics__free(m);
	return text;
}

/* As Prometheus does it, over the lines of one loop. */
static double histogram_quantile(const char *text, double q)
{
	double lower = 0, below = 0, rank = q * NR_LENGTHS;

	for (const char *at = text; (at = strstr(at, "iteration_seconds_bucket{")); at++) {
		double upper = strtod(strstr(at, "le=\"") + 4, NULL);
		double count = strtod(strstr(at, "\"} ") + 3, NULL);

		if (count >= rank)
			return lower + (upper - lower) * (rank - below) / (count - below);
		lower = upper;
		below = count;
	}
	return 0;
}

static double error_of(double seconds, const uint64_t lengths[NR_LENGTHS], double q)
{
	double truth = lengths[(int)ceil(q * NR_LENGTHS) - 1] / 1e9;

	return fabs(seconds - truth) / truth;
}

static void served_quantiles_are_right_to_a_tenth_whatever_the_buckets(void **state)
{
	static const char *const names[] = {"0.5", "0.9", "0.99"};
	uint64_t lengths[NR_LENGTHS];
	char series[128];

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		char *text = serve_lengths(seed % 2 + 1, seed, lengths);

		for (int i = 0; i < ITERATION_QUANTILES; i++) {
			snprintf(series, sizeof(series),
				 "iteration_quantile_seconds" LABELS ",quantile=\"%s\"} ",
				 names[i]);
			assert_true(error_of(value_of(text, series), lengths, atof(names[i])) <
				    0.0626);
		}
		free(text);
	}
}

static void histogram_quantile_is_as_right_as_the_buckets_are_narrow(void **state)
{
	static const double most[] = {[1] = 1, [2] = 0.5, [4] = 0.25, [8] = 0.125};
	uint64_t lengths[NR_LENGTHS];

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		unsigned int buckets = 1U << seed % 4;
		char *text = serve_lengths(buckets, seed, lengths);

		for (double q = 10; q < 100; q++)
			assert_true(error_of(histogram_quantile(text, q / 100), lengths, q / 100) <=
				    most[buckets]);
		free(text);
	}
}

static void quantiles_are_of_the_last_minute(void **state)
{
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_loop_state s = {.tid = 8, .tgid = 7};
	char *text;

	(void)state;
	s.histogram[hist_bucket(8000)] = 100000; /* long ago */
	for (int second = 100; second < 200; second += 10)
		metrics__observe(m, &loop, &s, second * SEC);
	s.histogram[hist_bucket(50 * MS)] = 10;
	metrics__observe(m, &loop, &s, 200 * SEC);
	text = write_text(m, FORMAT_TEXT);
	assert_true(fabs(value_of(text, "quantile_seconds" LABELS ",quantile=\"0.5\"} ") / 0.05 -
			 1) < 0.07);
	free(text);
	for (int second = 210; second < 300; second += 10)
		metrics__observe(m, &loop, &s, second * SEC);
	text = write_text(m, FORMAT_TEXT);
	assert_null(strstr(text, "quantile_seconds{")); /* none in the last minute */
	free(text);
	metrics__free(m);
}

static void counters_of_32_bits_may_wrap(void **state)
{
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_loop_state s = {.tid = 8, .tgid = 7};
	unsigned int cell = hist_bucket(3 * MS);
	char *text;

	(void)state;
	s.histogram[cell] = UINT32_MAX;
	metrics__observe(m, &loop, &s, SEC);
	s.histogram[cell] = 1;
	metrics__observe(m, &loop, &s, 2 * SEC);
	text = write_text(m, FORMAT_TEXT);
	assert_true(value_of(text, "iteration_seconds_count" LABELS "} ") == 4294967297.0);
	free(text);
	metrics__free(m);
}

static void a_stall_counts_under_the_cause_of_most_of_its_time(void **state)
{
	struct ls_frame frame = {.function = "get", .file = "/srv/a.py", .line = 7};
	struct ls_blame blame = {.cause = LS_NETWORK, .ns = 60 * MS, .site = &frame};
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_stall s = stall_of("app", LS_NETWORK, 60 * MS, &blame);
	char *text;

	(void)state;
	s.wall_ns = 70 * MS;
	s.ledger.ns[LS_CPU] = 9 * MS;
	s.ledger.unaccounted_ns = 1 * MS;
	assert_int_equal(metrics_reporter.stall(m, &s), 0);
	text = write_text(m, FORMAT_OPENMETRICS);
	assert_true(value_of(text, "stall_seconds_count" LABELS ",cause=\"network\"} ") == 1);
	assert_null(strstr(text, "cause=\"cpu\""));
	assert_null(strstr(text, "cause=\"network\",le=\"0.01\"")); /* no stall is as short */
	assert_non_null(strstr(text, ",cause=\"network\",le=\"0.05\"} 0\n"));
	assert_non_null(strstr(text,
			       ",cause=\"network\",le=\"0.1\"} 1 # {site=\"get (/srv/a.py:7)\"} "
			       "0.07 5.07\n"));
	assert_non_null(strstr(text, ",cause=\"network\",le=\"1.0\"} 1\n"));
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
	text = write_text(m, FORMAT_TEXT);
	assert_null(strstr(text, " # {"));
	assert_null(strstr(text, "# EOF"));
	free(text);
	metrics__free(m);
}

static void stalled_time_balances_with_what_is_unaccounted(void **state)
{
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_loop_state s = {.tid = 8, .tgid = 7, .stalled_wall_ns = 50 * MS};
	char *text;

	(void)state;
	s.stalled_ns[LS_DISK] = 48 * MS;
	metrics__observe(m, &loop, &s, SEC);
	/* Read in the middle of an update: the causes are there, the wall time is not yet. */
	s.stalled_ns[LS_DISK] = 98 * MS;
	metrics__observe(m, &loop, &s, 2 * SEC);
	s.stalled_wall_ns = 100 * MS;
	metrics__observe(m, &loop, &s, 3 * SEC);
	text = write_text(m, FORMAT_TEXT);
	assert_true(value_of(text, "stalled_seconds_total" LABELS ",cause=\"disk\"} ") == 0.098);
	assert_true(value_of(text, "stalled_seconds_total" LABELS ",cause=\"unaccounted\"} ") ==
		    0.002);
	free(text);
	metrics__free(m);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void count_at(struct site_counters *s, const char *site, uint64_t ns)
{
	site_counters__count(s, "app", LS_SLEEP, site, ns);
}

static uint64_t shown_ns(const struct site_counters *s, const char *site)
{
	for (size_t i = 0; i < s->nr; i++)
		if (s->items[i].shown && !strcmp(s->items[i].site, site))
			return s->items[i].ns;
	return UINT64_MAX;
}

static void sites_over_the_bound_are_added_up_as_other(void **state)
{
	struct site_counters s;
	uint64_t sum = 0;
	size_t shown = 0;
	char name[16];

	(void)state;
	assert_int_equal(site_counters__init(&s, 4), 0);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "site-%d", i);
			count_at(&s, name, (i + 1) * 1000);
		}
		site_counters__rerank(&s);
	}
	for (size_t i = 0; i < s.nr; i++)
		shown += s.items[i].shown;
	assert_int_equal(shown, 4);
	for (size_t i = 0; i < s.nr; i++)
		sum += s.items[i].shown ? s.items[i].ns : 0;
	assert_true(s.other_ns[LS_SLEEP] + sum <= 50ULL * 500500 * 1000);
	assert_true(s.other_ns[LS_SLEEP] > 0);
	site_counters__free(&s);
}

static void a_site_that_becomes_the_worst_is_shown_and_no_counter_goes_back(void **state)
{
	struct site_counters s;
	uint64_t other;

	(void)state;
	assert_int_equal(site_counters__init(&s, 2), 0);
	count_at(&s, "a", 10 * SEC);
	count_at(&s, "b", 5 * SEC);
	count_at(&s, "late", 8 * SEC);
	site_counters__rerank(&s);
	assert_true(shown_ns(&s, "late") == UINT64_MAX); /* not clearly worse */
	count_at(&s, "late", 20 * SEC);
	other = s.other_ns[LS_SLEEP];
	assert_true(other == 28 * SEC);
	site_counters__rerank(&s);
	assert_true(shown_ns(&s, "b") == UINT64_MAX);
	assert_true(shown_ns(&s, "late") == 0); /* what it had stays with the others */
	assert_true(s.other_ns[LS_SLEEP] == other);
	count_at(&s, "late", SEC);
	count_at(&s, "b", 200 * SEC);
	assert_true(shown_ns(&s, "late") == SEC);
	site_counters__rerank(&s);
	assert_true(shown_ns(&s, "b") == 5 * SEC); /* it goes on where it was */
	site_counters__free(&s);
}

static void an_ended_loop_expires_and_its_totals_survive_an_exec(void **state)
{
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_loop_state s = {.tid = 8, .tgid = 7, .busy_ns = 4 * SEC};
	uint64_t now;
	char *text;

	(void)state;
	s.histogram[hist_bucket(MS)] = 5;
	assert_int_equal(metrics_reporter.ended(m, &loop, &s), 0);
	now = clock__mono_ns();
	metrics__expire(m, now + 299 * SEC);
	assert_int_equal(m->nr_series, 1);
	text = write_text(m, FORMAT_TEXT);
	assert_null(strstr(text, "busy_ratio{"));
	free(text);

	assert_int_equal(metrics_reporter.loop(m, &loop), 0);
	s.histogram[hist_bucket(MS)] = 2;
	s.busy_ns = SEC;
	metrics__observe(m, &loop, &s, now);
	text = write_text(m, FORMAT_TEXT);
	assert_true(value_of(text, "iteration_seconds_count" LABELS "} ") == 7);
	assert_true(value_of(text, "iteration_seconds_sum" LABELS "} ") == 5);
	free(text);

	assert_int_equal(metrics_reporter.ended(m, &loop, &s), 0);
	metrics__expire(m, now + 400 * SEC);
	assert_int_equal(m->nr_series, 0);
	metrics__free(m);
}

static void ended_loops_are_bounded(void **state)
{
	struct metrics *m = metrics__new(&defaults);
	struct ls_loop_state s = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct ls_loop loop = {
			.pid = 100 + i, .tid = 100 + i, .comm = "short", .kind = "epoll"};

		assert_int_equal(metrics_reporter.loop(m, &loop), 0);
		assert_int_equal(metrics_reporter.ended(m, &loop, &s), 0);
		assert_in_range(m->nr_series, 1,
				2 * defaults.max_ended); /* nobody asks meanwhile */
	}
	metrics__expire(m, clock__mono_ns());
	assert_int_equal(m->nr_series, defaults.max_ended);
	metrics__free(m);
}

static void a_hang_shows_while_it_lasts(void **state)
{
	struct ls_loop loop = loop_named("app");
	struct metrics *m = metrics_with(&loop);
	struct ls_loop_state s = {.tid = 8, .tgid = 7, .start_ns = 100 * SEC};
	char *text;

	(void)state;
	metrics__observe(m, &loop, &s, 160 * SEC);
	text = write_text(m, FORMAT_TEXT);
	assert_true(value_of(text, "ongoing_stall_seconds" LABELS "} ") == 60);
	assert_true(value_of(text, "busy_ratio" LABELS "} ") == 1);
	free(text);
	s.start_ns = 0;
	s.wait_since_ns = 160 * SEC;
	metrics__observe(m, &loop, &s, 220 * SEC);
	text = write_text(m, FORMAT_TEXT);
	assert_true(value_of(text, "ongoing_stall_seconds" LABELS "} ") == 0);
	free(text);
	metrics__free(m);
}

/* --- negotiation and the web's file ------------------------------------------------------------ */

static void openmetrics_only_when_asked_for(void **state)
{
	static const struct {
		const char *accept;
		enum exposition_format format;
	} cases[] = {
		{NULL, FORMAT_TEXT},
		{"*/*", FORMAT_TEXT},
		{"text/plain", FORMAT_TEXT},
		{"application/openmetrics-text;q=0", FORMAT_TEXT},
		{"application/openmetrics-text", FORMAT_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 FORMAT_OPENMETRICS},
		{"text/plain;q=0.9,application/openmetrics-text;q=0.1", FORMAT_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(exposition__negotiate(cases[i].accept), cases[i].format);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(label_values_are_valid_utf8_and_cut_between_characters),
		cmocka_unit_test(two_hostile_names_that_look_alike_are_one_series),
		cmocka_unit_test(a_containers_id_is_found_in_its_cgroup),
		cmocka_unit_test(iteration_buckets_are_cumulative_and_hold_every_length),
		cmocka_unit_test(served_quantiles_are_right_to_a_tenth_whatever_the_buckets),
		cmocka_unit_test(histogram_quantile_is_as_right_as_the_buckets_are_narrow),
		cmocka_unit_test(quantiles_are_of_the_last_minute),
		cmocka_unit_test(counters_of_32_bits_may_wrap),
		cmocka_unit_test(a_stall_counts_under_the_cause_of_most_of_its_time),
		cmocka_unit_test(stalled_time_balances_with_what_is_unaccounted),
		cmocka_unit_test(sites_over_the_bound_are_added_up_as_other),
		cmocka_unit_test(a_site_that_becomes_the_worst_is_shown_and_no_counter_goes_back),
		cmocka_unit_test(an_ended_loop_expires_and_its_totals_survive_an_exec),
		cmocka_unit_test(ended_loops_are_bounded),
		cmocka_unit_test(a_hang_shows_while_it_lasts),
		cmocka_unit_test(openmetrics_only_when_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
