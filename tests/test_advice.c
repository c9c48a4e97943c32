/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where the sentence depends on more than the cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/advice.h"

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
		cmocka_unit_test(a_library_that_naps_wants_a_thread),
		cmocka_unit_test(the_programs_own_sleep_wants_a_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
