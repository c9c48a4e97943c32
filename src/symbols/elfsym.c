/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A table is read once, into segments of the address space that belong to one function each, in
 * order. Names stay in the file.
 *
 * Never a guess: a symbol that has a size must contain the address, and of several the one that
 * begins last has it. One without (assembler) is taken only outside of those, up to the next symbol
 * of any kind.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "symbols/elffile.h"
#include "symbols/elfsym.h"
#include "symbols/guard.h"

enum {
	MAX_SYMBOLS = 4 << 20,   /* of a table; a browser with everything has 2 million */
	MAX_FUNCTIONS = 1 << 20, /* of an index */
	NAME_MAX_BYTES = 4096,
	DROP_BYTES = 1 << 20, /* larger tables do not stay in memory after they were read */
};

struct table {
	const uint8_t *syms; /* of Elf64_Sym, perhaps unaligned */
	size_t nr_syms;
	const char *names;
	size_t names_bytes;
};

static Elf64_Sym sym_at(const struct table *t, size_t i)
{
	Elf64_Sym sym;

	memcpy(&sym, t->syms + i * sizeof(sym), sizeof(sym));
	return sym;
}

static bool load_table(Elf *elf, uint32_t type, struct table *table)
{
	GElf_Shdr shdr, names_shdr;
	Elf_Scn *scn = elffile__typed(elf, type, &shdr), *names;
	Elf_Data *data, *names_data;

	if (!scn || shdr.sh_entsize != sizeof(Elf64_Sym) || shdr.sh_flags & SHF_COMPRESSED)
		return false;
	names = elf_getscn(elf, shdr.sh_link);
	if (!names || !gelf_getshdr(names, &names_shdr) || names_shdr.sh_type != SHT_STRTAB)
		return false;
	data = elf_getdata(scn, NULL);
	names_data = elf_getdata(names, NULL);
	if (!data || !data->d_buf || !names_data || !names_data->d_buf)
		return false;
	table->syms = data->d_buf;
	table->nr_syms = data->d_size / sizeof(Elf64_Sym);
	if (table->nr_syms > MAX_SYMBOLS)
		table->nr_syms = MAX_SYMBOLS;
	table->names = names_data->d_buf;
	table->names_bytes = names_data->d_size;
	return true;
}

/* NULL if it has none that ends in the table. */
static const char *name_of(const struct table *t, const Elf64_Sym *sym)
{
	size_t left;

	if (sym->st_name >= t->names_bytes)
		return NULL;
	left = t->names_bytes - sym->st_name;
	if (left > NAME_MAX_BYTES)
		left = NAME_MAX_BYTES;
	if (!memchr(t->names + sym->st_name, '\0', left) || !t->names[sym->st_name])
		return NULL;
	return t->names + sym->st_name;
}

static bool is_code(const Elf64_Sym *sym)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || sym->st_shndx == SHN_COMMON)
		return false;
	return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

/* Labels of the assembler and of the linker script are no functions. */
static bool is_label(const char *name)
{
	return name[0] == '.' || name[0] == '$' || !strcmp(name, "_fini") ||
	       !strcmp(name, "_end") || !strcmp(name, "_etext") || !strcmp(name, "etext") ||
	       !strcmp(name, "__etext");
}

/* Of several names for one function, the one that its callers use: read, not __GI___libc_read. */
static bool better_name(const struct table *t, const Elf64_Sym *a, const Elf64_Sym *b)
{
	const char *x = name_of(t, a), *y = name_of(t, b);
	bool x_local = ELF64_ST_BIND(a->st_info) == STB_LOCAL;
	bool y_local = ELF64_ST_BIND(b->st_info) == STB_LOCAL;
	size_t x_under, y_under;

	if (!x || !y)
		return x != NULL;
	if (x_local != y_local)
		return y_local;
	x_under = strspn(x, "_");
	y_under = strspn(y, "_");
	if (x_under != y_under)
		return x_under < y_under;
	return strlen(x) < strlen(y);
}

/* --- the index -------------------------------------------------------------------------------- */

struct function {
	uint64_t start, end; /* equal: it has no size */
	uint32_t sym;        /* its index in the table */
};

struct segment {
	uint32_t start; /* from the index' base, to the next segment */
	uint32_t sym;   /* NO_SYMBOL: nobody's */
};

enum { NO_SYMBOL = UINT32_MAX };

