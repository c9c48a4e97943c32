/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What can be checked of the graphical and profile formats without their readers; those are asked
 * in tests/readers/check.sh. */
#include <jansson.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "fixture.h"
#include "report/flamegraph.h"
#include "report/html.h"
#include "report/perfetto.h"
#include "report/pprof.h"
#include "report/speedscope.h"

enum { ALL_NS = 50012345 + 126000000 + 6000000 }; /* the fixture's stalls together */

typedef int (*new_fn)(FILE *out, struct reporter *r, void **self);

static char *run(new_fn new, int (*source)(const struct reporter *r, void *self), size_t *bytes)
{
	char *buf = NULL;
	FILE *out = open_memstream(&buf, bytes);
	struct reporter r;
	void *self;

	assert_int_equal(new (out, &r, &self), 0);
	assert_int_equal(source(&r, self), 0);
	r.free(self);
	fclose(out);
	return buf;
}

static int nothing(const struct reporter *r, void *self)
{
	struct ls_start start = fixture_start();
	struct ls_summary summary = {.seconds = 1};
	int err = r->start ? r->start(self, &start) : 0;

	return err ? err : r->summary(self, &summary);
}

/* Names that would end every kind of text they are put into. */
static int hostile(const struct reporter *r, void *self)
{
	static const char name[] = "</script><script>alert(1)//]]>\"'&\x01\xff\n";
	struct ls_start start = fixture_start();
	struct ls_frame frame = {
		.kind = LS_FRAME_PYTHON, .function = name, .file = name, .line = 1};
	struct ls_blame b = {.cause = LS_DISK,
			     .ns = 20 * MS,
			     .count = 1,
			     .site = &frame,
			     .call = {.name = "read", .fd = 1, .object = name},
			     .advice = name,
			     .stack = {.frames = &frame, .nr_frames = 1}};
	struct ls_stall s = {.pid = 1,
			     .tid = 1,
			     .comm = name,
			     .kind = name,
			     .ready = -1,
			     .start_ns = start.mono_ns,
			     .wall_ns = 20 * MS,
			     .causes = &b,
			     .nr_causes = 1};
	struct ls_loop_summary loop = {.loop = {.pid = 1, .tid = 1, .comm = name, .kind = name}};
	struct ls_summary summary = {.seconds = 1, .loops = &loop, .nr_loops = 1};

	s.ledger.ns[LS_DISK] = 20 * MS;
	start.host = name;
	if ((r->start && r->start(self, &start)) || r->stall(self, &s))
		return -1;
	return r->summary(self, &summary);
}

static json_t *parse(char *text)
{
	json_error_t error;
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!o)
		fail_msg("%s at %d", error.text, error.position);
	free(text);
	return o;
}

static json_int_t sum(const json_t *numbers)
{
	json_int_t n = 0;

	for (size_t i = 0; i < json_array_size(numbers); i++)
		n += json_integer_value(json_array_get(numbers, i));
	return n;
}

static void speedscope_has_a_profile_a_program_and_all_the_time(void **state)
{
	size_t bytes;
	json_t *o = parse(run(report_speedscope__new, fixture_run, &bytes));
	json_t *profiles = json_object_get(o, "profiles"), *p;
	size_t frames = json_array_size(json_object_get(json_object_get(o, "shared"), "frames"));
	json_int_t all = 0;

	(void)state;
	assert_int_equal(json_array_size(profiles), 2);
	for (size_t i = 0; i < 2; i++) {
		p = json_array_get(profiles, i);
		assert_string_equal(json_string_value(json_object_get(p, "unit")), "nanoseconds");
		assert_int_equal(json_array_size(json_object_get(p, "samples")),
				 json_array_size(json_object_get(p, "weights")));
		assert_int_equal(sum(json_object_get(p, "weights")),
				 json_integer_value(json_object_get(p, "endValue")));
		all += json_integer_value(json_object_get(p, "endValue"));
		for (size_t s = 0; s < json_array_size(json_object_get(p, "samples")); s++) {
			json_t *sample = json_array_get(json_object_get(p, "samples"), s);

			for (size_t f = 0; f < json_array_size(sample); f++)
				assert_true((size_t)json_integer_value(json_array_get(sample, f)) <
					    frames);
		}
	}
	assert_int_equal(all, ALL_NS);
	json_decref(o);
}

