/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Finds the interpreter of a process: which mapped file defines _PyRuntime (exported even by stripped
 * builds), which version that is, and where its fields lie. What the file and the memory say is
 * checked against each other before anything is believed:
 *
 *	/proc/PID/maps -> ELF .dynsym -> Py_Version -> row of the table, or _Py_DebugOffsets -> checks
 */
#include "symbols/python_internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/strings.h"

enum { SYMBOLS_MAX = 64 << 20, PATH_BYTES = 4096, LINE_BYTES = PATH_BYTES + 256 };

/* A mapped file, by its lowest mapping of offset 0. */
struct image {
	uint64_t start, end;
	char path[PATH_BYTES];
};

struct symbols {
	uint64_t runtime, version, code_type; /* link-time addresses; 0 absent */
	uint64_t runtime_section;	      /* .PyRuntime, 3.10 and later */
	uint64_t base;			      /* address of the first loaded page */
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

/* The mapped file itself, whatever its name means by now; else its path, as the target sees it. */
static int open_image(pid_t pid, const struct image *image)
{
	char path[PATH_BYTES + 64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, image->start,
		 image->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", pid, image->path);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

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
		if (name && name[0] && name[1] == 'y') /* of what we look for */
			take_symbol(s, name, sym.st_value);
		else if (name && name[0] == '_')
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

static bool read_elf(pid_t pid, const struct image *image, struct symbols *s)
{
	int fd = open_image(pid, image);
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

/* A line of /proc/PID/maps as an image; false: not the start of a file. */
static bool parse_mapping(char *line, struct image *image)
{
	uint64_t offset;
	int path = 0;
	char *deleted;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &image->start,
		   &image->end, &offset, &path) != 3 || !path || line[path] != '/' || offset)
		return false;
	line[strcspn(line, "\n")] = '\0';
	snprintf(image->path, sizeof(image->path), "%s", line + path);
	deleted = strstr(image->path, " (deleted)");
	if (deleted)
		*deleted = '\0';
	return true;
}

static const char *read_program(pid_t pid, struct strings *pool)
{
	char link[64], path[PATH_BYTES], *deleted;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	deleted = strstr(path, " (deleted)");
	if (deleted)
		*deleted = '\0';
	return strings__intern(pool, path);
}

static bool may_hold_python(const struct python_interpreter *in, const char *path)
{
	const char *name = base_name(path);

	return starts_with(name, "libpython") || starts_with(name, "python") ||
	       (in->program && strcmp(in->program, path) == 0);
}

/* The first mapped file which defines the runtime. */
static int find_image(struct python_interpreter *in, struct image *found, struct symbols *symbols)
{
	char path[64], line[LINE_BYTES], last[PATH_BYTES] = "";
	struct image image;
	int err = -ENOENT;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", in->tgid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fgets(line, sizeof(line), maps)) {
		if (!parse_mapping(line, &image) || strcmp(image.path, last) == 0)
			continue;
		snprintf(last, sizeof(last), "%s", image.path);
		if (strstr(image.path, "/uvloop/loop."))
			in->has_uvloop = true;
		if (err && may_hold_python(in, image.path) &&
		    read_elf(in->tgid, &image, symbols)) {
			*found = image;
			err = 0;
		}
	}
	fclose(maps);
	return err;
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

static int find_offsets(struct python_interpreter *in, const struct image *image,
			const struct symbols *s, uint64_t bias, char *why, size_t size)
{
	uint16_t version = s->version ? target__u32(in->tgid, s->version + bias) >> 16 :
					version_of_name(image->path);
	uint64_t words[PYTHON_DEBUG_OFFSETS_WORDS];
	const struct python_offsets *row = python_offsets__find(version);
	const char *reason = NULL;

	if (!version)
		return refuse(why, size, -ENOTSUP, "CPython: no version in %s", image->path);
	if (!row)
		return refuse(why, size, -ENOTSUP, "CPython %d.%d: unknown version", version >> 8,
			      version & 255);
	in->offsets = *row;
	if (target__read(in->tgid, in->runtime, words, sizeof(words)) == 0 &&
	    python_offsets__describe(&in->offsets, words, &reason) == -ENOTSUP)
		return refuse(why, size, -ENOTSUP, "CPython %d.%d: %s", version >> 8,
			      version & 255, reason);
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
	in->gil = in->offsets.interp.gil ? target__u64(in->tgid, interp + in->offsets.interp.gil) :
					   in->runtime + in->offsets.runtime.gil;
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

int python_runtime__find(struct python_interpreter *in, struct strings *pool, char *why, size_t size)
{
	struct symbols symbols;
	struct image image;
	uint64_t bias;
	int err;

	in->program = read_program(in->tgid, pool);
	err = find_image(in, &image, &symbols);
	if (err == -ENOENT || err == -ESRCH)
		return err;
	if (err)
		return refuse(why, size, err, "/proc/%d/maps: %s", in->tgid, strerror(-err));
	bias = image.start - symbols.base;
	in->module = strings__intern(pool, image.path);
	in->runtime = (symbols.runtime ? symbols.runtime : symbols.runtime_section) + bias;
	if (!symbols.code_type)
		return refuse(why, size, -ENOTSUP, "CPython in %s: built without dynamic symbols",
			      image.path);
	in->code_type = symbols.code_type + bias;
	err = find_offsets(in, &image, &symbols, bias, why, size);
	return err ? err : check_layout(in, why, size);
}
