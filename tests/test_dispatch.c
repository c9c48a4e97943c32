/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where a loop ends and its callback begins, on made-up stacks of the loops that people run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "trace/dispatch.h"

static const char libc[] = "/lib/x86_64-linux-gnu/libc.so.6";
static const char libevent[] = "/lib/x86_64-linux-gnu/libevent-2.1.so.7";
static const char libuv[] = "/lib/x86_64-linux-gnu/libuv.so.1";
static const char app[] = "/srv/app";

/* What the tests say of a frame. `pc` 0: the same call as in the home wait. */
struct said {
	const char *function, *module;
	const char *inlined; /* the function inlined there; NULL none */
	uint64_t pc;
};

struct stack {
	struct ls_frame names[32][2];
	struct native_frame frames[32];
	size_t nr;
};

/* Frames leaf first; the stack pointer grows by 100 a frame from the outer end inwards, so that the outer
 * frames of two stacks are the same activations. */
static void build(struct stack *s, const struct said *said, size_t nr)
{
	memset(s, 0, sizeof(*s));
	s->nr = nr;
	for (size_t i = 0; i < nr; i++) {
		struct native_frame *f = &s->frames[i];
		size_t n = 0;

		if (said[i].inlined)
			s->names[i][n++] = (struct ls_frame){.function = said[i].inlined,
							     .module = said[i].module,
							     .inlined = true};
		s->names[i][n++] =
			(struct ls_frame){.function = said[i].function, .module = said[i].module};
		f->frames = s->names[i];
		f->nr_frames = n;
		f->sp = 0x7fff00000000 - 100 * (nr - i);
		f->pc = 0x1000 * (nr - i) + said[i].pc;
		f->is_libc = said[i].module == libc;
		f->is_library = said[i].module != app;
	}
}

#define F(f, m, ...)                                      \
	{                                                 \
		.function = f, .module = m, ##__VA_ARGS__ \
	}
#define BUILD(s, ...)                                           \
	do {                                                    \
		const struct said said[] = {__VA_ARGS__};       \
		build(s, said, sizeof(said) / sizeof(said[0])); \
	} while (0)

static struct home_stack home_of(const struct stack *s)
{
	struct home_stack home;

	home_stack__set(&home, s->frames, s->nr);
	return home;
}

static void assert_site(const struct home_stack *home, const struct stack *s, const char *function)
{
	ssize_t i = dispatch__site(home, s->frames, s->nr);

	assert_in_range(i, 0, s->nr - 1);
	assert_string_equal(s->frames[i].frames[s->frames[i].nr_frames - 1].function, function);
}

static const struct home_stack unknown = {.nr = 0};

/* --- site ----------------------------------------------------------------------------------- */

static void redis_site_is_the_command(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("aeApiPoll", app), F("aeProcessEvents", app),
	      F("aeMain", app), F("main", app));
	BUILD(&s, F("write", libc), F("rdbSave", app), F("saveCommand", app), F("call", app),
	      F("processCommand", app), F("processInputBuffer", app), F("readQueryFromClient", app),
	      F("connSocketEventHandler", app), F("aeProcessEvents", app, .pc = 7),
	      F("aeMain", app), F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "saveCommand");
	assert_site(&unknown, &s, "saveCommand");
}

/* Debian's: the static functions between those that are exported have no names. */
static void stripped_redis_site_is_the_command(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F(NULL, app), F("aeMain", app), F("main", app));
	BUILD(&s, F("nanosleep", libc), F("debugCommand", app), F("call", app),
	      F("processCommand", app), F("processInputBuffer", app), F("readQueryFromClient", app),
	      F(NULL, app), F(NULL, app, .pc = 7), F("aeMain", app), F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "debugCommand");
	assert_site(&unknown, &s, "debugCommand");
}

static void unnamed_callback_of_a_known_loop_is_not_passed_over(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("aeApiPoll", app), F("aeProcessEvents", app),
	      F("aeMain", app), F("main", app));
	BUILD(&s, F("write", libc), F("flush", app), F(NULL, app),
	      F("aeProcessEvents", app, .pc = 7), F("aeMain", app), F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "flush");
}

