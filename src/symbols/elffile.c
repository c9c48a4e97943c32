/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbols/elffile.h"

/* libelf takes some 300 bytes for each section, at once. Linkers make 30 to 100. */
enum { MAX_SECTIONS = 512 };

static int check_header(const Elf64_Ehdr *ehdr)
{
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr->e_ident[EI_DATA] != ELFDATA2LSB)
		return 0;
	if (ehdr->e_shoff && !ehdr->e_shnum) /* so many that the number is kept elsewhere */
		return 0;
	return ehdr->e_shnum <= MAX_SECTIONS;
}

Elf *elffile__begin(int fd, void *image, size_t bytes)
{
	Elf64_Ehdr ehdr;
	Elf *elf;

	elf_version(EV_CURRENT); /* without it libelf does nothing */
	if (fd < 0 && bytes >= sizeof(ehdr))
		memcpy(&ehdr, image, sizeof(ehdr));
	else if (fd < 0 || pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr))
		return NULL;
	if (!check_header(&ehdr))
		return NULL;
	elf = fd >= 0 ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : elf_memory(image, bytes);
	if (!elf)
		return NULL;
	elf_cntl(elf, ELF_C_FDDONE);
	if (elf_kind(elf) == ELF_K_ELF)
		return elf;
	elf_end(elf);
	return NULL;
}

Elf_Scn *elffile__named(Elf *elf, const char *name, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;
	const char *s;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, shdr) || shdr->sh_type == SHT_NOBITS)
			continue;
		s = elf_strptr(elf, strings, shdr->sh_name);
		if (s && !strcmp(s, name))
			return scn;
	}
	return NULL;
}

Elf_Scn *elffile__typed(Elf *elf, uint32_t type, GElf_Shdr *shdr)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, shdr) && shdr->sh_type == type)
			return scn;
	return NULL;
}

bool elffile__debug_path(const void *id, ssize_t id_bytes, char path[ELFFILE_PATH_BYTES])
{
	const uint8_t *bytes = id;
	size_t at;

	if (id_bytes < 2 || id_bytes > ELFFILE_MAX_ID)
		return false;
	at = (size_t)sprintf(path, "/usr/lib/debug/.build-id/%02x/", bytes[0]);
	for (ssize_t i = 1; i < id_bytes; i++)
		at += (size_t)sprintf(path + at, "%02x", bytes[i]);
	memcpy(path + at, ".debug", sizeof(".debug"));
	return true;
}
