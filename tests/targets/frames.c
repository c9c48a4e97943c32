/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A target with known stacks: `frames WHERE` goes down a chain of functions, prints "ready" and
 * stays in its leaf for ever. Lines that tests ask for are marked with a comment.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KEEP __attribute__((noinline, noclone))

volatile int sink;

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

KEEP static void wait_here(void)
{
	ready();
	while (sink != 12345)
		pause();
}

/* Its callers end in the call, so that their return address is behind their end. */
KEEP __attribute__((noreturn)) static void never_returns(void)
{
	wait_here();
	exit(0);
}

KEEP __attribute__((noreturn)) static void ends_in_call(int n)
{
	sink = n;
	never_returns();
}

/* Frames of different shapes: fixed, saved registers, variable size (rbp-based CFA). */
KEEP static int level3(int n)
{
	volatile char fixed[100];

	fixed[n % 100] = 1;
	wait_here();
	return fixed[0];
}

KEEP static int level2(int a, int b, int c)
{
	int x = a * 3 + sink, y = b * 5 + sink, z = c * 7 + sink;

	x += level3(a);
	return x + y + z + sink;
}

KEEP int level1(int n)
{
	char *vla = __builtin_alloca((size_t)(n * 16 + sink));

	memset(vla, n, (size_t)n * 16);
	sink = vla[n] + level2(n, n + 1, n + 2);
	return sink + vla[0];
}

/* --- inlined functions ------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void innermost(void)
{
	wait_here(); /* line: innermost */
	sink++;
}

static inline __attribute__((always_inline)) void between(int n)
{
	sink += n;
	innermost(); /* line: between */
	sink++;
}

KEEP static void around(int n)
{
	sink -= n;
	between(n); /* line: around */
	sink++;
}

/* --- a signal handler ------------------------------------------------------------------------- */

static void on_signal(int signo)
{
	sink = signo;
	wait_here();
	sink++;
}

KEEP static void interrupted(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGALRM, &action, NULL);
	ualarm(1000, 0);
	for (;;)
		sink++;
}

KEEP static void interrupted_on_other_stack(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	ualarm(1000, 0);
	for (;;)
		sink++;
}

/* --- elsewhere -------------------------------------------------------------------------------- */

KEEP static void read_clock(void)
{
	struct timespec ts;

	ready();
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		sink++;
	}
}

KEEP static void *in_thread(void *arg)
{
	level1(3);
	return arg;
}

KEEP static void start_thread_and_stay(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
}

/* Generated code: push rbp; mov rbp,rsp; call *rdi; pop rbp; ret. */
KEEP static void call_generated(void)
{
	static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(page + 64, code, sizeof(code));
	printf("%p\n", (void *)(page + 64));
	((void (*)(void (*)(void)))(uintptr_t)(page + 64))(wait_here);
	sink++;
}

KEEP static void call_nowhere(void)
{
	void (*volatile nowhere)(void) = (void (*)(void))(uintptr_t)16;

	ready();
	getchar();
	nowhere();
	sink++;
}

/* Is ready, waits for a line, then loads the library and stays in its function. */
KEEP static void load_and_call(const char *path, const char *symbol)
{
	void *library;
	void (*function)(void (*)(void));

	ready();
	getchar();
	library = dlopen(path, RTLD_NOW);
	function = library ? (void (*)(void (*)(void)))dlsym(library, symbol) : NULL;
	if (!function) {
		puts(dlerror());
		exit(1);
	}
	function(wait_here);
	sink++;
}

/* Assembler as it is often written: no size, no CFI, then a gap that belongs to nobody. */
__asm__(".text\n"
	".globl unsized_asm\n"
	".type unsized_asm, @function\n"
	"unsized_asm:\n"
	"	nop; nop; nop; nop; ret\n"
	".globl sized_asm\n"
	".type sized_asm, @function\n"
	"sized_asm:\n"
	"	nop; ret\n"
	".size sized_asm, 2\n"
	"	.fill 30, 1, 0x90\n"
	".globl after_gap\n"
	".type after_gap, @function\n"
	"after_gap:\n"
	"	ret\n"
	".size after_gap, 1\n");

/* Keeps its CFA below rsp, as OpenSSL does: *(rsp - 8) + 8. It saves rbp there as well. */
__asm__(".text\n"
	".globl in_red_zone\n"
	".type in_red_zone, @function\n"
	"in_red_zone:\n"
	"	.cfi_startproc\n"
	"	mov %rsp, -8(%rsp)\n"
	"	mov %rbp, -16(%rsp)\n"
	"	.cfi_escape 0x0f, 5, 0x77, 0x78, 6, 0x23, 8\n"
	"	.cfi_offset rbp, -24\n"
	"	mov $1, %ebp\n"
	"	mov $1, %edi\n"
	"1:	jmp 1b\n"
	"	.cfi_endproc\n"
	".size in_red_zone, . - in_red_zone\n");
extern void in_red_zone(void);

/* Spins between its pop and its ret. */
__asm__(".text\n"
	".globl in_epilogue\n"
	".type in_epilogue, @function\n"
	"in_epilogue:\n"
	"	.cfi_startproc\n"
	"	push %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset rbp, -16\n"
	"	mov $1, %ebp\n"
	"	pop %rbp\n"
	"	.cfi_def_cfa_offset 8\n"
	"1:	jmp 1b\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size in_epilogue, . - in_epilogue\n");
extern void in_epilogue(void);

/* Its rules say that it was called by itself, on the same stack: a chain without end. */
__asm__(".text\n"
	".globl in_circle\n"
	".type in_circle, @function\n"
	"in_circle:\n"
	"	.cfi_startproc\n"
	"	lea 1f+1(%rip), %rax\n"
	"	push %rax\n"
	"	.cfi_def_cfa rsp, 0\n"
	"	.cfi_offset rip, 0\n"
	"1:	jmp 1b\n"
	"	.cfi_endproc\n"
	".size in_circle, . - in_circle\n");
extern void in_circle(void);

/* Needs rbp of its callees' rules to be left. */
KEEP static void call_assembler(void (*function)(void), int n)
{
	char *vla = __builtin_alloca((size_t)(n * 16 + sink));

	memset(vla, n, (size_t)n * 16);
	ready();
	function();
	sink = vla[0];
}

int main(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : "chain";

	if (!strcmp(where, "chain"))
		level1(5);
	else if (!strcmp(where, "inline"))
		around(argc);
	else if (!strcmp(where, "noreturn"))
		ends_in_call(argc);
	else if (!strcmp(where, "signal"))
		interrupted();
	else if (!strcmp(where, "sigaltstack"))
		interrupted_on_other_stack();
	else if (!strcmp(where, "vdso"))
		read_clock();
	else if (!strcmp(where, "thread"))
		start_thread_and_stay();
	else if (!strcmp(where, "jit"))
		call_generated();
	else if (!strcmp(where, "nowhere"))
		call_nowhere();
	else if (!strcmp(where, "red zone"))
		call_assembler(in_red_zone, argc);
	else if (!strcmp(where, "circle"))
		call_assembler(in_circle, argc);
	else if (!strcmp(where, "epilogue"))
		call_assembler(in_epilogue, argc);
	else if (!strcmp(where, "dlopen") && argc > 3)
		load_and_call(argv[2], argv[3]);
	return sink;
}
