/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 *	pc -> mapping -> module -> virtual address -> frames   (cached by the module)
 *	             \-> no ELF file -> perf map -> frame      (cached by the process)
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/dwarf.h"
#include "symbols/guard.h"
#include "symbols/kallsyms.h"
#include "symbols/maps.h"
#include "symbols/module.h"
#include "symbols/perfmap.h"
#include "symbols/process.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"
#include "symbols/unwind.h"

enum {
	MAX_FRAME_LISTS = 65536,    /* addresses named; about 9 MB */
	MAX_DWARF_BYTES = 24 << 20, /* held by libdw before all of it is dropped */
};

static const struct ls_frame nowhere = {.kind = LS_FRAME_NATIVE};

/* --- names ------------------------------------------------------------------------------------ */

/* Files that generated code lives in, beside anonymous memory. */
static bool is_jit_path(const char *path)
{
	static const char *const prefixes[] = {"/memfd:", "/dev/", "/SYSV", "/anon_hugepage"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return true;
	return path[0] != '/';
}

/* Frames of code without names in a mapping without an ELF file are all one. */
static const struct ls_frame *unnamed_frame(struct symbolizer *s, struct process *p,
					    struct mapping *map)
{
	struct ls_frame frame = {.kind = is_jit_path(map->path) ? LS_FRAME_JIT : LS_FRAME_NATIVE};
	const struct frame_list *list;

	if (map->unnamed)
		return map->unnamed;
	frame.module = process__shown_path(s, p, *map->path ? map->path : "[anon]");
	list = frames__find(&p->unnamed, (uintptr_t)frame.module);
	if (!list)
		list = frames__add(&p->unnamed, (uintptr_t)frame.module, &frame, 1);
	map->unnamed = list ? list->frames : NULL;
	return list ? list->frames : &nowhere;
}

static const struct ls_frame *jit_frame(struct symbolizer *s, struct process *p,
					struct mapping *map, uint64_t pc)
{
	const struct ls_frame *frame = NULL;

	if (!p->perfmap)
		p->perfmap = perfmap__new(p->tgid, &s->frames_left);
	if (p->perfmap)
		frame = perfmap__find(p->perfmap, s->pool, pc);
	return frame ? frame : unnamed_frame(s, p, map);
}

/* libdw keeps all that it has decoded: that is dropped when it becomes too much. */
static void drop_dwarf(struct symbolizer *s)
{
	for (struct module *m = s->modules; m; m = m->next)
		module__drop_dwarf(m);
	malloc_trim(0);
	s->dwarf_bytes = 0;
}

/* The first frame of a module: its build id is kept, whatever becomes of its processes. */
static void list_module(struct symbolizer *s, struct module *m)
{
	struct ls_module new = {.path = m->path};
	struct ls_module *listed;

	m->listed = true;
	if (!m->build_id[0] || s->nr_listed == MAX_MODULES)
		return;
	new.build_id = strings__intern(s->pool, m->build_id);
	for (size_t i = 0; i < s->nr_listed; i++)
		if (s->listed[i].path == new.path && s->listed[i].build_id == new.build_id)
			return;
	listed = realloc(s->listed, (s->nr_listed + 1) * sizeof(*listed));
	if (!listed)
		return;
	s->listed = listed;
	s->listed[s->nr_listed++] = new;
}

static const struct ls_frame *name_address(struct symbolizer *s, struct module *m, uint64_t vaddr,
					   size_t *nr_frames)
{
	const struct ls_frame *frames;
	size_t before, after;

	if (m->dwarf_fd < 0 || frames__find(&m->frames, vaddr))
		return module__frames(m, s->pool, vaddr, nr_frames);
	before = m->dwarf ? dwarf__bytes(m->dwarf) : 0;
	frames = module__frames(m, s->pool, vaddr, nr_frames);
	after = m->dwarf ? dwarf__bytes(m->dwarf) : 0;
	s->dwarf_bytes += after > before ? after - before : 0;
	if (s->dwarf_bytes > MAX_DWARF_BYTES)
		drop_dwarf(s);
	return frames;
}

static void name_in_module(struct symbolizer *s, struct process *p, const struct mapping *map,
			   uint64_t vaddr, struct native_frame *f)
{
	if (!map->module->listed)
		list_module(s, map->module);
	f->frames = name_address(s, map->module, vaddr, &f->nr_frames);
	f->is_libc = map->module->is_libc;
	f->is_library = f->is_libc || map->path != p->exe;
}

static void count_unnamed(struct symbolizer *s, const struct ls_frame *frame)
{
	size_t i = 0;

	while (i < s->nr_unnamed && s->unnamed[i].module != frame->module)
		i++;
	if (i == MAX_UNNAMED || !frame->module)
		return;
	if (i == s->nr_unnamed)
		s->unnamed[s->nr_unnamed++] = (struct ls_unnamed){
			.module = frame->module, .jit = frame->kind == LS_FRAME_JIT};
	s->unnamed[i].frames++;
}

static void count(struct symbolizer *s, const struct native_frame *f)
{
	const struct ls_frame *frame = &f->frames[f->nr_frames - 1];

	s->total++;
	if (frame->function)
		s->symbolized++;
	else
		count_unnamed(s, frame);
}

/* --- unwinding -------------------------------------------------------------------------------- */

/* Where `pc` lies: its module, if it is an ELF file, and the virtual address there. */
static struct module *place(struct symbolizer *s, struct process *p, struct mapping *map,
			    uint64_t pc, uint64_t *vaddr)
{
	struct module *m = map ? process__resolve(s, p, map) : NULL;

	if (!m || !m->elf || !module__vaddr(m, pc - map->start + map->pgoff, vaddr))
		return NULL;
	return m;
}

struct walk {
	struct symbolizer *s;
	struct process *p;
	struct unwind_regs regs;
	struct unwind_memory memory;
	bool activation; /* pc is the instruction under way, no return address */
};

/* Names the frame at the walk's registers and steps to its caller. */
static enum unwind_result visit(struct walk *w, struct native_frame *f)
{
	uint64_t pc = w->regs.regs.r[LS_REG_RIP], at = w->activation ? pc : pc - 1, vaddr = 0;
	struct mapping *map = process__locate(w->s, w->p, at);
	struct module *m = place(w->s, w->p, map, at, &vaddr);
	enum unwind_result result;
	bool signal;

	*f = (struct native_frame){
		.pc = at, .sp = w->regs.regs.r[LS_REG_RSP], .frames = &nowhere, .nr_frames = 1};
	result =
		unwind__step(w->s->rules, m ? &m->cfi : NULL, vaddr, &w->regs, &w->memory, &signal);
	if (signal && !w->activation) { /* the handler "returns" to its first instruction */
		f->pc = pc;
		vaddr++;
	}
	w->activation = signal;
	if (m)
		name_in_module(w->s, w->p, map, vaddr, f);
	else if (map)
		f->frames = jit_frame(w->s, w->p, map, at);
	return result;
}

/* A call through a bad pointer: nothing is at pc, but its caller's address is on the stack. */
static enum unwind_result leave_nowhere(struct walk *w)
{
	struct unwind_regs *r = &w->regs;
	uint64_t sp = r->regs.r[LS_REG_RSP], ret;

	if (!unwind__read(&w->memory, sp, &ret) || !process__locate(w->s, w->p, ret - 1))
		return UNWIND_LOST;
	r->regs.r[LS_REG_RSP] = sp + 8;
	r->regs.r[LS_REG_RIP] = ret;
	return UNWIND_CALLER;
}

static enum unwind_result visit_leaf(struct walk *w, struct native_frame *f)
{
	uint64_t pc = w->regs.regs.r[LS_REG_RIP];

	if (process__locate(w->s, w->p, pc))
		return visit(w, f);
	*f = (struct native_frame){
		.pc = pc, .sp = w->regs.regs.r[LS_REG_RSP], .frames = &nowhere, .nr_frames = 1};
	w->activation = false;
	return leave_nowhere(w);
}

/* Is the caller's frame one that can be: further up the stack, and in code? */
static bool plausible(struct walk *w, uint64_t callee_sp, bool from_signal)
{
	uint64_t sp = w->regs.regs.r[LS_REG_RSP], pc = w->regs.regs.r[LS_REG_RIP];

	if (sp <= callee_sp && !from_signal) /* a handler may run on a stack of its own */
		return false;
	return process__locate(w->s, w->p, from_signal ? pc : pc - 1) != NULL;
}

static size_t walk_stack(struct walk *w, struct native_frame *frames, size_t max, bool *truncated)
{
	enum unwind_result result = UNWIND_LOST;
	size_t n = 0;

	while (n < max) {
		result = n ? visit(w, &frames[n]) : visit_leaf(w, &frames[n]);
		count(w->s, &frames[n]);
		n++;
		if (result != UNWIND_CALLER)
			break;
		if (!plausible(w, frames[n - 1].sp, w->activation)) {
			result = UNWIND_LOST;
			break;
		}
	}
	*truncated = result != UNWIND_END;
	return n;
}

ssize_t symbolizer__user_at(struct symbolizer *s, pid_t tgid, const struct ls_regs *regs,
			    const uint8_t *stack, uint64_t stack_base, size_t stack_bytes,
			    bool live, struct native_frame *frames, size_t max, bool *truncated)
{
	struct walk w = {.s = s, .activation = true};
	int err;

	*truncated = true;
	err = process__get(s, tgid, &w.p);
	if (err)
		return err;
	w.regs = (struct unwind_regs){.regs = *regs, .known = (1u << LS_NR_REGS) - 1};
	w.memory.stack = stack;
	w.memory.base = stack_base;
	w.memory.bytes = stack_bytes;
	w.memory.live = live ? tgid : 0;
	return (ssize_t)walk_stack(&w, frames, max, truncated);
}

ssize_t symbolizer__user(struct symbolizer *s, pid_t tgid, const struct ls_regs *regs,
			 const uint8_t *stack, size_t stack_bytes, bool live,
			 struct native_frame *frames, size_t max, bool *truncated)
{
	return symbolizer__user_at(s, tgid, regs, stack, regs->r[LS_REG_RSP], stack_bytes, live,
				   frames, max, truncated);
}

/* --- the rest of the interface ---------------------------------------------------------------- */

struct symbolizer *symbolizer__new(struct strings *pool)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pool = pool;
	s->frames_left = MAX_FRAME_LISTS;
	s->rules = unwind__new_cache();
	if (!s->rules) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	elf_version(EV_CURRENT);
	/* Never wait for a server on the network, unless it was asked for. */
	setenv("DEBUGINFOD_URLS", "", 0);
	return s;
}

