/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The symbolizer on live processes, which are built and started here. Run from the top of the
 * source tree; needs a C and C++ compiler, binutils, and root for other users' files.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "target.h"

#include <fcntl.h>
#include <gelf.h>
#include <libgen.h>
#include <linux/limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <ucontext.h>

#include "symbols/strings.h"
#include "symbols/symbolizer.h"

enum { MAX_FRAMES = 128 };

static char dir[] = "/tmp/ls-test-symbols.XXXXXX";

struct fixture {
	struct strings *pool;
	struct symbolizer *s;
	struct target t;
	struct capture capture;
	struct native_frame frames[MAX_FRAMES];
	size_t n;
	bool truncated;
};

/* --- set up ----------------------------------------------------------------------------------- */

static int build_targets(void **state)
{
	const char *flags =
		"-O2 -fomit-frame-pointer -D_GNU_SOURCE tests/targets/frames.c -ldl -lpthread";

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	run("cc -g -o %s/debug %s", dir, flags);
	run("cc -o %s/symbols %s", dir, flags);
	run("cc -rdynamic -o %s/exported %s && strip %s/exported", dir, flags, dir);
	run("strip -o %s/stripped %s/symbols", dir, dir);
	run("cc -static -no-pie -g -Wl,--build-id -o %s/static %s 2>/dev/null", dir, flags);
	run("c++ -O2 -shared -fPIC -fomit-frame-pointer -o %s/plugin.so tests/targets/plugin.cc",
	    dir);
	return 0;
}

static int remove_targets(void **state)
{
	(void)state;
	run("rm -rf %s", dir);
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->pool = strings__new();
	f->s = symbolizer__new(f->pool);
	assert_non_null(f->s);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->t.pid)
		stop(&f->t);
	symbolizer__free(f->s);
	strings__free(f->pool);
	free(f);
	return 0;
}

/* --- helpers ---------------------------------------------------------------------------------- */

static const char *in_dir(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned int i;

	i = (i + 1) % 4;
	snprintf(path[i], PATH_MAX, "%s/%s", dir, name);
	return path[i];
}

/* Starts program `name` of the directory in mode `where`. */
static void launch(struct fixture *f, const char *name, const char *where, const char *arg,
		   const char *arg2)
{
	const char *const argv[] = {in_dir(name), where, arg, arg2, NULL};

	f->t = start(NULL, argv);
}

static void launch_ready(struct fixture *f, const char *name, const char *where)
{
	launch(f, name, where, NULL, NULL);
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
}

static void unwind_captured(struct fixture *f, size_t stack_bytes, bool live)
{
	ssize_t n = symbolizer__user(f->s, f->t.pid, &f->capture.regs, f->capture.stack,
				     stack_bytes, live, f->frames, MAX_FRAMES, &f->truncated);

	assert_true(n > 0);
	f->n = (size_t)n;
}

static void unwind_thread(struct fixture *f, pid_t tid)
{
	capture(tid, &f->capture);
	unwind_captured(f, f->capture.bytes, false);
}

static void unwind_target(struct fixture *f)
{
	unwind_thread(f, f->t.pid);
}

static const struct ls_frame *physical(const struct native_frame *frame)
{
	return &frame->frames[frame->nr_frames - 1];
}

static const char *function(const struct fixture *f, size_t i)
{
	const char *name = i < f->n ? physical(&f->frames[i])->function : "(none)";

	return name ? name : "?";
}

/* Index of the frame of this function; fails if there is none. */
static size_t index_of(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(function(f, i), name))
			return i;
	for (size_t i = 0; i < f->n; i++)
		print_message("%zu %s\n", i, function(f, i));
	fail_msg("no frame of %s", name);
	return 0;
}

/* From the frame of the first name on, the physical functions are these. */
static void assert_chain(const struct fixture *f, const char *const *names)
{
	size_t i = index_of(f, names[0]);

	for (; *names; names++, i++)
		assert_string_equal(function(f, i), *names);
}

#define assert_functions(f, ...) assert_chain(f, (const char *const[]){__VA_ARGS__, NULL})

/* The last frames of a process whose program and libc have symbols. */
static void assert_complete(const struct fixture *f)
{
	assert_false(f->truncated);
	assert_string_equal(function(f, f->n - 1), "_start");
}

