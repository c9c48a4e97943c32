/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A small made-up run for the tests of the readers: an asyncio loop that blocks in a client
 * library, waits for the GIL and computes, and a redis that writes to its disk. Everything is
 * constant.
 */
#ifndef LS_TESTS_FIXTURE_H
#define LS_TESTS_FIXTURE_H

#include <string.h>

#include "account.h"
#include "model/stall.h"

#define MS  1000000ull
#define SEC 1000000000ull

enum { FIXTURE_TID = 4711, FIXTURE_REDIS = 815 };

static const struct ls_frame fixture_network[] = {
	{.kind = LS_FRAME_KERNEL, .function = "tcp_recvmsg", .has_offset = true, .offset = 0x51},
	{.kind = LS_FRAME_NATIVE,
	 .function = "recv",
	 .module = "/lib/x86_64-linux-gnu/libc.so.6",
	 .has_offset = true,
	 .offset = 0xfe1c5},
	{.kind = LS_FRAME_PYTHON,
	 .function = "get",
	 .file = "/usr/lib/python3/requests/api.py",
	 .line = 73,
	 .module = "/usr/bin/python3.11"},
	{.kind = LS_FRAME_PYTHON,
	 .function = "external",
	 .file = "/srv/app.py",
	 .line = 18,
	 .module = "/usr/bin/python3.11",
	 .async = true},
	{.kind = LS_FRAME_PYTHON,
	 .function = "run",
	 .file = "/usr/lib/python3.11/asyncio/events.py",
	 .line = 80,
	 .module = "/usr/bin/python3.11"},
	{.kind = LS_FRAME_NATIVE,
	 .function = "main",
	 .module = "/usr/bin/python3.11",
	 .has_offset = true,
	 .offset = 0x1234},
};

static const struct ls_frame fixture_cpu[] = {
	{.kind = LS_FRAME_NATIVE,
	 .function = "deflate_fast",
	 .file = "deflate.c",
	 .line = 1834,
	 .module = "/lib/x86_64-linux-gnu/libz.so.1",
	 .has_offset = true,
	 .offset = 0x33aa,
	 .inlined = true},
	{.kind = LS_FRAME_NATIVE,
	 .function = "deflate",
	 .module = "/lib/x86_64-linux-gnu/libz.so.1",
	 .has_offset = true,
	 .offset = 0x33aa},
	{.kind = LS_FRAME_PYTHON,
	 .function = "encode",
	 .file = "/srv/app.py",
	 .line = 42,
	 .module = "/usr/bin/python3.11",
	 .async = true},
	{.kind = LS_FRAME_NATIVE,
	 .function = "main",
	 .module = "/usr/bin/python3.11",
	 .has_offset = true,
	 .offset = 0x1234},
};

static const struct ls_frame fixture_disk[] = {
	{.kind = LS_FRAME_KERNEL, .function = "vfs_fsync_range"},
	{.kind = LS_FRAME_NATIVE,
	 .function = "fdatasync",
	 .module = "/lib/x86_64-linux-gnu/libc.so.6",
	 .has_offset = true,
	 .offset = 0xfbe90},
	{.kind = LS_FRAME_NATIVE,
	 .module = "/usr/bin/redis-server",
	 .has_offset = true,
	 .offset = 0x9f00},
	{.kind = LS_FRAME_NATIVE,
	 .function = "aeMain",
	 .file = "ae.c",
	 .line = 501,
	 .module = "/usr/bin/redis-server",
	 .has_offset = true,
	 .offset = 0x5a00},
};

static const struct ls_frame fixture_holder[] = {
	{.kind = LS_FRAME_PYTHON,
	 .function = "crunch",
	 .file = "/srv/work.py",
	 .line = 7,
	 .module = "/usr/bin/python3.11"},
};

static const struct ls_module fixture_modules[] = {
	{"/usr/bin/python3.11", "0123456789abcdef0123456789abcdef01234567"},
};

static const int fixture_pids[] = {4711, 815};
static const char *const fixture_commands[] = {"/usr/bin/python3 -m uvicorn \"app:app\"", NULL};

