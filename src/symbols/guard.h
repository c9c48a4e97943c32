/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading mapped files that their owner may truncate: the kernel then answers with SIGBUS. Between
 * enter and leave such a page reads as zeros instead, which is garbage like any other.
 */
#ifndef LS_SYMBOLS_GUARD_H
#define LS_SYMBOLS_GUARD_H

/* Nests. Elsewhere, SIGBUS does what it did before. One thread at a time. */
void guard__enter(void);
void guard__leave(void);

#endif
