/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A table is scanned from end to end for every new address (1.5 ms for 100,000 symbols): the result
 * is kept by the caller, while an index of all symbols would cost each large binary megabytes for
 * the few dozen addresses that are ever asked for.
 *
 * Never a guess: a symbol that has a size must contain the address. One without (assembler) is
 * taken only if no other begins between it and the address.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "symbols/elffile.h"
#include "symbols/elfsym.h"
#include "symbols/guard.h"

enum {
	MAX_SYMBOLS = 4 << 20, /* a browser with all its symbols has 2 million */
	NAME_MAX_BYTES = 4096,
	DROP_BYTES = 1 << 20, /* tables larger than this do not stay in memory after a scan */
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

struct match {
	Elf64_Sym sized;  /* contains the address, begins last */
	Elf64_Sym before; /* begins last at or before the address, sized or not */
	bool has_sized, has_before;
};

static void consider(const struct table *t, const Elf64_Sym *sym, uint64_t vaddr, struct match *m)
{
	const char *name;

	if (sym->st_value > vaddr || !is_code(sym))
		return;
	if (vaddr - sym->st_value < sym->st_size) {
		if (!m->has_sized || sym->st_value > m->sized.st_value ||
		    (sym->st_value == m->sized.st_value && better_name(t, sym, &m->sized)))
			m->sized = *sym;
		m->has_sized = true;
	}
	if (m->has_before && sym->st_value < m->before.st_value)
		return;
	name = name_of(t, sym);
	if (!name || is_label(name))
		return;
	if (!m->has_before || sym->st_value > m->before.st_value ||
	    sym->st_size > m->before.st_size ||
	    (sym->st_size == m->before.st_size && better_name(t, sym, &m->before)))
		m->before = *sym;
	m->has_before = true;
}

static bool in_code_section(Elf *elf, const Elf64_Sym *sym, uint64_t vaddr)
{
	Elf_Scn *scn = elf_getscn(elf, sym->st_shndx);
	GElf_Shdr shdr;

	return scn && gelf_getshdr(scn, &shdr) && shdr.sh_flags & SHF_EXECINSTR &&
	       vaddr >= shdr.sh_addr && vaddr - shdr.sh_addr < shdr.sh_size;
}

/* Clean pages of a mapped file: they come back from the page cache. */
static void drop_pages(Elf *elf, const struct table *t)
{
	size_t bytes = t->nr_syms * sizeof(Elf64_Sym), size;
	uintptr_t start = (uintptr_t)t->syms, end = start + bytes, file;

	file = (uintptr_t)elf_rawfile(elf, &size);
	if (bytes < DROP_BYTES || start < file || end > file + size)
		return; /* a heap copy, which must not be dropped */
	start = (start + 4095) & ~(uintptr_t)4095;
	end &= ~(uintptr_t)4095;
	madvise((void *)start, end - start, MADV_DONTNEED);
}

static const char *scan(Elf *elf, const struct table *t, uint64_t vaddr)
{
	struct match m = {.has_sized = false};
	const char *name = NULL;
	Elf64_Sym sym;

	for (size_t i = 0; i < t->nr_syms; i++) {
		if (i % 256 == 255 && guard__expired())
			return NULL;
		sym = sym_at(t, i);
		consider(t, &sym, vaddr, &m);
	}
	if (m.has_sized)
		name = name_of(t, &m.sized);
	else if (m.has_before && m.before.st_size == 0 && in_code_section(elf, &m.before, vaddr))
		name = name_of(t, &m.before);
	drop_pages(elf, t);
	return name;
}

const char *elfsym__find(Elf *elf, uint32_t type, uint64_t vaddr)
{
	struct table t;

	return load_table(elf, type, &t) ? scan(elf, &t, vaddr) : NULL;
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
