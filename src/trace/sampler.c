/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "loopstall.skel.h"
#include "trace/features.h"
#include "trace/perf_event.h"
#include "trace/sampler.h"

enum { MIN_PERIOD_NS = 1000000, MAX_PERIOD_NS = 10000000 };

static bool by_tick(const struct sampler *s)
{
	return s->irq_regs_from_rq;
}

void sampler__choose(struct sampler *s, uint64_t threshold_ns)
{
	uint64_t tick_ns = features__tick_ns(), period_ns = threshold_ns / 5;

	*s = (struct sampler){0};
	if (tick_ns && tick_ns <= 2 * period_ns)
		s->irq_regs_from_rq = features__irq_regs_from_rq();
	if (period_ns < MIN_PERIOD_NS)
		period_ns = MIN_PERIOD_NS;
	if (period_ns > MAX_PERIOD_NS)
		period_ns = MAX_PERIOD_NS;
	s->period_ns = by_tick(s) ? tick_ns : period_ns;
}

uint64_t sampler__after_ns(const struct sampler *s, uint64_t threshold_ns)
{
	if (threshold_ns >= 4 * s->period_ns)
		return threshold_ns / 2;
	return threshold_ns / 4;
}

void sampler__describe(const struct sampler *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s, every %.1f ms", by_tick(s) ? "the kernel's tick" : "a clock",
		 s->period_ns / 1e6);
}

void sampler__select(const struct sampler *s, struct loopstall_bpf *skel)
{
	bpf_program__set_autoload(skel->progs.on_tick, by_tick(s));
	bpf_program__set_autoload(skel->progs.on_clock, !by_tick(s));
	skel->rodata->cfg_irq_regs_from_rq = s->irq_regs_from_rq;
}

static struct bpf_link *attach_clock(const struct sampler *s, struct loopstall_bpf *skel, int cpu)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_CPU_CLOCK,
				       .sample_period = s->period_ns,
				       .exclude_idle = 1};

	return perf_event__attach(skel->progs.on_clock, &attr, cpu);
}

static int attach_clocks(struct sampler *s, struct loopstall_bpf *skel)
{
	int nr = libbpf_num_possible_cpus();

	s->links = calloc(nr, sizeof(*s->links));
	if (!s->links)
		return -ENOMEM;
	for (int cpu = 0; cpu < nr; cpu++) {
		struct bpf_link *link = attach_clock(s, skel, cpu);
		int err = errno;

		if (link) {
			s->links[s->nr++] = link;
		} else if (err != ENODEV) { /* that one is not online */
			log_err("cannot sample CPU %d: %s", cpu, strerror(err));
			return -err;
		}
	}
	return 0;
}

static int attach_tick(struct sampler *s, struct loopstall_bpf *skel)
{
	s->links = calloc(1, sizeof(*s->links));
	if (!s->links)
		return -ENOMEM;
	s->links[0] = bpf_program__attach(skel->progs.on_tick);
	if (!s->links[0]) {
		int err = -errno;

		log_err("cannot attach to the tick: %s", strerror(-err));
		return err;
	}
	s->nr = 1;
	return 0;
}

int sampler__attach(struct sampler *s, struct loopstall_bpf *skel)
{
	return by_tick(s) ? attach_tick(s, skel) : attach_clocks(s, skel);
}

void sampler__detach(struct sampler *s)
{
	for (int i = 0; i < s->nr; i++)
		bpf_link__destroy(s->links[i]);
	free(s->links);
	*s = (struct sampler){0};
}
