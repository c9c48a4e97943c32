/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The symbol tables of an ELF file. */
#ifndef LS_SYMBOLS_ELFSYM_H
#define LS_SYMBOLS_ELFSYM_H

#include <stdint.h>

#include <gelf.h>

/* The linker's name of the function that contains `vaddr`, by the table of `type` (SHT_SYMTAB or
 * SHT_DYNSYM); NULL: none contains it. Borrowed from `elf`. */
const char *elfsym__find(Elf *elf, uint32_t type, uint64_t vaddr);

/* The function that the PLT entry at `vaddr` jumps to; NULL: it is no PLT entry. */
const char *elfsym__find_plt(Elf *elf, uint64_t vaddr);

#endif
