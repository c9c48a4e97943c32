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

#include <elfutils/libdw.h>
#include <gelf.h>

#include "symbols/frames.h"

struct strings;
struct dwarf_file;

enum { MODULE_MAX_SEGMENTS = 16 };

struct module_segment {
	uint64_t offset, filesz, vaddr;
};

struct module {
	struct module *next; /* the symbolizer's list */
	unsigned int refs;   /* processes that map it */
	uint32_t id;         /* never given twice */
	const char *path;    /* as the target sees it; pooled */
	bool is_libc;

	/* Identity. The vdso has no file: ino is a hash of its bytes, dev is 0. */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;

	void *image;  /* the vdso's bytes */
	Elf *elf;     /* NULL: not an ELF file that can be read */
	Elf *debug;   /* separate debug file */
	int dwarf_fd; /* of the file that has debug information; -1 none */
	struct module_segment segments[MODULE_MAX_SEGMENTS];
	unsigned int nr_segments;
	Dwarf_CFI *cfi; /* NULL: none, or not for this machine */
	struct dwarf_file *dwarf;
	bool debug_tried;
	struct frame_cache frames; /* by virtual address */
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

/* The frames at `vaddr`, innermost inlined function first, at least one; valid until module__free.
 * NULL: no memory, or the cache is full. */
const struct frame_list *module__frames(struct module *m, struct strings *pool, uint64_t vaddr);

#endif
