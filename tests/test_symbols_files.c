/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The parts of the symbolizer that need no target: strings, names, tables, perf maps, kallsyms. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "target.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "symbols/demangle.h"
#include "symbols/elffile.h"
#include "symbols/elfsym.h"
#include "symbols/frames.h"
#include "symbols/guard.h"
#include "symbols/kallsyms.h"
#include "symbols/maps.h"
#include "symbols/module.h"
#include "symbols/perfmap.h"
#include "symbols/strings.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static struct strings *pool;
static char dir[] = "/tmp/ls-test-symbol-files.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	elf_version(EV_CURRENT);
	pool = strings__new();
	if (!pool || !mkdtemp(dir))
		return -1;
	run("cc -g -O2 -fomit-frame-pointer -Wl,-z,lazy -D_GNU_SOURCE -o %s/debug "
	    "tests/targets/frames.c -ldl -lpthread",
	    dir);
	run("strip -o %s/stripped %s/debug", dir, dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	strings__free(pool);
	run("rm -rf %s", dir);
	return 0;
}

static const char *in_dir(const char *name)
{
	static char path[2][128];
	static unsigned int i;

	i = (i + 1) % 2;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

/* --- strings ---------------------------------------------------------------------------------- */

static void equal_strings_are_one_pointer(void **state)
{
	char copy[] = "read";
	const char *first = strings__intern(pool, "read");

	(void)state;
	assert_ptr_equal(first, strings__intern(pool, copy));
	assert_ptr_equal(first, strings__intern_n(pool, "readahead", 4));
	assert_ptr_equal(first, strings__printf(pool, "%s%s", "re", "ad"));
	assert_ptr_not_equal(first, strings__intern(pool, "readv"));
	assert_null(strings__intern(pool, NULL));
	assert_string_equal(strings__intern(pool, ""), "");
}

static void strings_stay_while_the_pool_grows(void **state)
{
	struct strings *p = strings__new();
	const char *kept[5000];
	char s[32];

	(void)state;
	for (int i = 0; i < 5000; i++)
		kept[i] = strings__printf(p, "name %d", i);
	for (int i = 0; i < 5000; i++) {
		snprintf(s, sizeof(s), "name %d", i);
		assert_string_equal(kept[i], s);
		assert_ptr_equal(kept[i], strings__intern(p, s));
	}
	strings__free(p);
}

static void pool_stops_at_its_bound(void **state)
{
	struct strings *p = strings__new();
	const char *last = NULL, *known = strings__intern(p, "known");
	char big[8192];

	(void)state;
	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 10000; i++) {
		memcpy(big, &i, sizeof(i));
		last = strings__intern_n(p, big, sizeof(big));
	}
	assert_string_equal(last, "?");
	assert_ptr_equal(strings__intern(p, "known"), known);
	assert_true(strlen(strings__printf(p, "%9000d", 1)) <= 9000);
	strings__free(p);
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_are_demangled(void **state)
{
	static const char *const names[][2] = {
		{"main", "main"},
		{"_start", "_start"},
		{"_Z3foov", "foo"},
		{"_ZN4shop6basketIlE3payElPFvvE", "shop::basket<long>::pay"},
		{"_ZN5tokio7runtime4park9CachedParkThread4park17h0123456789abcdefE",
		 "_ZN5tokio7runtime4park9CachedParkThread4park17h0123456789abcdefE"},
		{"_ZN5tokio7runtime4park16CachedParkThread4park17h0123456789abcdefE",
		 "tokio::runtime::park::CachedParkThread::park"},
		{"_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Debug$GT$"
		 "3fmt17h0123456789abcdefE",
		 "<alloc::string::String as core::fmt::Debug>::fmt"},
		{"_RNvC6_123foo3bar", "123foo::bar"},
		{"_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"},
		{"read@@GLIBC_2.2.5", "read"},
		{"read@GLIBC_2.2.5", "read"},
		{"foo.cold", "foo"},
		{"foo.part.0", "foo"},
		{"foo.constprop.0.isra.1.cold", "foo"},
		{"foo.lto_priv.12", "foo"},
		{"_Z3foov.cold", "foo"},
		{"_ZN3FooC1Ev.part.0", "Foo::Foo"},
		{"foo.5", "foo.5"}, /* a static function inside another: a name of its own */
		{"a.part", "a.part"},
		{".cold", ".cold"},
		{"@", "@"},
		{"", ""},
		{"_Z", "_Z"},
		{"_R", "_R"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(demangle(pool, names[i][0]), names[i][1]);
}

/* f<A<int, int>, A<S0, S0>, A<S1, S1>, ...>: each argument is twice as long as the one before. */
static void name_that_explodes_stays_mangled(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char name[1024] = "_Z1fI1AIiiE", arg[32];

	(void)state;
	for (int i = 1; i < 3; i++) {
		snprintf(arg, sizeof(arg), "S0_IS%c_S%c_E", digits[i], digits[i]);
		strcat(name, arg);
	}
	strcat(name, "Evv");
	assert_int_equal(strncmp(demangle(pool, name), "f<A<int, int>, A<A<int, int>, ", 30), 0);
	name[strlen(name) - 3] = '\0';
	for (int i = 3; i < 35; i++) {
		snprintf(arg, sizeof(arg), "S0_IS%c_S%c_E", digits[i], digits[i]);
		strcat(name, arg);
	}
	strcat(name, "Evv");
	assert_string_equal(demangle(pool, name), name);
}

/* --- symbol tables ---------------------------------------------------------------------------- */

static Elf *open_elf(const char *name)
{
	int fd = open(in_dir(name), O_RDONLY);
	Elf *elf = elffile__begin(fd, NULL, 0);

	assert_non_null(elf);
	close(fd);
	return elf;
}

static uint64_t value_of(Elf *elf, const char *name)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = elffile__typed(elf, SHT_SYMTAB, &shdr);
	GElf_Sym sym;

	for (int i = 0; gelf_getsym(elf_getdata(scn, NULL), i, &sym); i++)
		if (!strcmp(elf_strptr(elf, shdr.sh_link, sym.st_name), name))
			return sym.st_value;
	fail_msg("no symbol %s", name);
	return 0;
}

static void symbol_must_contain_the_address(void **state)
{
	Elf *elf = open_elf("debug");
	struct elfsym *t = elfsym__new(elf, SHT_SYMTAB);
	uint64_t sized = value_of(elf, "sized_asm"), unsized = value_of(elf, "unsized_asm");

	(void)state;
	assert_string_equal(elfsym__find(t, sized), "sized_asm");
	assert_string_equal(elfsym__find(t, sized + 1), "sized_asm");
	assert_null(elfsym__find(t, sized + 2));
	assert_null(elfsym__find(t, sized + 31));
	assert_string_equal(elfsym__find(t, sized + 32), "after_gap");
	assert_string_equal(elfsym__find(t, unsized), "unsized_asm");
	assert_string_equal(elfsym__find(t, unsized + 4), "unsized_asm");
	assert_null(elfsym__find(t, 0));
	assert_null(elfsym__find(t, UINT64_MAX));
	elfsym__free(t);
	elf_end(elf);
}

static bool plt_has(Elf *elf, const char *wanted)
{
	GElf_Shdr shdr;
	const char *name;

	assert_non_null(elffile__named(elf, ".plt", &shdr));
	for (uint64_t at = 0; at < shdr.sh_size; at++) {
		name = elfsym__find_plt(elf, shdr.sh_addr + at);
		if (at < 16)
			continue; /* the first entry is the resolver's */
		assert_non_null(name);
		if (!strcmp(name, wanted))
			return true;
	}
	return false;
}

static void plt_entries_have_the_name_of_what_they_call(void **state)
{
	Elf *elf = open_elf("stripped");

	(void)state;
	assert_true(plt_has(elf, "pause"));
	assert_true(plt_has(elf, "dlopen"));
	assert_false(plt_has(elf, "level1"));
	assert_null(elfsym__find_plt(elf, 0));
	elf_end(elf);
}

static void file_that_is_no_elf_is_a_module_without_names(void **state)
{
	int fd = open("/etc/passwd", O_RDONLY);
	struct module *m = module__open("/etc/passwd", fd, NULL, 0);
	size_t n;

	(void)state;
	assert_non_null(m);
	assert_null(m->elf);
	assert_null(module__frames(m, pool, 4, &n)->function);
	module__free(m);
}

/* Everything that the module code does, at many addresses of a file. */
static void exercise(const char *path)
{
	struct unwind_cache *rules = unwind__new_cache();
	struct module *m = module__open(path, open(path, O_RDONLY), NULL, 0);
	struct unwind_memory memory = {.stack = (const uint8_t *)path, .base = 8, .bytes = 32};
	struct unwind_regs regs;
	uint64_t vaddr;
	bool signal;
	size_t n;

	module__find_debug(m, getpid());
	for (uint64_t offset = 0; offset < 0x4000; offset += 97) {
		if (!module__vaddr(m, offset, &vaddr))
			vaddr = offset;
		module__frames(m, pool, vaddr, &n);
		regs.known = UINT32_MAX >> 15;
		memset(&regs.regs, 8, sizeof(regs.regs));
		unwind__step(rules, &m->cfi, vaddr, &regs, &memory, &signal);
	}
	module__drop_dwarf(m);
	module__frames(m, pool, 0x1234, &n);
	module__free(m);
	unwind__free_cache(rules);
}

static uint8_t *load(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *image;

	assert_int_equal(fstat(fd, &st), 0);
	*bytes = (size_t)st.st_size;
	image = malloc(*bytes);
	assert_int_equal(read(fd, image, *bytes), st.st_size);
	close(fd);
	return image;
}

static void store(const char *path, const uint8_t *image, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, image, bytes), bytes);
	close(fd);
}

