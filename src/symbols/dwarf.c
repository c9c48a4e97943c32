/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Debug information by libdw. A unit is found by .debug_aranges, else by the ranges of all unit
 * DIEs (Clang and rustc write no aranges, and libdw 0.188 looks no further). Within it, the chain
 * of functions around an address is walked here, from the unit down: dwarf_getscopes gives the
 * scopes of the inlined function's definition instead of its callers.
 *
 * Debug information can be large, hostile or both: there are bounds on what is decompressed and on
 * the length of a line program, and the guard's on time and memory.
 */
#include <dwarf.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#include "symbols/demangle.h"
#include "symbols/dwarf.h"
#include "symbols/elffile.h"
#include "symbols/guard.h"
#include "symbols/maps.h"
#include "symbols/strings.h"

enum {
	MAX_INFLATED_BYTES = 96 << 20,    /* compressed sections come into memory whole */
	MAX_LINE_PROGRAM_BYTES = 1 << 20, /* one row a byte at worst, of 64 bytes in memory */
	LINE_BYTES_PER_BYTE = 16,         /* as measured, of C */
	MAX_RANGES = 1 << 20,             /* of units, and of functions in one */
	MAX_DEPTH = 64,
	MAX_CHAIN = 32,
};

struct unit_range {
	uint64_t low, high;
	Dwarf_Off unit; /* offset of the unit's DIE */
};

struct function {
	uint64_t low, high;
	Dwarf_Off die;
};

/* A unit that an address was looked up in: a list of its functions spares the walk over all its
 * DIEs. */
struct unit {
	Dwarf_Off die;
	struct function *functions;
	size_t nr_functions, max_functions;
	bool has_lines; /* they were decoded, by libdw, which keeps them */
};

struct dwarf_file {
	Elf *elf, *alt_elf;
	Dwarf *dwarf, *alt;
	Elf_Data *lines; /* .debug_line */
	struct unit_range *ranges;
	size_t nr_ranges, max_ranges;
	bool indexed;
	struct unit *units;
	size_t nr_units, max_units;
	size_t bytes;
	bool broken; /* libdw left it half-changed when memory ran out */
};

bool dwarf__present(Elf *elf)
{
	GElf_Shdr shdr;

	return elffile__named(elf, ".debug_info", &shdr) != NULL;
}

/* Old-style .zdebug sections tell their size only inside: files with them are left alone. */
static bool inflates_within_bounds(Elf *elf, size_t *bytes)
{
	Elf_Scn *scn = NULL;
	uint64_t total = 0;
	GElf_Shdr shdr;
	GElf_Chdr chdr;

	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &shdr) || !(shdr.sh_flags & SHF_COMPRESSED))
			continue;
		if (!gelf_getchdr(scn, &chdr) || chdr.ch_size > MAX_INFLATED_BYTES)
			return false;
		total += chdr.ch_size;
		if (total > MAX_INFLATED_BYTES)
			return false;
	}
	*bytes += total;
	return true;
}

/*
 * The supplementary file that dwz makes. libdw would open whatever path the file names, be it a
 * FIFO; so it is looked for here, only by build-id and only where Debian and Fedora keep it.
 * Without it the main file cannot be read.
 */
static bool open_alt(struct dwarf_file *d)
{
	char path[ELFFILE_PATH_BYTES];
	const char *name;
	const void *id;
	ssize_t n = dwelf_dwarf_gnu_debugaltlink(d->dwarf, &name, &id);
	int fd;

	if (n == 0)
		return true;
	if (!elffile__debug_path(id, n, path))
		return false;
	fd = maps__open_regular(path);
	if (fd < 0)
		return false;
	d->alt_elf = elffile__begin(fd, NULL, 0);
	close(fd);
	if (d->alt_elf && inflates_within_bounds(d->alt_elf, &d->bytes))
		d->alt = dwarf_begin_elf(d->alt_elf, DWARF_C_READ, NULL);
	if (d->alt)
		dwarf_setalt(d->dwarf, d->alt);
	return d->alt != NULL;
}

static jmp_buf out_of_memory;

/* libdw calls this where it cannot go on, and exits if it returns. */
static __attribute__((noreturn)) void on_out_of_memory(void)
{
	longjmp(out_of_memory, 1);
}

