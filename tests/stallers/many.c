// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * many [--loops 8] [--per-second 5000] [--seconds 5] [--stall-us 60]: loop threads which stall
 * PER_SECOND times a second among them, alternately spinning and sleeping, each time a little
 * more than --stall-us: for a tracer at a 50 us threshold nearly all of it is work. Prints `ready
 * PID`, ticks until a line on standard input has it begin, and ends with one JSON line: how many
 * iterations it really did, and how many of them were longer than 50 us and than 10 ms by its own
 * clock.
 */
#include "staller.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define THRESHOLD_NS (50 * USEC)
#define TICK_NS      (5 * MSEC)

static struct {
	long loops, per_second, seconds, stall_us;
} opt = {.loops = 8, .per_second = 5000, .seconds = 5, .stall_us = 60};

struct loop {
	pthread_t thread;
	long index;
	uint64_t iterations, stalls, long_stalls, stalled_ns;
};

static atomic_bool begun;

SITE void stall_cpu(void)
{
	spin_until(now_ns() + opt.stall_us * USEC);
	__asm__ volatile("" ::: "memory");
}

SITE void stall_sleep(void)
{
	struct timespec t = to_timespec(opt.stall_us * USEC);

	clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	__asm__ volatile("" ::: "memory");
}

static void set_timer(int timer, uint64_t first_ns, uint64_t period_ns)
{
	struct itimerspec t = {.it_interval = to_timespec(period_ns),
			       .it_value = to_timespec(first_ns)};

	must(timerfd_settime(timer, 0, &t, NULL), "timerfd_settime");
}

/* From healthy ticks to stalls, evenly out of step: 8 loops on 2 CPUs must not all wake at once.
 * Returns when to end. */
static uint64_t begin(struct loop *l, int timer)
{
	uint64_t period = opt.loops * SEC / opt.per_second;

	set_timer(timer, 1 + period / opt.loops * l->index, period);
	return now_ns() + opt.seconds * SEC;
}

static void __attribute__((noinline)) run_loop(struct loop *l, int home, int timer)
{
	uint64_t end = 0, start = 0, wall, ticks;
	struct epoll_event ev;

	while (!end || start < end) {
		if (epoll_wait(home, &ev, 1, -1) != 1)
			continue;
		start = now_ns();
		must(read(timer, &ticks, sizeof(ticks)), "read");
		if (!end) {
			if (begun)
				end = begin(l, timer);
			continue;
		}
		if (l->iterations++ % 2)
			stall_sleep();
		else
			stall_cpu();
		wall = now_ns() - start;
		l->stalls += wall > THRESHOLD_NS;
		l->long_stalls += wall > 10 * MSEC;
		l->stalled_ns += wall;
	}
	must(epoll_wait(home, &ev, 1, 10), "epoll_wait");
}

static void *loop_main(void *arg)
{
	struct loop *l = arg;
	struct epoll_event ev = {.events = EPOLLIN};
	int home = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	int timer = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
	char name[16];

	snprintf(name, sizeof(name), "loop-%ld", l->index);
	pthread_setname_np(pthread_self(), name);
	prctl(PR_SET_TIMERSLACK, 1000);
	must(epoll_ctl(home, EPOLL_CTL_ADD, timer, &ev), "epoll_ctl");
	set_timer(timer, TICK_NS, TICK_NS);
	run_loop(l, home, timer);
	return NULL;
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"loops", 1, 0, 'l'},
		{"per-second", 1, 0, 'r'},
		{"seconds", 1, 0, 's'},
		{"stall-us", 1, 0, 'u'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			opt.loops = number("--loops", optarg, 1);
			break;
		case 'r':
			opt.per_second = number("--per-second", optarg, 1);
			break;
		case 's':
			opt.seconds = number("--seconds", optarg, 1);
			break;
		case 'u':
			opt.stall_us = number("--stall-us", optarg, 0);
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct loop *loops, sum = {0};
	uint64_t begin_ns;
	char line[16];
	long i;

	parse(argc, argv);
	loops = calloc(opt.loops, sizeof(*loops));
	if (!loops)
		err(1, "calloc");
	for (i = 0; i < opt.loops; i++) {
		loops[i].index = i;
		if (pthread_create(&loops[i].thread, NULL, loop_main, &loops[i]))
			errx(1, "no thread");
	}
	printf("ready %d\n", getpid());
	fflush(stdout);
	must(read(0, line, sizeof(line)), "stdin");
	begin_ns = now_ns();
	begun = true;
	for (i = 0; i < opt.loops; i++) {
		pthread_join(loops[i].thread, NULL);
		sum.iterations += loops[i].iterations;
		sum.stalls += loops[i].stalls;
		sum.long_stalls += loops[i].long_stalls;
		sum.stalled_ns += loops[i].stalled_ns;
	}
	printf("{\"loops\":%ld,\"seconds\":%.3f,\"iterations\":%" PRIu64 ",\"stalls\":%" PRIu64
	       ",\"long_stalls\":%" PRIu64 ",\"stalled_ns\":%" PRIu64 "}\n",
	       opt.loops, (now_ns() - begin_ns) / 1e9, sum.iterations, sum.stalls, sum.long_stalls,
	       sum.stalled_ns);
	free(loops);
	return 0;
}
