/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What this kernel and this user are able to do. All probes are here; each names what it needs. */
#ifndef LS_TRACE_FEATURES_H
#define LS_TRACE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel exports its types (CONFIG_DEBUG_INFO_BTF). */
bool features__has_btf(void);
/* fentry/fexit programs load (some kernels forbid it by policy). */
bool features__has_fentry(void);
/* A function is in the kernel's types, so that fexit can attach to it. */
bool features__has_function(const char *name);
/* Process ids here are those of the kernel. */
bool features__in_host_pid_namespace(void);
/* bpf_task_pt_regs and bpf_loop: Linux 5.15 and 5.17. */
bool features__has_helpers(void);
/* CFS bandwidth throttling can be told from other waits for a CPU. */
bool features__tells_throttling(void);
/* Nanoseconds between two ticks of a busy CPU; 0: they may stop, or are no timers. */
uint64_t features__tick_ns(void);
/* Bytes from a CPU's run queue to its __irq_regs; 0: not known. */
int64_t features__irq_regs_from_rq(void);

/* Frees what the probes have read; they read it again when asked again. */
void features__forget(void);

/* Capabilities that tracing needs and this process lacks, comma-separated; "" when none. */
void features__missing_caps(char *buf, size_t size);

/* What tracing cannot do without: 0, or -EPERM or -ENOTSUP with the reason printed. */
int features__require(void);

#endif