/* The line of the target's source with this mark. */
static unsigned int marked_line(const char *mark)
{
	FILE *file = fopen("tests/targets/frames.c", "r");
	char line[256], wanted[64];

	assert_non_null(file);
	snprintf(wanted, sizeof(wanted), "/* line: %s */", mark);
	for (unsigned int i = 1; fgets(line, sizeof(line), file); i++) {
		if (strstr(line, wanted)) {
			fclose(file);
			return i;
		}
	}
	fail_msg("no line %s", mark);
	return 0;
}

/* Value and size of a symbol in an ELF file, found without the code under test. */
static GElf_Sym symbol_of(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	GElf_Sym sym = {.st_size = 0};
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	bool found = false;

	while (!found && (scn = elf_nextscn(elf, scn))) {
		gelf_getshdr(scn, &shdr);
		for (int i = 0; shdr.sh_type == SHT_SYMTAB && !found; i++) {
			if (!gelf_getsym(elf_getdata(scn, NULL), i, &sym))
				break;
			found = !strcmp(elf_strptr(elf, shdr.sh_link, sym.st_name), name);
		}
	}
	elf_end(elf);
	close(fd);
	if (!found)
		fail_msg("%s has no symbol %s", path, name);
	return sym;
}

/* --- unwinding -------------------------------------------------------------------------------- */

static void code_without_frame_pointers_unwinds_to_its_first_function(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "symbols", "chain");
	unwind_target(f);
	assert_functions(f, "pause", "wait_here", "level3", "level2", "level1", "main");
	assert_complete(f);
	assert_true(f->frames[0].is_libc && f->frames[0].is_library);
	assert_false(f->frames[1].is_libc || f->frames[1].is_library);
}

static void stack_pointers_are_those_of_the_frames(void **state)
{
	struct fixture *f = *state;
	uint64_t ret;

	launch_ready(f, "symbols", "chain");
	unwind_target(f);
	assert_int_equal(f->frames[0].sp, f->capture.regs.r[LS_REG_RSP]);
	assert_int_equal(f->frames[0].pc, f->capture.regs.r[LS_REG_RIP]);
	for (size_t i = 1; i < f->n; i++) {
		assert_true(f->frames[i].sp > f->frames[i - 1].sp);
		assert_int_equal(peek(f->t.pid, f->frames[i].sp - 8, &ret, 8), 8);
		assert_int_equal(f->frames[i].pc, ret - 1); /* the call pushed it there */
	}
}

static void static_program_at_fixed_address_unwinds(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "static", "chain");
	unwind_target(f);
	assert_functions(f, "wait_here", "level3", "level2", "level1", "main");
	assert_complete(f);
	assert_false(f->frames[0].is_library);
}

static void stack_of_a_thread_ends_where_it_was_started(void **state)
{
	struct fixture *f = *state;

	launch(f, "symbols", "thread", NULL, NULL);
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
	unwind_thread(f, second_thread(f->t.pid));
	assert_functions(f, "wait_here", "level3", "level2", "level1", "in_thread");
	assert_false(f->truncated);
}

static void return_address_behind_the_end_of_its_function_names_that_function(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "symbols", "noreturn");
	unwind_target(f);
	assert_functions(f, "wait_here", "never_returns", "ends_in_call", "main");
	assert_complete(f);
}

static void signal_handler_leads_to_the_interrupted_instruction(void **state)
{
	struct fixture *f = *state;
	greg_t rip;
	size_t i;

	launch_ready(f, "symbols", "signal");
	unwind_target(f);
	i = index_of(f, "on_signal");
	assert_string_equal(function(f, i + 2), "interrupted");
	assert_string_equal(function(f, i + 3), "main");
	assert_true(f->frames[i + 1].is_libc);
	assert_complete(f);
	/* Exactly: the kernel left it in the context, which is where the handler returns to. */
	assert_int_equal(
		peek(f->t.pid,
		     f->frames[i + 1].sp + offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]), &rip,
		     sizeof(rip)),
		sizeof(rip));
	assert_int_equal(f->frames[i + 2].pc, rip);
}

