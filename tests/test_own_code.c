/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Whose line it is that a callback leads to: the program's, not the standard library's or the engine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "model/stall.h"
#include "trace/own_code.h"

static const char app[] = "/srv/app", libc[] = "/lib/x86_64-linux-gnu/libc.so.6";

#define NATIVE(fn, path, mod)                                                         \
	{                                                                             \
		.kind = LS_FRAME_NATIVE, .function = fn, .file = path, .module = mod, \
	}
#define SCRIPT(fn, path)                                            \
	{                                                           \
		.kind = LS_FRAME_JIT, .function = fn, .file = path, \
	}

/* The loop dispatched the last of them. */
static void assert_blames(const struct ls_frame *frames, size_t nr, const char *site,
			  const char *callee)
{
	const struct ls_frame *s = NULL, *c = NULL;

	own_code__find(frames, nr - 1, &s, &c);
	assert_string_equal(s->function, site);
	if (callee)
		assert_string_equal(c->function, callee);
	else
		assert_null(c);
}
#define ASSERT_BLAMES(frames, ...) \
	assert_blames(frames, sizeof(frames) / sizeof(frames[0]), __VA_ARGS__)

static void callback_of_the_program_is_the_site(void **state)
{
	const struct ls_frame frames[] = {NATIVE("read", NULL, libc), NATIVE("load", NULL, app),
					  NATIVE("on_client", NULL, app)};

	(void)state;
	ASSERT_BLAMES(frames, "on_client", "load");
}

static void std_function_is_passed_over(void **state)
{
	const struct ls_frame frames[] = {
		NATIVE("nanosleep", NULL, libc),
		NATIVE("app::on_ready", "/srv/app.cc", app),
		NATIVE("operator()", "/srv/app.cc", app),
		NATIVE("__invoke_impl<void>", "/usr/include/c++/12/bits/invoke.h", app),
		NATIVE("std::_Function_handler<void ()>::_M_invoke",
		       "/usr/include/c++/12/bits/std_function.h", app),
	};

	(void)state;
	ASSERT_BLAMES(frames, "operator()", "app::on_ready");
}

static void rust_closures_are_passed_over_without_lines_too(void **state)
{
	const struct ls_frame frames[] = {
		NATIVE("nanosleep", NULL, libc), NATIVE("srv::handle", NULL, app),
		NATIVE("core::ops::function::FnOnce::call_once", NULL, app),
		NATIVE("<alloc::boxed::Box<F> as core::ops::function::FnOnce<A>>::call_once", NULL,
		       app)};

	(void)state;
	ASSERT_BLAMES(frames, "srv::handle", "nanosleep");
}

static void standard_library_alone_stays_the_site(void **state)
{
	const struct ls_frame frames[] = {NATIVE("nanosleep", NULL, libc),
					  NATIVE("std::this_thread::sleep_for", NULL, app)};

	(void)state;
	ASSERT_BLAMES(frames, "std::this_thread::sleep_for", "nanosleep");
}

static void script_of_the_program_is_the_site_not_the_engine(void **state)
{
	const struct ls_frame frames[] = {
		NATIVE("epoll_pwait", NULL, libc),
		NATIVE("v8::internal::Builtin_HandleApiCall", NULL, app),
		NATIVE("Builtins_CEntry_Return1_ArgvOnStack_BuiltinExit", NULL, app),
		SCRIPT("execSync", "node:child_process"),
		NATIVE("Builtins_InterpreterEntryTrampoline", NULL, app),
		SCRIPT("thumbnail", "/srv/images.js"),
		SCRIPT("handle", "/srv/node_modules/express/lib/router.js"),
		SCRIPT("onrequest", "/srv/app.js"),
		SCRIPT("parserOnIncoming", "node:_http_server"),
		NATIVE("v8::Function::Call", NULL, app),
		NATIVE("node::LibuvStreamWrap::OnUvRead", NULL, app),
	};

	(void)state;
	ASSERT_BLAMES(frames, "thumbnail", "execSync");
}

static void package_is_the_site_when_no_script_of_the_program_is(void **state)
{
	const struct ls_frame frames[] = {SCRIPT("inflate", "/srv/node_modules/pako/index.js"),
					  SCRIPT("parserOnIncoming", "node:_http_server"),
					  NATIVE("node::OnUvRead", NULL, app)};

	(void)state;
	ASSERT_BLAMES(frames, "inflate", NULL);
}

static void script_without_a_name_leaves_the_callback(void **state)
{
	const struct ls_frame frames[] = {NATIVE("Builtins_MathSqrt", NULL, app),
					  {.kind = LS_FRAME_JIT, .module = "[anon]"},
					  NATIVE("node::OnUvRead", NULL, app)};
	const struct ls_frame *site = NULL, *callee = NULL;

	(void)state;
	own_code__find(frames, 2, &site, &callee);
	assert_ptr_equal(site, &frames[2]);
	assert_ptr_equal(callee, &frames[1]);
}

static void binding_stands_for_a_script_without_a_name(void **state)
{
	const struct ls_frame frames[] = {
		NATIVE("epoll_pwait", NULL, libc),
		NATIVE("node::SyncProcessRunner::Spawn", NULL, app),
		NATIVE("v8::internal::FunctionCallbackArguments::Call", NULL, app),
		NATIVE("Builtins_InterpreterEntryTrampoline", NULL, app),
		NATIVE("node::LibuvStreamWrap::OnUvRead", NULL, app),
		NATIVE("on_read", NULL, app),
	};

	(void)state;
	ASSERT_BLAMES(frames, "on_read", "node::SyncProcessRunner::Spawn");
}

static void callback_that_called_nothing_has_no_callee(void **state)
{
	const struct ls_frame frames[] = {NATIVE("spin", NULL, app)};

	(void)state;
	ASSERT_BLAMES(frames, "spin", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callback_of_the_program_is_the_site),
		cmocka_unit_test(std_function_is_passed_over),
		cmocka_unit_test(rust_closures_are_passed_over_without_lines_too),
		cmocka_unit_test(standard_library_alone_stays_the_site),
		cmocka_unit_test(script_of_the_program_is_the_site_not_the_engine),
		cmocka_unit_test(package_is_the_site_when_no_script_of_the_program_is),
		cmocka_unit_test(script_without_a_name_leaves_the_callback),
		cmocka_unit_test(binding_stands_for_a_script_without_a_name),
		cmocka_unit_test(callback_that_called_nothing_has_no_callee),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