static void redis_timer_is_a_site_too(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("aeApiPoll", app), F("aeProcessEvents", app),
	      F("aeMain", app), F("main", app));
	BUILD(&s, F("fork", libc), F("rdbSaveBackground", app), F("serverCron", app),
	      F("aeProcessEvents", app, .pc = 9), F("aeMain", app), F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "serverCron");
}

static void nginx_site_is_the_handler_of_the_event(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("ngx_epoll_process_events", app),
	      F("ngx_process_events_and_timers", app), F("ngx_worker_process_cycle", app),
	      F("main", app));
	BUILD(&s, F("pread", libc), F("ngx_read_file", app),
	      F("ngx_http_wait_request_handler", app), F("ngx_epoll_process_events", app, .pc = 4),
	      F("ngx_process_events_and_timers", app), F("ngx_worker_process_cycle", app),
	      F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "ngx_http_wait_request_handler");
	assert_site(&unknown, &s, "ngx_http_wait_request_handler");
}

static void libuv_site_is_below_its_own_streams(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_pwait", libc), F("uv__io_poll", libuv), F("uv_run", libuv),
	      F("main", app));
	BUILD(&s, F("nanosleep", libc), F("on_read", app), F("uv__read", libuv),
	      F("uv__stream_io", libuv), F("uv__io_poll", libuv, .pc = 3), F("uv_run", libuv),
	      F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "on_read");
	assert_site(&unknown, &s, "on_read");
}

static void call_back_into_the_library_is_not_the_site(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_pwait", libc), F("uv__io_poll", libuv), F("uv_run", libuv),
	      F("main", app));
	/* The callback calls uv_fs_read(), which blocks: the callback is the site. */
	BUILD(&s, F("pread64", libc), F("uv_fs_read", libuv), F("on_read", app),
	      F("uv__read", libuv), F("uv__io_poll", libuv, .pc = 3), F("uv_run", libuv),
	      F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "on_read");
}

static void libevent_without_names_is_known_by_its_library(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F(NULL, libevent), F("event_base_loop", libevent),
	      F("main", app));
	BUILD(&s, F("recv", libc), F("on_request", app), F(NULL, libevent), F(NULL, libevent),
	      F("event_base_loop", libevent, .pc = 8), F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "on_request");
}

static void own_loop_in_main_dispatches_a_function_of_the_program(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("main", app), F("__libc_start_main", libc));
	BUILD(&s, F("read", libc), F("read_config", app), F("on_client", app),
	      F("main", app, .pc = 5), F("__libc_start_main", libc));
	home = home_of(&wait);
	assert_site(&home, &s, "on_client");
}

static void callback_inlined_into_the_loop_leaves_the_loop_itself(void **state)
{
	struct stack wait, s;
	struct home_stack home;
	ssize_t i;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("main", app), F("__libc_start_main", libc));
	BUILD(&s, F("read", libc), F("main", app, .inlined = "on_client", .pc = 5),
	      F("__libc_start_main", libc));
	home = home_of(&wait);
	i = dispatch__site(&home, s.frames, s.nr);
	assert_int_equal(i, 1);
	assert_string_equal(s.frames[i].frames[0].function, "on_client");
}

static void cpu_time_in_the_loop_itself_is_the_loops(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("main", app), F("__libc_start_main", libc));
	BUILD(&s, F("main", app, .pc = 5), F("__libc_start_main", libc));
	home = home_of(&wait);
	assert_int_equal(dispatch__site(&home, s.frames, s.nr), 0);
}

static void stripped_callback_is_named_by_the_first_function_with_a_name(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F(NULL, app), F("__libc_start_main", libc));
	BUILD(&s, F("read", libc), F("inner", app), F("exported", app), F(NULL, app),
	      F(NULL, app, .pc = 5), F("__libc_start_main", libc));
	home = home_of(&wait);
	assert_site(&home, &s, "exported");
}

static void stripped_stack_without_any_name_keeps_the_callback(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F(NULL, app), F("__libc_start_main", libc));
	BUILD(&s, F("read", libc), F(NULL, app), F(NULL, app), F(NULL, app, .pc = 5),
	      F("__libc_start_main", libc));
	home = home_of(&wait);
	assert_int_equal(dispatch__site(&home, s.frames, s.nr), 2);
}

