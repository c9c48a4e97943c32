/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The report for people: what it says, how wide it is, and that a target cannot steer a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "fixture.h"
#include "model/utf8.h"
#include "model/names.h"
#include "report/text.h"

static char *report(const struct text_options *options,
		    int (*feed)(const struct reporter *, void *))
{
	char *buf = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&buf, &bytes);
	struct reporter r;
	void *self;

	assert_int_equal(report_text__new(out, options, &r, &self), 0);
	assert_int_equal(feed(&r, self), 0);
	r.free(self);
	fclose(out);
	return buf;
}

static const struct text_options plain = {.width = 120};

static void assert_has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("no '%s' in:\n%s", what, text);
}

static void assert_lacks(const char *text, const char *what)
{
	if (strstr(text, what))
		fail_msg("'%s' is in:\n%s", what, text);
}

static void assert_no_line_wider_than(const char *text, size_t width)
{
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		const char *at = line;
		size_t columns = 0;

		while (*at != '\n') {
			utf8__next(&at);
			columns++;
		}
		if (columns > width)
			fail_msg("%zu columns: %.*s", columns, (int)(at - line), line);
	}
}

/* --- what it says --------------------------------------------------------------------------- */

static void stall_tells_length_loop_and_what_queued_up(void **state)
{
	char *text = report(&plain, fixture_run);

	(void)state;
	assert_has(text,
		   "stall 55.5 ms  uvicorn 4711 asyncio  19 events queued up behind it  #1\n");
	assert_has(text, "stall 81.5 ms  redis-server 815 redis");
	free(text);
}

static void ledger_is_one_line_greatest_first(void **state)
{
	char *text = report(&plain, fixture_run);

	(void)state;
	assert_has(text, "\n  network 50.0 ms 90%, cpu 4.00 ms 7.2%, runqueue 1.00 ms 1.8%, "
			 "unaccounted 500 us 0.9%\n");
	free(text);
}

static void cause_tells_call_site_callee_and_advice(void **state)
{
	char *text = report(&plain, fixture_run);

	(void)state;
	assert_has(text, "\n  network 50.0 ms  recvfrom tcp 127.0.0.1:9009 (fd 12)\n");
	assert_has(text, "\n    site    external (/srv/app.py:18)\n");
	assert_has(text, "\n    called  get (/usr/lib/python3/requests/api.py:73)\n");
	assert_has(text, "\n    task    Task-7\n");
	assert_has(text, "\n    stack   tcp_recvmsg [kernel]\n");
	assert_has(text, "external (/srv/app.py:18)  <- site\n");
	assert_has(text, "\n    advice  Await an async client");
	assert_has(text, "the stack goes on, and could not be followed");
	free(text);
}

static void lock_tells_who_held_it(void **state)
{
	char *text = report(&plain, fixture_run);

	(void)state;
	assert_has(text, "\n    held by worker, thread 4720\n");
	assert_has(text, "\n    holder  crunch (/srv/work.py:7)\n");
	assert_has(text, "gil 12.0 ms in 2 waits");
	free(text);
}

static void stack_seen_before_is_not_printed_again(void **state)
{
	char *text = report(&plain, fixture_run);
	const char *first = strstr(text, "tcp_recvmsg [kernel]");

	(void)state;
	assert_non_null(first);
	assert_null(strstr(first + 1, "tcp_recvmsg [kernel]"));
	assert_has(text, "\n    stack   as in #1\n");
	free(text);
}

static void summary_tells_iterations_stalls_sites_and_cost(void **state)
{
	char *text = report(&plain, fixture_run);

	(void)state;
	assert_has(text, "\n--- 2.5 s, 2 loops ---\n");
	assert_has(text, "\nuvicorn 4711  asyncio, epoll_wait\n");
	assert_has(text,
		   "\n  1003 iterations, busy 12.0%, waiting 88.0%; 3 stalls of 101 ms together");
	assert_has(text, "\n  iteration time  p50 200 us  p90 300 us  p99 900 us  max 55.5 ms\n");
	assert_has(text, "\n  stalls' time  network 80.0 ms");
	assert_has(text, "\n    1  80.0 ms network in 2 stalls  external (/srv/app.py:18) -> get");
	assert_has(text, "\nlost 2 stacks; 98% of 40 frames named\n");
	assert_has(text, "\ntracing cost 12.3 us in BPF");
	assert_has(text, "12 MB\n");
	free(text);
}

