/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Finds the interpreter of a process: which mapped file defines _PyRuntime (exported even by
 *stripped builds), which version that is, and where its fields lie. What the file and the memory
 *say is checked against each other before anything is believed:
 *
 *	/proc/PID/maps -> ELF .dynsym -> Py_Version -> row of the table, or _Py_DebugOffsets ->
 *checks
 */
#include "symbols/python_internal.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols/maps.h"
#include "symbols/strings.h"

enum { SYMBOLS_MAX = 64 << 20, PATH_BYTES = 4096 };

struct symbols {
	uint64_t runtime, version, code_type; /* link-time addresses; 0 absent */
	uint64_t runtime_section;             /* .PyRuntime, 3.10 and later */
	uint64_t base;                        /* address of the first loaded page */
};

static int refuse(char *why, size_t size, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int refuse(char *why, size_t size, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return err;
}

/* --- the file ------------------------------------------------------------------------------- */

static void take_symbol(struct symbols *s, const char *name, uint64_t value)
{
	if (strcmp(name, "_PyRuntime") == 0)
		s->runtime = value;
	else if (strcmp(name, "Py_Version") == 0)
		s->version = value;
	else if (strcmp(name, "PyCode_Type") == 0)
		s->code_type = value;
}

static void read_symbols(Elf *elf, Elf_Scn *scn, const GElf_Shdr *shdr, struct symbols *s)
{
	Elf_Data *data = shdr->sh_size <= SYMBOLS_MAX ? elf_getdata(scn, NULL) : NULL;
	size_t n = data && shdr->sh_entsize ? shdr->sh_size / shdr->sh_entsize : 0;

	for (size_t i = 0; i < n; i++) {
		GElf_Sym sym;
		const char *name;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		name = elf_strptr(elf, shdr->sh_link, sym.st_name);
		/* What we look for begins with _ or Py. */
		if (name && name[0] && (name[0] == '_' || name[1] == 'y'))
			take_symbol(s, name, sym.st_value);
	}
}

static void read_sections(Elf *elf, struct symbols *s)
{
	Elf_Scn *scn = NULL;
	size_t names = 0;

	elf_getshdrstrndx(elf, &names);
	while ((scn = elf_nextscn(elf, scn)) != NULL) {
		GElf_Shdr shdr;
		const char *name;

		if (!gelf_getshdr(scn, &shdr))
			continue;
		if (shdr.sh_type == SHT_DYNSYM)
			read_symbols(elf, scn, &shdr, s);
		name = elf_strptr(elf, names, shdr.sh_name);
		if (name && strcmp(name, ".PyRuntime") == 0)
			s->runtime_section = shdr.sh_addr;
	}
}

static bool read_base(Elf *elf, struct symbols *s)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_LOAD) {
			s->base = phdr.p_vaddr & ~0xfffull;
			return true;
		}
	}
	return false;
}

static bool read_elf(pid_t pid, const struct map_line *map, struct symbols *s)
{
	int fd = maps__open(pid, map, map->start);
	bool ok = false;
	Elf *elf;

	memset(s, 0, sizeof(*s));
	if (fd < 0)
		return false;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && read_base(elf, s)) {
		read_sections(elf, s);
		ok = s->runtime || s->runtime_section;
	}
	elf_end(elf);
	close(fd);
	return ok;
}

/* --- the mappings --------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The path without what the kernel adds when the file is gone. */
static const char *pool_path(struct strings *pool, const char *path)
{
	const char *gone = strstr(path, " (deleted)");

	return strings__intern_n(pool, path, gone ? (size_t)(gone - path) : strlen(path));
}

static const char *read_program(pid_t pid, struct strings *pool)
{
	char link[64], path[PATH_BYTES];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return pool_path(pool, path);
}

static bool may_hold_python(const struct python_interpreter *in, const char *path)
{
	const char *name = base_name(path);

	return starts_with(name, "libpython") || starts_with(name, "python") ||
	       (in->program && strcmp(in->program, path) == 0);
}

struct search {
	struct python_interpreter *in;
	struct strings *pool;
	struct symbols symbols;
	uint64_t start;   /* where the file found is mapped; 0 none */
	const char *last; /* path looked at last */
};

/* The first mapped file which defines the runtime. */
static int look_at(const struct map_line *map, void *arg)
{
	struct search *s = arg;
	const char *path;

	if (map->path[0] != '/' || map->pgoff)
		return 0;
	if (strstr(map->path, "/uvloop/loop."))
		s->in->has_uvloop = true;
	path = pool_path(s->pool, map->path);
	if (s->start || path == s->last || !may_hold_python(s->in, path))
		return 0;
	s->last = path;
	if (read_elf(s->in->tgid, map, &s->symbols)) {
		s->in->module = path;
		s->start = map->start;
	}
	return 0;
}

