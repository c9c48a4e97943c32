/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>

#include "log.h"

static int verbosity;

void log__set_verbosity(int v)
{
	verbosity = v;
}

int log__verbosity(void)
{
	return verbosity;
}

void log__vwrite(enum log_level level, const char *fmt, va_list args)
{
	if ((int)level > verbosity + LOG_WARN)
		return;
	flockfile(stderr);
	fputs(level == LOG_WARN ? "loopstall: warning: " : "loopstall: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	funlockfile(stderr);
}

void log__write(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log__vwrite(level, fmt, args);
	va_end(args);
}