static void unknown_loop_without_its_home_stack_has_no_site(void **state)
{
	struct stack s;

	(void)state;
	BUILD(&s, F("read", libc), F("on_client", app), F("main", app),
	      F("__libc_start_main", libc));
	assert_int_equal(dispatch__site(&unknown, s.frames, s.nr), -1);
	assert_int_equal(dispatch__site(&unknown, NULL, 0), -1);
}

static void home_stack_of_another_activation_is_not_shared(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	/* A worker which runs the same functions on another stack. */
	BUILD(&wait, F("epoll_wait", libc), F("aeMain", app), F("main", app));
	BUILD(&s, F("read", libc), F("on_client", app), F("loop", app, .pc = 5), F("main", app));
	for (size_t i = 0; i < wait.nr; i++)
		wait.frames[i].sp += 0x100000;
	home = home_of(&wait);
	assert_int_equal(dispatch__site(&home, s.frames, s.nr), -1);
}

static void stack_equal_to_the_home_stack_does_not_run_off_its_end(void **state)
{
	struct stack wait;
	struct home_stack home;
	ssize_t i;

	(void)state;
	BUILD(&wait, F("epoll_wait", libc), F("aeApiPoll", app), F("aeMain", app), F("main", app));
	home = home_of(&wait);
	i = dispatch__site(&home, wait.frames, wait.nr);
	assert_true(i < (ssize_t)wait.nr);
	i = dispatch__site(&home, wait.frames + 1, wait.nr - 1); /* cut at the leaf */
	assert_true(i < (ssize_t)wait.nr - 1);
}

static void home_stack_too_deep_to_keep_is_not_kept(void **state)
{
	struct native_frame frames[HOME_FRAMES_MAX + 1] = {{0}};
	struct home_stack home;

	(void)state;
	home_stack__set(&home, frames, HOME_FRAMES_MAX + 1);
	assert_int_equal(home.nr, 0);
	home_stack__set(&home, frames, HOME_FRAMES_MAX - 1);
	assert_int_equal(home.nr, HOME_FRAMES_MAX - 1);
}

/* Node's execSync: a loop of its own inside the callback. */
static void nested_loop_in_its_wait_is_blamed_on_its_caller(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_pwait", libc), F("uv__io_poll", app), F("uv_run", app),
	      F("main", app));
	BUILD(&s, F("epoll_pwait", libc), F("uv__io_poll", app), F("uv_run", app),
	      F("RunSync", app), F("Spawn", app), F("on_read", app), F("uv__read", app),
	      F("uv__io_poll", app, .pc = 5), F("uv_run", app), F("main", app));
	home = home_of(&wait);
	assert_site(&home, &s, "on_read");
	s.nr = 6; /* cut */
	assert_site(&unknown, &s, "RunSync");
}

static void cut_stack_shares_the_dispatching_activation(void **state)
{
	struct stack wait, s;
	struct home_stack home;

	(void)state;
	BUILD(&wait, F("epoll_pwait", libc), F("uv__io_poll", app), F("uv_run", app),
	      F("main", app));
	BUILD(&s, F("epoll_pwait", libc), F("uv__io_poll", app), F("uv_run", app),
	      F("RunSync", app), F("on_read", app), F("uv__read", app),
	      F("uv__io_poll", app, .pc = 5), F("uv_run", app), F("main", app));
	home = home_of(&wait);
	s.nr -= 2;
	assert_site(&home, &s, "on_read");
}

/* --- kind ----------------------------------------------------------------------------------- */

static const char *kind(const struct stack *s)
{
	return dispatch__kind(s->frames, s->nr);
}

