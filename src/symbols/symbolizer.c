/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Processes with their mappings, and modules which they share.
 *
 *	pc -> mapping -> module -> virtual address -> frames   (cached by the module)
 *	             \-> no ELF file -> perf map -> frame      (cached by the process)
 *
 * /proc/PID/maps is read again when a pc is in no mapping (dlopen), and every REFRESH_NS because a
 * library may have taken the place of another.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "symbols/dwarf.h"
#include "symbols/guard.h"
#include "symbols/kallsyms.h"
#include "symbols/maps.h"
#include "symbols/module.h"
#include "symbols/perfmap.h"
#include "symbols/strings.h"
#include "symbols/symbolizer.h"
#include "symbols/unwind.h"

enum {
	MAX_MAPPINGS = 16384, /* executable ones; a JVM with everything has hundreds */
	MAX_MODULES = 1024,
	MAX_FRAME_LISTS = 65536, /* addresses named; about 9 MB */
	MAX_VDSO_BYTES = 64 << 10,
	MAX_DWARF_BYTES = 24 << 20, /* held by libdw before all of it is dropped */
	MAX_UNNAMED = 8,            /* modules whose unnamed frames are counted */
	REFRESH_NS = 1000 * 1000 * 1000,
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

static const struct ls_frame nowhere = {.kind = LS_FRAME_NATIVE};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* --- modules ---------------------------------------------------------------------------------- */

static struct module *find_module(struct symbolizer *s, const struct stat *st, const char *path)
{
	for (struct module *m = s->modules; m; m = m->next)
		if (m->ino == st->st_ino && m->dev == st->st_dev && m->size == st->st_size &&
		    m->mtime.tv_sec == st->st_mtim.tv_sec &&
		    m->mtime.tv_nsec == st->st_mtim.tv_nsec && m->path == path)
			return m;
	return NULL;
}

static void unref_module(struct symbolizer *s, struct module *m)
{
	struct module **p = &s->modules;

	if (--m->refs)
		return;
	while (*p != m)
		p = &(*p)->next;
	*p = m->next;
	s->nr_modules--;
	module__free(m);
}

/* Remembers that `p` uses `m`. */
static bool hold_module(struct process *p, struct module *m)
{
	size_t max = p->max_modules ? p->max_modules * 2 : 32;
	struct module **modules;

	for (size_t i = 0; i < p->nr_modules; i++)
		if (p->modules[i] == m)
			return true;
	if (p->nr_modules == p->max_modules) {
		modules = realloc(p->modules, max * sizeof(struct module *));
		if (!modules)
			return false;
		p->modules = modules;
		p->max_modules = max;
	}
	p->modules[p->nr_modules++] = m;
	m->refs++;
	return true;
}

/* The module of this identity, opened now if it is new. Takes fd and image. */
static struct module *get_module(struct symbolizer *s, const struct stat *st, const char *path,
				 int fd, void *image)
{
	struct module *m = find_module(s, st, path);

	if (m || s->nr_modules >= MAX_MODULES) {
		if (fd >= 0)
			close(fd);
		free(image);
		return m;
	}
	m = module__open(path, fd, image, (size_t)st->st_size);
	if (!m)
		return NULL;
	m->cfi.id = ++s->last_cfi_id;
	m->frames.left = &s->frames_left;
	m->dev = st->st_dev;
	m->ino = st->st_ino;
	m->size = st->st_size;
	m->mtime = st->st_mtim;
	m->next = s->modules;
	s->modules = m;
	s->nr_modules++;
	return m;
}

/* The vdso is no file: its bytes are read from the process, and their hash identifies it. */
static struct module *get_vdso(struct symbolizer *s, struct process *p, const struct mapping *map)
{
	struct stat st = {.st_size = (off_t)(map->end - map->start)};
	uint8_t *image;

