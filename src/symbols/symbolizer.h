/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From captured registers, stack bytes and kernel addresses to named frames. Reads ELF files, their
 * debug information and perf maps through /proc/PID; treats all of it as untrusted. Never stops the
 * target. Caches: one entry a module, one a process, one an address. Not thread-safe.
 */
#ifndef LS_SYMBOLS_SYMBOLIZER_H
#define LS_SYMBOLS_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"
#include "model/stall.h"

struct strings;
struct symbolizer;

/* One frame of machine code. Several model frames when functions were inlined into it. */
struct native_frame {
	uint64_t pc; /* within the calling instruction (return address - 1), exact for the leaf */
	uint64_t sp; /* stack pointer while this frame runs: its callee's CFA; leaf: rsp */
	const struct ls_frame *frames; /* innermost inlined function first, the physical one last */
	size_t nr_frames;              /* >= 1: an unknown address still has module and offset */
	bool is_library;               /* in a shared object other than the program, or the vdso */
	bool is_libc; /* in libc, libpthread, ld.so or the vdso: system call wrappers */
};

/* `pool` outlives the symbolizer and owns the strings of the frames. NULL: errno. */
struct symbolizer *symbolizer__new(struct strings *pool);
void symbolizer__free(struct symbolizer *s);

/*
 * Unwinds the user stack of `tgid` from `regs`, leaf first, at most `max` frames. The bytes at
 * stack[0..stack_bytes) are those from regs' rsp upwards; beyond them the live memory is read only
 * where `live` is set (the thread is known not to move). *truncated: the chain ended before the
 * thread's first frame. Returns how many frames, or -errno (-ESRCH: the process is gone and was
 * never seen). frames[].frames stay valid until symbolizer__forget(tgid), __trim or __free.
 */
ssize_t symbolizer__user(struct symbolizer *s, pid_t tgid, const struct ls_regs *regs,
			 const uint8_t *stack, size_t stack_bytes, bool live,
			 struct native_frame *frames, size_t max, bool *truncated);

/*
 * The same, where the copy begins at `stack_base` instead of rsp. To name all frames of running code it
 * should begin LS_RED_ZONE below rsp: leaf functions keep data there, by the ABI, and the unwind rules
 * of some ask for it (OpenSSL's SHA-512 for AVX2; any function between its last pop and its ret).
 */
enum { LS_RED_ZONE = 128 };
ssize_t symbolizer__user_at(struct symbolizer *s, pid_t tgid, const struct ls_regs *regs,
			    const uint8_t *stack, uint64_t stack_base, size_t stack_bytes,
			    bool live, struct native_frame *frames, size_t max, bool *truncated);

/* The kernel function at `addr` (from /proc/kallsyms). Always a frame; function NULL if unknown. */
struct ls_frame symbolizer__kernel(struct symbolizer *s, uint64_t addr);

/* Opens the modules of `tgid` now, while it is alive, so that its last stall can still be named. */
void symbolizer__prepare(struct symbolizer *s, pid_t tgid);

/* The process is gone, or has become another program by execve: what was known of it is dropped. */
void symbolizer__forget(struct symbolizer *s, pid_t tgid);

/*
 * Frees the frames named so far if there are so many that soon no more would fit (the bound is 65536
 * addresses; past it a frame has its module only). To be called now and then by who runs for long, at a
 * moment when no frames of symbolizer__user are held.
 */
void symbolizer__trim(struct symbolizer *s);

/* The ELF files that frames were named in, also of processes which are gone, if they have a build id.
 * Valid until the next frame is named. */
const struct ls_module *symbolizer__modules(const struct symbolizer *s, size_t *nr);

/* Where those lie that got no name: the first few modules. Valid until symbolizer__free. */
const struct ls_unnamed *symbolizer__unnamed(const struct symbolizer *s, size_t *nr);

/* How many frames were asked for, and how many got a function name. */
void symbolizer__counts(const struct symbolizer *s, uint64_t *total, uint64_t *symbolized);

#endif
