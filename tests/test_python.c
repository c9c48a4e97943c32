/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * CPython from outside: line tables against what the interpreters themselves say, names, blame and
 * merging on made-up frames, and a live interpreter.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "symbols/python.h"
#include "symbols/python_internal.h"
#include "symbols/python_lines.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"

#define PYTHON3 "/usr/bin/python3"

/* --- line tables ---------------------------------------------------------------------------- */

/* A copy that ends where an unmapped page begins: reading beyond it is fatal. */
struct guarded {
	uint8_t *map, *bytes;
	size_t map_bytes;
};

static struct guarded guard(const uint8_t *bytes, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (size + page) / page * page;
	struct guarded g = {.map_bytes = room + page};

	g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g.map != MAP_FAILED);
	assert_int_equal(mprotect(g.map + room, page, PROT_NONE), 0);
	g.bytes = g.map + room - size;
	if (size)
		memcpy(g.bytes, bytes, size);
	return g;
}

static void unguard(struct guarded *g)
{
	munmap(g->map, g->map_bytes);
}

static size_t parse_hex(char *hex)
{
	size_t n = 0;

	if (strcmp(hex, "-") == 0)
		return 0;
	for (char *p = hex; p[0] && p[1]; p += 2) {
		unsigned int byte;

		sscanf(p, "%2x", &byte);
		hex[n++] = (char)byte;
	}
	return n;
}

/* Compares every code unit of the ranges; how many. */
static size_t check_ranges(enum python_line_format format, const uint8_t *table, size_t size,
			   uint32_t first, const char *ranges)
{
	unsigned int start, end, line;
	size_t n = 0;

	while (sscanf(ranges, "%u:%u:%u", &start, &end, &line) == 3) {
		for (unsigned int at = start; at < end; at += 2, n++) {
			uint32_t got = python_lines__find(format, table, size, first, at);

			if (got != line)
				fail_msg("offset %u: line %u, not %u", at, got, line);
		}
		ranges = strchr(ranges, ',');
		if (!ranges++)
			break;
	}
	return n;
}

/* Checks all records of a file made by record_lines.py; how many offsets. */
static size_t check_lines(FILE *f)
{
	size_t room = 0, n = 0;
	char *text = NULL;

	while (getline(&text, &room, f) > 0) {
		char *save, *format = strtok_r(text, " \n", &save),
			    *first = strtok_r(NULL, " ", &save);
		char *table = strtok_r(NULL, " ", &save), *ranges = strtok_r(NULL, " \n", &save);
		size_t size = parse_hex(table);

		n += check_ranges((enum python_line_format)atoi(format), (uint8_t *)table, size,
				  (uint32_t)atoi(first), ranges);
	}
	free(text);
	return n;
}

static void lines_of_the_standard_library_are_those_the_interpreter_says(void **state)
{
	FILE *f;
	size_t n;

	(void)state;
	if (access(PYTHON3, X_OK) != 0)
		skip();
	f = popen(PYTHON3 " tests/python/record_lines.py", "r");
	assert_non_null(f);
	n = check_lines(f);
	assert_int_equal(pclose(f), 0);
	print_message("%zu offsets\n", n);
	assert_true(n > 100000);
}

static void lines_of_other_versions_are_those_their_interpreters_said(void **state)
{
	static const char *const versions[] = {"3.8", "3.9", "3.10", "3.12", "3.13", "3.14"};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		char path[64];
		FILE *f;

		snprintf(path, sizeof(path), "tests/python/lines/%s.txt", versions[i]);
		f = fopen(path, "r");
		assert_non_null(f);
		assert_true(check_lines(f) > 1000);
		fclose(f);
	}
}

static void a_line_before_the_first_instruction_is_the_first(void **state)
{
	const uint8_t table[] = {0xf0, 0x02, 0x01};

	(void)state;
	for (int format = PYTHON_LNOTAB; format <= PYTHON_LOCATIONS; format++)
		assert_int_equal(python_lines__find(format, table, sizeof(table), 42, -2), 42);
}

