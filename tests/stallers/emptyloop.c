// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * emptyloop [SLICE_MS [SLICES]]: the smallest loop there is, epoll_wait with nothing to wait for,
 * as often as it can. After every slice (default 200 ms) it prints the nanoseconds of wall and of
 * CPU time an iteration took in it, for the overhead bench; SLICES 0 (the default) goes on until
 * killed. The first line is `ready PID`.
 */
#include "staller.h"

#include <inttypes.h>
#include <sys/epoll.h>

#define BATCH 1000

static void __attribute__((noinline)) run_slice(int home, uint64_t slice_ns)
{
	uint64_t begin = now_ns(), cpu = thread_cpu_ns(), now, iterations = 0;
	struct epoll_event ev;
	int i;

	do {
		for (i = 0; i < BATCH; i++)
			epoll_wait(home, &ev, 1, 0);
		iterations += BATCH;
		now = now_ns();
	} while (now - begin < slice_ns);
	cpu = thread_cpu_ns() - cpu;
	printf("slice %" PRIu64 " wall_ns %.1f cpu_ns %.1f iterations %" PRIu64 "\n", now,
	       (double)(now - begin) / iterations, (double)cpu / iterations, iterations);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t slice_ns = (argc > 1 ? number("SLICE_MS", argv[1], 1) : 200) * MSEC;
	long slices = argc > 2 ? number("SLICES", argv[2], 0) : 0, i;
	int home = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");

	printf("ready %d\n", getpid());
	fflush(stdout);
	for (i = 0; !slices || i < slices; i++)
		run_slice(home, slice_ns);
	return 0;
}
