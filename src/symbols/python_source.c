/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a line called: "time.sleep", from the text of the call in the source file. A function in C
 * has no Python frame, and in a stripped interpreter no symbol; but the bytecode knows the columns
 * of the call under way (3.11 and later). A file that changed since the process began is not
 * believed.
 */
#include "symbols/python_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "symbols/maps.h"
#include "symbols/strings.h"

enum { FILE_MAX = 4 << 20, LINE_MAX_BYTES = 4096, READS_MAX = 2000, CALLEE_MAX = 128 };

/* Field 22 of /proc/PID/stat, in ticks since boot; the name before it may hold anything. */
static unsigned long long start_ticks(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[64], line[1024], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	if (p)
		sscanf(p,
		       ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
		       "%*d %llu",
		       &ticks);
	return ticks;
}

time_t python_source__start_time(pid_t pid)
{
	unsigned long long ticks = start_ticks(pid);
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	return time(NULL) - boot.tv_sec +
	       (time_t)(ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static FILE *open_source(const struct python_interpreter *in, const char *file)
{
	int fd = file[0] == '/' ? maps__open_in_root(in->tgid, file, false) : -1;
	struct stat st;
	FILE *f = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && st.st_size <= FILE_MAX && st.st_mtime <= in->started + 1)
		f = fdopen(fd, "r");
	if (!f)
		close(fd);
	return f;
}

static bool read_line(const struct python_interpreter *in, const char *file, uint32_t number,
		      char *line)
{
	FILE *f = open_source(in, file);
	uint32_t n = 0;

	if (!f)
		return false;
	while (n < number && fgets(line, LINE_MAX_BYTES, f))
		n += strchr(line, '\n') || feof(f) ? 1 : 0;
	fclose(f);
	return n == number;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || (c & 0x80);
}

/* The parenthesis that the last one of the text closes; NULL: the text is no call. */
static const char *open_parenthesis(const char *text, size_t n)
{
	int depth = 0;

	if (!n || text[n - 1] != ')')
		return NULL;
	while (n-- > 0) {
		if (text[n] == ')')
			depth++;
		else if (text[n] == '(' && --depth == 0)
			return text + n;
	}
	return NULL;
}

/* "time.sleep" of "time.sleep(1)", "read" of "open(x).read()"; what is called otherwise has no
 * name. */
const char *python_source__called(struct strings *pool, const char *text, size_t n)
{
	const char *end = open_parenthesis(text, n), *begin = end;

	while (begin && begin > text && is_name(begin[-1]))
		begin--;
	if (!begin)
		return NULL;
	begin += *begin == '.';
	if (begin == end || end - begin > CALLEE_MAX || isdigit((unsigned char)*begin))
		return NULL;
	return strings__intern_n(pool, begin, (size_t)(end - begin));
}

const char *python_source__callee(struct python_interpreter *in, struct strings *pool,
				  const char *file, const struct python_position *pos)
{
	char line[LINE_MAX_BYTES];
	const char *paren;
	size_t n;

	if (!file || in->source_reads >= READS_MAX)
		return NULL;
	in->source_reads++;
	if (!read_line(in, file, pos->line, line))
		return NULL;
	n = strcspn(line, "\n");
	if (pos->column >= n || (pos->end_line == pos->line && pos->end_column > n))
		return NULL;
	if (pos->end_line == pos->line)
		return python_source__called(pool, line + pos->column,
					     pos->end_column - pos->column);
	/* The call goes on below: up to its first parenthesis, as if it closed right there. */
	paren = memchr(line + pos->column, '(', n - pos->column);
	if (!paren)
		return NULL;
	line[paren - line + 1] = ')';
	return python_source__called(pool, line + pos->column,
				     (size_t)(paren - line) + 2 - pos->column);
}