static void truncated_files_are_survived(void **state)
{
	size_t bytes;
	uint8_t *image = load(in_dir("debug"), &bytes);

	(void)state;
	for (size_t n = 0; n < bytes; n += n < 128 ? 7 : bytes / 40) {
		store(in_dir("cut"), image, n);
		exercise(in_dir("cut"));
	}
	free(image);
}

static void corrupted_files_are_survived(void **state)
{
	size_t bytes;
	uint8_t *image = load(in_dir("debug"), &bytes), *bad = malloc(bytes);

	(void)state;
	srand(7);
	for (int round = 0; round < 150; round++) {
		memcpy(bad, image, bytes);
		for (int i = 0; i < 1 << round % 10; i++)
			bad[(size_t)rand() % bytes] = (uint8_t)rand();
		if (round % 3 == 0) /* headers, where a byte matters most */
			bad[(size_t)rand() % 1024] = (uint8_t)rand();
		if (round % 5 == 0)
			bad[bytes - 1 - (size_t)rand() % 2600] = (uint8_t)rand();
		store(in_dir("bad"), bad, bytes);
		exercise(in_dir("bad"));
	}
	free(bad);
	free(image);
}

static void file_with_too_many_sections_is_refused(void **state)
{
	size_t bytes;
	uint8_t *image = load(in_dir("debug"), &bytes);
	Elf64_Ehdr *ehdr = (void *)image;

	(void)state;
	ehdr->e_shnum = 0xfeff;
	assert_null(elffile__begin(-1, image, bytes));
	ehdr->e_shnum = 0; /* "the number is in the first section" */
	assert_null(elffile__begin(-1, image, bytes));
	free(image);
}