static inline struct ls_start fixture_start(void)
{
	return (struct ls_start){
		.time_ns = 1795395723456789000ull, /* 2026-11-23T01:02:03.456789Z */
		.mono_ns = 1000 * SEC,
		.host = "build-7",
		.kernel = "6.18.0",
		.version = "0.1.0",
		.attach = "tracepoint",
		.threshold_ns = 10 * MS,
		.pids = fixture_pids,
		.nr_pids = 2,
		.commands = fixture_commands,
	};
}

static inline struct ls_loop fixture_loop(void)
{
	return (struct ls_loop){.pid = 4711,
				.tid = FIXTURE_TID,
				.comm = "uvicorn",
				.kind = "asyncio",
				.wait = "epoll_wait"};
}

static inline struct ls_loop fixture_redis(void)
{
	return (struct ls_loop){.pid = 815,
				.tid = FIXTURE_REDIS,
				.comm = "redis-server",
				.kind = "redis",
				.wait = "epoll_wait"};
}

static inline struct ls_blame fixture_blame_network(uint64_t ns)
{
	return (struct ls_blame){
		.cause = LS_NETWORK,
		.ns = ns,
		.count = 1,
		.call = {.name = "recvfrom", .fd = 12, .object = "tcp 127.0.0.1:9009"},
		.site = &fixture_network[3],
		.callee = &fixture_network[2],
		.task = "Task-7",
		.advice = "Await an async client, or hand the call to a thread pool.",
		.stack = {.frames = fixture_network, .nr_frames = 6},
	};
}

static inline struct ls_blame fixture_blame_cpu(uint64_t ns)
{
	return (struct ls_blame){
		.cause = LS_CPU,
		.ns = ns,
		.count = 3,
		.call = {.fd = -1},
		.site = &fixture_cpu[2],
		.callee = &fixture_cpu[1],
		.stack = {.frames = fixture_cpu, .nr_frames = 4, .truncated = true},
	};
}

static inline struct ls_blame fixture_blame_gil(uint64_t ns)
{
	return (struct ls_blame){
		.cause = LS_GIL,
		.ns = ns,
		.count = 2,
		.call = {.name = "futex", .fd = -1},
		.site = &fixture_network[3],
		.holder = {.tid = 4720,
			   .comm = "worker",
			   .stack = {.frames = fixture_holder, .nr_frames = 1}},
		.stack = {.frames = &fixture_network[2], .nr_frames = 4},
	};
}

static inline struct ls_blame fixture_blame_disk(uint64_t ns)
{
	return (struct ls_blame){
		.cause = LS_DISK,
		.ns = ns,
		.count = 1,
		.call = {.name = "fdatasync", .fd = 7, .object = "/var/lib/redis/a.aof"},
		.site = &fixture_disk[2],
		.callee = &fixture_disk[1],
		.stack = {.frames = fixture_disk, .nr_frames = 4},
	};
}

/* A stall of `loop` whose ledger is that of its blames, 1 ms of run queue and 0.5 ms unaccounted.
 */
static inline struct ls_stall fixture_stall(struct ls_loop loop, uint64_t at_ns,
					    const struct ls_blame *causes, size_t n)
{
	struct ls_stall s = {
		.pid = loop.pid,
		.tid = loop.tid,
		.comm = loop.comm,
		.kind = loop.kind,
		.iteration = at_ns / MS,
		.start_ns = 1000 * SEC + at_ns,
		.time_ns = fixture_start().time_ns + at_ns,
		.ready = 19,
		.causes = causes,
		.nr_causes = n,
	};

	for (size_t i = 0; i < n; i++)
		s.ledger.ns[causes[i].cause] += causes[i].ns;
	s.ledger.ns[LS_RUNQUEUE] += MS;
	s.ledger.unaccounted_ns = MS / 2;
	s.wall_ns = ls_ledger__sum(&s.ledger);
	return s;
}

static inline void fixture_count(uint32_t *histogram, uint64_t ns, uint32_t n)
{
	histogram[hist_bucket(ns)] += n;
}