struct elfsym {
	Elf *elf;
	struct table table;
	uint64_t base;
	struct segment *segments;
	size_t nr_segments;
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct function *x = a, *y = b;
	const struct table *t = arg;
	Elf64_Sym x_sym, y_sym;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end) /* the longer one is around the other */
		return x->end > y->end ? -1 : 1;
	x_sym = sym_at(t, x->sym);
	y_sym = sym_at(t, y->sym);
	return better_name(t, &x_sym, &y_sym) ? -1 : better_name(t, &y_sym, &x_sym);
}

/* Looks at the names of those without a size only: all names together are megabytes. */
static bool is_function(const struct table *t, const Elf64_Sym *sym)
{
	const char *name;

	if (!is_code(sym) || !sym->st_name || sym->st_value + sym->st_size < sym->st_value)
		return false;
	if (sym->st_size)
		return true;
	name = name_of(t, sym);
	return name && !is_label(name);
}

/* Functions of the table, and how many; NULL: none, or no memory. */
static struct function *list_functions(const struct table *t, size_t *n)
{
	struct function *list = NULL, *larger;
	size_t max = 0;
	Elf64_Sym sym;

	*n = 0;
	for (size_t i = 0; i < t->nr_syms && *n < MAX_FUNCTIONS; i++) {
		if (i % 256 == 255 && guard__expired())
			break;
		sym = sym_at(t, i);
		if (!is_function(t, &sym))
			continue;
		if (*n == max) {
			max = max ? max * 2 : 256;
			larger = realloc(list, max * sizeof(*list));
			if (!larger)
				break;
			list = larger;
		}
		list[(*n)++] = (struct function){.start = sym.st_value,
						 .end = sym.st_value + sym.st_size,
						 .sym = (uint32_t)i};
	}
	return list;
}

/* A stack of the functions around the current place. */
struct sweep {
	struct elfsym *index;
	const struct function **open;
	size_t nr_open;
};

static void emit(struct elfsym *index, uint64_t start, uint32_t sym)
{
	struct segment segment = {.start = (uint32_t)(start - index->base), .sym = sym};
	size_t n = index->nr_segments;

	if (start - index->base > UINT32_MAX)
		return;
	if (n && index->segments[n - 1].start == segment.start)
		n--;
	index->segments[n] = segment;
	index->nr_segments = n + 1;
}

/* Closes what ends before `place`, each giving way to the one around it. */
static void close_until(struct sweep *s, uint64_t place)
{
	uint64_t end;

	while (s->nr_open && s->open[s->nr_open - 1]->end <= place) {
		end = s->open[--s->nr_open]->end;
		while (s->nr_open && s->open[s->nr_open - 1]->end <= end)
			s->nr_open--;
		emit(s->index, end, s->nr_open ? s->open[s->nr_open - 1]->sym : NO_SYMBOL);
	}
}

/* `f` is sorted; each function adds two segments at most. */
static void make_segments(struct sweep *s, const struct function *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i && f[i].start == f[i - 1].start && f[i].end == f[i - 1].end)
			continue; /* another name for it, not as good */
		close_until(s, f[i].start);
		if (f[i].end > f[i].start) {
			emit(s->index, f[i].start, f[i].sym);
			s->open[s->nr_open++] = &f[i];
		} else if (!s->nr_open) {
			emit(s->index, f[i].start, f[i].sym);
		}
	}
	close_until(s, UINT64_MAX);
}

static bool build(struct elfsym *t)
{
	struct sweep sweep = {.index = t};
	struct segment *segments;
	struct function *list;
	size_t n;

	list = list_functions(&t->table, &n);
	if (!list)
		return false;
	qsort_r(list, n, sizeof(*list), compare, &t->table);
	t->base = list[0].start;
	t->segments = calloc(2 * n + 1, sizeof(*t->segments));
	sweep.open = malloc(n * sizeof(struct function *));
	if (t->segments && sweep.open) {
		make_segments(&sweep, list, n);
		segments = realloc(t->segments, t->nr_segments * sizeof(*segments));
		t->segments = segments ? segments : t->segments;
	}
	free(sweep.open);
	free(list);
	return t->nr_segments > 0;
}

static bool in_code_section(Elf *elf, const Elf64_Sym *sym, uint64_t vaddr)
{
	Elf_Scn *scn = elf_getscn(elf, sym->st_shndx);
	GElf_Shdr shdr;

	return scn && gelf_getshdr(scn, &shdr) && shdr.sh_flags & SHF_EXECINSTR &&
	       vaddr >= shdr.sh_addr && vaddr - shdr.sh_addr < shdr.sh_size;
}