/* --- guard ------------------------------------------------------------------------------------ */

static void truncated_pages_read_as_zeros_under_the_guard(void **state)
{
	int fd = open(in_dir("shrinks"), O_RDWR | O_CREAT, 0600);
	char *map;

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(pwrite(fd, "x", 1, 5000), 1);
	map = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(ftruncate(fd, 100), 0);
	guard__enter();
	assert_int_equal(*(volatile char *)(map + 5000), 0);
	assert_false(guard__leave());
	munmap(map, 8192);
	close(fd);
}

static void memory_is_bounded_under_the_guard(void **state)
{
	char *p;

	(void)state;
	if (SANITIZED) /* its malloc dies instead of failing */
		skip();
	guard__enter();
	guard__enter();
	p = malloc(GUARD_BYTES + (1 << 20));
	assert_null(p);
	guard__leave();
	p = malloc(GUARD_BYTES + (1 << 20));
	assert_null(p);
	guard__leave();
	p = malloc(GUARD_BYTES + (1 << 20));
	assert_non_null(p);
	free(p);
}

static void cpu_time_is_bounded_under_the_guard(void **state)
{
	unsigned long turns = 0;

	(void)state;
	guard__enter();
	assert_false(guard__expired());
	while (!guard__expired() && turns < 1ul << 32)
		turns++;
	assert_true(turns > 1000);
	assert_true(guard__leave());
}

