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
	else if (frame->module)
		snprintf(buf, bytes, "[%s]", names__basename(frame->module));
	else
		snprintf(buf, bytes, "[unknown]");
	return buf;
}

const char *names__place(const struct ls_frame *frame, char *buf, size_t bytes)
{
	size_t n;

	names__frame(frame, buf, bytes);
	n = strlen(buf);
	if (frame->file && frame->line)
		snprintf(buf + n, bytes - n, " (%s:%u)", frame->file, frame->line);
	else if (frame->file || (frame->function && frame->module))
		snprintf(buf + n, bytes - n, " (%s)", frame->file ? frame->file : frame->module);
	return buf;
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
