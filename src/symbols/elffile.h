/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Opening ELF files that nobody vouches for. */
#ifndef LS_SYMBOLS_ELFFILE_H
#define LS_SYMBOLS_ELFFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gelf.h>

/* Little-endian ELF64 only. Of a file (fd, borrowed: it is mapped, and may be closed) or of memory
 * (fd -1), which must outlive it. NULL: not such a file, or one made to exhaust memory. */
Elf *elffile__begin(int fd, void *image, size_t bytes);

/* The first section with this name and with contents, or of this type. NULL: none. */
Elf_Scn *elffile__named(Elf *elf, const char *name, GElf_Shdr *shdr);
Elf_Scn *elffile__typed(Elf *elf, uint32_t type, GElf_Shdr *shdr);

/* "/usr/lib/debug/.build-id/ab/cdef.debug". False: `id` is no build-id, by its length. */
enum { ELFFILE_MAX_ID = 64, ELFFILE_PATH_BYTES = 64 + 2 * ELFFILE_MAX_ID };
bool elffile__debug_path(const void *id, ssize_t id_bytes, char path[ELFFILE_PATH_BYTES]);

#endif