static void histogram_has_a_row_for_each_power_of_two_between(void **state)
{
	char *text = report(&plain, fixture_run), *at = strstr(text, "131 us - 262 us");

	(void)state;
	assert_non_null(at);
	assert_has(at, "1000 ########################################\n");
	assert_has(at, "262 us - 524 us            0\n");
	assert_has(at, "33.6 ms - 67.1 ms           1 #\n");
	free(text);
}

static int feed_quiet_loop(const struct reporter *r, void *self)
{
	struct ls_loop_summary loop = {.loop = fixture_redis(), .iterations = 5, .max_ns = 5000};
	struct ls_summary summary = {.seconds = 1, .loops = &loop, .nr_loops = 1};

	loop.histogram[hist_bucket(5000)] = 5;
	return r->summary(self, &summary);
}

static void loop_without_stalls_says_so_in_few_words(void **state)
{
	char *text = report(&plain, feed_quiet_loop);

	(void)state;
	assert_has(text, "; 0 stalls\n");
	assert_lacks(text, "stalls' time");
	assert_lacks(text, "worst sites");
	assert_has(text, "\nnothing lost\n");
	free(text);
}

static int feed_nothing(const struct reporter *r, void *self)
{
	struct ls_summary summary = {.seconds = 0};

	return r->summary(self, &summary);
}

static void run_of_no_time_divides_by_nothing(void **state)
{
	char *text = report(&plain, feed_nothing);

	(void)state;
	assert_has(text, "--- 0.0 s, 0 loops ---\n");
	assert_lacks(text, "nan");
	assert_lacks(text, "inf");
	free(text);
}

static int feed_hang(const struct reporter *r, void *self)
{
	struct ls_blame b = fixture_blame_network(2000 * MS);
	struct ls_stall s = fixture_stall(fixture_loop(), 0, &b, 1);

	s.ongoing = true;
	s.before_attach = true;
	s.ready = -1;
	s.tid = 99;
	return r->stall(self, &s);
}

static void hang_under_way_says_that_it_hangs_now(void **state)
{
	char *text = report(&plain, feed_hang);

	(void)state;
	assert_has(text, "HANGS NOW, at least 2.00 s so far  uvicorn 4711/99 asyncio  #1\n");
	assert_lacks(text, "queued up");
	free(text);
}

static int feed_small_causes(const struct reporter *r, void *self)
{
	struct ls_blame causes[] = {fixture_blame_network(96 * MS), fixture_blame_disk(2 * MS)};
	struct ls_stall s = fixture_stall(fixture_loop(), 0, causes, 2);

	return r->stall(self, &s);
}

static void cause_of_a_fiftieth_is_in_the_ledger_only(void **state)
{
	char *text = report(&plain, feed_small_causes);

	(void)state;
	assert_has(text, "disk 2.00 ms 2.0%");
	assert_lacks(text, "fdatasync");
	free(text);
}

static void user_only_and_kernel_only_show_their_half_of_the_stack(void **state)
{
	struct text_options user = {.user_only = true, .width = 120};
	struct text_options kernel = {.kernel_only = true, .width = 120};
	char *text = report(&user, fixture_run);

	(void)state;
	assert_lacks(text, "[kernel]");
	assert_has(text, "    stack   recv (");
	free(text);
	text = report(&kernel, fixture_run);
	assert_has(text, "    stack   tcp_recvmsg [kernel]");
	assert_lacks(text, "recv (");
	assert_has(text, "    site    external"); /* the site is no part of the stack */
	free(text);
}

static struct ls_frame deep[60];

