/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * file -> zstd -> lines -> model. One line at a time; what is kept between lines (tables, totals)
 * is bounded. Lines of an unknown type and unknown members are passed over: a later loopstall may
 * add some.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tracefile.h"
#include "model/tracereader_internal.h"
#include "model/zstdio.h"

void reader__complain(struct reader *rd, const char *fmt, ...)
{
	va_list args;
	int n = 0;

	if (rd->line)
		n = snprintf(rd->why, rd->why_bytes, "line %lu: ", rd->line);
	va_start(args, fmt);
	if ((size_t)n < rd->why_bytes)
		vsnprintf(rd->why + n, rd->why_bytes - (size_t)n, fmt, args);
	va_end(args);
}

int reader__check(struct reader *rd)
{
	return rd->json.fault ? bad(rd, "\"%s\" is not what it should be", rd->json.fault) : 0;
}

int reader__grow(void *array, size_t *size, size_t n, size_t element)
{
	void **a = array;
	size_t new_size = *size ? *size * 2 : 64;
	void *p;

	if (n < *size)
		return 0;
	p = realloc(*a, new_size * element);
	if (!p)
		return -ENOMEM;
	*a = p;
	*size = new_size;
	return 0;
}

int reader__keep(struct reader *rd, const char **s)
{
	int64_t id;

	if (!*s)
		return 0;
	id = stacks__string(rd->stacks, *s);
	if (id == -E2BIG)
		return bad(rd, "more names than a trace holds");
	if (id < 0)
		return (int)id;
	*s = stacks__string_at(rd->stacks, (size_t)id);
	return 0;
}

/* --- start and loops --- */

static int get_pids(struct reader *rd, const json_t *o, struct ls_start *start)
{
	json_t *pids = jsonr__array(&rd->json, o, "pids");
	json_t *commands = jsonr__array(&rd->json, o, "commands");
	size_t n = pids ? json_array_size(pids) : 0;
	const char **texts = arena__alloc(rd->arena, (n + 1) * sizeof(*texts));
	int *numbers = arena__alloc(rd->arena, (n + 1) * sizeof(*numbers));
	const char *s;

	if (!texts || !numbers)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		numbers[i] = (int)json_integer_value(json_array_get(pids, i));
		s = json_string_value(json_array_get(commands, i));
		texts[i] = s && s[0] ? s : NULL;
	}
	start->pids = numbers;
	start->nr_pids = n;
	start->commands = commands ? texts : NULL;
	return 0;
}

static int on_start(struct reader *rd, const json_t *o)
{
	struct ls_start start = {0};
	int err;

	if (rd->started)
		return bad(rd, "a second start");
	rd->started = true;
	jsonr__u64(&rd->json, o, "time_ns", INT64_MAX, &start.time_ns);
	jsonr__u64(&rd->json, o, "mono_ns", JSONR_MAX_NS, &start.mono_ns);
	jsonr__str(&rd->json, o, "host", &start.host);
	jsonr__str(&rd->json, o, "kernel", &start.kernel);
	jsonr__str(&rd->json, o, "loopstall", &start.version);
	jsonr__str(&rd->json, o, "attach", &start.attach);
	jsonr__u64(&rd->json, o, "threshold_ns", JSONR_MAX_NS, &start.threshold_ns);
	if ((err = get_pids(rd, o, &start)) != 0 || (err = reader__check(rd)) != 0)
		return err;
	rd->time_ns = start.time_ns;
	rd->mono_ns = start.mono_ns;
	return rd->out->start ? rd->out->start(rd->self, &start) : 0;
}

int reader__find_loop(struct reader *rd, int pid, int tid, struct ls_loop **loop)
{
	int key[2] = {pid, tid};
	int64_t id = intern__id(rd->threads, key, sizeof(key));
	int err;

	if (id < 0)
		return (int)id;
	if (id >= MAX_LOOPS)
		return bad(rd, "more loops than a trace holds");
	err = reader__grow(&rd->loops, &rd->loops_size, (size_t)id, sizeof(*rd->loops));
	if (err)
		return err;
	*loop = &rd->loops[id];
	if ((size_t)id == rd->nr_loops) {
		**loop = (struct ls_loop){.pid = pid, .tid = tid};
		rd->nr_loops++;
	}
	return 0;
}

int reader__get_loop(struct reader *rd, const json_t *o, struct ls_loop *loop)
{
	int err;

	*loop = (struct ls_loop){0};
	jsonr__int(&rd->json, o, "pid", &loop->pid);
	jsonr__int(&rd->json, o, "tid", &loop->tid);
	jsonr__str(&rd->json, o, "comm", &loop->comm);
	jsonr__str(&rd->json, o, "kind", &loop->kind);
	jsonr__str(&rd->json, o, "wait", &loop->wait);
	if ((err = reader__check(rd)) || (err = reader__keep(rd, &loop->comm)) ||
	    (err = reader__keep(rd, &loop->kind)))
		return err;
	return reader__keep(rd, &loop->wait);
}

