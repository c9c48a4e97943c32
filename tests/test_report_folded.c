/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fixture.h"
#include "report/folded.h"

static char *fold(struct folded_options options, int (*run)(const struct reporter *r, void *self))
{
	char *buf = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&buf, &bytes);
	struct reporter r;
	void *self;

	assert_int_equal(report_folded__new(out, &options, &r, &self), 0);
	assert_int_equal(run(&r, self), 0);
	r.free(self);
	fclose(out);
	return buf;
}

static uint64_t sum_of(const char *text)
{
	uint64_t sum = 0;

	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		const char *space = memrchr(text, ' ', (size_t)(end - text));

		assert_non_null(space);
		sum += strtoull(space, NULL, 10);
	}
	return sum;
}

static void equal_stacks_are_one_line(void **state)
{
	char *text = fold((struct folded_options){0}, fixture_run);

	(void)state;
	assert_non_null(
		strstr(text, "uvicorn;main;run;external;get;recv;tcp_recvmsg_[k] 80012345\n"));
	assert_non_null(
		strstr(text, "uvicorn;[truncated];main;encode;deflate;deflate_fast_[i] 4000000\n"));
	assert_non_null(strstr(text, "redis-server;aeMain;redis-server+0x9f00;fdatasync;"));
	assert_non_null(strstr(text, "uvicorn;[runqueue] 3000000\n"));
	free(text);
}

static void lines_add_up_to_the_wall_time(void **state)
{
	char *text = fold((struct folded_options){0}, fixture_run);

	(void)state;
	assert_int_equal(sum_of(text), 50012345 + (4 + 12 + 30 + 80) * MS + 4 * (MS + MS / 2));
	free(text);
}

static void user_only_and_kernel_only_filter_frames(void **state)
{
	char *user = fold((struct folded_options){.user_only = true}, fixture_run);
	char *kernel = fold((struct folded_options){.kernel_only = true}, fixture_run);

	(void)state;
	assert_null(strstr(user, "_[k]"));
	assert_non_null(strstr(user, "uvicorn;main;run;external;get;recv 80012345\n"));
	assert_non_null(strstr(kernel, "uvicorn;tcp_recvmsg_[k] 80012345\n"));
	assert_non_null(strstr(kernel, "uvicorn;[cpu] 4000000\n"));
	assert_int_equal(sum_of(user), sum_of(kernel));
	free(user);
	free(kernel);
}

static int run_hostile(const struct reporter *r, void *self)
{
	struct ls_frame frame = {.function = "a;b\nc \xff"};
	struct ls_blame b = {.cause = LS_CPU, .ns = 5, .stack = {.frames = &frame, .nr_frames = 1}};
	struct ls_stall s = {.comm = "x;y", .causes = &b, .nr_causes = 1, .wall_ns = 5};
	struct ls_summary summary = {0};

	s.ledger.ns[LS_CPU] = 5;
	assert_int_equal(r->stall(self, &s), 0);
	return r->summary(self, &summary);
}

static void names_cannot_break_the_format(void **state)
{
	char *text = fold((struct folded_options){0}, run_hostile);

	(void)state;
	assert_string_equal(text, "x:y;a:b?c \xef\xbf\xbd 5\n");
	free(text);
}

static int run_ongoing(const struct reporter *r, void *self)
{
	struct ls_blame first = fixture_blame_network(20 * MS),
			last = fixture_blame_network(90 * MS);
	struct ls_stall a = fixture_stall(fixture_loop(), MS, &first, 1);
	struct ls_stall b = fixture_stall(fixture_loop(), MS, &last, 1);
	struct ls_stall hung = fixture_stall(fixture_redis(), MS, &first, 1);
	struct ls_summary summary = {0};

	a.ongoing = hung.ongoing = true;
	assert_int_equal(r->stall(self, &a), 0);
	assert_int_equal(r->stall(self, &hung), 0);
	assert_int_equal(r->stall(self, &b), 0);
	return r->summary(self, &summary);
}

static void a_stall_reported_while_under_way_is_counted_once(void **state)
{
	char *text = fold((struct folded_options){0}, run_ongoing);

	(void)state;
	assert_non_null(
		strstr(text, "uvicorn;main;run;external;get;recv;tcp_recvmsg_[k] 90000000\n"));
	assert_non_null(
		strstr(text, "redis-server;main;run;external;get;recv;tcp_recvmsg_[k] 20000000\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_stacks_are_one_line),
		cmocka_unit_test(lines_add_up_to_the_wall_time),
		cmocka_unit_test(user_only_and_kernel_only_filter_frames),
		cmocka_unit_test(names_cannot_break_the_format),
		cmocka_unit_test(a_stall_reported_while_under_way_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