/* --- frames ----------------------------------------------------------------------------------- */

static void frame_lists_are_counted_over_all_caches(void **state)
{
	struct ls_frame frame = {.line = 1};
	size_t left = 100;
	struct frame_cache a = {.left = &left}, b = {.left = &left};
	const struct frame_list *first = frames__add(&a, 1, &frame, 1);

	(void)state;
	for (uint64_t key = 2; key <= 60; key++)
		assert_non_null(frames__add(&a, key, &frame, 1));
	for (uint64_t key = 1; key <= 40; key++)
		assert_non_null(frames__add(&b, key << 40, &frame, 1));
	assert_null(frames__add(&b, 99, &frame, 1));
	assert_ptr_equal(frames__find(&a, 1), first);
	assert_null(frames__find(&a, 61));
	frames__clear(&a);
	assert_int_equal(left, 60);
	assert_non_null(frames__add(&b, 99, &frame, 1));
	frames__clear(&b);
	assert_int_equal(left, 100);
}

/* --- maps ------------------------------------------------------------------------------------- */

static bool parse_map(const char *text, struct map_line *map)
{
	static char line[256];

	snprintf(line, sizeof(line), "%s", text);
	return maps__parse_line(line, map);
}

static void lines_of_maps_are_parsed(void **state)
{
	struct map_line m;

	(void)state;
	assert_true(
		parse_map("7f00-8f00 r-xp 00002000 fe:01 1234   /usr/lib/a b.so (deleted)\n", &m));
	assert_int_equal(m.start, 0x7f00);
	assert_int_equal(m.end, 0x8f00);
	assert_int_equal(m.pgoff, 0x2000);
	assert_int_equal(m.dev_major, 0xfe);
	assert_int_equal(m.dev_minor, 1);
	assert_int_equal(m.ino, 1234);
	assert_true(m.executable);
	assert_string_equal(m.path, "/usr/lib/a b.so (deleted)");
	assert_true(parse_map("7f00-8f00 rw-p 00000000 00:00 0 \n", &m));
	assert_false(m.executable);
	assert_string_equal(m.path, "");
	assert_false(parse_map("", &m));
	assert_false(parse_map("7f00-8f00", &m));
	assert_false(parse_map("7f00-8f00 r-x", &m));
	assert_false(parse_map("8f00-7f00 r-xp 00002000 fe:01 1234\n", &m));
	assert_false(parse_map("x-y r-xp 00002000 fe:01 1234\n", &m));
}

/* --- kallsyms --------------------------------------------------------------------------------- */

static struct kallsyms *read_kallsyms(const char *text)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct kallsyms *k = kallsyms__read(file);

	assert_non_null(k);
	fclose(file);
	return k;
}

