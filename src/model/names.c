/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/names.h"

const char *names__basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *names__frame(const struct ls_frame *frame, char *buf, size_t bytes)
{
	if (frame->function)
		snprintf(buf, bytes, "%s", frame->function);
	else if (frame->module && frame->has_offset)
		snprintf(buf, bytes, "%s+0x%" PRIx64, names__basename(frame->module),
			 frame->offset);
	else if (frame->kind == LS_FRAME_JIT)
		snprintf(buf, bytes, "[jit]");
	else if (frame->module)
		snprintf(buf, bytes, frame->module[0] == '[' ? "%s" : "[%s]",
			 names__basename(frame->module));
	else
		snprintf(buf, bytes, "[unknown]");
	return buf;
}

/* The part of the path below the folder that Python imports from; NULL: the program's own file. */
static const char *below_library(const char *file, bool *standard)
{
	static const char *const installed[] = {"/site-packages/", "/dist-packages/"};
	static const char *const libraries[] = {"/lib/python3.", "/lib64/python3."};
	const char *at;

	*standard = false;
	for (size_t i = 0; i < sizeof(installed) / sizeof(installed[0]); i++) {
		at = strstr(file, installed[i]);
		if (at)
			return at + strlen(installed[i]);
	}
	*standard = true;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		at = strstr(file, libraries[i]);
		at = at ? strchr(at + strlen(libraries[i]), '/') : NULL;
		if (at)
			return at + 1;
	}
	return NULL;
}

/*
 * The module by its path, as one imports it: without private parts (concurrent/futures/_base.py), and
 * of an installed package without the file, whose functions the package itself mostly offers
 * (requests/api.py, sqlalchemy/orm/session.py).
 */
static size_t put_module(const char *path, bool standard, char *buf, size_t bytes)
{
	size_t n = 0, length;

	for (const char *part = path; *part; part += length + (part[length] == '/')) {
		bool is_file, is_first = part == path;

		length = strcspn(part, "/");
		is_file = part[length] != '/';
		if (*part == '_' || (is_file && !standard && !is_first))
			continue;
		if (is_file && length > 3 && !strncmp(part + length - 3, ".py", 3))
			n += snprintf(buf + n, bytes - n, "%.*s.", (int)length - 3, part);
		else
			n += snprintf(buf + n, bytes - n, "%.*s.", (int)length, part);
		if (n >= bytes)
			return 0;
	}
	return n;
}

const char *names__callee(const struct ls_frame *frame, char *buf, size_t bytes)
{
	const char *path;
	bool standard;
	size_t n;

	path = frame->kind == LS_FRAME_PYTHON && frame->function && frame->file
		       ? below_library(frame->file, &standard)
		       : NULL;
	n = path ? put_module(path, standard, buf, bytes) : 0;
	names__frame(frame, buf + n, bytes - n);
	return buf;
}

static const char *add_position(const struct ls_frame *frame, char *buf, size_t bytes)
{
	size_t n = strlen(buf);

	if (frame->file && frame->line)
		snprintf(buf + n, bytes - n, " (%s:%u)", frame->file, frame->line);
	else if (frame->file || (frame->function && frame->module))
		snprintf(buf + n, bytes - n, " (%s)", frame->file ? frame->file : frame->module);
	return buf;
}

const char *names__place(const struct ls_frame *frame, char *buf, size_t bytes)
{
	names__frame(frame, buf, bytes);
	return add_position(frame, buf, bytes);
}

/* At most `bytes` of it, whole characters. */
static int whole_characters(const char *text, size_t bytes)
{
	while (bytes && (text[bytes] & 0xc0) == 0x80)
		bytes--;
	return (int)bytes;
}

/* What is behind `from`, from the beginning of a directory's name on where there is one. */
static const char *from_slash(const char *from)
{
	const char *slash = strchr(from, '/');

	while (!slash && (*from & 0xc0) == 0x80)
		from++;
	return slash ? slash : from;
}

enum { LEAST_NAME = 12 };

static const char *place_in(const struct ls_frame *frame, const char *name, size_t columns,
			    char *buf, size_t bytes)
{
	const char *where = frame->file ? frame->file : frame->function ? frame->module : NULL;
	size_t name_bytes = strlen(name), tail;
	char line[16] = "";

	snprintf(buf, bytes, "%s", name);
	add_position(frame, buf, bytes);
	if (!where || strlen(buf) <= columns)
		return buf;
	if (frame->file && frame->line)
		snprintf(line, sizeof(line), ":%u", frame->line);
	tail = strlen(" ()") + strlen(names__basename(where)) + strlen(line);
	if (name_bytes + tail + strlen("~/") <= columns) {
		size_t room = columns - name_bytes - strlen(" (~)") - strlen(line);

		snprintf(buf, bytes, "%s (~%s%s)", name, from_slash(where + strlen(where) - room),
			 line);
	} else if (name_bytes + tail <= columns) {
		snprintf(buf, bytes, "%s (%s%s)", name, names__basename(where), line);
	} else if (tail + LEAST_NAME + 1 <= columns) {
		snprintf(buf, bytes, "%.*s~ (%s%s)", whole_characters(name, columns - tail - 1),
			 name, names__basename(where), line);
	}
	return buf;
}

const char *names__place_in(const struct ls_frame *frame, size_t columns, char *buf, size_t bytes)
{
	char name[512];

	return place_in(frame, names__frame(frame, name, sizeof(name)), columns, buf, bytes);
}

const char *names__called_place_in(const struct ls_frame *frame, size_t columns, char *buf,
				   size_t bytes)
{
	char name[512];

	return place_in(frame, names__callee(frame, name, sizeof(name)), columns, buf, bytes);
}

const char *names__call(const char *call, const char *object, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%s%s%s", call ? call : "", call && object ? " " : "",
		 object ? object : "");
	return buf;
}

const char *names__length(uint64_t ns, char *buf, size_t bytes)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	double v = (double)ns;
	size_t u = 0;

	while (u < 3 && v >= 999.5) {
		v /= 1000;
		u++;
	}
	snprintf(buf, bytes, "%.*f %s", u == 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2, v, units[u]);
	return buf;
}
