/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The clock by which CPU time is sampled. The kernel's own tick costs nothing that the CPU does not pay anyway; a
 * clock of ours costs each CPU an interrupt a period (in a virtual machine some 40 us, with its exits), and serves
 * where the tick is too rare for the threshold, stops while a program runs (nohz_full) or cannot be used.
 */
#ifndef LS_TRACE_SAMPLER_H
#define LS_TRACE_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

struct loopstall_bpf;
struct bpf_link;

struct sampler {
	uint64_t period_ns;
	int64_t irq_regs_from_rq; /* what on_tick needs; 0: the clock is ours */
	struct bpf_link **links;  /* one for the tick, else one a CPU */
	int nr;
};

/* Which clock serves stalls of this length. */
void sampler__choose(struct sampler *s, uint64_t threshold_ns);
/* How old an iteration must be to be sampled: young enough for two samples before the threshold. */
uint64_t sampler__after_ns(const struct sampler *s, uint64_t threshold_ns);
/* "the kernel's tick, every 4.0 ms" */
void sampler__describe(const struct sampler *s, char *buf, size_t size);
/* Before the object is loaded: its program for the other clock is left out. */
void sampler__select(const struct sampler *s, struct loopstall_bpf *skel);
/* 0 or -errno, with the reason printed. */
int sampler__attach(struct sampler *s, struct loopstall_bpf *skel);
void sampler__detach(struct sampler *s);

#endif