static void hostile_line_tables_are_read_within_their_bounds(void **state)
{
	uint8_t bytes[64];

	(void)state;
	srand(7);
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)rand() % sizeof(bytes);
		struct guarded g;

		for (size_t i = 0; i < size; i++)
			bytes[i] = round % 3 ? (uint8_t)rand() : (round & 1 ? 0xff : 0x7f);
		g = guard(bytes, size);
		for (int format = PYTHON_LNOTAB; format <= PYTHON_LOCATIONS; format++)
			assert_true(python_lines__find(format, g.bytes, size, (uint32_t)rand(),
						       rand() % 2000 - 2) <= INT32_MAX);
		unguard(&g);
	}
}

/* --- names ---------------------------------------------------------------------------------- */

static void assert_utf8(const void *data, size_t length, unsigned int kind, const char *expected)
{
	char out[64];

	python_names__to_utf8(data, length, kind, out, sizeof(out));
	assert_string_equal(out, expected);
}

static void names_of_each_width_become_utf8(void **state)
{
	static const uint16_t ucs2[] = {'x', 0x20ac, 'y'};
	static const uint32_t ucs4[] = {0x1f40d, 'z'};

	(void)state;
	assert_utf8("main", 4, 1, "main");
	assert_utf8("caf\xe9", 4, 1, "caf\xc3\xa9");
	assert_utf8(ucs2, 3, 2, "x\xe2\x82\xacy");
	assert_utf8(ucs4, 2, 4, "\xf0\x9f\x90\x8dz");
}

static void what_is_no_character_becomes_a_question_mark(void **state)
{
	static const uint32_t wild[] = {0xffffffff, 0x110000, 0xd800, 0x1b, 0x7f, 0x9b, 'a'};
	static const uint16_t lone[] = {0xdc80, 'b'};

	(void)state;
	assert_utf8(wild, 7, 4, "??????a");
	assert_utf8(lone, 2, 2, "?b");
	assert_utf8("a\nb\033[31m", 8, 1, "a?b?[31m");
}

static void a_name_longer_than_the_room_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	python_names__to_utf8("\xe9\xe9\xe9\xe9\xe9\xe9", 6, 1, out, sizeof(out));
	assert_true(strlen(out) % 2 == 0 && strlen(out) < sizeof(out));
}

/* A str object in our own memory, as 3.11 has it. */
struct fake_str {
	uint64_t refcnt, type, length, hash;
	uint32_t state, pad;
	uint64_t wstr;
	char data[32];
};

static struct fake_str fake_name(const char *s, uint64_t length)
{
	struct fake_str str = {.length = length, .state = 1 << 2 | 1 << 5 | 1 << 6};

	snprintf(str.data, sizeof(str.data), "%s", s);
	return str;
}

static void strings_of_a_hostile_length_or_kind_have_no_name(void **state)
{
	struct python_interpreter in = {.tgid = getpid(), .offsets = *python_offsets__find(0x030b)};
	struct strings *pool = strings__new();
	struct fake_str str = fake_name("handler", 7);

	(void)state;
	assert_string_equal(python_names__read(&in, pool, (uintptr_t)&str), "handler");
	str.length = 1ull << 32;
	assert_null(python_names__read(&in, pool, (uintptr_t)&str));
	str.length = UINT64_MAX;
	assert_null(python_names__read(&in, pool, (uintptr_t)&str));
	str.length = 7;
	str.state = 3 << 2 | 1 << 5;
	assert_null(python_names__read(&in, pool, (uintptr_t)&str));
	assert_null(python_names__read(&in, pool, 0));
	assert_null(python_names__read(&in, pool, 0xdeadbeefdeadbeef));
	strings__free(pool);
}

/* --- offsets -------------------------------------------------------------------------------- */

static void an_unknown_version_has_no_offsets(void **state)
{
	(void)state;
	assert_non_null(python_offsets__find(0x0308));
	assert_non_null(python_offsets__find(0x030e));
	assert_null(python_offsets__find(0x0307));
	assert_null(python_offsets__find(0x030f));
}