	if (st.st_size > MAX_VDSO_BYTES)
		return NULL;
	image = malloc((size_t)st.st_size);
	if (!image)
		return NULL;
	if (maps__peek(p->tgid, map->start, image, (size_t)st.st_size) != (size_t)st.st_size) {
		free(image);
		return NULL;
	}
	for (off_t i = 0; i < st.st_size; i++)
		st.st_ino = (st.st_ino ^ image[i]) * 0x100000001b3ULL;
	return get_module(s, &st, map->path, -1, image);
}

/* The path as the process sees it: without its root, and what the kernel adds to deleted files. */
static const char *shown_path(struct symbolizer *s, const struct process *p, const char *path)
{
	static const char gone[] = " (deleted)";
	size_t root = p->root ? strlen(p->root) : 0, n;

	if (root && !strncmp(path, p->root, root) && path[root] == '/')
		path += root;
	n = strlen(path);
	if (n >= sizeof(gone) && !strcmp(path + n - (sizeof(gone) - 1), gone))
		n -= sizeof(gone) - 1;
	return strings__intern_n(s->pool, path, n);
}

static struct module *get_file(struct symbolizer *s, struct process *p, const struct mapping *map)
{
	struct map_line line = {.start = map->start,
				.end = map->end,
				.ino = map->ino,
				.dev_major = map->dev_major,
				.dev_minor = map->dev_minor,
				.path = map->path};
	int fd = maps__open(p->tgid, &line, map->image);
	struct stat st;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st)) {
		close(fd);
		return NULL;
	}
	return get_module(s, &st, shown_path(s, p, map->path), fd, NULL);
}

static struct module *open_mapped(struct symbolizer *s, struct process *p, struct mapping *map)
{
	struct module *m = NULL;

	if (map->path[0] == '/')
		m = get_file(s, p, map);
	else if (!strcmp(map->path, "[vdso]"))
		m = get_vdso(s, p, map);
	if (!m)
		return NULL;
	m->refs++; /* not freed by the failure to hold it, below */
	if (hold_module(p, m)) {
		module__find_debug(m, p->tgid);
		map->module = m;
	}
	unref_module(s, m);
	return map->module;
}

static struct module *resolve(struct symbolizer *s, struct process *p, struct mapping *map)
{
	if (map->tried)
		return map->module;
	map->tried = true;
	guard__enter();
	open_mapped(s, p, map);
	guard__leave();
	return map->module;
}

/* --- processes -------------------------------------------------------------------------------- */

struct reading {
	struct symbolizer *s;
	struct process *p;
	struct mapping *mappings;
	size_t nr, max;
	uint64_t image, image_ino; /* the last mapping of a file's beginning */
	unsigned int image_major, image_minor;
};

static struct mapping *find_mapping(const struct process *p, uint64_t addr)
{
	size_t low = 0, high = p->nr_mappings, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (p->mappings[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low && addr < p->mappings[low - 1].end ? &p->mappings[low - 1] : NULL;
}

/* What was found out about a mapping stays, if it is the same as before. */
static void carry_over(const struct process *p, struct mapping *map)
{
	const struct mapping *old = find_mapping(p, map->start);

	if (!old || old->start != map->start || old->end != map->end || old->pgoff != map->pgoff ||
	    old->path != map->path || old->ino != map->ino || old->dev_major != map->dev_major ||
	    old->dev_minor != map->dev_minor)
		return;
	map->module = old->module;
	map->unnamed = old->unnamed;
	map->tried = old->tried;
}

static int add_mapping(const struct map_line *line, void *arg)
{
	struct reading *r = arg;
	size_t max = r->max ? r->max * 2 : 64;
	struct mapping *map;

	if (line->pgoff == 0 && line->ino) {
		r->image = line->start;
		r->image_ino = line->ino;
		r->image_major = line->dev_major;
		r->image_minor = line->dev_minor;
	}
	if (!line->executable || !strcmp(line->path, "[vsyscall]"))
		return 0;
	if (r->nr == MAX_MAPPINGS)
		return 0;
	if (r->nr == r->max) {
		map = realloc(r->mappings, max * sizeof(*map));
		if (!map)
			return -ENOMEM;
		r->mappings = map;
		r->max = max;
	}
	map = &r->mappings[r->nr++];
	*map = (struct mapping){.start = line->start,
				.end = line->end,
				.pgoff = line->pgoff,
				.ino = line->ino,
				.dev_major = line->dev_major,
				.dev_minor = line->dev_minor,
				.path = strings__intern(r->s->pool, line->path)};
	if (line->ino && line->ino == r->image_ino && line->dev_major == r->image_major &&
	    line->dev_minor == r->image_minor)
		map->image = r->image;
	carry_over(r->p, map);
	return 0;
}

static const char *read_link(struct symbolizer *s, pid_t pid, const char *name)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, name);
	n = readlink(link, path, sizeof(path));
	return n > 0 ? strings__intern_n(s->pool, path, (size_t)n) : NULL;
}

