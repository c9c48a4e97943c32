/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * /proc/kallsyms read once: text symbols only, sorted by address, the names in one block. An
 * address is kept as its low half, because all kernel text, modules and BPF programs of x86-64 live
 * in the last 2 GiB: about 30 bytes a function, 2-3 MB on a distribution's kernel.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/kallsyms.h"

#define KERNEL_HIGH 0xffffffffULL /* high half of the addresses kept */

enum {
	MAX_SYMBOLS = 1 << 20,
	MAX_NAME_BYTES = 32 << 20,
	/* An address further than this past the last symbol before it belongs to something that was
	 * loaded later (a module, a BPF program). No kernel function is as long. */
	MAX_FUNCTION_BYTES = 128 << 10,
};

struct ksym {
	uint32_t addr, name;
};

struct kallsyms {
	struct ksym *syms;
	size_t nr_syms, max_syms;
	char *names;
	size_t used, size;
};

static int compare(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name; /* the order of the file */
}

static void *grow(void *p, size_t *max, size_t need, size_t each)
{
	size_t n = *max ? *max : 4096;

	if (need <= *max)
		return p;
	while (n < need)
		n += n / 2;
	p = realloc(p, n * each);
	if (p)
		*max = n;
	return p;
}

static int add(struct kallsyms *k, uint32_t addr, const char *name)
{
	size_t bytes = strlen(name) + 1;
	struct ksym *syms;
	char *names;

	if (k->nr_syms >= MAX_SYMBOLS || k->used + bytes > MAX_NAME_BYTES)
		return 0;
	syms = grow(k->syms, &k->max_syms, k->nr_syms + 1, sizeof(*syms));
	if (!syms)
		return -ENOMEM;
	k->syms = syms;
	names = grow(k->names, &k->size, k->used + bytes, 1);
	if (!names)
		return -ENOMEM;
	k->names = names;
	memcpy(k->names + k->used, name, bytes);
	k->syms[k->nr_syms++] = (struct ksym){.addr = addr, .name = (uint32_t)k->used};
	k->used += bytes;
	return 0;
}

/* "ffffffff81000000 T _stext", with "\t[module]" behind a module's symbol. */
static int add_line(struct kallsyms *k, char *line)
{
	char *end, *name;
	uint64_t addr = strtoull(line, &end, 16);

	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ')
		return 0;
	if (!strchr("tTwW", end[1]) || addr >> 32 != KERNEL_HIGH)
		return 0;
	name = end + 3;
	name[strcspn(name, "\t\n")] = '\0';
	return *name ? add(k, (uint32_t)addr, name) : 0;
}

static void shrink(struct kallsyms *k)
{
	struct ksym *syms = realloc(k->syms, k->nr_syms * sizeof(*syms));
	char *names = realloc(k->names, k->used);

	if (syms)
		k->syms = syms;
	if (names)
		k->names = names;
}

struct kallsyms *kallsyms__read(FILE *file)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	if (!k)
		return NULL;
	while (!err && getline(&line, &size, file) > 0)
		err = add_line(k, line);
	free(line);
	if (err) {
		kallsyms__free(k);
		errno = -err;
		return NULL;
	}
	if (k->nr_syms) {
		qsort(k->syms, k->nr_syms, sizeof(*k->syms), compare);
		shrink(k);
	}
	return k;
}

void kallsyms__free(struct kallsyms *k)
{
	if (!k)
		return;
	free(k->syms);
	free(k->names);
	free(k);
}

size_t kallsyms__count(const struct kallsyms *k)
{
	return k->nr_syms;
}

/* Of several names at one address, the one without underscores in front: the API's name. */
static const struct ksym *best_alias(const struct kallsyms *k, const struct ksym *sym)
{
	const struct ksym *best = sym;

	while (sym > k->syms && sym[-1].addr == sym->addr)
		sym--;
	for (; sym < k->syms + k->nr_syms && sym->addr == best->addr; sym++)
		if (strspn(k->names + sym->name, "_") < strspn(k->names + best->name, "_"))
			best = sym;
	return best;
}

const char *kallsyms__find(const struct kallsyms *k, uint64_t addr, uint64_t *offset)
{
	size_t low = 0, high = k->nr_syms, mid;
	const struct ksym *sym;

	if (addr >> 32 != KERNEL_HIGH)
		return NULL;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (k->syms[mid].addr <= (uint32_t)addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	sym = &k->syms[low - 1];
	if ((uint32_t)addr - sym->addr >= MAX_FUNCTION_BYTES)
		return NULL;
	*offset = (uint32_t)addr - sym->addr;
	return k->names + best_alias(k, sym)->name;
}