static void what_bpf_reads_of_a_frame_holds_every_field(void **state)
{
	(void)state;
	for (uint16_t v = 0x0308; v <= 0x030e; v++) {
		struct py_process p;

		python_offsets__to_process(python_offsets__find(v), &p);
		assert_true(p.frame_bytes < PY_FRAME_READ);
		assert_true(p.frame_code + 8 <= p.frame_bytes);
		assert_true(p.frame_previous + 8 <= p.frame_bytes);
		assert_true(p.frame_instr + 4 <= p.frame_bytes);
		assert_true(p.frame_owner < p.frame_bytes);
		assert_true(p.code_linetable + 8 <= PY_CODE_READ);
	}
}

static void a_self_description_out_of_bounds_is_refused(void **state)
{
	struct python_offsets o = *python_offsets__find(0x030d);
	uint64_t words[PYTHON_DEBUG_OFFSETS_WORDS] = {0};
	const char *why = NULL;

	(void)state;
	assert_int_equal(python_offsets__describe(&o, words, &why), -ENOENT);
	memcpy(words, "xdebugpy", 8);
	words[1] = 0x030d05f0;
	assert_int_equal(python_offsets__describe(&o, words, &why), 0);
	words[29] = PY_FRAME_READ - 7; /* interpreter_frame.previous */
	assert_int_equal(python_offsets__describe(&o, words, &why), -ENOTSUP);
	words[29] = 8;
	words[2] = 1;
	assert_int_equal(python_offsets__describe(&o, words, &why), -ENOTSUP);
	assert_string_equal(why, "free-threaded build");
	words[2] = 0;
	words[1] = 0x030e0000;
	assert_int_equal(python_offsets__describe(&o, words, &why), -ENOTSUP);
}

/* --- blame ---------------------------------------------------------------------------------- */

#define STDLIB "/usr/lib/python3.11/"
#define PY(f, p, n)                                                          \
	{                                                                    \
		.kind = LS_FRAME_PYTHON, .function = f, .file = p, .line = n \
	}
#define CORO(f, p, n)                                                                       \
	{                                                                                   \
		.kind = LS_FRAME_PYTHON, .function = f, .file = p, .line = n, .async = true \
	}
#define C(f, m)                                                     \
	{                                                           \
		.kind = LS_FRAME_NATIVE, .function = f, .module = m \
	}
#define LOOP                                                                           \
	PY("Handle._run", STDLIB "asyncio/events.py", 80),                             \
		PY("BaseEventLoop._run_once", STDLIB "asyncio/base_events.py", 1922),  \
		PY("BaseEventLoop.run_forever", STDLIB "asyncio/base_events.py", 607), \
		PY("Runner.run", STDLIB "asyncio/runners.py", 118),                    \
		PY("<module>", "/srv/app.py", 90)

static void assert_blame(const struct ls_frame *frames, size_t nr, const char *site,
			 const char *callee)
{
	const struct ls_frame *s, *c;

	assert_true(python__site(frames, nr, &s, &c));
	assert_string_equal(s->function, site);
	if (callee)
		assert_string_equal(c->function, callee);
	else
		assert_null(c);
}

#define ASSERT_BLAME(frames, site, callee) \
	assert_blame(frames, sizeof(frames) / sizeof((frames)[0]), site, callee)

static void the_deepest_coroutine_is_the_site_and_what_it_called_the_callee(void **state)
{
	static const struct ls_frame frames[] = {
		C("clock_nanosleep", "/lib/libc.so.6"),
		PY("retry", "/usr/lib/python3/dist-packages/urllib3/util.py", 5),
		PY("get", "/usr/lib/python3/dist-packages/requests/api.py", 73),
		CORO("external", "/srv/app.py", 18),
		CORO("run_endpoint_function", "/usr/lib/python3/dist-packages/fastapi/routing.py",
		     160),
		LOOP,
	};

	(void)state;
	ASSERT_BLAME(frames, "external", "get");
}

