/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the python_*.c files share: the interpreter of one process, and reading its memory. */
#ifndef LS_SYMBOLS_PYTHON_INTERNAL_H
#define LS_SYMBOLS_PYTHON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "model/stall.h"
#include "python_abi.h"
#include "symbols/python_offsets.h"

struct python;
struct python_codes;
struct strings;

struct python_interpreter {
	struct python_interpreter *next; /* in its bucket */
	pid_t tgid;
	struct python_offsets offsets;
	uint64_t runtime;   /* &_PyRuntime */
	uint64_t code_type; /* &PyCode_Type */
	uint64_t gil;
	const char *module;  /* the file that holds the interpreter, as the target sees it */
	const char *program; /* its executable */
	bool has_uvloop;
	time_t started;            /* second since the epoch */
	unsigned int source_reads; /* so far: bounded */
	struct python_codes *codes;
};

struct python_interpreter *python__find(const struct python *py, pid_t tgid);
struct strings *python__pool(const struct python *py);

/* --- python_memory.c: all bytes or none, 0 or -EFAULT --- */
int target__read(pid_t pid, uint64_t addr, void *buf, size_t size);
uint64_t target__u64(pid_t pid, uint64_t addr); /* 0 when it cannot be read */
uint32_t target__u32(pid_t pid, uint64_t addr);
uint8_t target__u8(pid_t pid, uint64_t addr);
/* Up to the NUL, at most size - 1 bytes; false when unreadable. */
bool target__string(pid_t pid, uint64_t addr, char *buf, size_t size);

/* --- python_runtime.c: see python__attach --- */
int python_runtime__find(struct python_interpreter *in, struct strings *pool, char *why,
			 size_t size);
uint32_t python_runtime__tss_key(const struct python_interpreter *in);

/* --- python_threads.c --- */
struct python_tstate {
	uint64_t address, interp, next;
	uint64_t thread_id;
	pid_t ns_tid; /* in the target's pid namespace; 0 unknown */
};
typedef bool python_tstate_fn(void *ctx, const struct python_tstate *tstate); /* false: stop */
int python_threads__each(const struct python_interpreter *in, python_tstate_fn *each, void *ctx);

/* --- python_names.c --- */
enum { PYTHON_NAME_MAX = 4096, PYTHON_UTF8_MAX = 4 * PYTHON_NAME_MAX + 1 };
/* `bytes` of `kind` (1 Latin-1, 2 UCS-2, 4 UCS-4) to printable UTF-8; what is invalid becomes '?'.
 */
void python_names__to_utf8(const void *data, size_t length, unsigned int kind, char *out,
			   size_t out_size);
/* A str object of the target, in the pool; NULL when it is not one or too long. */
const char *python_names__read(const struct python_interpreter *in, struct strings *pool,
			       uint64_t object);

/* --- python_code.c --- */
struct python_codes *python_codes__new(void);
void python_codes__free(struct python_codes *codes);
/* The captured frame as a model frame. False: its code object was gone before it could be read. */
bool python_code__resolve(struct python_interpreter *in, struct strings *pool,
			  const struct ls_pyframe *captured, struct ls_frame *out);

/* The function in C that the frame calls at this instant, if it calls one: "time.sleep". NULL
 * unknown. */
const char *python_code__callee(struct python_interpreter *in, struct strings *pool,
				const struct ls_pyframe *captured);

/* --- python_source.c --- */
time_t python_source__start_time(pid_t pid);
const char *python_source__callee(struct python_interpreter *in, struct strings *pool,
				  const char *file, const struct python_position *pos);
const char *python_source__called(struct strings *pool, const char *text, size_t n);
/* `text` begins with the line on which the expression does. */
const char *python_source__called_at(struct strings *pool, const char *text,
				     const struct python_position *pos);

/* --- python_merge.c --- */
/* The interpreter's own frame under an inlined __init__, or a shim with code: not the program's. */
bool python_merge__is_filler(const struct ls_frame *frame);

#endif
