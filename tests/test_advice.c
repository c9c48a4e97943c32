/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One sentence that helps, and none that does not hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/advice.h"

static const char *for_callee(enum ls_cause cause, const char *function, const char *file)
{
	const struct ls_frame callee = {
		.kind = LS_FRAME_PYTHON, .function = function, .file = file, .line = 1};

	return advice__for_callee(cause, &callee);
}

static void assert_says(const char *advice, const char *text)
{
	assert_non_null(advice);
	if (!strstr(advice, text))
		fail_msg("'%s' does not say '%s'", advice, text);
}

static void blocking_calls_of_python_have_the_guides_remedies(void **state)
{
	(void)state;
	assert_says(advice__for(LS_NETWORK, "asyncio", "recvfrom", NULL), "run_in_threadpool");
	assert_says(advice__for(LS_NETWORK, "uvloop", "recvfrom", NULL), "async client");
	assert_says(advice__for(LS_SLEEP, "asyncio", "clock_nanosleep", "time.sleep"),
		    "await asyncio.sleep()");
	assert_says(advice__for(LS_CPU, "asyncio", NULL, NULL), "process pool");
	assert_says(advice__for(LS_CPU, "asyncio", NULL, NULL), "picklable");
	assert_says(advice__for(LS_CPU, "asyncio", NULL, NULL), "threads do not help");
	assert_says(advice__for(LS_GIL, "uvloop", "futex", NULL), "process pool");
	assert_says(advice__in_middleware(LS_NETWORK), "middleware");
}

static void naps_of_a_library_are_no_time_sleep(void **state)
{
	(void)state;
	assert_null(strstr(advice__for(LS_SLEEP, "asyncio", "clock_nanosleep", "session.execute"),
			   "asyncio.sleep"));
}

static void where_the_gil_is_given_away_threads_do_help(void **state)
{
	(void)state;
	for (int middleware = 0; middleware < 2; middleware++) {
		assert_says(advice__without_gil(middleware), "thread");
		assert_null(strstr(advice__without_gil(middleware), "do not help"));
	}
}

static void some_functions_of_the_standard_library_have_better_advice(void **state)
{
	(void)state;
	assert_says(for_callee(LS_CPU, "_find_and_load", "<frozen importlib._bootstrap>"),
		    "when the program starts");
	assert_says(
		for_callee(LS_PIPE, "Logger.warning", "/usr/lib/python3.11/logging/__init__.py"),
		"QueueHandler");
	assert_says(for_callee(LS_LOCK, "Future.result",
			       "/usr/lib/python3.11/concurrent/futures/_base.py"),
		    "await the future");
	assert_says(for_callee(LS_LOCK, "Thread.join", "/usr/lib/python3.11/threading.py"),
		    "asyncio.to_thread");
	assert_null(for_callee(LS_LOCK, "Thread.start", "/usr/lib/python3.11/threading.py"));
	assert_null(
		for_callee(LS_CPU, "Logger.warning", "/usr/lib/python3.11/logging/__init__.py"));
	assert_null(for_callee(LS_LOCK, "join", "/srv/app.py"));
	assert_null(for_callee(LS_LOCK, "join", NULL));
	assert_null(advice__for_callee(LS_LOCK, NULL));
}

static void every_cause_of_every_runtime_has_a_sentence_or_none(void **state)
{
	static const char *const kinds[] = {"asyncio", "uvloop", "node", "redis", NULL};

	(void)state;
	for (int cause = 0; cause < LS_NR_CAUSES; cause++)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			const char *advice = advice__for(cause, kinds[i], NULL, NULL);

			assert_true(!advice || strlen(advice) > 20);
			assert_true(!advice || !strchr(advice, '\n'));
		}
	assert_null(advice__for(LS_NR_CAUSES, "asyncio", NULL, NULL));
}

#define APP    "/srv/app"
#define SQLITE "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6"

/* A sleep in `module`, which handle() in the program called. */
static const char *advice_for(enum ls_cause cause, const char *module, const char *function)
{
	const struct ls_frame frames[] = {
		{.kind = LS_FRAME_KERNEL, .function = "hrtimer_nanosleep"},
		{.kind = LS_FRAME_NATIVE, .function = "usleep", .module = "/lib/libc.so.6"},
		{.kind = LS_FRAME_NATIVE, .function = function, .module = module},
		{.kind = LS_FRAME_NATIVE, .function = "handle", .module = APP},
	};
	struct ls_blame blame = {
		.cause = cause, .site = &frames[3], .stack = {.frames = frames, .nr_frames = 4}};

	return advice__for_naps(&blame);
}

static void a_library_that_naps_wants_a_thread(void **state)
{
	(void)state;
	assert_non_null(strstr(advice_for(LS_SLEEP, SQLITE, NULL), "thread pool"));
	assert_non_null(advice_for(LS_SLEEP, SQLITE, "sqlite3InvokeBusyHandler"));
}

static void the_programs_own_sleep_wants_a_timer(void **state)
{
	(void)state;
	assert_null(advice_for(LS_SLEEP, APP, "nap"));
	assert_null(advice_for(LS_SLEEP, "/usr/lib/libuv.so.1", "uv_sleep")); /* asked for */
	assert_null(advice_for(LS_NETWORK, SQLITE, NULL));
	assert_null(advice_for(LS_SLEEP, NULL, NULL));
	assert_null(advice__for_naps(&(struct ls_blame){.cause = LS_SLEEP}));
	assert_non_null(strstr(advice__for(LS_SLEEP, "libevent", NULL, NULL), "timer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocking_calls_of_python_have_the_guides_remedies),
		cmocka_unit_test(naps_of_a_library_are_no_time_sleep),
		cmocka_unit_test(where_the_gil_is_given_away_threads_do_help),
		cmocka_unit_test(some_functions_of_the_standard_library_have_better_advice),
		cmocka_unit_test(every_cause_of_every_runtime_has_a_sentence_or_none),
		cmocka_unit_test(a_library_that_naps_wants_a_thread),
		cmocka_unit_test(the_programs_own_sleep_wants_a_timer),
	};

	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