static void stack_of_a_handler_elsewhere_is_left_only_where_memory_may_be_read(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "symbols", "sigaltstack");
	unwind_target(f);
	index_of(f, "on_signal");
	assert_true(f->truncated);
	unwind_captured(f, f->capture.bytes, true);
	assert_functions(f, "interrupted_on_other_stack", "main");
	assert_complete(f);
}

static void cut_stack_is_truncated_and_read_on_only_if_live(void **state)
{
	struct fixture *f = *state;
	size_t whole;

	launch_ready(f, "symbols", "chain");
	unwind_target(f);
	whole = f->n;
	unwind_captured(f, 64, false);
	assert_true(f->truncated);
	assert_in_range(f->n, 1, whole - 1);
	unwind_captured(f, 64, true);
	assert_int_equal(f->n, whole);
	assert_complete(f);
}

static void no_more_frames_than_asked_for(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "symbols", "chain");
	capture(f->t.pid, &f->capture);
	assert_int_equal(symbolizer__user(f->s, f->t.pid, &f->capture.regs, f->capture.stack,
					  f->capture.bytes, false, f->frames, 3, &f->truncated),
			 3);
	assert_true(f->truncated);
}

static void vdso_frame_is_named_and_left(void **state)
{
	struct fixture *f = *state;
	bool seen = false;

	launch(f, "symbols", "vdso", NULL, NULL);
	expect_line(&f->t, "ready");
	for (int i = 0; i < 500 && !seen; i++) {
		unwind_target(f);
		seen = physical(&f->frames[0])->module &&
		       !strcmp(physical(&f->frames[0])->module, "[vdso]");
	}
	assert_true(seen);
	assert_string_not_equal(function(f, 0), "?");
	assert_true(f->frames[0].is_libc && f->frames[0].is_library);
	assert_functions(f, "read_clock", "main");
	assert_complete(f);
}

static void call_through_a_bad_pointer_shows_the_caller(void **state)
{
	struct fixture *f = *state;
	uint64_t ret = 0;

	launch_ready(f, "symbols", "nowhere");
	unwind_target(f);
	/* As if it had just called: the return address of call_nowhere's getchar is pushed again.
	 */
	ret = f->frames[index_of(f, "call_nowhere")].pc + 1;
	f->capture.regs.r[LS_REG_RSP] = f->frames[index_of(f, "call_nowhere")].sp - 8;
	f->capture.regs.r[LS_REG_RIP] = 16;
	f->capture.bytes = peek(f->t.pid, f->capture.regs.r[LS_REG_RSP], f->capture.stack, 32768);
	memcpy(f->capture.stack, &ret, 8);
	unwind_captured(f, f->capture.bytes, false);
	assert_string_equal(function(f, 0), "?");
	assert_string_equal(function(f, 1), "call_nowhere");
	assert_string_equal(function(f, 2), "main");
	assert_complete(f);
}

/* Waits until the target's leaf is this function. */
static void spin_until_in(struct fixture *f, const char *name)
{
	for (int i = 0; i < 1000; i++) {
		unwind_target(f);
		if (!strcmp(function(f, 0), name))
			return;
		usleep(1000);
	}
	fail_msg("never in %s", name);
}

static void rules_that_ask_for_the_red_zone_need_it_copied(void **state)
{
	struct fixture *f = *state;
	uint64_t base;

	launch(f, "symbols", "red zone", NULL, NULL);
	expect_line(&f->t, "ready");
	spin_until_in(f, "in_red_zone");
	assert_true(f->truncated);
	base = f->capture.regs.r[LS_REG_RSP] - LS_RED_ZONE;
	f->capture.bytes = peek(f->t.pid, base, f->capture.stack, sizeof(f->capture.stack));
	f->n = (size_t)symbolizer__user_at(f->s, f->t.pid, &f->capture.regs, f->capture.stack, base,
					   f->capture.bytes, false, f->frames, MAX_FRAMES,
					   &f->truncated);
	assert_functions(f, "in_red_zone", "call_assembler", "main");
	assert_complete(f);
}

static void register_popped_in_an_epilogue_is_where_it_belongs(void **state)
{
	struct fixture *f = *state;

	launch(f, "symbols", "epilogue", NULL, NULL);
	expect_line(&f->t, "ready");
	spin_until_in(f, "in_epilogue");
	assert_functions(f, "in_epilogue", "call_assembler", "main");
	assert_complete(f);
}

