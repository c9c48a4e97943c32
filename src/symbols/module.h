/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One ELF file and what belongs to it: separate debug file, call frame information, symbols, lines.
 * Shared by all processes that map it. Everything in it is untrusted, even while it is being read.
 */
#ifndef LS_SYMBOLS_MODULE_H
#define LS_SYMBOLS_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <gelf.h>

#include "symbols/elffile.h"
#include "symbols/frames.h"
#include "symbols/unwind.h"

struct strings;
struct dwarf_file;
struct elfsym;

enum { MODULE_MAX_SEGMENTS = 16, MODULE_NR_TABLES = 4 };

struct module_segment {
	uint64_t offset, filesz, vaddr;
};

struct module {
	struct module *next; /* the symbolizer's list */
	unsigned int refs;   /* processes that map it */
	const char *path;    /* as the target sees it; pooled */
	bool is_libc;
	bool listed;                           /* among those that frames lie in */
	char build_id[2 * ELFFILE_MAX_ID + 1]; /* hexadecimal; "" none */

	/* Identity. The vdso has no file: ino is a hash of its bytes, dev is 0. */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;

	void *image; /* the vdso's bytes */
	Elf *elf;    /* NULL: not an ELF file that can be read */
	Elf *debug;  /* separate debug file */
	Elf *mini;   /* .gnu_debugdata: the symbols that stripping took away */
	void *mini_image;
	int dwarf_fd; /* of the file that has debug information; -1 none */
	struct module_segment segments[MODULE_MAX_SEGMENTS];
	unsigned int nr_segments;
	struct unwind_cfi cfi; /* none, if it is not for this machine */
	struct dwarf_file *dwarf;
	bool debug_tried;
	/* Symbols: .symtab of the file, of its debug file, of mini; .dynsym. Read at the first
	 * need. */
	struct elfsym *tables[MODULE_NR_TABLES];
	bool tables_tried;
	struct frame_cache frames; /* by virtual address */
	struct ls_frame anywhere;  /* the frame when the cache is full: only the module */
	unsigned int overruns;     /* addresses whose names took too long */
};

/* What is read from `fd` or, if that is -1, from `image` (which malloc gave). Takes both. `path` is
 * pooled. NULL only for want of memory: what cannot be read is a module without symbols. */
struct module *module__open(const char *path, int fd, void *image, size_t image_bytes);
void module__free(struct module *m);

/* The virtual address of what lies at `offset` in the file. False: in no loadable segment. */
bool module__vaddr(const struct module *m, uint64_t offset, uint64_t *vaddr);

/* Looks for a separate debug file, once only: on this host and in the root of process `via`. */
void module__find_debug(struct module *m, pid_t via);

/* Frees what the debug information takes in memory; it comes back when it is needed. */
void module__drop_dwarf(struct module *m);

/* Of its own, of a debug file or mini debug info: more than the names that it exports. */
bool module__has_symbols(struct module *m);

/* The frames at `vaddr`, innermost inlined function first, at least one; valid until the cache of
 * frames is cleared. */
const struct ls_frame *module__frames(struct module *m, struct strings *pool, uint64_t vaddr,
				      size_t *nr_frames);

#endif
