/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Messages for people, to stderr; reports go to stdout. */
#ifndef LS_LOG_H
#define LS_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* 0: errors and warnings; 1 (-v): also what is being done; 2 (-vv): also libbpf's own words. */
void log__set_verbosity(int verbosity);
int log__verbosity(void);

void log__write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log__vwrite(enum log_level level, const char *fmt, va_list args);

#define log_err(...)   log__write(LOG_ERROR, __VA_ARGS__)
#define log_note(...)  log__write(LOG_ERROR, __VA_ARGS__) /* no complaint, but always said */
#define log_warn(...)  log__write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log__write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log__write(LOG_DEBUG, __VA_ARGS__)

#endif