static void kind_is_told_by_names_and_by_files(void **state)
{
	struct stack s;

	(void)state;
	BUILD(&s, F("epoll_wait", libc), F("aeApiPoll", app), F("aeMain", app), F("main", app));
	assert_string_equal(kind(&s), "redis");
	BUILD(&s, F("epoll_wait", libc), F(NULL, "/usr/sbin/nginx"));
	assert_string_equal(kind(&s), "nginx");
	BUILD(&s, F("epoll_wait", libc), F(NULL, libevent), F("main", app));
	assert_string_equal(kind(&s), "libevent");
	BUILD(&s, F("epoll_pwait", libc), F("uv__io_poll", "/usr/bin/node"),
	      F("uv_run", "/usr/bin/node"));
	assert_string_equal(kind(&s), "node");
	BUILD(&s, F("epoll_pwait", libc), F("uv_run", libuv), /* as Debian builds it */
	      F("node::SpinEventLoop", "/usr/lib/x86_64-linux-gnu/libnode.so.108"));
	assert_string_equal(kind(&s), "node");
	BUILD(&s, F("epoll_wait", libc), F("tokio::runtime::io::driver::Driver::turn", app));
	assert_string_equal(kind(&s), "tokio");
	BUILD(&s, F("epoll_wait", libc), F("main", app));
	assert_null(kind(&s));
}

static void name_must_match_to_its_end_or_its_star(void **state)
{
	struct stack s;

	(void)state;
	BUILD(&s, F("epoll_wait", libc), F("aeMainly", app), F("uv_runner", app), F("evented", app),
	      F("main", app));
	assert_null(kind(&s));
	assert_false(dispatch__runs_loop(s.frames, s.nr));
}

static void loop_is_run_by_its_runner_not_by_any_of_its_functions(void **state)
{
	struct stack s;

	(void)state;
	BUILD(&s, F("read", libc), F("uv__work", libuv),
	      F("start_thread", libc)); /* a pool's thread */
	assert_false(dispatch__runs_loop(s.frames, s.nr));
	BUILD(&s, F("read", libc), F("on_read", app), F("uv_run", libuv), F("main", app));
	assert_true(dispatch__runs_loop(s.frames, s.nr));
}

static void frames_that_nobody_could_name_tell_nothing(void **state)
{
	struct native_frame frames[3] = {
		{.pc = 1, .sp = 2}, {.pc = 3, .sp = 4}, {.pc = 5, .sp = 6}};

	(void)state;
	assert_null(dispatch__kind(frames, 3));
	assert_false(dispatch__runs_loop(frames, 3));
	assert_int_equal(dispatch__site(&unknown, frames, 3), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis_site_is_the_command),
		cmocka_unit_test(stripped_redis_site_is_the_command),
		cmocka_unit_test(unnamed_callback_of_a_known_loop_is_not_passed_over),
		cmocka_unit_test(nested_loop_in_its_wait_is_blamed_on_its_caller),
		cmocka_unit_test(cut_stack_shares_the_dispatching_activation),
		cmocka_unit_test(redis_timer_is_a_site_too),
		cmocka_unit_test(nginx_site_is_the_handler_of_the_event),
		cmocka_unit_test(libuv_site_is_below_its_own_streams),
		cmocka_unit_test(call_back_into_the_library_is_not_the_site),
		cmocka_unit_test(libevent_without_names_is_known_by_its_library),
		cmocka_unit_test(own_loop_in_main_dispatches_a_function_of_the_program),
		cmocka_unit_test(callback_inlined_into_the_loop_leaves_the_loop_itself),
		cmocka_unit_test(cpu_time_in_the_loop_itself_is_the_loops),
		cmocka_unit_test(stripped_callback_is_named_by_the_first_function_with_a_name),
		cmocka_unit_test(stripped_stack_without_any_name_keeps_the_callback),
		cmocka_unit_test(unknown_loop_without_its_home_stack_has_no_site),
		cmocka_unit_test(home_stack_of_another_activation_is_not_shared),
		cmocka_unit_test(stack_equal_to_the_home_stack_does_not_run_off_its_end),
		cmocka_unit_test(home_stack_too_deep_to_keep_is_not_kept),
		cmocka_unit_test(kind_is_told_by_names_and_by_files),
		cmocka_unit_test(name_must_match_to_its_end_or_its_star),
		cmocka_unit_test(loop_is_run_by_its_runner_not_by_any_of_its_functions),
		cmocka_unit_test(frames_that_nobody_could_name_tell_nothing),
	};

	return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