/* --- the version ---------------------------------------------------------------------------- */

/* From a file name: python3.9, libpython3.8.so.1.0. */
static uint16_t version_of_name(const char *path)
{
	const char *p = strstr(base_name(path), "python");
	unsigned int major, minor;

	if (!p || sscanf(p, "python%u.%u", &major, &minor) != 2 || major > 255 || minor > 255)
		return 0;
	return (uint16_t)(major << 8 | minor);
}

static int find_offsets(struct python_interpreter *in, const struct symbols *s, uint64_t bias,
			char *why, size_t size)
{
	uint16_t version = s->version ? target__u32(in->tgid, s->version + bias) >> 16
				      : version_of_name(in->module);
	uint64_t words[PYTHON_DEBUG_OFFSETS_WORDS];
	const struct python_offsets *row = python_offsets__find(version);
	const char *reason = NULL;

	if (!version)
		return refuse(why, size, -ENOTSUP, "CPython: no version in %s", in->module);
	if (!row)
		return refuse(why, size, -ENOTSUP, "CPython %d.%d: unknown version", version >> 8,
			      version & 255);
	in->offsets = *row;
	if (target__read(in->tgid, in->runtime, words, sizeof(words)) == 0 &&
	    python_offsets__describe(&in->offsets, words, &reason) == -ENOTSUP)
		return refuse(why, size, -ENOTSUP, "CPython %d.%d: %s", version >> 8, version & 255,
			      reason);
	return 0;
}

/* --- the checks ----------------------------------------------------------------------------- */

struct first_thread {
	uint64_t tstate, interp;
};

static bool take_first(void *ctx, const struct python_tstate *tstate)
{
	struct first_thread *first = ctx;

	first->tstate = tstate->address;
	first->interp = tstate->interp;
	return false;
}

/* The memory must agree with the table, else it is another build's layout. */
static int check_layout(struct python_interpreter *in, char *why, size_t size)
{
	uint64_t basicsize = target__u64(in->tgid, in->code_type + PYTHON_TYPE_BASICSIZE);
	/* interpreters.main follows .head */
	uint64_t interp =
		target__u64(in->tgid, in->runtime + in->offsets.runtime.interpreters_head + 8);
	struct first_thread first = {0};

	if (basicsize != in->offsets.code.size)
		return refuse(why, size, -ENOTSUP,
			      "CPython %d.%d: unknown layout (code objects of %" PRIu64 " bytes)",
			      in->offsets.version >> 8, in->offsets.version & 255, basicsize);
	if (!interp || python_threads__each(in, take_first, &first) < 0 || !first.tstate)
		return -EAGAIN;
	if (target__u64(in->tgid, first.tstate + in->offsets.tstate.interp) != first.interp)
		return refuse(why, size, -ENOTSUP, "CPython %d.%d: unknown layout (thread states)",
			      in->offsets.version >> 8, in->offsets.version & 255);
	in->gil = in->offsets.interp.gil ? target__u64(in->tgid, interp + in->offsets.interp.gil)
					 : in->runtime + in->offsets.runtime.gil;
	return 0;
}

uint32_t python_runtime__tss_key(const struct python_interpreter *in)
{
	uint64_t at = in->runtime + in->offsets.runtime.auto_tss_key;
	uint32_t is_initialized = target__u32(in->tgid, at - 4);
	uint32_t key = PY_NO_TSS_KEY;

	if (is_initialized != 1 || target__read(in->tgid, at, &key, sizeof(key)) != 0)
		return PY_NO_TSS_KEY;
	return key < PY_TSS_KEYS ? key : PY_NO_TSS_KEY;
}

int python_runtime__find(struct python_interpreter *in, struct strings *pool, char *why,
			 size_t size)
{
	struct search search = {.in = in, .pool = pool};
	const struct symbols *symbols = &search.symbols;
	uint64_t bias;
	int err;

	in->program = read_program(in->tgid, pool);
	err = maps__read(in->tgid, look_at, &search);
	if (err == -ENOENT)
		return -ESRCH;
	if (err)
		return refuse(why, size, err, "/proc/%d/maps: %s", in->tgid, strerror(-err));
	if (!search.start)
		return -ENOENT;
	bias = search.start - symbols->base;
	in->runtime = (symbols->runtime ? symbols->runtime : symbols->runtime_section) + bias;
	if (!symbols->code_type)
		return refuse(why, size, -ENOTSUP, "CPython in %s: built without dynamic symbols",
			      in->module);
	in->code_type = symbols->code_type + bias;
	err = find_offsets(in, symbols, bias, why, size);
	return err ? err : check_layout(in, why, size);
}
