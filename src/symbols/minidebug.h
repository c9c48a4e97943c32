/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef LS_SYMBOLS_MINIDEBUG_H
#define LS_SYMBOLS_MINIDEBUG_H

#include <stddef.h>

#include <gelf.h>

/* The ELF file that is compressed in the .gnu_debugdata section of `elf`, to be freed by the
 * caller. NULL: there is none, or it is broken or too large. */
void *minidebug__inflate(Elf *elf, size_t *bytes);

#endif
