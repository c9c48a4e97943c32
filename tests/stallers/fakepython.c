/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fakepython MODE: a process that claims to be CPython 3.11 and lies. It exports the interpreter's
 * symbols, lays out a runtime, a thread state, frames and code objects by hand (offsets as in
 * src/symbols/python_offsets.c) and stalls its loop by 20 ms, ten times a second.
 *
 *	sane     no lie, for comparison: frames inner (line 7), outer
 *	cyclic   a frame chain that ends in itself
 *	wild     frames and code objects at wild addresses
 *	long     a name of 4 GB, a line table of 2^60 bytes
 *	text     names of control characters, lone surrogates and characters beyond Unicode
 *	threads  a list of thread states that never ends
 *	version  CPython 3.15
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { RUNTIME_BYTES = 4096, STRINGS = 8 };

/* Exported: the program is linked with -rdynamic. */
extern uint8_t _PyRuntime[RUNTIME_BYTES], PyCode_Type[64];
extern const uint32_t Py_Version;
uint8_t _PyRuntime[RUNTIME_BYTES] __attribute__((aligned(16)));
uint8_t PyCode_Type[64] __attribute__((aligned(16)));
uint32_t version = 0x030b02f0;
extern const uint32_t Py_Version __attribute__((alias("version")));

static uint8_t interp[256], tstate[256], cframe[32], frames[2][128], codes[2][256];
static uint8_t strings[STRINGS][128], tables[2][64];
static int nr_strings;

static void put64(uint8_t *at, size_t offset, uint64_t v)
{
	memcpy(at + offset, &v, sizeof(v));
}

static void put32(uint8_t *at, size_t offset, uint32_t v)
{
	memcpy(at + offset, &v, sizeof(v));
}

static uint64_t address(const void *p)
{
	return (uintptr_t)p;
}

static uint8_t *make_string(const void *data, size_t length, unsigned int kind)
{
	uint8_t *s = strings[nr_strings++];
	int ascii = kind == 1;

	put64(s, 16, length);
	put32(s, 32, kind << 2 | 1u << 5 | (ascii ? 1u << 6 : 0));
	memcpy(s + (ascii ? 48 : 72), data, length * kind);
	return s;
}

static void make_code(int i, const char *name, uint32_t firstlineno)
{
	/* one entry: 8 code units on the line after the first */
	static const uint8_t lines[] = {0x80 | 11 << 3 | 7, 0, 0};
	uint8_t *code = codes[i];

	put64(code, 8, address(PyCode_Type));
	put32(code, 48, 0);
	put32(code, 72, firstlineno);
	put64(code, 112, address(make_string("/srv/fake.py", 12, 1)));
	put64(code, 120, address(make_string(name, strlen(name), 1)));
	put64(code, 128, address(strings[nr_strings - 1]));
	put64(tables[i], 16, sizeof(lines));
	memcpy(tables[i] + 32, lines, sizeof(lines));
	put64(code, 136, address(tables[i]));
}

static void make_frame(int i, const void *previous)
{
	put64(frames[i], 32, address(codes[i]));
	put64(frames[i], 48, address(previous));
	put64(frames[i], 56, address(codes[i]) + 184 + 2);
	frames[i][68] = 1;
}

static void make_runtime(void)
{
	put64(PyCode_Type, 32, 184);
	put64(_PyRuntime, 40, address(interp));
	put64(_PyRuntime, 48, address(interp));
	put64(interp, 16, address(tstate));
	put64(tstate, 16, address(interp));
	put64(tstate, 56, address(cframe));
	put64(tstate, 152, pthread_self());
	put64(tstate, 160, (uint64_t)getpid());
	put64(cframe, 8, address(frames[0]));
	make_code(0, "inner", 6);
	make_code(1, "outer", 20);
	make_frame(0, frames[1]);
	make_frame(1, NULL);
}

static void lie(const char *mode)
{
	static const uint32_t beyond[] = {0x1b, 0xd800, 0x110000, 0xffffffff, '[', '3', '1', 'm'};

	if (!strcmp(mode, "cyclic")) {
		put64(frames[1], 48, address(frames[0]));
	} else if (!strcmp(mode, "wild")) {
		put64(codes[0], 128, 0xdeadbeef00000000);
		put64(codes[0], 136, 0x7ffffffff000);
		put64(frames[0], 48, 0xffffffff81000000);
	} else if (!strcmp(mode, "long")) {
		put64(strings[1], 16, 1ull << 32);
		put64(strings[0], 16, UINT64_MAX);
		put64(tables[0], 16, 1ull << 60);
		put64(tables[1], 16, UINT64_MAX);
	} else if (!strcmp(mode, "text")) {
		uint8_t *name = make_string(beyond, sizeof(beyond) / sizeof(beyond[0]), 4);

		put64(codes[0], 128, address(name));
		put64(codes[0], 112, address(name));
	} else if (!strcmp(mode, "threads")) {
		put64(tstate, 8, address(tstate));
	} else if (!strcmp(mode, "version")) {
		version = 0x030f00f0;
	}
}

int main(int argc, char **argv)
{
	const struct timespec stall = {.tv_nsec = 20000000};
	struct epoll_event event;
	int epfd = epoll_create1(0);

	if (argc != 2 || epfd < 0) {
		fprintf(stderr, "usage: fakepython MODE\n");
		return 2;
	}
	make_runtime();
	lie(argv[1]);
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (;;) {
		epoll_wait(epfd, &event, 1, 80);
		nanosleep(&stall, NULL);
	}
}