static void kernel_addresses_find_their_function(void **state)
{
	struct kallsyms *k = read_kallsyms("ffffffff81000100 T __x64_sys_read\n"
					   "ffffffff81000080 t before\n"
					   "ffffffff81000200 D some_data\n"
					   "ffffffff81000100 T ksys_read_alias\n"
					   "ffffffff81000300 W weak\n"
					   "0000000000001000 A percpu\n"
					   "ffffffffc0000000 t in_module\t[nf_tables]\n"
					   "garbage\n\nffffffff8 T\n");
	uint64_t offset = 0;

	(void)state;
	assert_int_equal(kallsyms__count(k), 5);
	assert_string_equal(kallsyms__find(k, 0xffffffff81000104, &offset), "ksys_read_alias");
	assert_int_equal(offset, 4);
	assert_string_equal(kallsyms__find(k, 0xffffffff810000ff, &offset), "before");
	assert_string_equal(kallsyms__find(k, 0xffffffff81000210, &offset), "ksys_read_alias");
	assert_string_equal(kallsyms__find(k, 0xffffffffc0000010, &offset), "in_module");
	assert_null(kallsyms__find(k, 0xffffffff8100007f, &offset));
	assert_null(kallsyms__find(k, 0xffffffffc8000000, &offset)); /* a module loaded later */
	assert_null(kallsyms__find(k, 0x1000, &offset));
	kallsyms__free(k);
}

static void hidden_kernel_addresses_give_no_names(void **state)
{
	struct kallsyms *k = read_kallsyms("0000000000000000 T _text\n0000000000000000 T read\n");
	uint64_t offset;

	(void)state;
	assert_int_equal(kallsyms__count(k), 0);
	assert_null(kallsyms__find(k, 0xffffffff81000000, &offset));
	kallsyms__free(k);
}

/* --- perf maps -------------------------------------------------------------------------------- */

static void lines_of_perf_maps_are_parsed(void **state)
{
	struct perfmap_line line;
	static const char *const bad[] = {"",
					  "1",
					  "1 2",
					  "1 2 ",
					  "x 2 a",
					  "1 x a",
					  "1 0 a",
					  " 1 2 a",
					  "ffffffffffffffff 10 a",
					  "1 100000000 a",
					  "11112222333344445 1 a",
					  "0x 1 a"};

	(void)state;
	assert_true(perfmap__parse_line("3ef414c0 398 LazyCompile:~a b", 29, &line));
	assert_int_equal(line.start, 0x3ef414c0);
	assert_int_equal(line.size, 0x398);
	assert_int_equal(line.name.bytes, 16);
	assert_true(perfmap__parse_line("0x7f00 0x20 long J.burn(long)", 29, &line));
	assert_int_equal(line.start, 0x7f00);
	assert_int_equal(line.size, 0x20);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(perfmap__parse_line(bad[i], strlen(bad[i]), &line));
}

static void assert_name(const char *text, const char *function, const char *file, uint32_t number)
{
	struct perfmap_name name;

	perfmap__parse_name(text, strlen(text), &name);
	assert_string_equal(strings__intern_n(pool, name.function.s, name.function.bytes),
			    function);
	if (file)
		assert_string_equal(strings__intern_n(pool, name.file.s, name.file.bytes), file);
	else
		assert_null(name.file.s);
	assert_int_equal(name.line, number);
}