static int on_loop(struct reader *rd, const json_t *o)
{
	struct ls_loop loop, *known;
	int err;

	if ((err = reader__get_loop(rd, o, &loop)) != 0 ||
	    (err = reader__find_loop(rd, loop.pid, loop.tid, &known)) != 0)
		return err;
	*known = loop;
	return rd->out->loop ? rd->out->loop(rd->self, &loop) : 0;
}

/* --- lines --- */

static const struct {
	const char *type;
	int (*handle)(struct reader *rd, const json_t *o);
} handlers[] = {
	{"stall", reader__on_stall}, {"slice", reader__on_slice},
	{"frame", reader__on_frame}, {"stack", reader__on_stack},
	{"place", reader__on_place}, {"loop", on_loop},
	{"start", on_start},         {"rest", reader__on_rest},
	{"total", reader__on_total}, {"summary", reader__on_summary},
};

static int handle_header(struct reader *rd, const json_t *o, const char *type)
{
	const char *format = json_string_value(json_object_get(o, "format"));
	int version = 0;

	rd->line = 0; /* these faults are the whole file's */
	if (strcmp(type, "start") == 0)
		return bad(rd,
			   "this is the output of --json, not a trace made by `loopstall record`");
	if (strcmp(type, "header") != 0 || !format || strcmp(format, "loopstall-trace") != 0)
		return bad(rd, "not a loopstall trace");
	jsonr__int(&rd->json, o, "version", &version);
	if (version != TRACEFILE_VERSION)
		return bad(rd, "trace format %d, and this loopstall reads %d", version,
			   TRACEFILE_VERSION);
	rd->line = 1;
	return 0;
}

static int handle(struct reader *rd, const json_t *o)
{
	const char *type = json_string_value(json_object_get(o, "type"));

	if (!type)
		return bad(rd, "not a loopstall trace");
	if (rd->line == 1)
		return handle_header(rd, o, type);
	if (!rd->started && strcmp(type, "start") != 0)
		return bad(rd, "no start before it");
	if (rd->ended)
		return bad(rd, "something after the summary");
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if (strcmp(type, handlers[i].type) == 0)
			return handlers[i].handle(rd, o);
	}
	return 0;
}

static int parse(struct reader *rd, const char *line, size_t bytes)
{
	json_t *o = json_loadb(line, bytes, 0, NULL);
	int err;

	if (!o && rd->line == 1)
		return bad(rd, "not a loopstall trace");
	if (!o)
		return bad(rd, "not valid JSON");
	rd->json.fault = NULL;
	err = handle(rd, o);
	json_decref(o);
	return err;
}

static int explain(struct reader *rd, int err)
{
	if (err == -EBADMSG)
		return bad(rd, "damaged: it does not decompress");
	if (err == -ENODATA)
		return bad(rd, "cut off: the rest of the file is missing");
	if (err == -E2BIG)
		return bad(rd, "a line, or the whole, is larger than a trace can be");
	snprintf(rd->why, rd->why_bytes, "%s", strerror(-err));
	return err;
}

static int read_lines(struct reader *rd, struct linereader *lines)
{
	size_t bytes;
	char *line;
	int got, err;

	while ((got = linereader__next(lines, &line, &bytes)) > 0) {
		rd->line++;
		err = parse(rd, line, bytes);
		if (err)
			return err;
	}
	if (got < 0)
		return explain(rd, got);
	if (!rd->line)
		return bad(rd, "empty");
	return rd->ended ? 0 : bad(rd, "cut off: there is no summary at its end");
}

static void release(struct reader *rd)
{
	stacks__free(rd->stacks);
	intern__free(rd->threads);
	arena__free(rd->arena);
	free(rd->frame_ids.ids);
	free(rd->stack_ids.ids);
	free(rd->places);
	free(rd->loops);
	free(rd->totals);
	free(rd->causes);
	free(rd->frames);
}

int tracefile__read(int fd, const struct reporter *r, void *self, char *why, size_t why_bytes)
{
	struct reader rd = {.out = r, .self = self, .why = why, .why_bytes = why_bytes};
	struct linereader *lines = linereader__new(fd);
	int err = -ENOMEM;

	why[0] = '\0';
	rd.stacks = stacks__new(MAX_TABLE_BYTES);
	rd.threads = intern__new(MAX_TABLE_BYTES);
	rd.arena = arena__new(MAX_TABLE_BYTES);
	if (lines && rd.stacks && rd.threads && rd.arena)
		err = read_lines(&rd, lines);
	release(&rd);
	linereader__free(lines);
	return err;
}