static int feed_deep(const struct reporter *r, void *self, const struct ls_frame *site)
{
	static char names[60][16];
	struct ls_blame b = fixture_blame_disk(80 * MS);
	struct ls_stall s;

	for (int i = 0; i < 60; i++) {
		snprintf(names[i], sizeof(names[i]), "level_%d", i);
		deep[i] = (struct ls_frame){.function = names[i]};
	}
	b.stack = (struct ls_stack){.frames = deep, .nr_frames = 60};
	b.site = site;
	b.callee = NULL;
	s = fixture_stall(fixture_loop(), 0, &b, 1);
	return r->stall(self, &s);
}

static int feed_deep_stack(const struct reporter *r, void *self)
{
	return feed_deep(r, self, NULL);
}

static int feed_deep_site(const struct reporter *r, void *self)
{
	return feed_deep(r, self, &deep[40]);
}

static void deep_stack_is_cut_and_says_by_how_much(void **state)
{
	char *text = report(&plain, feed_deep_stack);

	(void)state;
	assert_has(text, "level_23\n            ... 36 more\n");
	assert_lacks(text, "level_24");
	free(text);
}

static void deep_stack_shows_its_site(void **state)
{
	char *text = report(&plain, feed_deep_site);

	(void)state;
	assert_has(text, "level_13\n            ... 23 more\n            level_37\n");
	assert_has(text, "level_40  <- site\n");
	assert_has(text, "level_46\n            ... 13 more\n");
	free(text);
}

static void advice_is_wrapped_and_never_cut(void **state)
{
	const struct text_options narrow = {.width = 60};
	char *text = report(&narrow, fixture_run), *advice;

	(void)state;
	advice = strstr(text, "    advice ");
	assert_non_null(advice);
	for (int lines = 0;
	     advice && strncmp(advice, lines ? "            " : "    advice  ", 12) == 0; lines++) {
		size_t length = strcspn(advice, "\n");

		assert_true(length <= 60 && advice[length - 1] != '~');
		advice += length + 1;
	}
	free(text);
}

/* --- width ---------------------------------------------------------------------------------- */

static void no_line_is_wider_than_it_should_be(void **state)
{
	(void)state;
	for (int width = 20; width <= 200; width += 3) {
		const struct text_options narrow = {.width = width};
		char *text = report(&narrow, fixture_run);

		assert_no_line_wider_than(text, (size_t)width);
		free(text);
	}
}

static void line_that_was_cut_is_marked(void **state)
{
	const struct text_options narrow = {.width = 24};
	char *text = report(&narrow, fixture_run);

	(void)state;
	assert_has(text, "\n    called  get (/usr/l~\n");
	free(text);
}

static void narrow_line_keeps_file_line_and_mark(void **state)
{
	const struct text_options narrow = {.width = 45};
	char *text = report(&narrow, fixture_run);

	(void)state;
	assert_has(text, "\n    called  get (~/requests/api.py:73)\n");
	assert_has(text, "external (~/app.py:18)  <- site\n");
	free(text);
}

static void narrow_line_hides_no_part_of_a_ledger(void **state)
{
	const struct text_options narrow = {.width = 40};
	char *text = report(&narrow, fixture_run);

	(void)state;
	assert_has(text, "\n  network 50.0 ms 90%, cpu 4.00 ms 7.2%,\n"
			 "  runqueue 1.00 ms 1.8%,\n"
			 "  unaccounted 500 us 0.9%\n");
	free(text);
}

static void narrow_summary_keeps_its_numbers(void **state)
{
	const struct text_options narrow = {.width = 48};
	char *text = report(&narrow, fixture_run);

	(void)state;
	assert_has(text,
		   "\n    1  80.0 ms network in 2 stalls\n       external (/srv/app.py:18) -> get");
	free(text);
}

static void long_place_is_shortened_where_it_tells_least(void **state)
{
	struct ls_frame f = {.function = "uv__io_poll",
			     .file = "/home/build/deps/uv/src/unix/linux.c",
			     .line = 1485};
	char buf[256];

	(void)state;
	assert_string_equal(names__place_in(&f, 80, buf, sizeof(buf)),
			    "uv__io_poll (/home/build/deps/uv/src/unix/linux.c:1485)");
	assert_string_equal(names__place_in(&f, 40, buf, sizeof(buf)),
			    "uv__io_poll (~/uv/src/unix/linux.c:1485)");
	assert_string_equal(names__place_in(&f, 27, buf, sizeof(buf)),
			    "uv__io_poll (linux.c:1485)");
	f.function = "std::vector<std::basic_string<char, std::char_traits<char> > >::push_back";
	assert_string_equal(names__place_in(&f, 40, buf, sizeof(buf)),
			    "std::vector<std::basic_s~ (linux.c:1485)");
	for (size_t columns = 0; columns < 140; columns++)
		names__place_in(&f, columns, buf, sizeof(buf)); /* reads and writes nothing else */
}

