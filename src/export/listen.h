/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef LS_EXPORT_LISTEN_H
#define LS_EXPORT_LISTEN_H

#include <stddef.h>

/*
 * A listening socket for "[ADDR]:PORT" (":PORT" is every address, "[::1]:PORT" IPv6) or "unix:PATH". A
 * socket that nobody listens on any more is replaced. The descriptor, or -errno; why was printed.
 * `name` gets "127.0.0.1:9964", as it came to be, or "unix:PATH".
 */
int listen__open(const char *where, char *name, size_t bytes);

#endif
