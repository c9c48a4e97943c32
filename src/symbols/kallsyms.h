/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The kernel's own symbols: code addresses to function names. */
#ifndef LS_SYMBOLS_KALLSYMS_H
#define LS_SYMBOLS_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct kallsyms;

/* Reads all of `file`, in the format of /proc/kallsyms. NULL: errno. Without the right to see
 * addresses (kptr_restrict) they are all zero: the result then knows no name. */
struct kallsyms *kallsyms__read(FILE *file);
void kallsyms__free(struct kallsyms *k);
size_t kallsyms__count(const struct kallsyms *k);

/* The name of the function that `addr` lies in, valid until kallsyms__free; NULL unknown. */
const char *kallsyms__find(const struct kallsyms *k, uint64_t addr, uint64_t *offset);

#endif
