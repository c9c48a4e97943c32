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

enum { FILE_MAX = 4 << 20, TEXT_MAX_BYTES = 4096, READS_MAX = 2000, CALLEE_MAX = 128 };

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

/* The lines from `first` to `last`, if all of them have room. */
static bool read_lines(const struct python_interpreter *in, const char *file, uint32_t first,
		       uint32_t last, char *text)
{
	FILE *f = open_source(in, file);
	size_t used = 0;
	uint32_t n = 1;

	if (!f)
		return false;
	while (n <= last && used + 1 < TEXT_MAX_BYTES &&
	       fgets(text + used, (int)(TEXT_MAX_BYTES - used), f)) {
		size_t length = strlen(text + used);
		bool is_wanted = n >= first;

		n += (length && text[used + length - 1] == '\n') || feof(f);
		used += is_wanted ? length : 0;
	}
	fclose(f);
	return n > last && last >= first;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || (c & 0x80);
}

/* Behind the string literal at `text`; `end` when it does not end. */
static const char *skip_string(const char *text, const char *end)
{
	char quote = *text;
	size_t n = end - text >= 3 && text[1] == quote && text[2] == quote ? 3 : 1;

	for (text += n; text < end; text++) {
		if (*text == '\\')
			text++;
		else if (*text == quote &&
			 (n == 1 || (end - text >= 3 && text[1] == quote && text[2] == quote)))
			return text + n;
	}
	return end;
}

/* One character outside of strings and parentheses; false: not part of a call alone. */
static bool follows(char c, char before, bool blank)
{
	if (!is_name(c))
		return strchr("([{)]}\\", c) != NULL;
	return !blank || c == '.' || before == '.'; /* else two words */
}

/*
 * The parenthesis in which the arguments of the outermost call stand: the last one that is not within
 * another. NULL: the text is not just a call ("a + f(x)", "not f(x)"), or cannot be followed.
 */
static const char *open_parenthesis(const char *text, size_t n)
{
	const char *end = text + n, *paren = NULL, *p = text;
	char before = '.'; /* the last character outside of parentheses, blanks apart */
	bool blank = false;
	int depth = 0;

	if (!n || end[-1] != ')')
		return NULL;
	while (p < end) {
		char c = *p;
		bool is_blank = isspace((unsigned char)c);

		if (c == '"' || c == '\'') {
			p = skip_string(p, end);
			before = c;
			continue;
		}
		if (c == '#') {
			p += strcspn(p, "\n");
			continue;
		}
		if (!c || (!depth && !is_blank && !follows(c, before, blank)))
			return NULL;
		if (strchr("([{", c) && depth++ == 0)
			paren = c == '(' ? p : NULL;
		if (strchr(")]}", c) && --depth < 0)
			return NULL;
		blank = !depth && is_blank;
		before = is_blank ? before : c;
		p++;
	}
	return depth || p > end ? NULL : paren;
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

/* "with lock:" and "for row in cursor:": the bytecode names the whole statement, or what stands after
 * `with`, for all that it calls: __enter__, __exit__ (a commit), __next__. Its head says as much. */
static const char *called_by_statement(struct strings *pool, const char *line, size_t column)
{
	static const char *const keywords[] = {"with ", "for "};
	const char *begin = line + column, *end;

	if (column >= 5 && !strncmp(begin - 5, keywords[0], 5))
		begin -= 5;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strncmp(begin, keywords[i], strlen(keywords[i])) != 0)
			continue;
		end = begin + strcspn(begin, "(:,\n\\");
		for (const char *as = begin; (as = strstr(as, " as ")) && as < end; as++)
			end = as;
		while (end > begin && isspace((unsigned char)end[-1]))
			end--;
		if (end - begin <= (ptrdiff_t)strlen(keywords[i]) || end - begin > CALLEE_MAX)
			return NULL;
		return strings__intern_n(pool, begin, (size_t)(end - begin));
	}
	return NULL;
}

/* Where the expression ends in the text, which begins with its first line; 0: not in it. */
static size_t end_of(const char *text, const struct python_position *pos)
{
	const char *line = text;

	for (uint32_t n = pos->line; n < pos->end_line; n++) {
		line = strchr(line, '\n');
		if (!line++)
			return 0;
	}
	if (pos->end_column > strcspn(line, "\n"))
		return 0;
	return (size_t)(line - text) + pos->end_column;
}

const char *python_source__called_at(struct strings *pool, const char *text,
				     const struct python_position *pos)
{
	const char *called;
	size_t end;

	if (pos->column >= strcspn(text, "\n"))
		return NULL;
	called = called_by_statement(pool, text, pos->column);
	if (called)
		return called;
	end = end_of(text, pos);
	if (end <= pos->column)
		return NULL;
	return python_source__called(pool, text + pos->column, end - pos->column);
}

const char *python_source__callee(struct python_interpreter *in, struct strings *pool,
				  const char *file, const struct python_position *pos)
{
	char text[TEXT_MAX_BYTES];

	if (!file || in->source_reads >= READS_MAX)
		return NULL;
	in->source_reads++;
	if (!read_lines(in, file, pos->line, pos->end_line, text) &&
	    !read_lines(in, file, pos->line, pos->line, text)) /* a long statement's head */
		return NULL;
	return python_source__called_at(pool, text, pos);
}