static void a_plain_callback_is_blamed_at_the_programs_own_innermost_frame(void **state)
{
	static const struct ls_frame frames[] = {
		PY("dumps", STDLIB "json/__init__.py", 231),
		PY("on_timer", "/srv/app.py", 27),
		LOOP,
	};

	(void)state;
	ASSERT_BLAME(frames, "on_timer", "dumps");
}

static void a_callback_of_libraries_alone_is_blamed_at_what_the_loop_called(void **state)
{
	static const struct ls_frame frames[] = {
		PY("parse", "/usr/lib/python3/dist-packages/h11/_readers.py", 9),
		PY("data_received", "/usr/lib/python3/dist-packages/uvicorn/h11_impl.py", 161),
		LOOP,
	};

	(void)state;
	ASSERT_BLAME(frames, "data_received", "parse");
}

static void the_loops_own_work_is_not_blamed_on_who_started_the_loop(void **state)
{
	static const struct ls_frame frames[] = {
		PY("BaseEventLoop._run_once", STDLIB "asyncio/base_events.py", 1905),
		PY("BaseEventLoop.run_forever", STDLIB "asyncio/base_events.py", 607),
		PY("<module>", "/srv/app.py", 90),
	};

	(void)state;
	ASSERT_BLAME(frames, "BaseEventLoop._run_once", NULL);
}

static void a_method_of_the_loop_called_by_a_callback_does_not_bound_it(void **state)
{
	static const struct ls_frame frames[] = {
		PY("BaseEventLoop.call_later", STDLIB "asyncio/base_events.py", 700),
		PY("on_timer", "/srv/app.py", 28),
		LOOP,
	};

	(void)state;
	ASSERT_BLAME(frames, "on_timer", "BaseEventLoop.call_later");
}

static void under_uvloop_the_callback_ends_at_its_native_frames(void **state)
{
	static const struct ls_frame frames[] = {
		PY("on_timer", "/srv/app.py", 27),
		C(NULL,
		  "/usr/lib/python3/dist-packages/uvloop/loop.cpython-311-x86_64-linux-gnu.so"),
		PY("Runner.run", STDLIB "asyncio/runners.py", 118),
		PY("<module>", "/srv/app.py", 90),
	};

	struct python *py = python__new(NULL);

	(void)state;
	ASSERT_BLAME(frames, "on_timer", NULL);
	assert_string_equal(python__loop_kind(py, 1, frames, 4), "uvloop");
	python__free(py);
}

static void a_c_function_called_by_the_site_is_its_callee(void **state)
{
	static const struct ls_frame frames[] = {
		C("clock_nanosleep", "/lib/libc.so.6"),
		C("time_sleep", "/usr/bin/python3.11"),
		C("cfunction_vectorcall_O", "/usr/bin/python3.11"),
		C("PyObject_Vectorcall", "/usr/bin/python3.11"),
		CORO("handler", "/srv/app.py", 18),
		LOOP,
	};

	(void)state;
	ASSERT_BLAME(frames, "handler", "time_sleep");
}

static void middleware_is_told_from_the_routes_behind_it(void **state)
{
	static const struct ls_frame frames[] = {
		CORO("route", "/srv/app.py", 30),
		CORO("run_endpoint_function", "/usr/lib/python3/dist-packages/fastapi/routing.py",
		     160),
		CORO("authenticate", "/srv/app.py", 9),
		CORO("BaseHTTPMiddleware.__call__", "/x/starlette/middleware/base.py", 108),
		CORO("Checks.Middleware.dispatch", "/srv/app.py", 15),
	};

	(void)state;
	assert_false(python__in_middleware(frames, 5, &frames[0]));
	assert_true(python__in_middleware(frames, 5, &frames[2]));
	assert_true(python__in_middleware(frames, 5, &frames[4]));
}

