/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Limits while a library reads files of the target, which may be made to hurt. Between enter and
 * leave:
 *  - a page of a mapped file that its owner has truncated reads as zeros instead of raising SIGBUS;
 *  - this process may grow by GUARD_BYTES, then malloc fails;
 *  - guard__expired() turns true after GUARD_NS of CPU time (a cold disk is no malice): loops over
 *    the target's data ask it.
 */
#ifndef LS_SYMBOLS_GUARD_H
#define LS_SYMBOLS_GUARD_H

#include <stdbool.h>

enum { GUARD_BYTES = 128 << 20, GUARD_NS = 500 * 1000 * 1000 };

/* Nests; the limits are those of the outermost. One thread at a time; do not fork in between, the
 * child would inherit the limit. */
void guard__enter(void);
bool guard__expired(void);
bool guard__leave(void); /* whether the time was overrun */

#endif