static void names_of_runtimes_are_taken_apart(void **state)
{
	(void)state;
	assert_name("JS:*handler /srv/n.js:7:23", "handler", "/srv/n.js", 7);
	assert_name("JS:~processTimers node:internal/timers:504:25", "processTimers",
		    "node:internal/timers", 504);
	assert_name("JS:^ /srv/a b.js:1:2", "(anonymous)", "/srv/a b.js", 1);
	assert_name("JS:+get size file:///srv/m.mjs:3:4", "get size", "file:///srv/m.mjs", 3);
	assert_name("LazyCompile:*x native array.js:10:1", "x", "native array.js", 10);
	assert_name("LazyCompile:*compute /srv/a.js:12", "compute", "/srv/a.js", 12);
	assert_name("JS:*eval", "eval", NULL, 0);
	assert_name("JS:*", "(anonymous)", NULL, 0);
	assert_name("Builtin:ArrayMap", "Builtin:ArrayMap", NULL, 0);
	assert_name("py::handler:/srv/app.py", "handler", "/srv/app.py", 0);
	assert_name("py::", "py::", NULL, 0);
	assert_name("long J.burn(long)", "long J.burn(long)", NULL, 0);
	assert_name("JS:*f /a.js:99999999999999:1", "f", "/a.js:99999999999999", 0);
}

struct map_fixture {
	char path[64];
	size_t left;
	struct perfmap *map;
};

static int set_up_map(void **state)
{
	struct map_fixture *f = calloc(1, sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/perf-%d.map", getpid());
	unlink(f->path);
	f->left = 1000;
	f->map = perfmap__new(getpid(), &f->left);
	*state = f;
	return 0;
}

static int tear_down_map(void **state)
{
	struct map_fixture *f = *state;

	perfmap__free(f->map);
	unlink(f->path);
	free(f);
	return 0;
}

static void append(const char *path, const char *text)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static const char *find(struct map_fixture *f, uint64_t addr)
{
	const struct ls_frame *frame = perfmap__find(f->map, pool, addr);

	return frame ? frame->function : NULL;
}

static void later_entries_replace_those_they_overlap(void **state)
{
	struct map_fixture *f = *state;

	append(f->path, "1000 100 first\n2000 10 other\n1080 100 second\n");
	assert_null(find(f, 0x1010));
	assert_string_equal(find(f, 0x1080), "second");
	assert_string_equal(find(f, 0x117f), "second");
	assert_null(find(f, 0x1180));
	assert_string_equal(find(f, 0x2000), "other");
	append(f->path, "1000 100 third\n2000 10 renamed\n");
	assert_string_equal(find(f, 0x10ff), "third");
	assert_string_equal(find(f, 0x2000), "renamed");
}

static void growing_map_is_read_on_from_where_it_ended(void **state)
{
	struct map_fixture *f = *state;

	append(f->path, "1000 100 whole\n2000 10 par");
	assert_string_equal(find(f, 0x1000), "whole");
	assert_null(find(f, 0x2000));
	append(f->path, "tial\n");
	assert_string_equal(find(f, 0x2000), "partial");
	for (int i = 0; i < 5000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "%x 10 f%d\n", 0x10000 + i * 16, i);
		append(f->path, line);
	}
	assert_string_equal(find(f, 0x10000 + 4999 * 16 + 5), "f4999");
	assert_string_equal(find(f, 0x1000), "whole");
}

static void map_written_anew_is_read_anew(void **state)
{
	struct map_fixture *f = *state;

	append(f->path, "1000 100 old\n3000 100 old_too_and_long\n");
	assert_string_equal(find(f, 0x1000), "old");
	assert_int_equal(truncate(f->path, 0), 0);
	append(f->path, "1000 100 new\n");
	assert_string_equal(find(f, 0x1000), "new");
	assert_null(find(f, 0x3000));
}

/* The name is read again when it is asked for: what stands there then must still be that entry. */
static void entry_overwritten_in_place_loses_its_name(void **state)
{
	struct map_fixture *f = *state;
	int fd;

	append(f->path, "1000 100 one\n2000 100 two\n");
	assert_string_equal(find(f, 0x1000), "one");
	fd = open(f->path, O_WRONLY);
	assert_int_equal(pwrite(fd, "9000 100 xxx\n9000 100 xxx\n", 26, 0), 26);
	close(fd);
	assert_null(find(f, 0x2000));
}

