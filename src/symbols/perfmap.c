/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The file is in a directory where anybody writes, and it grows while we read. So: no link, no
 * FIFO, no device, owned by the target's user or root, bounded. In memory there is only a sorted
 * table of 16 bytes an entry; a name is read again from the file when it is asked for, and believed
 * only if the line there still begins with the same address.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "symbols/frames.h"
#include "symbols/maps.h"
#include "symbols/perfmap.h"
#include "symbols/strings.h"

enum {
	MAX_FILE_BYTES = 64 << 20,
	MAX_ENTRIES = 1 << 20,
	MAX_LINE_BYTES = 4096, /* longer lines are skipped */
	READ_BYTES = 64 << 10,
	REOPEN_NS = 1000 * 1000 * 1000,
};

struct entry {
	uint64_t start;
	uint32_t size;
	uint32_t at; /* offset of its line in the file: also tells which is later */
};

struct perfmap {
	pid_t pid;
	int fd; /* -1: not there, or not to be trusted */
	dev_t dev;
	ino_t ino;
	uint64_t opened_ns;
	off_t parsed;
	struct entry *entries; /* by start, not overlapping */
	size_t nr_entries, max_entries;
	struct frame_cache frames; /* by the pooled name's address */
};

/* --- the format ------------------------------------------------------------------------------- */

static bool parse_hex(const char **s, const char *end, uint64_t *value)
{
	const char *p = *s;
	unsigned int digits = 0;
	int c;

	if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	*value = 0;
	for (; p < end && *p != ' '; p++, digits++) {
		c = *p | 0x20;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) || digits == 16)
			return false;
		*value = *value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (!digits || p == end)
		return false;
	*s = p + 1;
	return true;
}

bool perfmap__parse_line(const char *s, size_t bytes, struct perfmap_line *line)
{
	const char *end = s + bytes;
	uint64_t size;

	if (!parse_hex(&s, end, &line->start) || !parse_hex(&s, end, &size))
		return false;
	if (!size || size > UINT32_MAX || line->start + size < line->start || s == end)
		return false;
	line->size = (uint32_t)size;
	line->name = (struct perfmap_text){.s = s, .bytes = (size_t)(end - s)};
	return true;
}

static bool has_prefix(const struct perfmap_text *t, const char *prefix)
{
	size_t n = strlen(prefix);

	return t->bytes >= n && !memcmp(t->s, prefix, n);
}

/* Takes ":number" off the end. */
static bool take_number(struct perfmap_text *t, uint32_t *number)
{
	uint64_t value = 0, scale = 1;
	size_t n = t->bytes;

	while (n > 0 && t->s[n - 1] >= '0' && t->s[n - 1] <= '9' && scale < 10000000000ULL) {
		value += (uint64_t)(t->s[n - 1] - '0') * scale;
		scale *= 10;
		n--;
	}
	if (n == t->bytes || n < 2 || t->s[n - 1] != ':' || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	t->bytes = n - 1;
	return true;
}

/* Where " path" begins: names and paths may both hold spaces, but paths begin in known ways. */
static size_t find_path(const struct perfmap_text *t)
{
	static const char *const begins[] = {" /", " file:", " node:", " webpack:", " evalmachine"};
	struct perfmap_text rest;

	for (size_t i = 0; i < t->bytes; i++) {
		rest = (struct perfmap_text){.s = t->s + i, .bytes = t->bytes - i};
		for (size_t j = 0; j < sizeof(begins) / sizeof(*begins); j++)
			if (has_prefix(&rest, begins[j]))
				return i;
	}
	for (size_t i = 0; i < t->bytes; i++)
		if (t->s[i] == ' ')
			return i;
	return t->bytes;
}

/* V8: "JS:*handler /srv/n.js:7:23"; until 10.2 (Node 18) "LazyCompile:*handler /srv/n.js:7", without the
 * column; the mark (~ ^ + *) says by which compiler. The line is that of the function's definition. */
static bool parse_v8(struct perfmap_text t, struct perfmap_name *name)
{
	static const char *const tags[] = {"JS:", "LazyCompile:", "Function:", "Script:", "Eval:"};
	bool is_old = !has_prefix(&t, tags[0]);
	uint32_t column;
	size_t n = 0, path;

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags) && !n; i++)
		n = has_prefix(&t, tags[i]) ? strlen(tags[i]) : 0;
	if (!n)
		return false;
	while (n < t.bytes && strchr("~^+*'", t.s[n]) && t.s[n])
		n++;
	t.s += n;
	t.bytes -= n;
	if (!take_number(&t, &column))
		name->line = 0;
	else if (!take_number(&t, &name->line))
		name->line = is_old ? column : 0;
	path = find_path(&t);
	name->function = (struct perfmap_text){.s = t.s, .bytes = path};
	if (!path)
		name->function = (struct perfmap_text){.s = "(anonymous)", .bytes = 11};
	if (path + 1 < t.bytes)
		name->file =
			(struct perfmap_text){.s = t.s + path + 1, .bytes = t.bytes - path - 1};
	return true;
}

