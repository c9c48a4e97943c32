/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * make_trace FILE: writes the fixture's run as a trace. make_trace FILE STALLS: a made-up run of
 * ten minutes with so many stalls, as varied as a busy service's: 4 loops, 400 sites, stacks of 12
 * to 60 frames.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fixture.h"
#include "model/tracefile.h"

enum { LOOPS = 4, PATHS = 2000, MAX_FRAMES = 60, FUNCTIONS = 3000 };

static char names[FUNCTIONS][40];
static struct ls_frame frames[PATHS][MAX_FRAMES];
static size_t nr_frames[PATHS];
static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* Paths share their outer frames, as those of a program do. */
static void make_paths(void)
{
	for (int i = 0; i < FUNCTIONS; i++)
		snprintf(names[i], sizeof(names[i]), "function_%d_of_%d", i, (int)rnd(90));
	for (int p = 0; p < PATHS; p++) {
		size_t n = 12 + rnd(MAX_FRAMES - 12), own = 3 + rnd(9);

		nr_frames[p] = n;
		for (size_t i = 0; i < n; i++) {
			uint64_t f =
				i < own ? rnd(FUNCTIONS) : ((uint64_t)p % 40 + n - i) % FUNCTIONS;

			frames[p][i] = (struct ls_frame){
				.kind = i < 2   ? LS_FRAME_KERNEL
					: i < 8 ? LS_FRAME_NATIVE
						: LS_FRAME_PYTHON,
				.function = names[f],
				.file = i >= 8 ? "/srv/app/module.py" : NULL,
				.line = i >= 8 ? 10 + (uint32_t)f % 700 : 0,
				.module = i < 2 ? NULL : "/usr/bin/python3.11",
				.has_offset = i < 8,
				.offset = f * 64,
			};
		}
	}
}

static struct ls_blame random_blame(uint64_t ns)
{
	static char object[32];
	size_t p = rnd(PATHS) * rnd(PATHS) / PATHS; /* some often, most seldom */
	enum ls_cause cause = (enum ls_cause)(p % LS_NR_CAUSES);

	snprintf(object, sizeof(object), "tcp 10.0.0.%d:5432", (int)(p % 20));
	return (struct ls_blame){
		.cause = cause,
		.ns = ns,
		.count = 1 + rnd(20),
		.call = {.name = cause == LS_CPU ? NULL : "recvfrom",
			 .fd = cause == LS_CPU ? -1 : (int)(p % 30),
			 .object = cause == LS_NETWORK ? object : NULL},
		.stack = {.frames = frames[p], .nr_frames = nr_frames[p]},
		.site = &frames[p][9],
		.callee = &frames[p][8],
		.advice = "Await an async client, or hand the call to a thread pool.",
	};
}

static struct ls_stall random_stall(struct ls_loop loop, uint64_t at, struct ls_blame *b)
{
	size_t n = 1 + rnd(4);
	struct ls_stall s;

	for (size_t i = 0; i < n; i++)
		b[i] = random_blame(1000000 + rnd(60 * MS));
	s = fixture_stall(loop, at, b, n);
	s.ledger.ns[LS_RUNQUEUE] += rnd(3 * MS);
	s.ledger.unaccounted_ns = rnd(200000);
	s.wall_ns = ls_ledger__sum(&s.ledger);
	s.ready = (int64_t)rnd(100);
	return s;
}

static int write_slice(const struct reporter *r, void *self, struct ls_loop loop, uint64_t second)
{
	struct ls_slice slice = {
		.pid = loop.pid, .tid = loop.tid, .iterations = 5000, .stalls = 40};

	slice.start_ns = (1000 + second) * SEC;
	slice.end_ns = slice.start_ns + SEC;
	slice.busy_ns = 300 * MS + rnd(500 * MS);
	slice.wait_ns = SEC - slice.busy_ns;
	for (int i = 0; i < 200; i++)
		fixture_count(slice.histogram, 20000 + rnd(rnd(30 * MS) + 1),
			      1 + (uint32_t)rnd(60));
	return r->slice(self, &slice);
}

static int write_big(const struct reporter *r, void *self, uint64_t n)
{
	struct ls_loop_summary sums[LOOPS] = {0};
	struct ls_summary summary = {.seconds = 600, .loops = sums, .nr_loops = LOOPS};
	struct ls_start start = fixture_start();
	struct ls_blame b[4];
	uint64_t second = 0, at;
	int err;

	make_paths();
	err = r->start(self, &start);
	for (int i = 0; i < LOOPS && !err; i++) {
		sums[i].loop = fixture_loop();
		sums[i].loop.tid += i;
		err = r->loop(self, &sums[i].loop);
	}
	for (uint64_t i = 0; i < n && !err; i++) {
		struct ls_loop_summary *loop = &sums[i % LOOPS];
		struct ls_stall s;

		at = i * 600 * SEC / n + rnd(MS);
		s = random_stall(loop->loop, at, b);
		err = r->stall(self, &s);
		loop->stalls++;
		loop->iterations += 30;
		loop->stalled_wall_ns += s.wall_ns;
		for (int c = 0; c < LS_NR_CAUSES; c++)
			loop->ledger.ns[c] += s.ledger.ns[c];
		loop->ledger.unaccounted_ns += s.ledger.unaccounted_ns;
		loop->max_ns = s.wall_ns > loop->max_ns ? s.wall_ns : loop->max_ns;
		fixture_count(loop->histogram, s.wall_ns, 1);
		fixture_count(loop->histogram, 50000 + rnd(2 * MS), 29);
		for (; second < at / SEC && !err; second++)
			for (int k = 0; k < LOOPS && !err; k++)
				err = write_slice(r, self, sums[k].loop, second);
	}
	return err ? err : r->summary(self, &summary);
}

int main(int argc, char **argv)
{
	struct reporter r;
	void *self;
	int err;

	if (argc < 2 || argc > 3)
		return 2;
	err = tracefile__new(argv[1], NULL, &r, &self);
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	err = argc == 2 ? fixture_run(&r, self) : write_big(&r, self, strtoull(argv[2], NULL, 10));
	r.free(self);
	return err != 0;
}
