/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What it costs to cross into a process and back: payloads of several sizes are echoed by a worker
 * of the CPU pool, one after another, and compressed, for comparison, right here. Prints
 * microseconds.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "server/clock.h"
#include "server/cpu_pool.h"
#include "server/cpu_worker.h"
#include "server/encode.h"
#include "server/pool.h"

#define MAX_BYTES (8u << 20)
#define ROUNDS    101

struct bench {
	struct event_base *base;
	struct cpu_pool *cpu;
	struct cpu_job job;
	struct pool *threads;
	struct job thread_job;
};

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median_us(uint64_t *ns, size_t n)
{
	qsort(ns, n, sizeof(ns[0]), ascending);
	return (double)ns[n / 2] / 1e3;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void on_crossed(struct job *job)
{
	struct bench *b = job_of(job, struct bench, job.job);

	event_base_loopbreak(b->base);
}

static void cross(struct bench *b)
{
	b->job.job.done = on_crossed;
	b->job.kind = FRAME_ECHO;
	if (cpu_pool__submit(b->cpu, &b->job))
		abort();
	event_base_dispatch(b->base);
	if (b->job.err)
		abort();
}

static void run_nothing(struct job *job)
{
	(void)job;
}

static void on_pool(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;

	(void)fd;
	(void)what;
	if (pool__dispatch(b->threads, 1))
		event_base_loopbreak(b->base);
}

static void measure(struct bench *b, const uint8_t *data, size_t bytes)
{
	uint64_t wall[ROUNDS], cpu[ROUNDS], begin, cpu_begin;
	uint8_t *out;
	size_t out_bytes;
	double encode_us;

	evbuffer_drain(b->job.data, evbuffer_get_length(b->job.data));
	evbuffer_add(b->job.data, data, bytes);
	for (int i = 0; i < ROUNDS; i++) {
		begin = now_ns();
		cpu_begin = own_cpu_ns();
		cross(b);
		wall[i] = now_ns() - begin;
		cpu[i] = own_cpu_ns() - cpu_begin;
	}
	begin = now_ns();
	if (!encode_deflate(data, bytes, NULL, &out, &out_bytes))
		free(out);
	encode_us = (double)(now_ns() - begin) / 1e3;
	printf("%10zu %14.0f %14.0f %14.0f\n", bytes, median_us(wall, ROUNDS),
	       median_us(cpu, ROUNDS), encode_us);
}

static void measure_threads(struct bench *b)
{
	struct pool_options options = {.name = "bench", .threads = 1, .capacity = 1};
	uint64_t wall[ROUNDS];
	struct event *event;

	b->threads = pool__new(&options);
	event = event_new(b->base, pool__fd(b->threads), EV_READ | EV_PERSIST, on_pool, b);
	event_add(event, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = now_ns();

		b->thread_job = (struct job){
			.run = run_nothing, .done = run_nothing, .deadline_ns = UINT64_MAX};
		pool__submit(b->threads, &b->thread_job);
		event_base_dispatch(b->base);
		wall[i] = now_ns() - begin;
	}
	printf("to a thread and back, any size: %.0f us\n", median_us(wall, ROUNDS));
	event_free(event);
	pool__free(b->threads);
}

int main(int argc, char **argv)
{
	struct cpu_pool_options options = {
		.workers = 1, .capacity = 1, .max_bytes = MAX_BYTES, .max_run_ns = 60 * NS_PER_S};
	struct bench b = {0};
	uint8_t *data;

	/* The pool starts the running program as its worker, and that is this one. */
	if (argc > 1 && !strcmp(argv[1], CPU_WORKER_FLAG))
		return cpu_worker__main(argc, argv);
	data = malloc(MAX_BYTES);
	b.base = event_base_new();
	b.job.data = evbuffer_new();
	b.cpu = b.base ? cpu_pool__new(b.base, &options) : NULL;
	if (!data || !b.job.data || !b.cpu)
		return 1;
	for (size_t i = 0; i < MAX_BYTES; i++)
		data[i] = (uint8_t)(i % 251 * i >> 3);

	cross(&b); /* the worker has started */
	measure_threads(&b);
	printf("%10s %14s %14s %14s\n", "bytes", "there+back us", "of loop CPU us", "deflate us");
	for (size_t bytes = 1024; bytes <= MAX_BYTES; bytes *= bytes < 65536 ? 8 : 4)
		measure(&b, data, bytes);
	evbuffer_free(b.job.data);
	cpu_pool__free(b.cpu);
	event_base_free(b.base);
	free(data);
	return 0;
}