static void report_into_a_file_is_not_cut(void **state)
{
	const struct text_options unknown_width = {.width = 0};
	char *text = report(&unknown_width, fixture_run);

	(void)state;
	assert_lacks(text, "~\n");
	free(text);
}

/* --- names ---------------------------------------------------------------------------------- */

static void functions_of_libraries_have_their_packages_names(void **state)
{
	static const char *const cases[][3] = {
		{"/usr/lib/python3/dist-packages/requests/api.py", "get", "requests.get"},
		{"/v/lib/python3.11/site-packages/sqlalchemy/orm/session.py", "Session.execute",
		 "sqlalchemy.orm.Session.execute"},
		{"/v/lib/python3.11/site-packages/httpx/_api.py", "get", "httpx.get"},
		{"/v/lib/python3.11/site-packages/six.py", "reraise", "six.reraise"},
		{"/usr/lib/python3.11/subprocess.py", "run", "subprocess.run"},
		{"/usr/lib/python3.11/json/__init__.py", "dumps", "json.dumps"},
		{"/usr/lib/python3.11/urllib/request.py", "urlopen", "urllib.request.urlopen"},
		{"/usr/lib/python3.11/concurrent/futures/_base.py", "Future.result",
		 "concurrent.futures.Future.result"},
		{"/srv/app.py", "heavy", "heavy"},
		{"/usr/lib/python3.11", "f", "f"},
		{"/usr/lib/python3.11/", "f", "f"},
		{"<frozen importlib._bootstrap>", "_find_and_load", "_find_and_load"},
	};
	char buf[64], place[96];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ls_frame frame = {.kind = LS_FRAME_PYTHON,
					       .file = cases[i][0],
					       .function = cases[i][1],
					       .line = 7};

		assert_string_equal(names__callee(&frame, buf, sizeof(buf)), cases[i][2]);
		snprintf(place, sizeof(place), "%s (%s:7)", cases[i][2], cases[i][0]);
		assert_string_equal(names__called_place_in(&frame, 500, buf, sizeof(buf)),
				    strlen(place) < sizeof(buf) ? place : buf);
		for (size_t n = 1; n < sizeof(buf); n++) {
			names__callee(&frame, buf, n);
			assert_true(strlen(buf) < n);
		}
	}
}

/* --- hostile names -------------------------------------------------------------------------- */

#define EVIL                                    \
	"\033[2J\033]0;x\007\r\n\t\x7f\xc2\x9b" \
	"31m\xff\xe2\x80\xae"                   \
	"txt.\xe2\x81\xa6"

static int feed_evil(const struct reporter *r, void *self)
{
	static const struct ls_frame frames[] = {
		{.function = EVIL, .file = EVIL, .line = 3, .module = EVIL},
		{.module = "/tmp/" EVIL, .has_offset = true, .offset = 16},
	};
	const struct ls_loop loop = {
		.pid = 1, .tid = 2, .comm = EVIL, .kind = "epoll", .wait = "poll"};
	struct ls_blame b = {
		.cause = LS_LOCK,
		.ns = 50 * MS,
		.count = 1,
		.call = {.name = "futex", .fd = 3, .object = EVIL},
		.site = &frames[0],
		.callee = &frames[1],
		.task = EVIL,
		.holder = {.tid = 9, .comm = EVIL, .stack = {.frames = frames, .nr_frames = 1}},
		.advice = EVIL,
		.stack = {.frames = frames, .nr_frames = 2},
	};
	struct ls_stall stall = fixture_stall(loop, 0, &b, 1);
	struct ls_site_total top = {.site = frames[0],
				    .callee = frames[1],
				    .has_site = true,
				    .has_callee = true,
				    .cause = LS_LOCK,
				    .call = b.call};
	struct ls_loop_summary total = {
		.loop = loop, .iterations = 1, .stalls = 1, .top = &top, .nr_top = 1};
	struct ls_summary summary = {.seconds = 1, .loops = &total, .nr_loops = 1};

	return r->loop(self, &loop) || r->stall(self, &stall) || r->summary(self, &summary);
}

