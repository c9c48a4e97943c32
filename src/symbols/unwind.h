/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One step of unwinding: from the registers in a function to those of its caller, by the function's
 * call frame information (.eh_frame, read by libdw) or, where there is none, by the frame pointer.
 */
#ifndef LS_SYMBOLS_UNWIND_H
#define LS_SYMBOLS_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <elfutils/libdw.h>

#include "events.h"

/* What can be read of the thread's stack. Set `page_addr` to 0 at first. */
struct unwind_memory {
	const uint8_t *stack; /* the copy */
	uint64_t base;        /* its address in the target */
	size_t bytes;
	pid_t live; /* read the rest from this process; 0: there is no rest */
	uint64_t page_addr;
	size_t page_bytes;
	uint8_t page[4096];
};

struct unwind_regs {
	struct ls_regs regs;
	uint32_t known; /* bit i: regs.r[i] is known */
};

enum unwind_result {
	UNWIND_CALLER, /* regs are the caller's */
	UNWIND_END,    /* this was the thread's first function */
	UNWIND_LOST,   /* there is more, but the way is not known */
};

/* The call frame information of one file. */
struct unwind_cfi {
	Dwarf_CFI *cfi; /* NULL: none */
	uint32_t id;    /* names it in the cache; never used again for another */
	uint32_t overruns;
};

/* Rules already looked up, by CFI and address; bounded. NULL: errno. */
struct unwind_cache *unwind__new_cache(void);
void unwind__free_cache(struct unwind_cache *cache);

/*
 * `cfi` of the file that the code at `vaddr` (its address in that file) belongs to; NULL none.
 * *signal: this is the frame that the kernel made for a signal handler, so the caller's pc is
 * exact, no return address.
 */
enum unwind_result unwind__step(struct unwind_cache *cache, struct unwind_cfi *cfi, uint64_t vaddr,
				struct unwind_regs *regs, struct unwind_memory *memory,
				bool *signal);

bool unwind__read(struct unwind_memory *memory, uint64_t addr, uint64_t *value);

#endif