/* --- names ------------------------------------------------------------------------------------ */

static void stripped_program_shows_module_and_offset(void **state)
{
	struct fixture *f = *state;
	const struct ls_frame *frame;
	GElf_Sym sym;
	size_t i;

	launch_ready(f, "stripped", "chain");
	unwind_target(f);
	assert_false(f->truncated);
	i = index_of(f, "pause") + 2; /* level3 */
	frame = physical(&f->frames[i]);
	assert_null(frame->function);
	assert_string_equal(frame->module, in_dir("stripped"));
	sym = symbol_of(in_dir("symbols"), "level3");
	assert_true(frame->has_offset);
	assert_in_range(frame->offset, sym.st_value, sym.st_value + sym.st_size - 1);
}

static void function_without_a_symbol_does_not_get_that_of_its_neighbour(void **state)
{
	struct fixture *f = *state;
	size_t i;

	launch_ready(f, "exported", "chain");
	unwind_target(f);
	i = index_of(f, "level1"); /* exported; the functions that it calls are static */
	assert_string_equal(function(f, i + 1), "main");
	assert_string_equal(function(f, i - 1), "?");
	assert_string_equal(function(f, i - 2), "?");
	assert_complete(f);
}

static void assert_inlined_lines(struct fixture *f, const char *program)
{
	static const char *const names[] = {"innermost", "between", "around"};
	const struct native_frame *frame;

	launch_ready(f, program, "inline");
	unwind_target(f);
	frame = &f->frames[index_of(f, "around")];
	assert_int_equal(frame->nr_frames, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(frame->frames[i].function, names[i]);
		assert_int_equal(frame->frames[i].line, marked_line(names[i]));
		assert_string_equal(basename(strdupa(frame->frames[i].file)), "frames.c");
		assert_int_equal(frame->frames[i].file[0], '/');
		assert_int_equal(frame->frames[i].inlined, i < 2);
	}
}

static void inlined_functions_have_their_lines(void **state)
{
	assert_inlined_lines(*state, "debug");
}

static void lines_are_found_without_aranges(void **state)
{
	run("objcopy -R .debug_aranges %s/debug %s/no-aranges", dir, dir);
	assert_inlined_lines(*state, "no-aranges");
}

static void compressed_debug_information_is_read(void **state)
{
	run("objcopy --compress-debug-sections=zlib %s/debug %s/compressed", dir, dir);
	assert_inlined_lines(*state, "compressed");
}

static void debug_file_is_found_by_its_link(void **state)
{
	struct fixture *f = *state;
	const struct ls_frame *frame;

	run("mkdir -p %s/link/.debug && cd %s/link && objcopy --only-keep-debug ../debug "
	    ".debug/p.debug && "
	    "strip -o p ../debug && objcopy -R .note.gnu.build-id "
	    "--add-gnu-debuglink=.debug/p.debug p",
	    dir, dir);
	launch_ready(f, "link/p", "inline");
	unwind_target(f);
	frame = f->frames[index_of(f, "around")].frames;
	assert_string_equal(frame->function, "innermost");
	assert_int_equal(frame->line, marked_line("innermost"));
}

static void debug_file_of_another_build_is_refused(void **state)
{
	struct fixture *f = *state;

	run("mkdir -p %s/other/.debug && cd %s/other && objcopy --only-keep-debug ../debug "
	    ".debug/p.debug && "
	    "strip -o p ../debug && objcopy -R .note.gnu.build-id "
	    "--add-gnu-debuglink=.debug/p.debug p && "
	    "objcopy --only-keep-debug ../symbols .debug/p.debug",
	    dir, dir);
	launch_ready(f, "other/p", "chain");
	unwind_target(f);
	assert_string_equal(function(f, index_of(f, "pause") + 1), "?");
}