/* What cannot be read any more stays as it was. The program has the lowest mapping, mostly. */
static void read_links(struct symbolizer *s, struct process *p)
{
	const char *exe = read_link(s, p->tgid, "exe"), *root = read_link(s, p->tgid, "root");

	if (exe || !p->exe)
		p->exe = exe ? exe : p->mappings[0].path;
	if (root)
		p->root = strcmp(root, "/") != 0 ? root : NULL;
}

/* 0; -ESRCH if it has no mappings any more, and what was known stays. */
static int read_mappings(struct symbolizer *s, struct process *p)
{
	struct reading r = {.s = s, .p = p};
	uint64_t begin = now_ns();
	int err = maps__read(p->tgid, add_mapping, &r);

	p->read_ns = now_ns();
	p->read_cost_ns = p->read_ns - begin;
	if (err || !r.nr) {
		free(r.mappings);
		return err && err != -ENOENT ? err : -ESRCH;
	}
	free(p->mappings);
	p->mappings = r.mappings;
	p->nr_mappings = r.nr;
	p->max_mappings = r.max;
	read_links(s, p);
	return 0;
}

static void free_process(struct symbolizer *s, struct process *p)
{
	for (size_t i = 0; i < p->nr_modules; i++)
		unref_module(s, p->modules[i]);
	free(p->modules);
	free(p->mappings);
	frames__clear(&p->unnamed);
	perfmap__free(p->perfmap);
	free(p);
}

/* The process, read now if it is new. */
static int get_process(struct symbolizer *s, pid_t tgid, struct process **result)
{
	struct process *p;
	int err;

	for (p = s->processes; p; p = p->next)
		if (p->tgid == tgid)
			break;
	if (p) {
		if (now_ns() - p->read_ns > REFRESH_NS + 100 * p->read_cost_ns)
			read_mappings(s, p);
		*result = p;
		return 0;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->tgid = tgid;
	p->unnamed.left = &s->frames_left;
	err = read_mappings(s, p);
	if (err) {
		free_process(s, p);
		return err;
	}
	p->next = s->processes;
	s->processes = p;
	*result = p;
	return 0;
}

/* The mapping of `pc`; if there is none, the maps are read again, for a tenth of the time at most.
 */
static struct mapping *locate(struct symbolizer *s, struct process *p, uint64_t pc)
{
	struct mapping *map = find_mapping(p, pc);

	if (map || now_ns() - p->read_ns < 10 * p->read_cost_ns)
		return map;
	return read_mappings(s, p) ? NULL : find_mapping(p, pc);
}

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
	frame.module = shown_path(s, p, *map->path ? map->path : "[anon]");
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
	struct module *m = map ? resolve(s, p, map) : NULL;

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
	struct mapping *map = locate(w->s, w->p, at);
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

	if (!unwind__read(&w->memory, sp, &ret) || !locate(w->s, w->p, ret - 1))
		return UNWIND_LOST;
	r->regs.r[LS_REG_RSP] = sp + 8;
	r->regs.r[LS_REG_RIP] = ret;
	return UNWIND_CALLER;
}

static enum unwind_result visit_leaf(struct walk *w, struct native_frame *f)
{
	uint64_t pc = w->regs.regs.r[LS_REG_RIP];

	if (locate(w->s, w->p, pc))
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
	return locate(w->s, w->p, from_signal ? pc : pc - 1) != NULL;
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
	err = get_process(s, tgid, &w.p);
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

	if (get_process(s, tgid, &p))
		return;
	for (size_t i = 0; i < p->nr_mappings; i++)
		resolve(s, p, &p->mappings[i]);
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
	free_process(s, gone);
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
