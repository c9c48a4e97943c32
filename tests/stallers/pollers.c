// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * pollers HOME [SECONDS]: a loop whose home wait is poll, ppoll, select, pselect6, epoll_pwait or
 * epoll_pwait2 on a timer and a socket pair. Ten times a second one of its callbacks blocks 20 ms
 * in a poll() of its own on a pipe, which is a stall and not idle time. Prints `ready PID`, begins
 * to stall at a line on standard input, ends with `stalls N`. 77: this kernel or libc lacks it.
 */
#include "staller.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define STALL_NS  (20 * MSEC)
#define PERIOD_NS (100 * MSEC)

static int timer_fd, pair[2], pipe_fds[2], epoll_fd;
static struct timespec long_time = {.tv_sec = 3600};

/* --- the home waits: > 0 when something is ready ------------------------------------------- */

static struct pollfd *home_fds(void)
{
	static struct pollfd p[3] = {{.events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};

	p[0].fd = timer_fd;
	p[1].fd = pair[0];
	p[2].fd = 0;
	return p;
}

static int home_set(fd_set *set)
{
	FD_ZERO(set);
	FD_SET(timer_fd, set);
	FD_SET(pair[0], set);
	return (timer_fd > pair[0] ? timer_fd : pair[0]) + 1;
}

static inline int home_poll(void)
{
	return poll(home_fds(), 2, -1);
}

static inline int home_ppoll(void)
{
	return ppoll(home_fds(), 2, &long_time, NULL);
}

/* glibc makes pselect6 of select: the old call is asked for by its number. */
static inline int home_select(void)
{
	fd_set set;
	int n = home_set(&set);

	return syscall(SYS_select, n, &set, NULL, NULL, NULL);
}

static inline int home_pselect(void)
{
	fd_set set;
	int n = home_set(&set);

	return pselect(n, &set, NULL, NULL, NULL, NULL);
}

static inline int home_epoll_pwait(void)
{
	struct epoll_event ev;
	sigset_t none;

	sigemptyset(&none);
	return epoll_pwait(epoll_fd, &ev, 1, -1, &none);
}

static inline int home_epoll_pwait2(void)
{
	struct epoll_event ev;

	return syscall(SYS_epoll_pwait2, epoll_fd, &ev, 1, &long_time, NULL, 0);
}

/* --- the callbacks -------------------------------------------------------------------------- */

SITE void stall_nested_poll(void)
{
	struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};

	/* Nobody writes the pipe: always the whole time. */
	must(poll(&p, 1, STALL_NS / MSEC), "poll");
	__asm__ volatile("" ::: "memory");
}

SITE void tick(bool stalling, long *stalls)
{
	static uint64_t next_ns;
	uint64_t ticks, now = now_ns();

	must(read(timer_fd, &ticks, sizeof(ticks)), "read");
	if (!stalling || now < next_ns)
		return;
	next_ns = now + PERIOD_NS;
	stall_nested_poll();
	++*stalls;
}

/*
 * Each home wait has a loop of its own, so that the function which waits is also the one which
 * dispatches, as in real loops.
 */
#define LOOP(what)                                                         \
	static void __attribute__((noinline)) loop_##what(uint64_t run_ns) \
	{                                                                  \
		uint64_t end = UINT64_MAX;                                 \
		long stalls = 0;                                           \
                                                                           \
		while (now_ns() < end) {                                   \
			must(home_##what(), #what);                        \
			tick(end != UINT64_MAX, &stalls);                  \
			if (end == UINT64_MAX && begun())                  \
				end = now_ns() + run_ns;                   \
		}                                                          \
		printf("stalls %ld\n", stalls);                            \
	}

static bool begun(void)
{
	char line[16];

	/* Standard input does not block here: main has seen to that. */
	return read(0, line, sizeof(line)) >= 0;
}

LOOP(poll)
LOOP(ppoll)
LOOP(select)
LOOP(pselect)
LOOP(epoll_pwait)
LOOP(epoll_pwait2)

static const struct {
	const char *name;
	void (*loop)(uint64_t run_ns);
} homes[] = {
	{"poll", loop_poll},
	{"ppoll", loop_ppoll},
	{"select", loop_select},
	{"pselect6", loop_pselect},
	{"epoll_pwait", loop_epoll_pwait},
	{"epoll_pwait2", loop_epoll_pwait2},
};

static void open_all(void)
{
	struct itimerspec t = {.it_interval = to_timespec(5 * MSEC),
			       .it_value = to_timespec(5 * MSEC)};
	struct epoll_event ev = {.events = EPOLLIN};

	timer_fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
	must(timerfd_settime(timer_fd, 0, &t, NULL), "timerfd_settime");
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
	must(pipe2(pipe_fds, O_CLOEXEC), "pipe");
	epoll_fd = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create");
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &ev), "epoll_ctl");
	must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pair[0], &ev), "epoll_ctl");
	must(fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK), "stdin");
}

int main(int argc, char **argv)
{
	uint64_t run_ns = (argc > 2 ? number("SECONDS", argv[2], 1) : 2) * SEC;
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(homes) / sizeof(homes[0]); i++) {
		if (strcmp(argv[1], homes[i].name))
			continue;
		open_all();
		if (!strcmp(argv[1], "epoll_pwait2") && home_epoll_pwait2() < 0 && errno == ENOSYS)
			return 77;
		printf("ready %d\n", getpid());
		fflush(stdout);
		homes[i].loop(run_ns);
		return 0;
	}
	fprintf(stderr, "usage: pollers poll|ppoll|select|pselect6|epoll_pwait|epoll_pwait2 "
			"[SECONDS]\n");
	return 2;
}
