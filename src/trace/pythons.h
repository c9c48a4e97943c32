/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* CPython processes: what user space finds in them goes to the kernel's walker. */
#ifndef LS_TRACE_PYTHONS_H
#define LS_TRACE_PYTHONS_H

#include <sys/types.h>

struct python;
struct tracer;

/* Looks for CPython in `tgid`. 0; -EAGAIN: it is not initialised yet, ask again; else -errno: it
 * has no Python frames (a refusal was printed). */
int pythons__attach(struct python *py, struct tracer *t, pid_t tgid);

#endif