void symbolizer__free(struct symbolizer *s)
{
	if (!s)
		return;
	while (s->processes)
		symbolizer__forget(s, s->processes->tgid);
	unwind__free_cache(s->rules);
	kallsyms__free(s->kallsyms);
	free(s->listed);
	free(s);
}

void symbolizer__prepare(struct symbolizer *s, pid_t tgid)
{
	struct process *p;

	if (process__get(s, tgid, &p))
		return;
	for (size_t i = 0; i < p->nr_mappings; i++)
		process__resolve(s, p, &p->mappings[i]);
}

void symbolizer__forget(struct symbolizer *s, pid_t tgid)
{
	struct process **p = &s->processes, *gone;

	while (*p && (*p)->tgid != tgid)
		p = &(*p)->next;
	if (!*p)
		return;
	gone = *p;
	*p = gone->next;
	process__free(s, gone);
}

void symbolizer__trim(struct symbolizer *s)
{
	if (s->frames_left > MAX_FRAME_LISTS / 4)
		return;
	for (struct module *m = s->modules; m; m = m->next)
		frames__clear(&m->frames);
	for (struct process *p = s->processes; p; p = p->next) {
		frames__clear(&p->unnamed);
		for (size_t i = 0; i < p->nr_mappings; i++)
			p->mappings[i].unnamed = NULL;
		if (p->perfmap)
			perfmap__trim(p->perfmap);
	}
}