static void files_of_a_container_are_found_in_its_root(void **state)
{
	struct fixture *f = *state;
	const char *const argv[] = {"/bin/program", "inline", NULL};
	const struct ls_frame *frame;

	run("cd %s && mkdir -p root/bin root/usr/lib/debug/.build-id && strip -o root/bin/program "
	    "static && "
	    "id=$(readelf -n static | sed -n 's/.*Build ID: //p') && d=$(echo $id | cut -c1-2) && "
	    "mkdir root/usr/lib/debug/.build-id/$d && objcopy --only-keep-debug static "
	    "root/usr/lib/debug/.build-id/$d/$(echo $id | cut -c3-).debug",
	    dir);
	f->t = start(in_dir("root"), argv);
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
	unwind_target(f);
	frame = f->frames[index_of(f, "around")].frames;
	assert_string_equal(frame->function, "innermost");
	assert_int_equal(frame->line, marked_line("innermost"));
	assert_string_equal(frame->module, "/bin/program");
	assert_complete(f);
}

/* map_files is for the privileged: without, paths are tried, and must lead to the mapped file. */
static void unprivileged_user_sees_own_processes(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	if (getuid() != 0)
		skip();
	run("chmod 755 %s && cp %s/symbols %s/mine", dir, dir, dir);
	pid = fork();
	if (pid == 0) {
		assert_int_equal(setgid(12345) | setuid(12345), 0);
		prctl(PR_SET_DUMPABLE, 1);
		launch_ready(f, "mine", "chain");
		unwind_target(f);
		assert_functions(f, "wait_here", "level3", "level2", "level1", "main");
		assert_complete(f);
		stop(&f->t);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void mini_debug_info_names_static_functions(void **state)
{
	struct fixture *f = *state;

	run("cd %s && objcopy -S --only-keep-debug symbols mini.elf 2>/dev/null; "
	    "objcopy --only-keep-debug symbols mini.elf && xz -kf mini.elf && "
	    "objcopy --add-section .gnu_debugdata=mini.elf.xz stripped mini",
	    dir);
	launch_ready(f, "mini", "chain");
	unwind_target(f);
	assert_functions(f, "wait_here", "level3", "level2", "level1", "main");
}

static void assert_still_named(struct fixture *f, const char *path)
{
	unwind_target(f);
	assert_functions(f, "wait_here", "level3", "level2", "level1", "main");
	assert_complete(f);
	assert_string_equal(physical(&f->frames[index_of(f, "main")])->module, path);
	assert_false(f->frames[index_of(f, "main")].is_library);
}

static void deleted_program_keeps_its_names(void **state)
{
	struct fixture *f = *state;

	run("cp %s/symbols %s/gone", dir, dir);
	launch_ready(f, "gone", "chain");
	assert_int_equal(unlink(in_dir("gone")), 0);
	assert_still_named(f, in_dir("gone"));
}

static void replaced_program_keeps_its_own_names(void **state)
{
	struct fixture *f = *state;

	run("cp %s/symbols %s/new", dir, dir);
	launch_ready(f, "new", "chain");
	run("cp /usr/bin/env %s/newer && mv %s/newer %s/new", dir, dir, dir);
	assert_still_named(f, in_dir("new"));
}

static void library_loaded_after_the_first_report_is_found(void **state)
{
	struct fixture *f = *state;
	size_t i;

	launch(f, "symbols", "dlopen", in_dir("plugin.so"), "plugin_call");
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
	unwind_target(f);
	assert_complete(f);
	fputs("\n", f->t.to);
	fflush(f->t.to);
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
	unwind_target(f);
	assert_functions(f, "wait_here", "shop::basket<long>::pay", "plugin_call", "load_and_call",
			 "main");
	assert_complete(f);
	i = index_of(f, "plugin_call");
	assert_string_equal(physical(&f->frames[i])->module, in_dir("plugin.so"));
	assert_true(f->frames[i].is_library);
	assert_false(f->frames[i].is_libc);
}

static void process_that_ended_can_still_be_named_if_prepared(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "debug", "inline");
	symbolizer__prepare(f->s, f->t.pid);
	capture(f->t.pid, &f->capture);
	kill(f->t.pid, SIGKILL);
	waitpid(f->t.pid, NULL, 0);
	unwind_captured(f, f->capture.bytes, false);
	assert_functions(f, "pause", "wait_here", "around", "main");
	assert_complete(f);
}

static void process_never_seen_is_no_such_process(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "symbols", "chain");
	capture(f->t.pid, &f->capture);
	kill(f->t.pid, SIGKILL);
	waitpid(f->t.pid, NULL, 0);
	assert_int_equal(symbolizer__user(f->s, f->t.pid, &f->capture.regs, f->capture.stack,
					  f->capture.bytes, false, f->frames, MAX_FRAMES,
					  &f->truncated),
			 -ESRCH);
}

