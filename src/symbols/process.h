/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Processes with their mappings, and the modules which they share: what a symbolizer stands on. */
#ifndef LS_SYMBOLS_PROCESS_H
#define LS_SYMBOLS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/stall.h"
#include "symbols/frames.h"

struct kallsyms;
struct module;
struct perfmap;
struct strings;
struct unwind_cache;

enum {
	MAX_MODULES = 1024,
	MAX_UNNAMED = 8, /* modules whose unnamed frames are counted */
};

struct mapping {
	uint64_t start, end, pgoff;
	uint64_t image; /* where the file's first byte is mapped; 0 it is not */
	uint64_t ino;
	unsigned int dev_major, dev_minor;
	const char *path; /* as in maps; pooled */
	struct module *module;
	const struct ls_frame *unnamed; /* the frame of code without a name in it */
	bool tried;                     /* to open the module */
};

struct process {
	struct process *next;
	pid_t tgid;
	struct mapping *mappings; /* executable ones, ascending */
	size_t nr_mappings, max_mappings;
	struct module **modules; /* all that it ever mapped: its frames may still be in use */
	size_t nr_modules, max_modules;
	const char *exe;  /* path of its program, as in maps; NULL unknown */
	const char *root; /* of a chroot, as we see it; NULL none */
	uint64_t read_ns, read_cost_ns;
	struct perfmap *perfmap;
	struct frame_cache unnamed; /* by the address of the pooled path that is shown */
};

struct symbolizer {
	struct strings *pool;
	struct process *processes;
	struct module *modules;
	size_t nr_modules;
	uint32_t last_cfi_id;
	struct unwind_cache *rules;
	struct kallsyms *kallsyms;
	bool kallsyms_tried;
	size_t dwarf_bytes; /* held for debug information */
	size_t frames_left;
	uint64_t total, symbolized;
	struct ls_unnamed unnamed[MAX_UNNAMED];
	size_t nr_unnamed;
	struct ls_module *listed; /* in the pool, so that they outlive their modules */
	size_t nr_listed;
};

/* The process, read now if it is new. 0 or -errno. */
int process__get(struct symbolizer *s, pid_t tgid, struct process **result);
void process__free(struct symbolizer *s, struct process *p);

/* The mapping of `pc`; if there is none, the maps are read again, for a tenth of the time at most. */
struct mapping *process__locate(struct symbolizer *s, struct process *p, uint64_t pc);

/* The module of the mapping, opened at the first need; NULL: no ELF file. */
struct module *process__resolve(struct symbolizer *s, struct process *p, struct mapping *map);

/* The path as the process sees it: without its root, and what the kernel adds to deleted files. */
const char *process__shown_path(struct symbolizer *s, const struct process *p, const char *path);

#endif
