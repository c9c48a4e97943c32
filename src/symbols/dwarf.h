/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Source lines and inlined functions from debug information. */
#ifndef LS_SYMBOLS_DWARF_H
#define LS_SYMBOLS_DWARF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gelf.h>

#include "model/stall.h"

struct strings;
struct dwarf_file;

bool dwarf__present(Elf *elf);

/* Keeps `fd` borrowed. NULL: no debug information that can be used, or more than can be held. */
struct dwarf_file *dwarf__open(int fd);
void dwarf__close(struct dwarf_file *d);

/* About how much memory it holds by now. */
size_t dwarf__bytes(const struct dwarf_file *d);

/* Memory ran out inside libdw: it cannot be used any more. */
bool dwarf__broken(const struct dwarf_file *d);

/*
 * Function, file, line and inlined of each frame at `vaddr`, innermost first, at most `max`; how
 * many, 0 if no unit covers it. function is NULL where DWARF gives no name.
 */
size_t dwarf__frames(struct dwarf_file *d, struct strings *pool, uint64_t vaddr,
		     struct ls_frame *frames, size_t max);

#endif