/* CPython's trampolines: "py::handler:/srv/app.py". */
static bool parse_python(struct perfmap_text t, struct perfmap_name *name)
{
	const char *colon;

	if (!has_prefix(&t, "py::"))
		return false;
	t.s += 4;
	t.bytes -= 4;
	colon = memchr(t.s, ':', t.bytes);
	if (!colon || colon == t.s || colon + 1 == t.s + t.bytes)
		return false;
	name->function = (struct perfmap_text){.s = t.s, .bytes = (size_t)(colon - t.s)};
	name->file.s = colon + 1;
	name->file.bytes = t.bytes - name->function.bytes - 1;
	return true;
}

void perfmap__parse_name(const char *s, size_t bytes, struct perfmap_name *name)
{
	struct perfmap_text t = {.s = s, .bytes = bytes};

	memset(name, 0, sizeof(*name));
	if (!parse_v8(t, name) && !parse_python(t, name))
		name->function = t;
}

/* --- the table -------------------------------------------------------------------------------- */

static bool add_entry(struct perfmap *map, const struct entry *e)
{
	size_t max = map->max_entries ? map->max_entries + map->max_entries / 2 : 1024;
	struct entry *entries;

	if (map->nr_entries == MAX_ENTRIES)
		return false;
	if (map->nr_entries == map->max_entries) {
		entries = realloc(map->entries, max * sizeof(*entries));
		if (!entries)
			return false;
		map->entries = entries;
		map->max_entries = max;
	}
	map->entries[map->nr_entries++] = *e;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Of two that overlap, the later one lives: code was moved or freed, and its memory used again. */
static void settle(struct perfmap *map)
{
	struct entry *e = map->entries;
	size_t n = 0;

	qsort(e, map->nr_entries, sizeof(*e), compare);
	for (size_t i = 0; i < map->nr_entries; i++) {
		if (n && e[i].start - e[n - 1].start < e[n - 1].size) {
			if (e[i].at > e[n - 1].at)
				e[n - 1] = e[i];
		} else {
			e[n++] = e[i];
		}
	}
	map->nr_entries = n;
}

/* Takes whole lines from buf, which is at offset `at` of the file; returns how many bytes. */
static size_t take_lines(struct perfmap *map, const char *buf, size_t bytes, off_t at)
{
	struct perfmap_line line;
	const char *newline;
	struct entry e;
	size_t used = 0;

	while ((newline = memchr(buf + used, '\n', bytes - used))) {
		if (perfmap__parse_line(buf + used, (size_t)(newline - buf) - used, &line)) {
			e = (struct entry){.start = line.start,
					   .size = line.size,
					   .at = (uint32_t)((size_t)at + used)};
			add_entry(map, &e);
		}
		used = (size_t)(newline - buf) + 1;
	}
	return used;
}

static void read_tail(struct perfmap *map, off_t size)
{
	size_t before = map->nr_entries, used;
	char *buf = malloc(READ_BYTES);
	ssize_t n;

	while (buf && map->parsed < size && map->parsed < MAX_FILE_BYTES) {
		n = pread(map->fd, buf, READ_BYTES, map->parsed);
		if (n <= 0)
			break;
		used = take_lines(map, buf, (size_t)n, map->parsed);
		if (!used && n < READ_BYTES)
			break; /* a line that is still being written */
		map->parsed += used ? (off_t)used : n;
	}
	free(buf);
	if (map->nr_entries > before)
		settle(map);
}

/* --- the file --------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct identity {
	unsigned int ruid, euid;
	int nspid; /* in its own pid namespace: the innermost, which is last */
};

