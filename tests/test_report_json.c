/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/jsonw.h"
#include "report/json.h"

static char *run_fixture(void)
{
	char *buf = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&buf, &bytes);
	struct reporter r;
	void *self;

	assert_int_equal(report_json__new(out, &r, &self), 0);
	assert_int_equal(fixture_run(&r, self), 0);
	r.free(self);
	fclose(out);
	return buf;
}

/* The n-th line of that type, parsed. */
static json_t *line(const char *text, const char *type, int n)
{
	json_error_t error;
	json_t *o;

	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		o = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, &error);
		if (!o)
			fail_msg("%s: %.*s", error.text, (int)(end - text), text);
		if (strcmp(json_string_value(json_object_get(o, "type")), type) == 0 && n-- == 0)
			return o;
		json_decref(o);
	}
	return NULL;
}

static json_int_t number(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("%s is not an integer", key);
	return json_integer_value(v);
}

static const char *text_of(json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void start_has_the_fields_of_the_contract(void **state)
{
	char *text = run_fixture();
	json_t *o = line(text, "start", 0);

	(void)state;
	assert_int_equal(number(o, "v"), 1);
	assert_string_equal(text_of(o, "time"), "2026-11-23T01:02:03.456789Z");
	assert_int_equal(number(o, "mono_ns"), 1000 * SEC);
	assert_string_equal(text_of(o, "host"), "build-7");
	assert_string_equal(text_of(o, "loopstall"), "0.1.0");
	assert_int_equal(number(o, "threshold_ns"), 10 * MS);
	assert_int_equal(json_array_size(json_object_get(o, "pids")), 2);
	json_decref(o);
	free(text);
}

static void stall_has_ledger_causes_site_and_stack(void **state)
{
	char *text = run_fixture();
	json_t *o = line(text, "stall", 0), *cause, *stack, *ledger, *value;
	json_int_t sum = 0;
	const char *key;

	(void)state;
	assert_int_equal(number(o, "ready"), 19);
	assert_false(json_is_true(json_object_get(o, "ongoing")));
	assert_null(json_object_get(o, "before_attach"));
	ledger = json_object_get(o, "ledger");
	assert_int_equal(json_object_size(ledger), LS_NR_CAUSES + 1);
	json_object_foreach (ledger, key, value)
		sum += json_integer_value(value);
	assert_int_equal(sum, number(o, "wall_ns"));
	cause = json_array_get(json_object_get(o, "causes"), 0);
	assert_string_equal(text_of(cause, "cause"), "network");
	assert_string_equal(text_of(json_object_get(cause, "call"), "object"),
			    "tcp 127.0.0.1:9009");
	assert_string_equal(text_of(json_object_get(cause, "site"), "function"), "external");
	assert_int_equal(number(json_object_get(cause, "site"), "line"), 18);
	assert_string_equal(text_of(json_object_get(cause, "callee"), "function"), "get");
	assert_string_equal(text_of(cause, "task"), "Task-7");
	stack = json_object_get(cause, "stack");
	assert_int_equal(json_array_size(stack), 6);
	assert_string_equal(text_of(json_array_get(stack, 0), "kind"), "kernel");
	assert_true(json_is_true(json_object_get(json_array_get(stack, 3), "async")));
	assert_null(json_object_get(json_array_get(stack, 0), "async"));
	json_decref(o);
	free(text);
}

static void absent_facts_are_absent_keys(void **state)
{
	char *text = run_fixture();
	json_t *o = line(text, "stall", 0);
	json_t *cpu = json_array_get(json_object_get(o, "causes"), 1);

	(void)state;
	assert_string_equal(text_of(cpu, "cause"), "cpu");
	assert_null(json_object_get(cpu, "call"));
	assert_null(json_object_get(cpu, "holder"));
	assert_null(json_object_get(cpu, "advice"));
	assert_true(json_is_true(json_object_get(cpu, "truncated")));
	json_decref(o);
	o = line(text, "stall", 1);
	assert_int_equal(
		number(json_object_get(json_array_get(json_object_get(o, "causes"), 0), "holder"),
		       "tid"),
		4720);
	json_decref(o);
	assert_null(strstr(text, ":\"\""));
	assert_null(strstr(text, "null"));
	free(text);
}

static void summary_counts_stalls_that_were_added_up(void **state)
{
	struct ls_rest rest = {.stalls = 1200, .wall_ns = 3 * SEC};
	struct ls_summary summary = {.seconds = 1};
	size_t bytes;
	char *buf = NULL;
	FILE *out = open_memstream(&buf, &bytes);
	struct reporter r;
	void *self;
	json_t *o;

	(void)state;
	assert_int_equal(report_json__new(out, &r, &self), 0);
	assert_int_equal(r.rest(self, &rest), 0);
	assert_int_equal(r.rest(self, &rest), 0);
	assert_int_equal(r.summary(self, &summary), 0);
	r.free(self);
	fclose(out);
	o = line(buf, "summary", 0);
	assert_int_equal(number(o, "stalls_added_up"), 2400);
	json_decref(o);
	free(buf);
}

static void summary_has_loops_histograms_losses_and_cost(void **state)
{
	char *text = run_fixture();
	json_t *o = line(text, "summary", 0), *loop;

	(void)state;
	assert_true(json_real_value(json_object_get(o, "seconds")) == 2.5);
	loop = json_array_get(json_object_get(o, "loops"), 0);
	assert_int_equal(number(loop, "iterations"), 1003);
	assert_int_equal(json_array_size(json_object_get(loop, "top")), 2);
	assert_int_equal(json_array_size(json_object_get(loop, "histogram")), 4);
	assert_int_equal(number(json_object_get(o, "lost"), "stacks"), 2);
	assert_int_equal(number(json_object_get(o, "overhead"), "bpf_runs"), 99);
	assert_int_equal(number(json_object_get(o, "frames"), "symbolized"), 39);
	json_decref(o);
	free(text);
}

static void quoted(const char *s, const char *expected)
{
	char *buf = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&buf, &bytes);
	struct jsonw w;

	jsonw__init(&w, out);
	jsonw__str(&w, NULL, s);
	fclose(out);
	assert_string_equal(buf, expected);
	free(buf);
}

static void strings_become_valid_utf8_without_control_characters(void **state)
{
	(void)state;
	quoted("a\"b\\c", "\"a\\\"b\\\\c\"");
	quoted("\x1b[31mred\n\t", "\"\\u001b[31mred\\u000a\\u0009\"");
	quoted("\x7f\xc2\x9b", "\"\\u007f\\u009b\"");
	quoted("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\x8c",
	       "\"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x90\x8c\"");
	quoted("\xff\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* overlong NUL */
	quoted("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* a surrogate */
	quoted("cut \xe2\x82", "\"cut \xef\xbf\xbd\xef\xbf\xbd\"");
	quoted("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void a_full_disk_ends_the_run_by_name(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct reporter r;
	void *self;

	(void)state;
	assert_int_equal(report_json__new(out, &r, &self), 0);
	assert_int_equal(fixture_run(&r, self), -ENOSPC);
	r.free(self);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_has_the_fields_of_the_contract),
		cmocka_unit_test(stall_has_ledger_causes_site_and_stack),
		cmocka_unit_test(absent_facts_are_absent_keys),
		cmocka_unit_test(summary_has_loops_histograms_losses_and_cost),
		cmocka_unit_test(summary_counts_stalls_that_were_added_up),
		cmocka_unit_test(strings_become_valid_utf8_without_control_characters),
		cmocka_unit_test(a_full_disk_ends_the_run_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