static void names_of_the_target_cannot_steer_the_terminal(void **state)
{
	char *text = report(&plain, feed_evil);
	const char *at = text;
	uint32_t c;

	(void)state;
	while ((c = utf8__next(&at))) {
		if ((c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0))
			fail_msg("control character %x in:\n%s", c, at);
		if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
			fail_msg("text direction changes: %x", c);
	}
	assert_has(text, "?[2J?]0;x????");
	free(text);
}

static void names_of_any_length_are_cut_not_overrun(void **state)
{
	static char name[100000];
	struct ls_frame frame = {.function = name, .file = name, .line = 1, .module = name};
	char buf[64];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(strlen(names__place(&frame, buf, sizeof(buf))), sizeof(buf) - 1);
	assert_int_equal(strlen(names__frame(&frame, buf, sizeof(buf))), sizeof(buf) - 1);
	assert_int_equal(strlen(names__call(name, name, buf, sizeof(buf))), sizeof(buf) - 1);
}

static void lengths_have_three_digits(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(names__length(0, buf, sizeof(buf)), "0 ns");
	assert_string_equal(names__length(999, buf, sizeof(buf)), "999 ns");
	assert_string_equal(names__length(1000, buf, sizeof(buf)), "1.00 us");
	assert_string_equal(names__length(51234567, buf, sizeof(buf)), "51.2 ms");
	assert_string_equal(names__length(999950000, buf, sizeof(buf)), "1.00 s");
	assert_string_equal(names__length(3600000000000, buf, sizeof(buf)), "3600 s");
}

/* --- the terminal --------------------------------------------------------------------------- */

/* The report as a terminal of that width gets it. */
static void report_to_terminal(unsigned short columns, char *text, size_t size)
{
	struct winsize window = {.ws_row = 24, .ws_col = columns};
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	const struct text_options options = {.width = 0};
	struct reporter r;
	size_t used = 0;
	ssize_t n;
	void *self;
	FILE *out;

	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	out = fopen(ptsname(master), "w");
	assert_non_null(out);
	assert_int_equal(ioctl(master, TIOCSWINSZ, &window), 0);
	assert_int_equal(report_text__new(out, &options, &r, &self), 0);
	assert_int_equal(feed_hang(&r, self), 0);
	r.free(self);
	fclose(out);
	while (used + 1 < size && (n = read(master, text + used, size - 1 - used)) > 0)
		used += n; /* a line at a time, then EIO: nobody holds the other end */
	close(master);
	text[used] = '\0';
}

static void terminal_gets_colour_and_its_own_width(void **state)
{
	char text[4096];

	(void)state;
	unsetenv("NO_COLOR");
	report_to_terminal(60, text, sizeof(text));
	assert_has(text, "\033[1;31mHANGS NOW");
	setenv("NO_COLOR", "1", 1);
	report_to_terminal(60, text, sizeof(text));
	assert_lacks(text, "\033");
	assert_has(text, "HANGS NOW, at least 2.00 s so far  uvicorn 47~\r\n");
	unsetenv("NO_COLOR");
}

static void no_terminal_gets_no_colour(void **state)
{
	char *text;

	(void)state;
	unsetenv("NO_COLOR");
	text = report(&plain, fixture_run);
	assert_lacks(text, "\033");
	free(text);
}

/* --- a trace of bounded size ---------------------------------------------------------------- */

static int feed_rest(const struct reporter *r, void *self)
{
	struct ls_rest rest = {.stalls = 1200, .wall_ns = 3 * SEC};
	struct ls_summary summary = {.seconds = 1};

	for (int i = 0; i < 2; i++) /* a loop each */
		assert_int_equal(r->rest(self, &rest), 0);
	return r->summary(self, &summary);
}