static void perfetto_draws_stalls_with_their_causes_inside(void **state)
{
	size_t bytes;
	json_t *o = parse(run(report_perfetto__new, fixture_run, &bytes));
	json_t *events = json_object_get(o, "traceEvents"), *e;
	double end = 0, begin = 0;
	int stalls = 0, causes = 0;

	(void)state;
	for (size_t i = 0; i < json_array_size(events); i++) {
		e = json_array_get(events, i);
		if (strcmp(json_string_value(json_object_get(e, "ph")), "X") != 0)
			continue;
		if (strcmp(json_string_value(json_object_get(e, "cat")), "stall") == 0) {
			begin = json_real_value(json_object_get(e, "ts"));
			end = begin + json_real_value(json_object_get(e, "dur"));
			stalls++;
			continue;
		}
		causes++;
		assert_true(json_real_value(json_object_get(e, "ts")) >= begin - 0.001);
		assert_true(json_real_value(json_object_get(e, "ts")) +
				    json_real_value(json_object_get(e, "dur")) <=
			    end + 0.002);
	}
	assert_int_equal(stalls, 4);
	assert_int_equal(causes, 5);
	json_decref(o);
}

static void pprof_is_gzip_with_every_name(void **state)
{
	static const char *const names[] = {
		"stall",    "nanoseconds", "stalls",   "count",
		"cause",    "object",      "network",  "tcp 127.0.0.1:9009",
		"external", "/srv/app.py", "[kernel]", "0123456789abcdef0123456789abcdef01234567"};
	size_t bytes;
	char *gz = run(report_pprof__new, fixture_run, &bytes), out[65536];
	z_stream z = {.next_in = (unsigned char *)gz,
		      .avail_in = (uInt)bytes,
		      .next_out = (unsigned char *)out,
		      .avail_out = sizeof(out)};

	(void)state;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!memmem(out, z.total_out, names[i], strlen(names[i])))
			fail_msg("%s is missing", names[i]);
	inflateEnd(&z);
	free(gz);
}

/* The widths of a parent's children never exceed its own. */
static void flame_graph_boxes_add_up(void **state)
{
	size_t bytes;
	char *svg = run(report_flamegraph__new, fixture_run, &bytes);
	double at_depth[64] = {0};
	unsigned int depth;
	double x, w;

	(void)state;
	for (const char *p = svg; (p = strstr(p, "<g class=\"f\" data-d=\"")); p++) {
		assert_int_equal(
			sscanf(p, "<g class=\"f\" data-d=\"%u\" data-x=\"%lf\" data-w=\"%lf\"",
			       &depth, &x, &w),
			3);
		at_depth[depth] += w;
		assert_true(x >= 0 && x + w <= 1180.01);
	}
	assert_true(at_depth[0] > 1179.9 && at_depth[1] > 1179.9);
	for (int d = 1; d < 64; d++)
		assert_true(at_depth[d] <= at_depth[d - 1] + 0.01);
	assert_non_null(strstr(svg, "network: recvfrom tcp 127.0.0.1:9009"));
	free(svg);
}

static void a_run_without_stalls_is_a_valid_report(void **state)
{
	static const new_fn all[] = {report_speedscope__new, report_perfetto__new,
				     report_pprof__new, report_flamegraph__new, report_html__new};
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char *text = run(all[i], nothing, &bytes);

		assert_true(bytes > 10);
		if (i < 2)
			json_decref(parse(text));
		else
			free(text);
	}
}

static void names_cannot_break_out(void **state)
{
	size_t bytes;
	char *text;

	(void)state;
	json_decref(parse(run(report_speedscope__new, hostile, &bytes)));
	json_decref(parse(run(report_perfetto__new, hostile, &bytes)));
	text = run(report_flamegraph__new, hostile, &bytes);
	assert_null(strstr(text, "<script>alert"));
	assert_null(memchr(text, 1, bytes));
	free(text);
	text = run(report_html__new, hostile, &bytes);
	assert_null(strstr(text, "<script>alert"));
	assert_null(strstr(text, "</script><"));
	free(text);
}

/* A report must not ask the network for anything; the SVG's namespace is no request. */
static void pages_need_no_network(void **state)
{
	static const new_fn all[] = {report_flamegraph__new, report_html__new};
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *text = run(all[i], fixture_run, &bytes);

		for (const char *p = text; (p = strstr(p, "://")); p++)
			assert_true(strncmp(p - 4, "http://www.w3.org/2000/svg", 26) == 0);
		assert_null(strstr(text, "@import"));
		assert_null(strstr(text, " src="));
		assert_null(strstr(text, "url("));
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speedscope_has_a_profile_a_program_and_all_the_time),
		cmocka_unit_test(perfetto_draws_stalls_with_their_causes_inside),
		cmocka_unit_test(pprof_is_gzip_with_every_name),
		cmocka_unit_test(flame_graph_boxes_add_up),
		cmocka_unit_test(a_run_without_stalls_is_a_valid_report),
		cmocka_unit_test(names_cannot_break_out),
		cmocka_unit_test(pages_need_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
