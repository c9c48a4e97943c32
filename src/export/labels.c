/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "export/buffer.h"
#include "export/labels.h"
#include "model/utf8.h"

enum { ID_DIGITS = 64 };

void label__clean(const char *value, char *out, size_t bytes)
{
	size_t used = 0;
	uint32_t c;

	while ((c = utf8__next(&value))) {
		char encoded[4];
		int n;

		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			c = '?';
		n = utf8__encode(c, encoded);
		if (used + n >= bytes)
			break;
		memcpy(out + used, encoded, n);
		used += n;
	}
	out[used] = '\0';
}

static void write_escaped(struct buffer *out, const char *value)
{
	size_t plain;

	for (; *value; value += plain + (value[plain] != '\0')) {
		plain = strcspn(value, "\\\"\n");
		buffer__add(out, value, plain);
		if (value[plain] == '\n')
			buffer__add(out, "\\n", 2);
		else if (value[plain])
			buffer__add(out, (const char[]){'\\', value[plain]}, 2);
	}
}

void label__write(struct buffer *out, const char *name, const char *value, bool comma)
{
	if (comma)
		buffer__add(out, ",", 1);
	buffer__puts(out, name);
	buffer__add(out, "=\"", 2);
	write_escaped(out, value);
	buffer__add(out, "\"", 1);
}

/* --- sites ------------------------------------------------------------------------------------ */

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void name_function(const struct ls_frame *f, char *out, size_t bytes)
{
	if (f->function)
		snprintf(out, bytes, "%s", f->function);
	else if (f->module && f->has_offset)
		snprintf(out, bytes, "%s+0x%" PRIx64, basename_of(f->module), f->offset);
	else
		snprintf(out, bytes, "%s", f->module ? basename_of(f->module) : "(unknown)");
}

void label__site(const struct ls_frame *site, enum ls_cause cause, char *out, size_t bytes)
{
	bool scheduler = cause == LS_RUNQUEUE || cause == LS_THROTTLED;
	char function[LABEL_SITE_BYTES], text[2 * LABEL_SITE_BYTES];

	if (!site) {
		snprintf(out, bytes, "%s", scheduler ? "(scheduler)" : "(unknown)");
		return;
	}
	name_function(site, function, sizeof(function));
	if (site->file && site->line && cause != LS_CPU)
		snprintf(text, sizeof(text), "%s (%s:%u)", function, site->file, site->line);
	else if (site->file || (site->function && site->module))
		snprintf(text, sizeof(text), "%s (%s)", function,
			 site->file ? site->file : site->module);
	else
		snprintf(text, sizeof(text), "%s", function);
	label__clean(text, out, bytes);
}

/* --- cgroups and containers -------------------------------------------------------------------- */

bool label__container(const char *path, char container[LABEL_CONTAINER_BYTES])
{
	size_t run = 0;
	const char *id = NULL;

	for (const char *at = path;; at++) {
		if (isxdigit((unsigned char)*at)) {
			run++;
			continue;
		}
		if (run == ID_DIGITS)
			id = at - run; /* the innermost comes last */
		run = 0;
		if (!*at)
			break;
	}
	container[0] = '\0';
	if (id)
		snprintf(container, LABEL_CONTAINER_BYTES, "%.*s", ID_DIGITS, id);
	return id != NULL;
}

/* The path of a line "0::/system.slice/x" or "4:cpu,cpuacct:/docker/..."; NULL: another hierarchy. */
static const char *path_of(const char *line, bool *unified)
{
	const char *controllers = strchr(line, ':'), *path;

	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path)
		return NULL;
	*unified = path == controllers + 1;
	if (*unified || !strncmp(controllers + 1, "cpu,", 4) ||
	    !strncmp(controllers + 1, "cpu:", 4))
		return path + 1;
	return NULL;
}

void label__cgroup(pid_t pid, char cgroup[LABEL_CGROUP_BYTES],
		   char container[LABEL_CONTAINER_BYTES])
{
	char path[64], line[4096];
	FILE *file;

	cgroup[0] = container[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		bool unified;
		const char *found;

		line[strcspn(line, "\n")] = '\0';
		found = path_of(line, &unified);
		if (!found || (unified && cgroup[0] && !strcmp(found, "/")))
			continue; /* on a hybrid host the cpu controller's says more */
		label__clean(found, cgroup, LABEL_CGROUP_BYTES);
		label__container(found, container);
	}
	if (file)
		fclose(file);
}