static void called_functions_are_read_from_the_text_of_the_call(void **state)
{
	static const char *const cases[][2] = {
		{"time.sleep(0.1)", "time.sleep"},
		{"open(x, 'r').read()", "read"},
		{"f(g(1), h())", "f"},
		{"conn.execute(')')", "conn.execute"},
		{"db.execute('SELECT f(x')", "db.execute"},
		{"db.execute(\"it's\", '''(''')", "db.execute"},
		{"query(A).filter(\n\tA.x == 1  # (\n\t).all()", "all"},
		{"session\n\t.execute(q)\n\t.one()", "one"},
		{"a + f(x)", NULL},
		{"not f(x)", NULL},
		{"x in f(y)", NULL},
		{"f('", NULL},
		{"f('\\')", NULL},
		{"f((a)", NULL},
		{"lock", NULL},
		{"(a or b)(c)", NULL},
		{"x[0](1)", NULL},
		{"", NULL},
	};
	struct strings *pool = strings__new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = python_source__called(pool, cases[i][0], strlen(cases[i][0]));

		if (!cases[i][1])
			assert_null(got);
		else
			assert_string_equal(got, cases[i][1]);
	}
	strings__free(pool);
}

static void statements_that_call_are_named_by_their_heads(void **state)
{
	static const struct {
		const char *text;
		struct python_position pos;
		const char *called;
	} cases[] = {
		{"    with lock:\n", {1, 2, 4, 12}, "with lock"},
		{"    with lock:\n", {1, 1, 9, 13}, "with lock"}, /* 3.12 on */
		{"    with sqlite3.connect(db) as c:\n", {1, 2, 4, 22}, "with sqlite3.connect"},
		{"    with lock as held:\n", {1, 1, 9, 13}, "with lock"},
		{"    for row in cursor:\n", {1, 2, 4, 12}, "for row in cursor"},
		{"    x = lock\n", {1, 1, 8, 12}, NULL},
		{"    get(\n        url,\n    ).text\n", {1, 3, 4, 5}, "get"},
		{"    get(\n        url,\n", {1, 9, 4, 5}, NULL}, /* its end is not there */
		{"    get(x)\n", {1, 1, 4, 99}, NULL},
		{"    get(x)\n", {1, 1, 99, 100}, NULL},
		{"with \n", {1, 1, 0, 5}, NULL},
	};
	struct strings *pool = strings__new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = python_source__called_at(pool, cases[i].text, &cases[i].pos);

		if (!cases[i].called)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].called);
	}
	strings__free(pool);
}

/* Positions that the interpreter itself gives, of the modules named: 3.11 and later. */
static void columns_are_those_the_interpreter_says(void **state)
{
	unsigned int offset, line, end_line, column, end_column;
	char *text = NULL;
	size_t room = 0, n = 0;
	FILE *f;

	(void)state;
	if (system(PYTHON3 " -c 'import sys; sys.exit(sys.version_info < (3, 11))'") != 0)
		skip();
	f = popen(PYTHON3
		  " tests/python/record_lines.py --positions asyncio/tasks.py re/_parser.py",
		  "r");
	assert_non_null(f);
	while (getline(&text, &room, f) > 0) {
		char *save, *first = (strtok_r(text, " ", &save), strtok_r(NULL, " ", &save));
		char *table = strtok_r(NULL, " ", &save), *at = strtok_r(NULL, " \n", &save);
		size_t size = parse_hex(table);

		for (; at && sscanf(at, "%u:%u:%u:%u:%u", &offset, &line, &end_line, &column,
				    &end_column) == 5;
		     at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
			struct python_position p;

			if (line == 0) /* a module's first instruction stands before its text */
				continue;
			assert_true(python_lines__position((uint8_t *)table, size,
							   (uint32_t)atoi(first), offset, &p));
			assert_int_equal(p.line, line);
			assert_int_equal(p.end_line, end_line);
			assert_int_equal(p.column, column);
			assert_int_equal(p.end_column, end_column);
			n++;
		}
	}
	free(text);
	assert_int_equal(pclose(f), 0);
	assert_true(n > 5000);
}