static void forgotten_process_is_read_again(void **state)
{
	struct fixture *f = *state;

	launch_ready(f, "debug", "inline");
	unwind_target(f);
	symbolizer__forget(f->s, f->t.pid);
	unwind_target(f);
	assert_functions(f, "pause", "wait_here", "around", "main");
	symbolizer__trim(f->s);
	unwind_target(f);
	assert_complete(f);
}

/* As readelf has it. */
static void read_build_id(const char *path, char id[130])
{
	char command[PATH_MAX + 100];
	FILE *out;

	snprintf(command, sizeof(command), "LC_ALL=C readelf -n %s | sed -n 's/^ *Build ID: //p'",
		 path);
	out = popen(command, "re");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%129s", id), 1);
	pclose(out);
}

static void build_ids_of_modules_outlive_their_process(void **state)
{
	struct fixture *f = *state;
	const struct ls_module *modules;
	size_t nr, found = 0;
	char id[130];

	symbolizer__modules(f->s, &nr);
	assert_int_equal(nr, 0);
	launch_ready(f, "static", "chain");
	read_build_id(in_dir("static"), id);
	for (int i = 0; i < 2; i++) {
		unwind_target(f);
		symbolizer__forget(f->s, f->t.pid);
	}
	modules = symbolizer__modules(f->s, &nr);
	for (size_t i = 0; i < nr; i++) {
		if (strcmp(modules[i].path, in_dir("static")) != 0)
			continue;
		assert_string_equal(modules[i].build_id, id);
		found++;
	}
	assert_int_equal(found, 1);
}

static void counts_tell_the_share_of_named_frames(void **state)
{
	struct fixture *f = *state;
	uint64_t total, symbolized, named = 0;

	launch_ready(f, "stripped", "chain");
	unwind_target(f);
	for (size_t i = 0; i < f->n; i++)
		named += physical(&f->frames[i])->function != NULL;
	symbolizer__counts(f->s, &total, &symbolized);
	assert_int_equal(total, f->n);
	assert_int_equal(symbolized, named);
	assert_in_range(named, 1, f->n - 1);
}

/* --- generated code --------------------------------------------------------------------------- */

static void write_perf_map(const struct fixture *f, const char *fmt, unsigned long long code)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", f->t.pid);
	file = fopen(path, "a");
	assert_non_null(file);
	fprintf(file, fmt, code);
	fclose(file);
}

static void generated_code_is_named_by_the_perf_map(void **state)
{
	struct fixture *f = *state;
	unsigned long long code;
	size_t i;

	launch(f, "symbols", "jit", NULL, NULL);
	assert_int_equal(fscanf(f->t.from, "%llx\n", &code), 1);
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
	unwind_target(f);
	i = index_of(f, "call_generated") - 1;
	assert_int_equal(physical(&f->frames[i])->kind, LS_FRAME_JIT);
	assert_null(physical(&f->frames[i])->function);
	assert_functions(f, "call_generated", "main");

	write_perf_map(f, "%llx 8 JS:*old /srv/n.js:7:23\n", code);
	symbolizer__forget(f->s,
			   f->t.pid); /* a file that was not there is looked for each second */
	unwind_target(f);
	assert_functions(f, "old", "call_generated", "main");
	assert_string_equal(physical(&f->frames[i])->file, "/srv/n.js");
	assert_int_equal(physical(&f->frames[i])->line, 7);
	assert_int_equal(physical(&f->frames[i])->kind, LS_FRAME_JIT);
	assert_false(f->frames[i].is_library);

	write_perf_map(f, "%llx 8 JS:*renamed /srv/n.js:9:1\n", code);
	unwind_target(f);
	assert_functions(f, "renamed", "call_generated", "main");
	assert_complete(f);
	run("rm -f /tmp/perf-%d.map", f->t.pid);
}

