/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The disk work: a file written and made durable. Any thread. */
#ifndef SERVER_FILE_H
#define SERVER_FILE_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Writes `kb` KiB to a new file in `dir`, waits until the disk has them, and removes the file. One at
 * a time for each `slot`, which is in the file's name: so a trace shows one object for all of them.
 * 0 or -errno; -ECANCELED soon after `cancelled` (may be NULL) is no longer 0.
 */
int file_store(const char *dir, unsigned int slot, uint32_t kb, const atomic_int *cancelled);

#endif