/* The run: start, two loops, three stalls of one and one of the other, slices, summary. */
static inline int fixture_run(const struct reporter *r, void *self)
{
	static struct ls_loop_summary loops[2];
	static struct ls_site_total top[2];
	struct ls_start start = fixture_start();
	struct ls_loop loop = fixture_loop(), redis = fixture_redis();
	struct ls_blame a[] = {fixture_blame_network(50012345), fixture_blame_cpu(4 * MS)};
	struct ls_blame b[] = {fixture_blame_gil(12 * MS)};
	struct ls_blame c[] = {fixture_blame_network(30 * MS)};
	struct ls_blame d[] = {fixture_blame_disk(80 * MS)};
	struct ls_stall stalls[] = {
		fixture_stall(loop, 100 * MS, a, 2),
		fixture_stall(loop, 400 * MS, b, 1),
		fixture_stall(redis, 450 * MS, d, 1),
		fixture_stall(loop, 1200 * MS, c, 1),
	};
	struct ls_slice slice = {.pid = loop.pid, .tid = loop.tid};
	struct ls_summary summary = {.seconds = 2.5,
				     .loops = loops,
				     .nr_loops = 2,
				     .lost = {.captures = 2},
				     .frames_total = 40,
				     .frames_symbolized = 39,
				     .modules = fixture_modules,
				     .nr_modules = 1,
				     .overhead = {.bpf_ns = 12345,
						  .bpf_runs = 99,
						  .tracer_cpu_ns = 7 * MS,
						  .tracer_rss_bytes = 12 << 20}};
	int err = 0;

	memset(loops, 0, sizeof(loops));
	memset(top, 0, sizeof(top));
	top[0] = (struct ls_site_total){.site = fixture_network[3],
					.callee = fixture_network[2],
					.has_site = true,
					.has_callee = true,
					.cause = LS_NETWORK,
					.call = a[0].call,
					.advice = a[0].advice,
					.ns = 80012345,
					.count = 2};
	top[1] = (struct ls_site_total){
		.cause = LS_GIL, .call = {.fd = -1}, .ns = 12 * MS, .count = 1};
	loops[0] = (struct ls_loop_summary){.loop = loop,
					    .iterations = 1003,
					    .stalls = 3,
					    .busy_ns = 300 * MS,
					    .wait_ns = 2200 * MS,
					    .p50_ns = 200000,
					    .p90_ns = 300000,
					    .p99_ns = 900000,
					    .max_ns = stalls[0].wall_ns,
					    .top = top,
					    .nr_top = 2};
	fixture_count(loops[0].histogram, 200000, 1000);
	loops[1] = (struct ls_loop_summary){.loop = redis,
					    .iterations = 1,
					    .stalls = 1,
					    .busy_ns = stalls[2].wall_ns,
					    .max_ns = stalls[2].wall_ns};
	if (r->start && !err)
		err = r->start(self, &start);
	if (r->loop && !err)
		err = r->loop(self, &loop);
	if (r->loop && !err)
		err = r->loop(self, &redis);
	for (size_t i = 0; i < 4 && !err; i++) {
		struct ls_loop_summary *s = &loops[stalls[i].pid == redis.pid];

		fixture_count(s->histogram, stalls[i].wall_ns, 1);
		s->stalled_wall_ns += stalls[i].wall_ns;
		for (int k = 0; k < LS_NR_CAUSES; k++)
			s->ledger.ns[k] += stalls[i].ledger.ns[k];
		s->ledger.unaccounted_ns += stalls[i].ledger.unaccounted_ns;
		if (r->stall)
			err = r->stall(self, &stalls[i]);
	}
	for (int i = 0; i < 2 && r->slice && !err; i++) {
		slice.start_ns = (1000 + (uint64_t)i) * SEC;
		slice.end_ns = slice.start_ns + SEC;
		slice.iterations = 501;
		slice.stalls = 2 - (uint64_t)i;
		memset(slice.histogram, 0, sizeof(slice.histogram));
		fixture_count(slice.histogram, 200000, 500);
		err = r->slice(self, &slice);
	}
	return r->summary && !err ? r->summary(self, &summary) : err;
}

#endif