/* --- hostile input ---------------------------------------------------------------------------- */

static void garbage_stacks_and_registers_end_in_truncation(void **state)
{
	struct fixture *f = *state;
	struct capture *c = &f->capture;
	struct ls_regs regs;

	launch_ready(f, "symbols", "chain");
	capture(f->t.pid, c);
	regs = c->regs;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		c->regs = regs;
		for (size_t i = 0; i < c->bytes; i++)
			c->stack[i] = (uint8_t)rand();
		if (round % 2) /* pcs all over the code */
			c->regs.r[LS_REG_RIP] += (uint64_t)(rand() % 2000000) - 1000000;
		if (round % 3 == 0)
			c->regs.r[LS_REG_RBP] = c->regs.r[LS_REG_RSP] + (uint64_t)(rand() % 4096);
		if (round % 5 == 0)
			c->regs.r[LS_REG_RSP] = (uint64_t)rand() << 40 | (uint64_t)rand();
		unwind_captured(f, c->bytes, round % 7 == 0);
	}
	/* and with return addresses that are all real */
	c->regs = regs;
	for (size_t i = 0; i + 8 <= sizeof(c->stack); i += 8)
		memcpy(c->stack + i, &regs.r[LS_REG_RIP], 8);
	unwind_captured(f, sizeof(c->stack), false);
	assert_true(f->truncated);
}

static void rules_that_go_in_a_circle_end_at_once(void **state)
{
	struct fixture *f = *state;

	launch(f, "symbols", "circle", NULL, NULL);
	expect_line(&f->t, "ready");
	spin_until_in(f, "in_circle");
	usleep(10000); /* past its two instructions */
	unwind_target(f);
	assert_int_equal(f->n, 1);
	assert_true(f->truncated);
}

static void library_truncated_while_mapped_is_survived(void **state)
{
	struct fixture *f = *state;

	run("cp %s/plugin.so %s/cut.so", dir, dir);
	launch(f, "symbols", "dlopen", in_dir("cut.so"), "plugin_call");
	expect_line(&f->t, "ready");
	fputs("\n", f->t.to);
	fflush(f->t.to);
	expect_line(&f->t, "ready");
	wait_asleep(f->t.pid);
	symbolizer__prepare(f->s, f->t.pid); /* mapped here, but hardly read */
	capture(f->t.pid, &f->capture);
	assert_int_equal(truncate(in_dir("cut.so"), 100), 0);
	unwind_captured(f, f->capture.bytes, false);
	index_of(f, "wait_here"); /* which comes before the broken library */
}

/* Where a byte may be changed without the program itself noticing: unwind tables, symbols, debug
 * information and the section headers. */
static bool may_corrupt(Elf *elf, size_t at)
{
	Elf_Scn *scn = NULL;
	GElf_Ehdr ehdr;
	GElf_Shdr shdr;

	if (gelf_getehdr(elf, &ehdr) && at >= ehdr.e_shoff)
		return true;
	while ((scn = elf_nextscn(elf, scn))) {
		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		if (at >= shdr.sh_offset && at - shdr.sh_offset < shdr.sh_size)
			return !(shdr.sh_flags & SHF_ALLOC) ||
			       !strncmp(elf_strptr(elf, ehdr.e_shstrndx, shdr.sh_name), ".eh_frame",
					9);
	}
	return false;
}

/* Writes a copy of `original` with bytes changed. */
static void corrupt(const char *original, const char *copy, unsigned int seed)
{
	Elf *elf;
	struct stat st;
	uint8_t *image;
	size_t at;
	int fd;

	run("cp %s %s", original, copy);
	fd = open(original, O_RDONLY);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_int_equal(fstat(fd, &st), 0);
	image = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, image, (size_t)st.st_size, 0), st.st_size);
	srand(seed);
	for (int changed = 0; changed < (seed % 4 ? 200 : 5);) {
		at = (size_t)rand() % (size_t)st.st_size;
		if (!may_corrupt(elf, at))
			continue;
		image[at] = (uint8_t)rand();
		changed++;
	}
	elf_end(elf);
	close(fd);
	fd = open(copy, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, image, (size_t)st.st_size), st.st_size);
	close(fd);
	free(image);
}