static void map_that_is_a_fifo_does_not_block(void **state)
{
	struct map_fixture *f = *state;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	alarm(5);
	assert_null(find(f, 0x1000));
	alarm(0);
}

static void map_that_is_a_link_is_not_followed(void **state)
{
	struct map_fixture *f = *state;

	append(in_dir("secret"), "1000 100 secret\n");
	assert_int_equal(symlink(in_dir("secret"), f->path), 0);
	assert_null(find(f, 0x1000));
}

static void map_of_another_user_is_not_believed(void **state)
{
	struct map_fixture *f = *state;

	if (getuid() != 0)
		skip();
	append(f->path, "1000 100 planted\n");
	assert_int_equal(chown(f->path, 12345, 12345), 0);
	assert_null(find(f, 0x1000));
}

static void map_that_is_a_directory_or_device_is_not_read(void **state)
{
	struct map_fixture *f = *state;

	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_null(find(f, 0x1000));
	rmdir(f->path);
}

static void huge_map_is_read_up_to_its_bound(void **state)
{
	struct map_fixture *f = *state;

	append(f->path, "1000 100 early\n");
	assert_int_equal(truncate(f->path, 1L << 40), 0); /* a hole: one endless line of zeros */
	append(f->path, "\n2000 100 late\n");
	assert_string_equal(find(f, 0x1000), "early");
	assert_null(find(f, 0x2000));
}

static void garbage_in_a_map_is_skipped(void **state)
{
	struct map_fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	srand(3);
	for (int i = 0; i < 200000; i++)
		fputc(rand() % 12 ? rand() % 256 : '\n', file);
	fprintf(file, "\n");
	for (int i = 0; i < 100000; i++)
		fputc('x', file);
	fprintf(file, "\nffff1000 100 good\n");
	fclose(file);
	assert_string_equal(find(f, 0xffff1000), "good");
}

#define with_map(test) cmocka_unit_test_setup_teardown(test, set_up_map, tear_down_map)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_strings_are_one_pointer),
		cmocka_unit_test(strings_stay_while_the_pool_grows),
		cmocka_unit_test(pool_stops_at_its_bound),
		cmocka_unit_test(names_are_demangled),
		cmocka_unit_test(name_that_explodes_stays_mangled),
		cmocka_unit_test(symbol_must_contain_the_address),
		cmocka_unit_test(plt_entries_have_the_name_of_what_they_call),
		cmocka_unit_test(file_that_is_no_elf_is_a_module_without_names),
		cmocka_unit_test(truncated_files_are_survived),
		cmocka_unit_test(corrupted_files_are_survived),
		cmocka_unit_test(file_with_too_many_sections_is_refused),
		cmocka_unit_test(truncated_pages_read_as_zeros_under_the_guard),
		cmocka_unit_test(memory_is_bounded_under_the_guard),
		cmocka_unit_test(cpu_time_is_bounded_under_the_guard),
		cmocka_unit_test(frame_lists_are_counted_over_all_caches),
		cmocka_unit_test(lines_of_maps_are_parsed),
		cmocka_unit_test(kernel_addresses_find_their_function),
		cmocka_unit_test(hidden_kernel_addresses_give_no_names),
		cmocka_unit_test(lines_of_perf_maps_are_parsed),
		cmocka_unit_test(names_of_runtimes_are_taken_apart),
		with_map(later_entries_replace_those_they_overlap),
		with_map(growing_map_is_read_on_from_where_it_ended),
		with_map(map_written_anew_is_read_anew),
		with_map(entry_overwritten_in_place_loses_its_name),
		with_map(map_that_is_a_fifo_does_not_block),
		with_map(map_that_is_a_link_is_not_followed),
		with_map(map_of_another_user_is_not_believed),
		with_map(map_that_is_a_directory_or_device_is_not_read),
		with_map(huge_map_is_read_up_to_its_bound),
		with_map(garbage_in_a_map_is_skipped),
	};

	return cmocka_run_group_tests_name("symbol files", tests, set_up, tear_down);
}