static bool read_identity(pid_t pid, struct identity *id)
{
	char path[64], line[512], *p;
	bool has_uid = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	id->nspid = pid;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "Uid:", 4))
			has_uid = sscanf(line + 4, "%u %u", &id->ruid, &id->euid) == 2;
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		p = strrchr(line, '\t');
		if (p)
			id->nspid = atoi(p + 1);
	}
	fclose(file);
	return has_uid;
}

static int open_map(pid_t pid, struct stat *st)
{
	struct identity id;
	char path[64];
	int fd;

	if (!read_identity(pid, &id))
		return -1;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", id.nspid);
	fd = maps__open_in_root(pid, path, true);
	if (fd < 0)
		return -1;
	if (!fstat(fd, st) && S_ISREG(st->st_mode) &&
	    (st->st_uid == 0 || st->st_uid == id.ruid || st->st_uid == id.euid))
		return fd;
	close(fd);
	return -1;
}

bool perfmap__exists(pid_t pid)
{
	struct stat st;
	int fd = open_map(pid, &st);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Opens the file, or opens it again if another has taken its place. */
static void reopen(struct perfmap *map)
{
	struct stat st;
	int fd;

	if (map->opened_ns && now_ns() - map->opened_ns < REOPEN_NS)
		return;
	map->opened_ns = now_ns();
	fd = open_map(map->pid, &st);
	if (fd < 0)
		return;
	if (map->fd >= 0 && st.st_dev == map->dev && st.st_ino == map->ino) {
		close(fd);
		return;
	}
	if (map->fd >= 0)
		close(map->fd);
	map->fd = fd;
	map->dev = st.st_dev;
	map->ino = st.st_ino;
	map->parsed = 0;
	map->nr_entries = 0;
}

static void update(struct perfmap *map)
{
	struct stat st;

	if (map->fd < 0)
		reopen(map);
	if (map->fd < 0 || fstat(map->fd, &st))
		return;
	if (st.st_size < map->parsed) { /* written anew */
		map->parsed = 0;
		map->nr_entries = 0;
	}
	if (st.st_size > map->parsed)
		read_tail(map, st.st_size);
}

static const struct entry *find_entry(const struct perfmap *map, uint64_t addr)
{
	size_t low = 0, high = map->nr_entries, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (map->entries[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || addr - map->entries[low - 1].start >= map->entries[low - 1].size)
		return NULL;
	return &map->entries[low - 1];
}

/* --- names ------------------------------------------------------------------------------------ */

static const struct ls_frame *make_frame(struct perfmap *map, struct strings *pool,
					 const char *pooled)
{
	const struct frame_list *list = frames__find(&map->frames, (uintptr_t)pooled);
	struct ls_frame frame = {.kind = LS_FRAME_JIT};
	struct perfmap_name name;

	if (list)
		return list->frames;
	perfmap__parse_name(pooled, strlen(pooled), &name);
	frame.function = strings__intern_n(pool, name.function.s, name.function.bytes);
	frame.file = strings__intern_n(pool, name.file.s, name.file.bytes);
	frame.line = name.line;
	list = frames__add(&map->frames, (uintptr_t)pooled, &frame, 1);
	return list ? list->frames : NULL;
}

static const struct ls_frame *frame_of(struct perfmap *map, struct strings *pool,
				       const struct entry *e)
{
	char buf[MAX_LINE_BYTES], *end;
	struct perfmap_line line;
	ssize_t n = pread(map->fd, buf, sizeof(buf), e->at);

	end = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;
	if (!end || !perfmap__parse_line(buf, (size_t)(end - buf), &line) || line.start != e->start)
		return NULL;
	return make_frame(map, pool, strings__intern_n(pool, line.name.s, line.name.bytes));
}

const struct ls_frame *perfmap__find(struct perfmap *map, struct strings *pool, uint64_t addr)
{
	const struct entry *e;

	update(map);
	e = find_entry(map, addr);
	if (!e && map->fd >= 0) {
		reopen(map);
		update(map);
		e = find_entry(map, addr);
	}
	return e ? frame_of(map, pool, e) : NULL;
}

struct perfmap *perfmap__new(pid_t pid, size_t *frames_left)
{
	struct perfmap *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->pid = pid;
	map->fd = -1;
	map->frames.left = frames_left;
	return map;
}

void perfmap__trim(struct perfmap *map)
{
	frames__clear(&map->frames);
}

void perfmap__free(struct perfmap *map)
{
	if (!map)
		return;
	if (map->fd >= 0)
		close(map->fd);
	frames__clear(&map->frames);
	free(map->entries);
	free(map);
}