static void a_stack_without_python_has_no_python_site(void **state)
{
	static const struct ls_frame frames[] = {C("epoll_wait", "/lib/libc.so.6")};
	const struct ls_frame *site, *callee;

	(void)state;
	assert_false(python__site(frames, 1, &site, &callee));
	assert_false(python__site(frames, 0, &site, &callee));
}

/* --- a live interpreter --------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int out;
};

static struct child start_python(const char *script)
{
	struct child c;
	int fds[2];
	char byte;

	assert_int_equal(pipe(fds), 0);
	c.pid = fork();
	if (c.pid == 0) {
		dup2(fds[1], 1);
		execl(PYTHON3, PYTHON3, "-c", script, NULL);
		_exit(127);
	}
	close(fds[1]);
	c.out = fds[0];
	assert_int_equal(read(c.out, &byte, 1), 1); /* it has come to its wait */
	usleep(50000);
	return c;
}

static void end_python(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->out);
}

static const char two_threads[] = "import threading, time, os\n"
				  "def work():\n"
				  "    time.sleep(100)\n"
				  "threading.Thread(target=work, daemon=True).start()\n"
				  "def main():\n"
				  "    os.write(1, b'x'); time.sleep(100)\n"
				  "main()\n";

static void note_thread(void *ctx, pid_t tid, const struct py_thread *thread)
{
	pid_t *tids = ctx;

	assert_true(thread->tstate != 0);
	tids[tids[0]++ % 7 + 1] = tid;
}