static int feed_unnamed(const struct reporter *r, void *self)
{
	const struct ls_unnamed unnamed[] = {
		{.module = "/usr/lib/x86_64-linux-gnu/libuv.so.1", .frames = 6},
		{.module = "/usr/bin/python3.11", .frames = 20},
		{.module = "[anon]", .frames = 10, .jit = true},
		{.module = "/usr/bin/seldom", .frames = 1}};
	struct ls_summary summary = {
		.frames_total = 100, .frames_symbolized = 63, .unnamed = unnamed, .nr_unnamed = 4};

	return r->summary(self, &summary);
}

static void frames_without_a_name_are_said_to_be_where(void **state)
{
	char *text = report(&plain, feed_unnamed);

	(void)state;
	assert_has(text, "63% of 100 frames named\n"
			 "not named: 20% in python3.11, 6% in libuv.so.1 (stripped: debug symbols "
			 "would name them)\n"
			 "not named: 10% in generated code (its runtime writes no perf map)\n");
	free(text);
}

static void stalls_that_were_added_up_are_said(void **state)
{
	char *text = report(&plain, feed_rest);

	(void)state;
	assert_has(text, "\n2400 stalls, of 6.00 s together, are in the sums alone: the trace is "
			 "bounded (record --max-size)\n");
	free(text);
	text = report(&plain, fixture_run);
	assert_lacks(text, "in the sums alone");
	free(text);
}

/* --- writing -------------------------------------------------------------------------------- */

static void full_disk_is_an_error_that_ends_the_run(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct reporter r;
	void *self;

	(void)state;
	assert_non_null(out);
	assert_int_equal(report_text__new(out, &plain, &r, &self), 0);
	assert_int_equal(fixture_run(&r, self), -ENOSPC);
	r.free(self);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stall_tells_length_loop_and_what_queued_up),
		cmocka_unit_test(ledger_is_one_line_greatest_first),
		cmocka_unit_test(cause_tells_call_site_callee_and_advice),
		cmocka_unit_test(lock_tells_who_held_it),
		cmocka_unit_test(stack_seen_before_is_not_printed_again),
		cmocka_unit_test(summary_tells_iterations_stalls_sites_and_cost),
		cmocka_unit_test(histogram_has_a_row_for_each_power_of_two_between),
		cmocka_unit_test(loop_without_stalls_says_so_in_few_words),
		cmocka_unit_test(run_of_no_time_divides_by_nothing),
		cmocka_unit_test(hang_under_way_says_that_it_hangs_now),
		cmocka_unit_test(cause_of_a_fiftieth_is_in_the_ledger_only),
		cmocka_unit_test(user_only_and_kernel_only_show_their_half_of_the_stack),
		cmocka_unit_test(deep_stack_is_cut_and_says_by_how_much),
		cmocka_unit_test(deep_stack_shows_its_site),
		cmocka_unit_test(advice_is_wrapped_and_never_cut),
		cmocka_unit_test(no_line_is_wider_than_it_should_be),
		cmocka_unit_test(line_that_was_cut_is_marked),
		cmocka_unit_test(narrow_line_keeps_file_line_and_mark),
		cmocka_unit_test(narrow_line_hides_no_part_of_a_ledger),
		cmocka_unit_test(narrow_summary_keeps_its_numbers),
		cmocka_unit_test(long_place_is_shortened_where_it_tells_least),
		cmocka_unit_test(report_into_a_file_is_not_cut),
		cmocka_unit_test(functions_of_libraries_have_their_packages_names),
		cmocka_unit_test(names_of_the_target_cannot_steer_the_terminal),
		cmocka_unit_test(names_of_any_length_are_cut_not_overrun),
		cmocka_unit_test(lengths_have_three_digits),
		cmocka_unit_test(terminal_gets_colour_and_its_own_width),
		cmocka_unit_test(no_terminal_gets_no_colour),
		cmocka_unit_test(stalls_that_were_added_up_are_said),
		cmocka_unit_test(frames_without_a_name_are_said_to_be_where),
		cmocka_unit_test(full_disk_is_an_error_that_ends_the_run),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