const struct ls_module *symbolizer__modules(const struct symbolizer *s, size_t *nr)
{
	*nr = s->nr_listed;
	return s->listed;
}

const struct ls_unnamed *symbolizer__unnamed(const struct symbolizer *s, size_t *nr)
{
	*nr = s->nr_unnamed;
	return s->unnamed;
}

void symbolizer__counts(const struct symbolizer *s, uint64_t *total, uint64_t *symbolized)
{
	*total = s->total;
	*symbolized = s->symbolized;
}

static void read_kallsyms(struct symbolizer *s)
{
	FILE *file = fopen("/proc/kallsyms", "re");

	s->kallsyms_tried = true;
	if (!file)
		return;
	s->kallsyms = kallsyms__read(file);
	fclose(file);
}

struct ls_frame symbolizer__kernel(struct symbolizer *s, uint64_t addr)
{
	struct ls_frame frame = {.kind = LS_FRAME_KERNEL};
	const char *name = NULL;

	if (!s->kallsyms_tried)
		read_kallsyms(s);
	if (s->kallsyms)
		name = kallsyms__find(s->kallsyms, addr, &frame.offset);
	frame.function = strings__intern(s->pool, name);
	frame.has_offset = name != NULL;
	s->total++;
	s->symbolized += name != NULL;
	return frame;
}