static void threads_of_a_live_interpreter_are_found(void **state)
{
	struct strings *pool = strings__new();
	struct python *py = python__new(pool);
	pid_t tids[8] = {0};
	struct py_process process;
	struct child c;
	char why[128];

	(void)state;
	if (access(PYTHON3, X_OK) != 0)
		skip();
	c = start_python(two_threads);
	assert_int_equal(python__attach(py, c.pid, &process, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_true(process.version >= 0x0308 && process.gil && process.code_type);
	assert_int_equal(python__threads(py, c.pid, note_thread, tids), 2);
	assert_true(tids[1] == c.pid || tids[2] == c.pid);
	assert_true(python__attached(py, c.pid));
	python__forget(py, c.pid);
	assert_false(python__attached(py, c.pid));
	end_python(&c);
	python__free(py);
	strings__free(pool);
}

/* pthread_self() of a main thread whose tstate list has one entry. */
static bool take_thread_id(void *ctx, const struct python_tstate *tstate)
{
	*(uint64_t *)ctx = tstate->thread_id;
	return true; /* the list is newest first: the main thread comes last */
}

static void frames_read_from_outside_name_functions_and_lines(void **state)
{
	struct strings *pool = strings__new();
	struct python *py = python__new(pool);
	static struct py_capture walked;
	struct ls_frame frames[16];
	struct py_process process;
	uint64_t fsbase = 0;
	struct child c;
	bool truncated;
	char why[128];
	size_t nr;

	(void)state;
	if (access(PYTHON3, X_OK) != 0)
		skip();
	c = start_python(two_threads);
	assert_int_equal(python__attach(py, c.pid, &process, why, sizeof(why)), 0);
	python_threads__each(python__find(py, c.pid), take_thread_id, &fsbase);
	assert_int_equal(python__walk(py, c.pid, fsbase, &walked), 0);
	nr = python__stack(py, &(struct python_capture){.tgid = c.pid, .record = &walked.record},
			   frames, 16, &truncated);
	assert_int_equal(nr, 2);
	assert_false(truncated);
	assert_string_equal(frames[0].function, "main");
	assert_int_equal(frames[0].line, 6);
	assert_string_equal(frames[1].function, "<module>");
	assert_int_equal(frames[1].line, 7);
	end_python(&c);
	python__free(py);
	strings__free(pool);
}

static void a_process_without_python_is_told_so_silently(void **state)
{
	struct strings *pool = strings__new();
	struct python *py = python__new(pool);
	struct py_process process;
	char why[128];

	(void)state;
	assert_int_equal(python__attach(py, getpid(), &process, why, sizeof(why)), -ENOENT);
	assert_string_equal(why, "");
	assert_int_equal(python__attach(py, 0x7ffffff0, &process, why, sizeof(why)), -ESRCH);
	python__free(py);
	strings__free(pool);
}

/* --- merging -------------------------------------------------------------------------------- */

enum { SP = 0x10000 };

static void put_cframe(uint8_t *stack, const struct py_process *p, uint64_t at, uint64_t frame,
		       uint64_t previous)
{
	memcpy(stack + (at - SP) + p->cframe_current_frame, &frame, sizeof(frame));
	memcpy(stack + (at - SP) + p->cframe_previous, &previous, sizeof(previous));
}

static struct native_frame native(uint64_t sp, const struct ls_frame *frame)
{
	return (struct native_frame){.sp = SP + sp, .frames = frame, .nr_frames = 1};
}

/* Two activations of the eval loop, the inner with two frames; C code of a module between them. */
static void python_frames_stand_where_their_eval_loop_does(void **state)
{
	static const struct ls_frame libc = C("read", "/lib/libc.so.6"), c = C(NULL, PYTHON3),
				     module = C("glue", "/usr/lib/_ssl.so");
	struct strings *pool = strings__new();
	struct python *py = python__new(pool);
	static struct py_capture capture;
	struct ls_ev_python *r = &capture.record;
	struct native_frame natives[7];
	struct python_capture in = {.record = r, .native = natives, .nr_native = 7, .sp = SP};
	struct ls_frame out[16];
	uint8_t stack[0x900] = {0};
	struct py_process p;
	struct child child;
	bool truncated;
	char why[128];

	(void)state;
	if (access(PYTHON3, X_OK) != 0)
		skip();
	child = start_python(two_threads);
	in.tgid = child.pid;
	assert_int_equal(python__attach(py, child.pid, &p, why, sizeof(why)), 0);
	if (p.version != 0x030b) {
		end_python(&child);
		skip();
	}
	natives[0] = native(0, &libc);
	natives[1] = native(0x100, &c);
	natives[2] = native(0x200, &c); /* the inner loop */
	natives[3] = native(0x400, &module);
	natives[4] = native(0x500, &c);
	natives[5] = native(0x600, &c); /* the outer loop */
	natives[6] = native(0x800, &c);
	put_cframe(stack, &p, SP + 0x300, 0xa1, SP + 0x700);
	put_cframe(stack, &p, SP + 0x700, 0xb1, 0);
	in.stack = stack;
	in.stack_bytes = sizeof(stack);
	r->nr_frames = 3;
	r->cframe = SP + 0x300;
	r->frames[0] = (struct ls_pyframe){.frame = 0xa1};
	r->frames[1] = (struct ls_pyframe){.frame = 0xa2, .is_entry = 1};
	r->frames[2] = (struct ls_pyframe){.frame = 0xb1, .is_entry = 1};
	assert_int_equal(python__stack(py, &in, out, 16, &truncated), 6);
	assert_string_equal(out[0].function, "read");
	assert_int_equal(out[1].kind, LS_FRAME_NATIVE);
	assert_int_equal(out[2].kind, LS_FRAME_PYTHON);
	assert_int_equal(out[3].kind, LS_FRAME_PYTHON);
	assert_string_equal(out[4].function, "glue");
	assert_int_equal(out[5].kind, LS_FRAME_PYTHON);
	r->cframe = SP + 0x310; /* a chain that does not fit: Python alone */
	assert_int_equal(python__stack(py, &in, out, 16, &truncated), 3);
	assert_int_equal(out[0].kind, LS_FRAME_PYTHON);
	end_python(&child);
	python__free(py);
	strings__free(pool);
}

/* --- captures that lie ---------------------------------------------------------------------- */

static void wild_code_pointers_give_frames_without_names(void **state)
{
	struct strings *pool = strings__new();
	struct python *py = python__new(pool);
	static struct py_capture capture;
	struct ls_frame frames[LS_PYFRAMES_MAX];
	struct py_process process;
	struct child c;
	bool truncated;
	char why[128];
	size_t nr;

	(void)state;
	if (access(PYTHON3, X_OK) != 0)
		skip();
	c = start_python(two_threads);
	assert_int_equal(python__attach(py, c.pid, &process, why, sizeof(why)), 0);
	srand(3);
	for (size_t i = 0; i < LS_PYFRAMES_MAX; i++)
		capture.record.frames[i] = (struct ls_pyframe){
			.frame = (uint64_t)rand() << 20,
			.code = (uint64_t)rand() << (i % 40),
			.instr = (uint64_t)rand(),
			.flags = i & 3,
		};
	capture.record.nr_frames = LS_PYFRAMES_MAX;
	capture.record.flags = LS_CAP_PY_TORN;
	nr = python__stack(py, &(struct python_capture){.tgid = c.pid, .record = &capture.record},
			   frames, LS_PYFRAMES_MAX, &truncated);
	assert_true(truncated);
	for (size_t i = 0; i < nr; i++)
		assert_null(frames[i].function);
	end_python(&c);
	python__free(py);
	strings__free(pool);
}

static void a_record_shorter_than_it_says_is_refused(void **state)
{
	static struct py_capture capture;

	(void)state;
	capture.record.nr_frames = 3;
	assert_true(python__record_ok(&capture.record, PY_RECORD_BYTES(3)));
	assert_false(python__record_ok(&capture.record, PY_RECORD_BYTES(3) - 1));
	assert_false(python__record_ok(&capture.record, 4));
	capture.record.nr_frames = LS_PYFRAMES_MAX + 1;
	assert_false(python__record_ok(&capture.record, 1 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_standard_library_are_those_the_interpreter_says),
		cmocka_unit_test(lines_of_other_versions_are_those_their_interpreters_said),
		cmocka_unit_test(a_line_before_the_first_instruction_is_the_first),
		cmocka_unit_test(hostile_line_tables_are_read_within_their_bounds),
		cmocka_unit_test(names_of_each_width_become_utf8),
		cmocka_unit_test(what_is_no_character_becomes_a_question_mark),
		cmocka_unit_test(a_name_longer_than_the_room_is_cut_between_characters),
		cmocka_unit_test(strings_of_a_hostile_length_or_kind_have_no_name),
		cmocka_unit_test(an_unknown_version_has_no_offsets),
		cmocka_unit_test(what_bpf_reads_of_a_frame_holds_every_field),
		cmocka_unit_test(a_self_description_out_of_bounds_is_refused),
		cmocka_unit_test(the_deepest_coroutine_is_the_site_and_what_it_called_the_callee),
		cmocka_unit_test(a_plain_callback_is_blamed_at_the_programs_own_innermost_frame),
		cmocka_unit_test(a_callback_of_libraries_alone_is_blamed_at_what_the_loop_called),
		cmocka_unit_test(the_loops_own_work_is_not_blamed_on_who_started_the_loop),
		cmocka_unit_test(a_method_of_the_loop_called_by_a_callback_does_not_bound_it),
		cmocka_unit_test(under_uvloop_the_callback_ends_at_its_native_frames),
		cmocka_unit_test(a_c_function_called_by_the_site_is_its_callee),
		cmocka_unit_test(middleware_is_told_from_the_routes_behind_it),
		cmocka_unit_test(called_functions_are_read_from_the_text_of_the_call),
		cmocka_unit_test(statements_that_call_are_named_by_their_heads),
		cmocka_unit_test(columns_are_those_the_interpreter_says),
		cmocka_unit_test(a_stack_without_python_has_no_python_site),
		cmocka_unit_test(threads_of_a_live_interpreter_are_found),
		cmocka_unit_test(frames_read_from_outside_name_functions_and_lines),
		cmocka_unit_test(a_process_without_python_is_told_so_silently),
		cmocka_unit_test(python_frames_stand_where_their_eval_loop_does),
		cmocka_unit_test(wild_code_pointers_give_frames_without_names),
		cmocka_unit_test(a_record_shorter_than_it_says_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
