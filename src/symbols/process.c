/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * /proc/PID/maps is read again when a pc is in no mapping (dlopen), and every REFRESH_NS because a
 * library may have taken the place of another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "symbols/guard.h"
#include "symbols/maps.h"
#include "symbols/module.h"
#include "symbols/perfmap.h"
#include "symbols/process.h"
#include "symbols/strings.h"

enum {
	MAX_MAPPINGS = 16384, /* executable ones; a JVM with everything has hundreds */
	MAX_VDSO_BYTES = 64 << 10,
	REFRESH_NS = 1000 * 1000 * 1000,
};

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

const char *process__shown_path(struct symbolizer *s, const struct process *p, const char *path)
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
	return get_module(s, &st, process__shown_path(s, p, map->path), fd, NULL);
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

struct module *process__resolve(struct symbolizer *s, struct process *p, struct mapping *map)
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

void process__free(struct symbolizer *s, struct process *p)
{
	for (size_t i = 0; i < p->nr_modules; i++)
		unref_module(s, p->modules[i]);
	free(p->modules);
	free(p->mappings);
	frames__clear(&p->unnamed);
	perfmap__free(p->perfmap);
	free(p);
}

int process__get(struct symbolizer *s, pid_t tgid, struct process **result)
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
		process__free(s, p);
		return err;
	}
	p->next = s->processes;
	s->processes = p;
	*result = p;
	return 0;
}

struct mapping *process__locate(struct symbolizer *s, struct process *p, uint64_t pc)
{
	struct mapping *map = find_mapping(p, pc);

	if (map || now_ns() - p->read_ns < 10 * p->read_cost_ns)
		return map;
	return read_mappings(s, p) ? NULL : find_mapping(p, pc);
}