static void unwind_corrupted(struct fixture *f, const char *original, unsigned int seed)
{
	corrupt(original, in_dir("bad"), seed);
	launch_ready(f, "bad", seed % 3 ? "inline" : "signal");
	unwind_target(f);
	assert_string_equal(function(f, 0), "pause");
	symbolizer__forget(f->s, f->t.pid);
	stop(&f->t);
	f->t.pid = 0;
	unlink(in_dir("bad"));
}

static void corrupted_programs_are_survived(void **state)
{
	struct fixture *f = *state;

	for (unsigned int seed = 0; seed < 60; seed++)
		unwind_corrupted(f, in_dir(seed % 2 ? "debug" : "symbols"), seed);
}

static void kernel_address_is_named_from_kallsyms(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long long addr = 0;
	char name[256] = "", type = 0;
	struct ls_frame frame;

	assert_non_null(file);
	while (strcmp(name, "schedule") != 0 &&
	       fscanf(file, "%llx %c %255s%*[^\n]", &addr, &type, name) == 3)
		;
	fclose(file);
	if (!addr)
		skip(); /* not allowed to see addresses */
	frame = symbolizer__kernel(f->s, addr + 5);
	assert_string_equal(frame.function, "schedule");
	assert_int_equal(frame.offset, 5);
	assert_int_equal(frame.kind, LS_FRAME_KERNEL);
	assert_null(symbolizer__kernel(f->s, 0x1234).function);
}

#define with_symbolizer(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_symbolizer(code_without_frame_pointers_unwinds_to_its_first_function),
		with_symbolizer(stack_pointers_are_those_of_the_frames),
		with_symbolizer(static_program_at_fixed_address_unwinds),
		with_symbolizer(stack_of_a_thread_ends_where_it_was_started),
		with_symbolizer(return_address_behind_the_end_of_its_function_names_that_function),
		with_symbolizer(signal_handler_leads_to_the_interrupted_instruction),
		with_symbolizer(stack_of_a_handler_elsewhere_is_left_only_where_memory_may_be_read),
		with_symbolizer(cut_stack_is_truncated_and_read_on_only_if_live),
		with_symbolizer(no_more_frames_than_asked_for),
		with_symbolizer(vdso_frame_is_named_and_left),
		with_symbolizer(call_through_a_bad_pointer_shows_the_caller),
		with_symbolizer(rules_that_ask_for_the_red_zone_need_it_copied),
		with_symbolizer(register_popped_in_an_epilogue_is_where_it_belongs),
		with_symbolizer(stripped_program_shows_module_and_offset),
		with_symbolizer(function_without_a_symbol_does_not_get_that_of_its_neighbour),
		with_symbolizer(inlined_functions_have_their_lines),
		with_symbolizer(lines_are_found_without_aranges),
		with_symbolizer(compressed_debug_information_is_read),
		with_symbolizer(debug_file_is_found_by_its_link),
		with_symbolizer(debug_file_of_another_build_is_refused),
		with_symbolizer(files_of_a_container_are_found_in_its_root),
		with_symbolizer(unprivileged_user_sees_own_processes),
		with_symbolizer(mini_debug_info_names_static_functions),
		with_symbolizer(deleted_program_keeps_its_names),
		with_symbolizer(replaced_program_keeps_its_own_names),
		with_symbolizer(library_loaded_after_the_first_report_is_found),
		with_symbolizer(process_that_ended_can_still_be_named_if_prepared),
		with_symbolizer(process_never_seen_is_no_such_process),
		with_symbolizer(forgotten_process_is_read_again),
		with_symbolizer(counts_tell_the_share_of_named_frames),
		with_symbolizer(build_ids_of_modules_outlive_their_process),
		with_symbolizer(generated_code_is_named_by_the_perf_map),
		with_symbolizer(garbage_stacks_and_registers_end_in_truncation),
		with_symbolizer(rules_that_go_in_a_circle_end_at_once),
		with_symbolizer(library_truncated_while_mapped_is_survived),
		with_symbolizer(corrupted_programs_are_survived),
		with_symbolizer(kernel_address_is_named_from_kallsyms),
	};

	return cmocka_run_group_tests_name("symbols", tests, build_targets, remove_targets);
}
