/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef LS_EXPORT_LISTEN_H
#define LS_EXPORT_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is written as an address; when not, how it is written was printed. */
bool listen__valid(const char *where);

/*
 * A listening socket for "[ADDR]:PORT" (":PORT" is every address, "[::1]:PORT" IPv6) or "unix:PATH". A
 * socket that nobody listens on any more is replaced, any other file is not. The descriptor, or -errno;
 * why was printed. `name` gets "127.0.0.1:9964", as it came to be, or "unix:PATH".
 */
int listen__open(const char *where, char *name, size_t bytes);

#endif
