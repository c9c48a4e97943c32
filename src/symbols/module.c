/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Files are mapped, not read: of a binary of 100 MB only the pages that an answer needs come into
 * memory. Their descriptors are closed at once, but for files with debug information: what libdw
 * takes for those is dropped and brought back (module__drop_dwarf).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <zlib.h>

#include "symbols/demangle.h"
#include "symbols/dwarf.h"
#include "symbols/elffile.h"
#include "symbols/elfsym.h"
#include "symbols/guard.h"
#include "symbols/minidebug.h"
#include "symbols/maps.h"
#include "symbols/module.h"
#include "symbols/strings.h"

enum {
	MAX_PHDRS = 1024,
	MAX_INLINED = 16,
	MAX_OVERRUNS = 3,
	MAX_DWARF_FDS =
		256, /* files with debug information at one time; 1024 descriptors are usual */
};

static bool is_libc_path(const char *path)
{
	static const char *const prefixes[] = {"libc.so", "libc-2.", "libpthread", "ld-linux",
					       "ld-2.",   "ld-musl", "libc.musl",  "[vdso]"};
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(base, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static void read_segments(struct module *m)
{
	GElf_Phdr phdr;
	size_t n;

	if (elf_getphdrnum(m->elf, &n))
		return;
	for (size_t i = 0; i < n && i < MAX_PHDRS && m->nr_segments < MODULE_MAX_SEGMENTS; i++) {
		if (!gelf_getphdr(m->elf, (int)i, &phdr) || phdr.p_type != PT_LOAD)
			continue;
		m->segments[m->nr_segments++] = (struct module_segment){
			.offset = phdr.p_offset, .filesz = phdr.p_filesz, .vaddr = phdr.p_vaddr};
	}
}

static void read_build_id(struct module *m)
{
	const void *id;
	ssize_t n = dwelf_elf_gnu_build_id(m->elf, &id);

	for (ssize_t i = 0; i < n && n <= ELFFILE_MAX_ID; i++)
		sprintf(m->build_id + 2 * i, "%02x", ((const uint8_t *)id)[i]);
}

static void read_elf(struct module *m)
{
	GElf_Ehdr ehdr;

	read_build_id(m);
	read_segments(m);
	if (gelf_getehdr(m->elf, &ehdr) && ehdr.e_machine == EM_X86_64)
		m->cfi.cfi = dwarf_getcfi_elf(m->elf);
}

static unsigned int nr_dwarf_fds;

/* Takes `fd`: kept if there is debug information behind it, to open that again and again. */
static void keep_dwarf_fd(struct module *m, Elf *elf, int fd)
{
	if (fd < 0)
		return;
	if (!elf || m->dwarf_fd >= 0 || nr_dwarf_fds == MAX_DWARF_FDS || !dwarf__present(elf)) {
		close(fd);
		return;
	}
	m->dwarf_fd = fd;
	nr_dwarf_fds++;
}

static void close_dwarf(struct module *m)
{
	dwarf__close(m->dwarf);
	m->dwarf = NULL;
	if (m->dwarf_fd < 0)
		return;
	close(m->dwarf_fd);
	m->dwarf_fd = -1;
	nr_dwarf_fds--;
}

struct module *module__open(const char *path, int fd, void *image, size_t image_bytes)
{
	struct module *m = calloc(1, sizeof(*m));

	if (!m) {
		free(image);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	m->path = path;
	m->anywhere = (struct ls_frame){.kind = LS_FRAME_NATIVE, .module = path};
	m->is_libc = is_libc_path(path);
	m->image = image;
	m->dwarf_fd = -1;
	if (fd >= 0 || image)
		m->elf = elffile__begin(fd, image, image_bytes);
	if (m->elf)
		read_elf(m);
	keep_dwarf_fd(m, m->elf, fd);
	return m;
}

void module__free(struct module *m)
{
	if (!m)
		return;
	close_dwarf(m);
	if (m->cfi.cfi)
		dwarf_cfi_end(m->cfi.cfi);
	for (size_t i = 0; i < MODULE_NR_TABLES; i++)
		elfsym__free(m->tables[i]);
	elf_end(m->debug);
	elf_end(m->mini);
	elf_end(m->elf);
	frames__clear(&m->frames);
	free(m->mini_image);
	free(m->image);
	free(m);
}

bool module__vaddr(const struct module *m, uint64_t offset, uint64_t *vaddr)
{
	const struct module_segment *s;

	for (unsigned int i = 0; i < m->nr_segments; i++) {
		s = &m->segments[i];
		if (offset < s->offset || offset - s->offset >= s->filesz)
			continue;
		*vaddr = offset - s->offset + s->vaddr;
		return true;
	}
	return false;
}

/* --- separate debug files --------------------------------------------------------------------- */

struct wanted {
	pid_t via;
	uint8_t id[ELFFILE_MAX_ID];
	size_t id_bytes; /* 0: it has none, so the checksum decides */
	const char *link;
	GElf_Word crc;
};

static bool has_id(Elf *elf, const struct wanted *w)
{
	const void *id;
	ssize_t n = dwelf_elf_gnu_build_id(elf, &id);

	return n > 0 && (size_t)n == w->id_bytes && !memcmp(id, w->id, w->id_bytes);
}

static bool has_crc(int fd, GElf_Word crc)
{
	unsigned char buf[64 << 10];
	uLong sum = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0 && !guard__expired()) {
		sum = crc32(sum, buf, (uInt)n);
		at += n;
	}
	return n == 0 && sum == crc;
}

static bool take_debug(struct module *m, const struct wanted *w, int fd)
{
	Elf *elf;

	if (fd < 0)
		return false;
	elf = elffile__begin(fd, NULL, 0);
	if (!elf || !(w->id_bytes ? has_id(elf, w) : has_crc(fd, w->crc))) {
		elf_end(elf);
		close(fd);
		return false;
	}
	m->debug = elf;
	keep_dwarf_fd(m, elf, fd);
	return true;
}

static bool try_path(struct module *m, const struct wanted *w, const char *path)
{
	return take_debug(m, w, maps__open_in_root(w->via, path, false)) ||
	       (!strncmp(path, "/usr/lib/debug/", 15) &&
		take_debug(m, w, maps__open_regular(path)));
}

static bool find_by_id(struct module *m, const struct wanted *w)
{
	char path[ELFFILE_PATH_BYTES];

	return elffile__debug_path(w->id, (ssize_t)w->id_bytes, path) && try_path(m, w, path);
}

static void find_by_link(struct module *m, const struct wanted *w)
{
	static const char *const formats[] = {"%.*s%s", "%.*s.debug/%s", "/usr/lib/debug%.*s%s"};
	const char *base = strrchr(m->path, '/');
	char path[8192];
	int n;

	if (!base || !*w->link || strchr(w->link, '/') || !strcmp(w->link, ".."))
		return;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		n = snprintf(path, sizeof(path), formats[i], (int)(base + 1 - m->path), m->path,
			     w->link);
		if (n > 0 && (size_t)n < sizeof(path) && try_path(m, w, path))
			return;
	}
}

/* MiniDebugInfo, as Fedora's binaries have it: an ELF file with a .symtab, compressed by xz. */
static void read_mini(struct module *m)
{
	size_t bytes;

	m->mini_image = minidebug__inflate(m->elf, &bytes);
	if (m->mini_image)
		m->mini = elffile__begin(-1, m->mini_image, bytes);
}

void module__find_debug(struct module *m, pid_t via)
{
	struct wanted w = {.via = via};
	const void *id;
	ssize_t n;

	if (m->debug_tried)
		return;
	m->debug_tried = true;
	if (!m->elf || m->image)
		return;
	n = dwelf_elf_gnu_build_id(m->elf, &id);
	if (n > 0 && n <= ELFFILE_MAX_ID) {
		w.id_bytes = (size_t)n;
		memcpy(w.id, id, w.id_bytes);
	}
	w.link = dwelf_elf_gnu_debuglink(m->elf, &w.crc);
	if (!find_by_id(m, &w) && w.link)
		find_by_link(m, &w);
	if (!m->debug)
		read_mini(m);
}

/* --- names ------------------------------------------------------------------------------------ */

void module__drop_dwarf(struct module *m)
{
	dwarf__close(m->dwarf);
	m->dwarf = NULL;
}

static void read_tables(struct module *m)
{
	m->tables[0] = elfsym__new(m->elf, SHT_SYMTAB);
	if (!m->tables[0] && m->debug)
		m->tables[1] = elfsym__new(m->debug, SHT_SYMTAB);
	if (!m->tables[0] && m->mini)
		m->tables[2] = elfsym__new(m->mini, SHT_SYMTAB);
	if (!m->tables[0]) /* else it holds all of .dynsym */
		m->tables[3] = elfsym__new(m->elf, SHT_DYNSYM);
}

bool module__has_symbols(struct module *m)
{
	if (!m->tables_tried && m->elf)
		read_tables(m);
	m->tables_tried = true;
	return m->tables[0] || m->tables[1] || m->tables[2];
}

static const char *symbol_name(struct module *m, struct strings *pool, uint64_t vaddr)
{
	const char *name = NULL;

	if (!m->tables_tried)
		read_tables(m);
	m->tables_tried = true;
	for (size_t i = 0; i < MODULE_NR_TABLES && !name; i++)
		if (m->tables[i])
			name = elfsym__find(m->tables[i], vaddr);
	if (name)
		return demangle(pool, name);
	name = elfsym__find_plt(m->elf, vaddr);
	return name ? strings__printf(pool, "%s@plt", demangle(pool, name)) : NULL;
}

static size_t debug_frames(struct module *m, struct strings *pool, uint64_t vaddr,
			   struct ls_frame *frames)
{
	size_t n;

	if (m->dwarf_fd < 0)
		return 0;
	if (!m->dwarf)
		m->dwarf = dwarf__open(m->dwarf_fd);
	n = m->dwarf ? dwarf__frames(m->dwarf, pool, vaddr, frames, MAX_INLINED) : 0;
	if (!m->dwarf || dwarf__broken(m->dwarf))
		close_dwarf(m);
	return n;
}

static size_t describe(struct module *m, struct strings *pool, uint64_t vaddr,
		       struct ls_frame frames[MAX_INLINED])
{
	const char *name = NULL;
	size_t n = 0;

	if (m->overruns < MAX_OVERRUNS) {
		guard__enter();
		n = debug_frames(m, pool, vaddr, frames);
		name = m->elf ? symbol_name(m, pool, vaddr) : NULL;
		if (guard__leave())
			m->overruns++;
	}
	if (!n)
		memset(&frames[n++], 0, sizeof(frames[0]));
	if (name) /* what callers call it: read, where DWARF says __GI___libc_read */
		frames[n - 1].function = name;
	return n;
}

const struct ls_frame *module__frames(struct module *m, struct strings *pool, uint64_t vaddr,
				      size_t *nr_frames)
{
	const struct frame_list *list = frames__find(&m->frames, vaddr);
	struct ls_frame frames[MAX_INLINED];
	size_t n;

	if (!list) {
		n = describe(m, pool, vaddr, frames);
		for (size_t i = 0; i < n; i++) {
			frames[i].kind = LS_FRAME_NATIVE;
			frames[i].module = m->path;
			frames[i].has_offset = true;
			frames[i].offset = vaddr;
		}
		list = frames__add(&m->frames, vaddr, frames, n);
	}
	*nr_frames = list ? list->nr_frames : 1;
	return list ? list->frames : &m->anywhere;
}
