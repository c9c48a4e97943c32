// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * hang HOW [AFTER_MS]: an epoll loop which is healthy for AFTER_MS (default: until a line on
 * standard input) and then never comes back: in a read on a pipe that nobody writes, spinning, or
 * on a mutex whose holder sleeps. Prints `ready PID` at its start and `hanging HOW start_ns`
 * (CLOCK_MONOTONIC, of the iteration) just before it hangs.
 */
#include "staller.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

static int pipe_fds[2];
static const char *fifo;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t held;

SITE void hang_read(void)
{
	char c;

	must(read(pipe_fds[0], &c, 1), "read");
	errx(1, "the pipe had something");
}

SITE void hang_spin(void)
{
	while (now_ns())
		;
	errx(1, "time stood still");
}

SITE void hang_mutex(void)
{
	pthread_mutex_lock(&mutex);
	errx(1, "the mutex was free");
}

SITE void hang_open(void)
{
	must(open(fifo, O_RDONLY | O_CLOEXEC), "open");
	errx(1, "the FIFO has a writer");
}

static void *holder_main(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "lock-holder");
	pthread_mutex_lock(&mutex);
	sem_post(&held);
	for (;;)
		nap(3600 * SEC);
	return NULL;
}

static void hold_mutex(void)
{
	pthread_t t;

	sem_init(&held, 0, 0);
	if (pthread_create(&t, NULL, holder_main, NULL))
		errx(1, "no thread");
	while (sem_wait(&held))
		;
}

/* One tick; true when it is the last healthy one. */
static bool tick(int timer, uint64_t end_ns)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};
	uint64_t ticks;

	must(read(timer, &ticks, sizeof(ticks)), "read");
	if (end_ns)
		return now_ns() >= end_ns;
	return poll(&input, 1, 0) > 0;
}

static void __attribute__((noinline))
run_loop(int home, int timer, const char *how, void (*hang)(void), uint64_t end_ns)
{
	uint64_t start;
	struct epoll_event ev;

	for (;;) {
		if (epoll_wait(home, &ev, 1, -1) != 1)
			continue;
		start = now_ns();
		if (!tick(timer, end_ns))
			continue;
		printf("hanging %s %" PRIu64 "\n", how, start);
		fflush(stdout);
		hang();
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*hang)(void);
	} ways[] = {{"read", hang_read},
		    {"spin", hang_spin},
		    {"mutex", hang_mutex},
		    {"open", hang_open}};
	struct itimerspec tick = {.it_interval = to_timespec(2 * MSEC),
				  .it_value = to_timespec(2 * MSEC)};
	struct epoll_event ev = {.events = EPOLLIN};
	int home = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	int timer = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
	size_t i;

	fifo = getenv("HANG_FIFO");
	must(pipe2(pipe_fds, O_CLOEXEC), "pipe");
	must(epoll_ctl(home, EPOLL_CTL_ADD, timer, &ev), "epoll_ctl");
	must(timerfd_settime(timer, 0, &tick, NULL), "timerfd_settime");
	for (i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(argv[1], ways[i].name))
			continue;
		if (ways[i].hang == hang_mutex)
			hold_mutex();
		printf("ready %d\n", getpid());
		fflush(stdout);
		run_loop(home, timer, ways[i].name, ways[i].hang,
			 argc > 2 ? now_ns() + number("AFTER_MS", argv[2], 0) * MSEC : 0);
	}
	fprintf(stderr,
		"usage: hang read|spin|mutex|open [AFTER_MS]; open: of the FIFO in HANG_FIFO\n");
	return 2;
}
