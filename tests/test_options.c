/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Values of options: what is taken, and what is refused rather than guessed at. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/options.h"

static int real_stderr = -1;

/* What the parsers say on stderr goes to a file of its own, which the tests read. */
static int catch_stderr(void **state)
{
	FILE *said = tmpfile();

	if (!said)
		return -1;
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(said), STDERR_FILENO);
	*state = said;
	return 0;
}

static int release_stderr(void **state)
{
	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	fclose(*state);
	return 0;
}

/* Everything said since the test began. */
static const char *said(void **state)
{
	static char text[8192];
	ssize_t n;

	fflush(stderr);
	n = pread(fileno(*state), text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void assert_length(const char *text, uint64_t want_ns)
{
	uint64_t ns = 0;

	assert_true(parse_length(text, &ns));
	assert_int_equal(ns, want_ns);
}

static void lengths_have_units(void **state)
{
	(void)state;
	assert_length("50us", 50000);
	assert_length("10ms", 10000000);
	assert_length("1s", 1000000000);
	assert_length("1.5s", 1500000000);
	assert_length("0.25ms", 250000);
	assert_length("2500ns", 2500);
}

static void bare_length_is_microseconds_as_in_offcputime(void **state)
{
	(void)state;
	assert_length("500", 500000);
	assert_length("10000", 10000000);
}

static void lengths_are_from_a_microsecond_to_an_hour(void **state)
{
	uint64_t ns;

	(void)state;
	assert_length("1", 1000);
	assert_length("1000ns", 1000);
	assert_length("3600s", 3600000000000);
	assert_false(parse_length("999ns", &ns));
	assert_false(parse_length("0", &ns));
	assert_false(parse_length("0ms", &ns));
	assert_false(parse_length("3601s", &ns));
	assert_false(parse_length("1e300s", &ns));
}

static void what_is_no_length_is_refused_and_the_value_stays(void **state)
{
	static const char *const bad[] = {"",     "ms",   "10 ms", "10m",   "10msx", "10MS", "-5ms",
					  "soon", "nan",  "nans",  "inf",   "infs",  "-inf", "1h",
					  "10,5", "5ms ", "--5",   "1.2.3", "ms10"};
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_length(bad[i], &ns))
			fail_msg("'%s' was taken for %lu ns", bad[i], ns);
	assert_int_equal(ns, 7);
}

static void refused_length_says_how_to_write_one(void **state)
{
	uint64_t ns;

	assert_false(parse_length("soon", &ns));
	assert_non_null(strstr(said(state), "'soon'"));
	assert_non_null(strstr(said(state), "10ms"));
}

static void pids_come_in_a_list_and_add_up(void **state)
{
	struct pid_list list = {.nr = 0};

	(void)state;
	assert_true(parse_pids("12", &list));
	assert_true(parse_pids("34,56", &list));
	assert_int_equal(list.nr, 3);
	assert_int_equal(list.pids[0], 12);
	assert_int_equal(list.pids[2], 56);
}

static void what_is_no_pid_is_refused(void **state)
{
	static const char *const bad[] = {"",     "0",    "-1",         "1x",
					  "x",    "1,",   ",1",         "1,,2",
					  "1.",   "1;2",  "2147483648", "99999999999999999999",
					  "self", "1,-2", "0x10"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pid_list list = {.nr = 0};

		if (parse_pids(bad[i], &list))
			fail_msg("'%s' was taken for a list of pids", bad[i]);
	}
	assert_non_null(strstr(said(state), "-p 1234"));
}

static void more_pids_than_fit_are_refused(void **state)
{
	struct pid_list list = {.nr = 0};

	for (int i = 1; i <= MAX_PIDS; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		assert_true(parse_pids(text, &list));
	}
	assert_false(parse_pids("4711", &list));
	assert_int_equal(list.nr, MAX_PIDS);
	assert_int_equal(list.pids[MAX_PIDS - 1], MAX_PIDS);
	assert_non_null(strstr(said(state), "more than"));
}

static void pid_named_twice_is_traced_once(void **state)
{
	struct pid_list list = {.nr = 0};

	(void)state;
	assert_true(parse_pids("12,12", &list));
	assert_true(parse_pids("12", &list));
	assert_int_equal(list.nr, 1);
}

static void tid_is_one_number(void **state)
{
	pid_t tid = 0;

	(void)state;
	assert_true(parse_tid("77", &tid));
	assert_int_equal(tid, 77);
	assert_false(parse_tid("77,78", &tid));
	assert_false(parse_tid("", &tid));
	assert_false(parse_tid("0", &tid));
}

static void seconds_take_a_fraction_and_an_s(void **state)
{
	double seconds;

	(void)state;
	assert_true(parse_seconds("30", &seconds));
	assert_true(seconds == 30);
	assert_true(parse_seconds("0.5", &seconds));
	assert_true(seconds == 0.5);
	assert_true(parse_seconds("30s", &seconds));
	assert_true(seconds == 30);
}

static void what_is_no_number_of_seconds_is_refused(void **state)
{
	static const char *const bad[] = {"",    "s",   "0",  "-1",  "never", "nan",
					  "inf", "1e9", "5m", "5ms", "30ss"};
	double seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_seconds(bad[i], &seconds))
			fail_msg("'%s' was taken for %g s", bad[i], seconds);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, catch_stderr, release_stderr)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lengths_have_units),
		TEST(bare_length_is_microseconds_as_in_offcputime),
		TEST(lengths_are_from_a_microsecond_to_an_hour),
		TEST(what_is_no_length_is_refused_and_the_value_stays),
		TEST(refused_length_says_how_to_write_one),
		TEST(pids_come_in_a_list_and_add_up),
		TEST(what_is_no_pid_is_refused),
		TEST(more_pids_than_fit_are_refused),
		TEST(pid_named_twice_is_traced_once),
		TEST(tid_is_one_number),
		TEST(seconds_take_a_fraction_and_an_s),
		TEST(what_is_no_number_of_seconds_is_refused),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
