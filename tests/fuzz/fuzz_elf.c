/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ELF files with bytes changed. The base is this host's /bin/true (stripped, with unwind tables) or
 * the file that FUZZ_ELF names (take one with debug information); four bytes of input are a change,
 * at 3 bytes' worth of offset. Then unwinding and naming is asked for all over the file. libdw is
 * not instrumented, but it reads a mapping whose end is the file's, and every input must end in
 * time.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/module.h"
#include "symbols/strings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *base;
static size_t base_bytes;

static void load_base(void)
{
	const char *path = getenv("FUZZ_ELF");
	int fd = open(path ? path : "/bin/true", O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		abort();
	base_bytes = (size_t)st.st_size;
	base = malloc(base_bytes);
	if (read(fd, base, base_bytes) != st.st_size)
		abort();
	close(fd);
	elf_version(EV_CURRENT);
}

static int changed_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", 0);
	size_t at;

	if (fd < 0 || write(fd, base, base_bytes) != (ssize_t)base_bytes)
		abort();
	for (; size >= 4; size -= 4, data += 4) {
		at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % base_bytes;
		if (pwrite(fd, data + 3, 1, (off_t)at) != 1)
			abort();
	}
	return fd;
}

static void unwind(struct unwind_cache *rules, struct module *m, uint64_t vaddr)
{
	static const uint8_t stack[256] = {1};
	struct unwind_memory memory = {.stack = stack, .base = 4096, .bytes = sizeof(stack)};
	struct unwind_regs regs = {.known = (1u << LS_NR_REGS) - 1};
	bool signal;

	for (int i = 0; i < LS_NR_REGS; i++)
		regs.regs.r[i] = 4096 + 8 * (uint64_t)i;
	unwind__step(rules, &m->cfi, vaddr, &regs, &memory, &signal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strings *pool = strings__new();
	struct unwind_cache *rules = unwind__new_cache();
	struct module *m;
	uint64_t vaddr;
	size_t n;

	if (!base)
		load_base();
	m = module__open("/fuzz", changed_file(data, size), NULL, 0);
	m->cfi.id = 1;
	for (uint64_t offset = 0; offset < base_bytes; offset += base_bytes / 64 + 1) {
		if (!module__vaddr(m, offset, &vaddr))
			vaddr = offset;
		unwind(rules, m, vaddr);
		if (!module__frames(m, pool, vaddr, &n) || !n)
			abort();
	}
	module__free(m);
	unwind__free_cache(rules);
	strings__free(pool);
	return 0;
}