struct dwarf_file *dwarf__open(int fd)
{
	struct dwarf_file *d = calloc(1, sizeof(*d));
	GElf_Shdr shdr;
	Elf_Scn *lines;

	if (!d)
		return NULL;
	d->elf = elffile__begin(fd, NULL, 0);
	if (!d->elf || !inflates_within_bounds(d->elf, &d->bytes))
		goto fail;
	d->dwarf = dwarf_begin_elf(d->elf, DWARF_C_READ, NULL);
	if (!d->dwarf || !open_alt(d))
		goto fail;
	dwarf_new_oom_handler(d->dwarf, on_out_of_memory);
	if (d->alt)
		dwarf_new_oom_handler(d->alt, on_out_of_memory);
	lines = elffile__named(d->elf, ".debug_line", &shdr);
	d->lines = lines ? elf_getdata(lines, NULL) : NULL;
	return d;
fail:
	dwarf__close(d);
	return NULL;
}

void dwarf__close(struct dwarf_file *d)
{
	if (!d || d->broken) /* then it leaks, which is safe */
		return;
	dwarf_end(d->dwarf);
	dwarf_end(d->alt);
	elf_end(d->elf);
	elf_end(d->alt_elf);
	free(d->ranges);
	for (size_t i = 0; i < d->nr_units; i++)
		free(d->units[i].functions);
	free(d->units);
	free(d);
}

/* --- units ------------------------------------------------------------------------------------ */

static bool add_range(struct dwarf_file *d, uint64_t low, uint64_t high, Dwarf_Off unit)
{
	struct unit_range *ranges;
	size_t max = d->max_ranges ? d->max_ranges * 2 : 256;

	if (d->nr_ranges == d->max_ranges) {
		if (max > MAX_RANGES)
			return false;
		ranges = realloc(d->ranges, max * sizeof(*ranges));
		if (!ranges)
			return false;
		d->ranges = ranges;
		d->max_ranges = max;
	}
	d->ranges[d->nr_ranges++] = (struct unit_range){.low = low, .high = high, .unit = unit};
	return true;
}

static bool add_unit(struct dwarf_file *d, Dwarf_Die *unit)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(unit, at, &base, &low, &high)) > 0) {
		if (low && low < high && !add_range(d, low, high, dwarf_dieoffset(unit)))
			return false;
		if (guard__expired())
			return false;
	}
	return true;
}

static void index_units(struct dwarf_file *d)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die unit;
	uint8_t type;

	d->indexed = true;
	while (dwarf_get_units(d->dwarf, cu, &cu, NULL, &type, &unit, NULL) == 0) {
		if (type != DW_UT_type && type != DW_UT_split_type && !add_unit(d, &unit))
			return;
		if (guard__expired())
			return;
	}
}

static bool find_unit(struct dwarf_file *d, uint64_t vaddr, Dwarf_Die *unit)
{
	if (dwarf_addrdie(d->dwarf, vaddr, unit))
		return true;
	if (!d->indexed)
		index_units(d);
	for (size_t i = 0; i < d->nr_ranges; i++)
		if (vaddr >= d->ranges[i].low && vaddr < d->ranges[i].high)
			return dwarf_offdie(d->dwarf, d->ranges[i].unit, unit) != NULL;
	return false;
}

/* --- functions -------------------------------------------------------------------------------- */

struct chain {
	Dwarf_Die dies[MAX_CHAIN]; /* outermost first */
	unsigned int n;
};

static bool is_scope(int tag)
{
	switch (tag) {
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
		return true;
	default:
		return false;
	}
}

/* Definitions are found in these without the scope itself having addresses. */
static bool is_container(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		return true;
	default:
		return false;
	}
}

/* The functions inlined around `vaddr` inside `parent`, which contains it. */
static void find_inlined(Dwarf_Die *parent, uint64_t vaddr, struct chain *chain, unsigned int depth)
{
	Dwarf_Die die;
	int tag;

	if (depth >= MAX_DEPTH || dwarf_child(parent, &die) != 0)
		return;
	do {
		tag = dwarf_tag(&die);
		if (!is_scope(tag) || dwarf_haspc(&die, vaddr) <= 0)
			continue;
		if (tag == DW_TAG_inlined_subroutine && chain->n < MAX_CHAIN)
			chain->dies[chain->n++] = die;
		find_inlined(&die, vaddr, chain, depth + 1);
		return;
	} while (!guard__expired() && dwarf_siblingof(&die, &die) == 0);
}

