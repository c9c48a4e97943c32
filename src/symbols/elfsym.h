/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The symbol tables of an ELF file. */
#ifndef LS_SYMBOLS_ELFSYM_H
#define LS_SYMBOLS_ELFSYM_H

#include <stdint.h>

#include <gelf.h>

struct elfsym;

/*
 * An index of the functions in the table of `type` (SHT_SYMTAB or SHT_DYNSYM): 8 bytes each, so 1
 * MB for a large binary. `elf` must outlive it. NULL: there is no such table, or none that can be
 * held.
 */
struct elfsym *elfsym__new(Elf *elf, uint32_t type);
void elfsym__free(struct elfsym *t);

/* The linker's name of the function that contains `vaddr`; NULL: none does. Borrowed from the file.
 */
const char *elfsym__find(const struct elfsym *t, uint64_t vaddr);

/* The function that the PLT entry at `vaddr` jumps to; NULL: it is no PLT entry. */
const char *elfsym__find_plt(Elf *elf, uint64_t vaddr);

#endif