/* Clean pages of a mapped file: they come back from the page cache. */
static void drop_pages(Elf *elf, const void *p, size_t bytes)
{
	uintptr_t start = (uintptr_t)p, end = start + bytes, file;
	size_t size;

	file = (uintptr_t)elf_rawfile(elf, &size);
	if (bytes < DROP_BYTES || start < file || end > file + size)
		return; /* a heap copy, which must not be dropped */
	start = (start + 4095) & ~(uintptr_t)4095;
	end &= ~(uintptr_t)4095;
	madvise((void *)start, end - start, MADV_DONTNEED);
}

struct elfsym *elfsym__new(Elf *elf, uint32_t type)
{
	struct elfsym *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->elf = elf;
	if (load_table(elf, type, &t->table) && build(t)) {
		drop_pages(elf, t->table.syms, t->table.nr_syms * sizeof(Elf64_Sym));
		drop_pages(elf, t->table.names, t->table.names_bytes);
		return t;
	}
	elfsym__free(t);
	return NULL;
}

void elfsym__free(struct elfsym *t)
{
	if (!t)
		return;
	free(t->segments);
	free(t);
}

const char *elfsym__find(const struct elfsym *t, uint64_t vaddr)
{
	size_t low = 0, high = t->nr_segments, mid;
	Elf64_Sym sym;

	if (vaddr < t->base || vaddr - t->base > UINT32_MAX)
		return NULL;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (t->segments[mid].start <= vaddr - t->base)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || t->segments[low - 1].sym == NO_SYMBOL)
		return NULL;
	sym = sym_at(&t->table, t->segments[low - 1].sym);
	if (!sym.st_size && !in_code_section(t->elf, &sym, vaddr))
		return NULL;
	return name_of(&t->table, &sym);
}

/* --- PLT -------------------------------------------------------------------------------------- */

/* The section that holds `vaddr` if its name begins with ".plt". */
static Elf_Scn *find_plt(Elf *elf, uint64_t vaddr, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;
	const char *name;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, shdr) || shdr->sh_type != SHT_PROGBITS ||
		    vaddr < shdr->sh_addr || vaddr - shdr->sh_addr >= shdr->sh_size)
			continue;
		name = elf_strptr(elf, strings, shdr->sh_name);
		return name && !strncmp(name, ".plt", 4) ? scn : NULL;
	}
	return NULL;
}

/* The GOT slot of the entry's `jmp *slot(%rip)` (ff 25 disp32); entries are aligned to 8 or 16. */
static bool decode_slot(Elf_Scn *scn, const GElf_Shdr *shdr, uint64_t vaddr, uint64_t *slot)
{
	Elf_Data *data = elf_rawdata(scn, NULL);
	uint64_t align = shdr->sh_entsize == 8 ? 8 : 16, at, end;
	const uint8_t *code;
	int32_t disp;

	if (!data || !data->d_buf || data->d_size < shdr->sh_size)
		return false;
	at = (vaddr - shdr->sh_addr) / align * align;
	end = at + align < shdr->sh_size ? at + align : shdr->sh_size;
	code = data->d_buf;
	for (; at + 6 <= end; at++) {
		if (code[at] != 0xff || code[at + 1] != 0x25)
			continue;
		memcpy(&disp, code + at + 2, sizeof(disp));
		*slot = shdr->sh_addr + at + 6 + (uint64_t)(int64_t)disp;
		return true;
	}
	return false;
}

static bool relocation_at(Elf_Scn *scn, uint64_t slot, size_t *symbol)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	Elf64_Rela rela;

	for (size_t at = 0; data && data->d_buf && at + sizeof(rela) <= data->d_size;
	     at += sizeof(rela)) {
		memcpy(&rela, (const char *)data->d_buf + at, sizeof(rela));
		*symbol = ELF64_R_SYM(rela.r_info);
		if (rela.r_offset == slot && *symbol)
			return true;
	}
	return false;
}

static const char *find_relocation(Elf *elf, uint64_t slot)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	struct table t;
	Elf64_Sym sym;
	size_t i;

	if (!load_table(elf, SHT_DYNSYM, &t))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_RELA ||
		    shdr.sh_flags & SHF_COMPRESSED || !relocation_at(scn, slot, &i))
			continue;
		if (i >= t.nr_syms)
			return NULL;
		sym = sym_at(&t, i);
		return name_of(&t, &sym);
	}
	return NULL;
}

const char *elfsym__find_plt(Elf *elf, uint64_t vaddr)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = find_plt(elf, vaddr, &shdr);
	uint64_t slot;

	if (!scn || !decode_slot(scn, &shdr, vaddr, &slot))
		return NULL;
	return find_relocation(elf, slot);
}