static bool add_function(struct unit *u, uint64_t low, uint64_t high, Dwarf_Off die)
{
	size_t max = u->max_functions ? u->max_functions * 2 : 64;
	struct function *functions;

	if (u->nr_functions == u->max_functions) {
		if (max > MAX_RANGES)
			return false;
		functions = realloc(u->functions, max * sizeof(*functions));
		if (!functions)
			return false;
		u->functions = functions;
		u->max_functions = max;
	}
	u->functions[u->nr_functions++] = (struct function){.low = low, .high = high, .die = die};
	return true;
}

/* Ranges from 0 are of functions that the linker threw away. */
static bool add_ranges(struct unit *u, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		if (low && low < high && !add_function(u, low, high, dwarf_dieoffset(die)))
			return false;
		if (guard__expired())
			return false;
	}
	return true;
}

static bool list_functions(struct unit *u, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;
	int tag;

	if (depth >= MAX_DEPTH || dwarf_child(parent, &die) != 0)
		return true;
	do {
		tag = dwarf_tag(&die);
		if (tag == DW_TAG_subprogram && !add_ranges(u, &die))
			return false;
		if (is_container(tag) && !list_functions(u, &die, depth + 1))
			return false;
	} while (!guard__expired() && dwarf_siblingof(&die, &die) == 0);
	return true;
}

/* What is known of the unit with this DIE. NULL: no memory. */
static struct unit *get_unit(struct dwarf_file *d, Dwarf_Die *die)
{
	size_t max = d->max_units ? d->max_units * 2 : 16;
	Dwarf_Off offset = dwarf_dieoffset(die);
	struct unit *units, *u;

	for (size_t i = 0; i < d->nr_units; i++)
		if (d->units[i].die == offset)
			return &d->units[i];
	if (d->nr_units == d->max_units) {
		units = realloc(d->units, max * sizeof(*units));
		if (!units)
			return NULL;
		d->units = units;
		d->max_units = max;
	}
	u = &d->units[d->nr_units++];
	*u = (struct unit){.die = offset};
	list_functions(u, die, 0);
	d->bytes += u->max_functions * sizeof(*u->functions);
	return u;
}

/* The chain of functions around `vaddr`: the physical one, then what is inlined into it. */
static void find_chain(struct dwarf_file *d, const struct unit *u, uint64_t vaddr,
		       struct chain *chain)
{
	const struct function *f, *best = NULL;

	for (size_t i = 0; i < u->nr_functions; i++) {
		f = &u->functions[i];
		if (vaddr >= f->low && vaddr < f->high &&
		    (!best || f->high - f->low < best->high - best->low))
			best = f;
	}
	if (!best || !dwarf_offdie(d->dwarf, best->die, &chain->dies[0]))
		return;
	chain->n = 1;
	find_inlined(&chain->dies[0], vaddr, chain, 0);
}

static const char *string_attr(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;

	return dwarf_attr_integrate(die, name, &attr) ? dwarf_formstring(&attr) : NULL;
}

