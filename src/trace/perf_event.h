/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef LS_TRACE_PERF_EVENT_H
#define LS_TRACE_PERF_EVENT_H

struct bpf_link;
struct bpf_program;
struct perf_event_attr;

/* Opens the event for all tasks of the CPU (attr->size is set here) and puts the program on it; the link owns it. NULL:
 * errno, ENODEV when the CPU is not online. */
struct bpf_link *perf_event__attach(const struct bpf_program *program, struct perf_event_attr *attr,
				    int cpu);

#endif