static const char *function_name(struct strings *pool, Dwarf_Die *die)
{
	const char *name = string_attr(die, DW_AT_linkage_name);

	if (!name)
		name = string_attr(die, DW_AT_MIPS_linkage_name);
	if (!name)
		name = string_attr(die, DW_AT_name);
	return name && *name ? demangle(pool, name) : NULL;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* "/src/./lib/../a.c" -> "/src/a.c"; `path` has no more room than it needs. */
static void normalize(char *path)
{
	char *out = path, *in = path, *end;
	size_t n, floor = path[0] == '/';

	for (; *in; in = *end ? end + 1 : end) {
		end = in + strcspn(in, "/");
		n = (size_t)(end - in);
		if (n == 0 && in != path)
			continue;
		if (n == 1 && in[0] == '.')
			continue;
		if (n == 2 && in[0] == '.' && in[1] == '.' && (size_t)(out - path) > floor &&
		    strncmp(out - (out - path > 2 ? 3 : 0), "../", 3) != 0) {
			for (out--; (size_t)(out - path) > floor && out[-1] != '/'; out--)
				;
			continue;
		}
		memmove(out, in, n);
		out += n;
		if (*end)
			*out++ = '/';
	}
	*out = '\0';
}

static const char *file_name(struct strings *pool, Dwarf_Die *unit, const char *file)
{
	const char *dir = file && file[0] != '/' ? string_attr(unit, DW_AT_comp_dir) : NULL;
	const char *name;
	char *path = NULL;

	if (!file || !*file || strlen(file) > 4096 || (dir && strlen(dir) > 4096))
		return NULL;
	if (asprintf(&path, "%s%s%s", dir && dir[0] == '/' ? dir : "",
		     dir && dir[0] == '/' ? "/" : "", file) < 0)
		return NULL;
	normalize(path);
	name = strings__intern(pool, path);
	free(path);
	return name;
}

/* libdw decodes a unit's whole line program into memory, and keeps it. */
static bool lines_within_bounds(struct dwarf_file *d, struct unit *u, Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Word offset;
	uint32_t length;

	if (u->has_lines)
		return true;
	if (!d->lines || !dwarf_attr(die, DW_AT_stmt_list, &attr) ||
	    dwarf_formudata(&attr, &offset))
		return false;
	if (offset > d->lines->d_size || d->lines->d_size - offset < sizeof(length))
		return false;
	memcpy(&length, (const char *)d->lines->d_buf + offset, sizeof(length));
	if (length > MAX_LINE_PROGRAM_BYTES) /* which the escape to 64 bits is, too */
		return false;
	d->bytes += (size_t)length * LINE_BYTES_PER_BYTE;
	u->has_lines = true;
	return true;
}

static void set_line(struct strings *pool, Dwarf_Die *unit, uint64_t vaddr, struct ls_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, vaddr);
	int number = 0;

	if (!line || dwarf_lineno(line, &number) || number <= 0)
		return;
	frame->file = file_name(pool, unit, dwarf_linesrc(line, NULL, NULL));
	frame->line = (uint32_t)number;
}

/* Where `inlined` was called, which is in the function around it. */
static void set_call_line(struct strings *pool, Dwarf_Die *unit, Dwarf_Die *inlined,
			  struct ls_frame *frame)
{
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	size_t nr_files;

	if (!dwarf_attr(inlined, DW_AT_call_line, &attr) || dwarf_formudata(&attr, &line) ||
	    line > UINT32_MAX)
		return;
	if (!dwarf_attr(inlined, DW_AT_call_file, &attr) || dwarf_formudata(&attr, &file))
		return;
	if (dwarf_getsrcfiles(unit, &files, &nr_files) || file >= nr_files)
		return;
	frame->file = file_name(pool, unit, dwarf_filesrc(files, file, NULL, NULL));
	frame->line = (uint32_t)line;
}

size_t dwarf__bytes(const struct dwarf_file *d)
{
	return d->bytes;
}

bool dwarf__broken(const struct dwarf_file *d)
{
	return d->broken;
}

static size_t find_frames(struct dwarf_file *d, struct strings *pool, uint64_t vaddr,
			  struct ls_frame *frames, size_t max)
{
	struct chain chain = {.n = 0};
	struct unit *u;
	Dwarf_Die unit;
	bool lines;
	size_t n = 0;

	if (!find_unit(d, vaddr, &unit))
		return 0;
	u = get_unit(d, &unit);
	if (!u)
		return 0;
	find_chain(d, u, vaddr, &chain);
	memset(frames, 0, max * sizeof(*frames));
	lines = lines_within_bounds(d, u, &unit);
	if (lines)
		set_line(pool, &unit, vaddr, &frames[0]);
	for (unsigned int i = chain.n; i > 0; i--, n++) {
		if (n + 1 == max) /* the physical function always comes last */
			i = 1;
		frames[n].function = function_name(pool, &chain.dies[i - 1]);
		frames[n].inlined = i > 1;
		if (i > 1 && lines)
			set_call_line(pool, &unit, &chain.dies[i - 1], &frames[n + 1]);
	}
	return n ? n : 1;
}

size_t dwarf__frames(struct dwarf_file *d, struct strings *pool, uint64_t vaddr,
		     struct ls_frame *frames, size_t max)
{
	if (d->broken || !max)
		return 0;
	if (setjmp(out_of_memory)) {
		d->broken = true;
		return 0;
	}
	return find_frames(d, pool, vaddr, frames, max);
}
